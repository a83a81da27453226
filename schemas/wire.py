"""The contract of one deployment's touchpoints: schemas.touchpoint, and a field for each kind of identifier of its own.

One definition and two decoders, as for every contract: the pydantic models are derived here, the fast decoder from them
(schemas.fast). Without kinds of its own a deployment gets the very classes of schemas.touchpoint. Behind the border the
values of own kinds travel in one map (`records.StoredIdentifiers`), so that stages, loader and ClickHouse read each
other's records whatever the rules of either say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import create_model

from schemas.fast import fast_shape_decoder, fast_type
from schemas.identifiers import BUILT_IN_KINDS, IdentifierKinds
from schemas.touchpoint import Identifiers, Touchpoint, Value


@dataclass(frozen=True, slots=True)
class Members:
    """Kinds that are members of one object of a Segment item, each in snake and in camel case. `names`: all of them."""

    camel: Mapping[str, str]
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Wire:
    """`identifiers` makes the fast form. In Segment items contacts are in the traits, business keys in the properties,
    devices of one's own in the context (the built-in ones have places of their own).
    """

    touchpoint: type[Touchpoint]
    decode: Callable[[bytes], Touchpoint]
    identifiers: type[Identifiers]
    contacts: Members
    keys: Members
    devices: Members


@cache
def wire_of(kinds: IdentifierKinds) -> Wire:
    """The same one at every call."""
    touchpoint, identifiers = contract_of(kinds)
    return Wire(
        touchpoint,
        fast_shape_decoder(touchpoint),
        fast_type(identifiers),
        _members(kinds.contacts),
        _members(kinds.keys),
        _members(tuple(kind for kind in kinds.devices if kind not in BUILT_IN_KINDS.devices)),
    )


@cache
def contract_of(kinds: IdentifierKinds) -> tuple[type[Touchpoint], type[Identifiers]]:
    """The pydantic models, under the names of those that they extend."""
    if not kinds.added:
        return Touchpoint, Identifiers
    own: dict[str, Any] = dict.fromkeys(kinds.added, (Value | None, None))
    identifiers = create_model("Identifiers", __base__=Identifiers, __doc__=Identifiers.__doc__, **own)
    field: Any = (identifiers, identifiers())
    return create_model("Touchpoint", __base__=Touchpoint, __doc__=Touchpoint.__doc__, identifiers=field), identifiers


def _members(kinds: tuple[str, ...]) -> Members:
    camel = {kind: _camel(kind) for kind in kinds}
    return Members(camel, frozenset((*camel, *camel.values())))


def _camel(snake: str) -> str:
    first, *others = snake.split("_")
    return first + "".join(word.capitalize() for word in others)
