"""What a team's own kinds of identifiers may be called. Pure: rules in, flaws out, each with the path to its place.

A kind is the first part of `kind:value`, wherever an identifier, a journey's anchor or a scope is written, and the name
of a field of the contract. So it must be none of the words that stand there already. And a personal kind hides every
value below a field of its name, so that name must mean nothing else in a touchpoint.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from schemas.identifiers import CONTACT_GRAPH, ROUTING_ORDER
from schemas.identity_rules import IdentityRules
from schemas.segment import SegmentItem
from schemas.snake_case import snake_case
from schemas.touchpoint import Identifiers, Subject, Touchpoint
from schemas.yaml_file import Path_

OWN_MAX: Final = 10
NAME_MAX: Final = 40
NAME: Final = r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$"
"""One _ between two words."""
_WORD: Final = re.compile(r"[a-z][a-z0-9_]*")
FIELDS: Final = frozenset(
    (*Touchpoint.model_fields, *Subject.model_fields, *SegmentItem.model_fields, "account_id")
).difference(ROUTING_ORDER)
"""What a touchpoint has anyway beside its identifiers, in both formats."""
TAKEN: Final = FIELDS | {
    *("store", "product", "brand", "message"),  # what routes a touchpoint that names nobody
    *("customer", "start", "source", "touchpoint"),  # scopes of journeys, and anchors
    *("other", "user_proof", "hmac", "unusable", "account", "user", "device", "contact", CONTACT_GRAPH),
}
Found = Iterator[tuple[Path_, str]]


def own_flaws(rules: IdentityRules) -> Found:
    own = rules.identifiers.own
    for number, kind in enumerate(own, 1):
        if number > OWN_MAX:
            yield ("identifiers", kind), f"{len(own)} kinds of one's own; at most {OWN_MAX} can be added."
            break
    for kind in own:
        if (flaw := _name_flaw(kind)) is not None:
            yield ("identifiers", kind), f"{kind[: NAME_MAX + 1]}: {flaw}"
    if all(_name_flaw(kind) is None for kind in own):
        yield from _personal_flaws(rules)


def _name_flaw(kind: str) -> str | None:
    if not _WORD.fullmatch(kind) or len(kind) > NAME_MAX:
        meant = snake_case(kind)[:NAME_MAX]
        near = f" Did you mean {meant!r}?" if _WORD.fullmatch(meant) and meant != kind else ""
        return (
            f"a kind is a word of small letters, digits and _, beginning with a letter, of at most {NAME_MAX}"
            f" characters.{near}"
        )
    if snake_case(kind) != kind:
        return f"one _ between two words, none at the end. Did you mean {snake_case(kind)!r}?"
    if kind in TAKEN:
        return f"this word means something else already. Give the kind another name, such as 'our_{kind}'."
    return None


def _personal_flaws(rules: IdentityRules) -> Found:
    """A name of personal fields means a field that is called so, or whose name ends in it."""
    own = rules.identifiers.own
    others = {*Identifiers.model_fields, *own}
    taken: dict[str, str] = {}
    for personal in rules.personal_kinds:
        names: list[tuple[str, Path_]] = [(personal, ())]
        said = rules.contact(personal).personal_fields
        names += [(name, ("personal_fields", number)) for number, name in enumerate(said)]
        for name, place in names:
            word, path = snake_case(name), ("identifiers", personal, *place)
            if (field := next((one for one in sorted(FIELDS) if _means(word, one)), None)) is not None:
                yield path, f"{name}: the field {field} of every touchpoint is called so; its values would be hashed."
            if word in taken and taken[word] != personal and {personal, taken[word]} & own.keys():
                yield path, f"{name}: fields of this name are those of {taken[word]}. Leave it to one of them."
            taken.setdefault(word, personal)
            for other in sorted(others - {*rules.personal_kinds}):
                if _means(word, other) and {personal, other} & own.keys():
                    blamed: Path_ = ("identifiers", other) if other in own else path
                    yield blamed, _hidden(other, name, personal, rules)


def _hidden(other: str, name: str, personal: str, rules: IdentityRules) -> str:
    text = f"{other}: fields whose name is or ends in {name!r} are hashed as those of {personal}, so it would be, too."
    is_contact = other in rules.kinds.contacts
    return f"{text} {'Make it personal, too, or give' if is_contact else 'Give'} one of them another name."


def _means(name: str, field: str) -> bool:
    return field == name or field.endswith(f"_{name}")
