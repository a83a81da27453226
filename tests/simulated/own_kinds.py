"""Kinds of identifiers that a deployment declares itself, one of each group and one that is personal, among the others.

Histories are drawn with the built-in kinds; here some of their identifiers get a kind of one's own in place of that
which they have. Everything said of a group must hold of it, so the laws and their oracle need no other words.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Final

from tests.oracle.usable import Kinds, Rules

LIKE: Final[Mapping[str, str]] = {
    "cookie_id": "anonymous_id",
    "passport": "email",
    "member": "loyalty_card",
    "booking_id": "order_id",
}
"""Each, and the built-in kind of its group that it takes the place of."""
OWN: Final = Kinds(
    devices=("anonymous_id", "cookie_id", "device_id"),
    contacts=("passport", "email", "phone", "loyalty_card", "member"),
    business=("order_id", "booking_id", "receipt_id", "ticket_id", "claim_id"),
    personal=("email", "phone", "passport"),
)
"""Their priorities put them before, between and after the built-in ones."""
OFTEN: Final = 0.5


def own_of(rng: Random, kind: str, rules: Rules) -> str:
    """The same kind, or the own one like it."""
    own = next((own for own, like in LIKE.items() if like == kind and own in rules.kinds.all), kind)
    return own if own != kind and rng.random() < OFTEN else kind


def with_own(rng: Random, identifiers: dict[str, str], rules: Rules) -> dict[str, str]:
    return {own_of(rng, kind, rules): value for kind, value in identifiers.items()}
