"""What a person means by an ID: `kind:value`, a customer's UUID, or the beginning of one. Pure.

A value of a personal kind becomes its stored form at once; from then on nothing here knows the clear one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from deploy.identity import refusals
from schemas.identifiers import BUILT_IN_KINDS, UNIQUE_KIND, Group, IdentifierKinds
from schemas.placeholders import is_placeholder

Stored = Callable[[str, str], str | None]
"""(kind, value as said) -> value as it is stored; None: not usable (no e-mail address, ignored, ...)."""

HASH_LENGTH: Final = 64
PREFIX_MIN: Final = 8
VALUE_MAX: Final = 200
_CUSTOMER: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{0,4}){0,3}(-[0-9a-f]{0,12})?")
_HASH: Final = re.compile(r"hmac:(?P<digits>[0-9a-f]{8,64})(\.\.\.|…)?")
_TOUCHPOINT: Final = re.compile(r"[0-9a-f]{32}")


class Unclear(ValueError):
    """What was asked for cannot be meant; the text says what to do. It holds no clear value of a personal kind."""


@dataclass(frozen=True, slots=True)
class Identifier:
    """`is_whole` False: the value is the beginning of a hash, as a screen shows it. `group`: of the kind; None: what is
    no identifier, such as a subject.
    """

    kind: str
    value: str
    group: Group | None
    is_whole: bool = True

    @property
    def text(self) -> str:
        return f"{self.kind}:{self.value}"

    @property
    def is_device(self) -> bool:
        return self.group == "device"

    @property
    def is_contact(self) -> bool:
        return self.group == "contact"

    @property
    def is_key(self) -> bool:
        return self.group == "business_key"


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer's UUID, or its first characters."""

    beginning: str


def identifier_of(text: str, kinds: IdentifierKinds = BUILT_IN_KINDS) -> Identifier:
    """Of what is stored already: `kind:value`."""
    kind, _, value = text.partition(":")
    return Identifier(kind, value, kinds.group_of(kind))


def read_id(text: str, stored: Stored, kinds: IdentifierKinds = BUILT_IN_KINDS) -> Identifier | Customer:
    """Raises Unclear."""
    said = text.strip()
    if _CUSTOMER.fullmatch(said.lower()) and len(said) <= 36:
        return Customer(said.lower())
    return read_identifier(said, stored, kinds)


def read_identifier(text: str, stored: Stored, kinds: IdentifierKinds = BUILT_IN_KINDS) -> Identifier:
    """Raises Unclear."""
    kind, colon, value = text.strip().partition(":")
    if not colon:
        if _TOUCHPOINT.fullmatch(kind):
            raise Unclear(refusals.is_a_touchpoint(kind))
        raise Unclear(refusals.without_kind())
    if (group := kinds.group_of(kind)) is None:
        raise Unclear(refusals.unknown_kind(kind, _nearest(kind, kinds), kinds))
    if not value.strip():
        raise Unclear(refusals.empty_value(kind))
    if len(value) > VALUE_MAX:
        raise Unclear(refusals.long_value(kind, VALUE_MAX))
    if is_placeholder(value):
        raise Unclear(refusals.placeholder(kind))
    if (found := _HASH.fullmatch(value)) is not None:
        digits = found["digits"]
        return Identifier(kind, f"hmac:{digits}", group, is_whole=len(digits) == HASH_LENGTH)
    kept = stored(kind, value)
    if kept is None:
        raise Unclear(refusals.not_usable(kind))
    return Identifier(kind, kept, group)


def read_linkable(text: str, stored: Stored, verb: str, kinds: IdentifierKinds = BUILT_IN_KINDS) -> Identifier:
    """For link and unlink: a device or a contact. Raises Unclear."""
    found = read_identifier(text, stored, kinds)
    if found.kind == UNIQUE_KIND:
        raise Unclear(refusals.user_in_link(verb, found.value))
    if found.is_key:
        raise Unclear(refusals.key_in_link(verb, found.kind))
    return found


def read_user(text: str, verb: str, stored: Stored, kinds: IdentifierKinds = BUILT_IN_KINDS) -> str:
    """A user's id, with or without `user_id:`, as it is stored. Raises Unclear."""
    said = text.strip()
    kind, colon, value = said.partition(":")
    if colon and kind == UNIQUE_KIND:
        said = value
    elif colon and kinds.group_of(kind) is not None:
        raise Unclear(refusals.not_a_user(verb, kind))
    if not said or len(said) > VALUE_MAX or is_placeholder(said):
        raise Unclear(refusals.placeholder(UNIQUE_KIND))
    kept = stored(UNIQUE_KIND, said)
    if kept is None:
        raise Unclear(refusals.not_usable(UNIQUE_KIND))
    return kept


def _nearest(kind: str, kinds: IdentifierKinds) -> str | None:
    said = kind.strip().lower().replace("-", "_").replace(" ", "_")
    known = {
        "user": "user_id",
        "mail": "email",
        "e_mail": "email",
        "tel": "phone",
        "telephone": "phone",
        "card": "loyalty_card",
    }
    known |= {
        "mobile": "phone",
        "cookie": "anonymous_id",
        "device": "device_id",
        "customer": "user_id",
        "order": "order_id",
    }
    if said in known:
        return known[said]
    near = get_close_matches(said, kinds.all, 1, 0.5)
    return near[0] if near else None
