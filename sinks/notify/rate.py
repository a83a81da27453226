"""How many requests a route may make now, and which notifications go into which request. Pure.

The law: in any sixty seconds a route makes at most `per_minute` requests, attempts that failed included. What
waits meanwhile goes out with the next request; nothing is left out without being counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

WINDOW_MS: Final = 60_000


class Waiting(NamedTuple):
    """A notification to be sent. `key`: those with the same key keep their order. `accepted_at`: wall clock, ms."""

    seq: int
    key: str
    idempotency_key: str
    body: bytes
    changed_at: int
    accepted_at: int
    attempts: int


Parcel = tuple[Waiting, ...]
"""What goes out in one request, oldest first."""


def allowance(made_at: Sequence[int], now: int, per_minute: int) -> int:
    """`made_at`: when requests were made (wall clock, ms). One from the future (the clock was set back) counts not."""
    recent = sum(1 for at in made_at if now - WINDOW_MS < at <= now)
    return max(per_minute - recent, 0)


def parcels(pile: Sequence[Waiting], allowed: int, *, one_for_all: bool) -> list[Parcel]:
    """`pile`: what waits, oldest first. Within the allowance each goes alone, the oldest of its key first. Over it,
    all go together (`one_for_all`), or all of a key do."""
    if allowed <= 0 or not pile:
        return []
    by_key: dict[str, list[Waiting]] = {}
    for found in pile:
        by_key.setdefault(found.key, []).append(found)
    if len(pile) <= allowed:
        return [(waiting[0],) for waiting in by_key.values()]
    if one_for_all:
        return [tuple(pile)]
    return [tuple(waiting) for waiting in list(by_key.values())[:allowed]]


def newest_of_each(parcel: Parcel) -> list[Waiting]:
    """What is left to say when a later notification overtakes the earlier ones of its key."""
    return list({found.key: found for found in parcel}.values())
