"""Rule 2: whose are the touchpoints of one device? A pure function of its on-time touchpoints in the order.

A marker (login or logout) changes only what lies between its two neighbouring markers; a day that becomes a
kiosk day may change everything on the device. A plain touchpoint changes only itself. So the cost follows
what can change: appending a plain touchpoint looks at the last marker and nothing else.

Kiosk days only ever grow with the set, so the verdict is kept and outlives the touchpoints that caused it.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Container, Sequence
from functools import lru_cache
from typing import Literal

import msgspec

from schemas.identifiers import BUSINESS_KINDS, CONTACT_KINDS, DEVICE_KINDS, UNIQUE_KIND, customer_of
from streams.identity.limits import DAY_MS, Limits


class Kept(msgspec.Struct, frozen=True, order=True, gc=False, array_like=True):
    """A touchpoint in the tail of its routing identifier. The first three fields are the order; ids are
    unique.

    `entry` is the JSON of its records.Entry, empty where it can never move: with a user_id, on a user or
    contact, without identifier.
    """

    occurred_at: int
    sequence: int
    touchpoint_id: str
    log_time: int
    user_id: str | None
    ends: bool
    too_late: bool
    customer_id: str | None
    entry: bytes


Rule = Literal["user_id", "device", "contact", "business_key", "subject"]
"""Which rule speaks for an identifier when a touchpoint on it carries no user_id."""


class Tail:
    """What the owner of one routing identifier remembers. `entries` (on time) and `late` are sorted by the
    order.
    """

    __slots__ = ("customer_id", "due", "earliest", "entries", "kiosk", "late", "marker", "offset_ms", "rule")

    def __init__(self, rule: Rule, customer_id: str | None) -> None:
        self.rule = rule
        self.customer_id = customer_id
        self.entries: list[Kept] = []
        self.late: list[Kept] = []
        self.kiosk: frozenset[int] = frozenset()
        self.offset_ms = 0
        self.marker: Kept | None = None
        """The last marker in the order."""
        self.earliest = 0
        """Not above the earliest end of retention of what is kept; 0 while nothing is."""
        self.due = -1


RULES: dict[str, Rule] = {
    UNIQUE_KIND: "user_id",
    **dict.fromkeys(DEVICE_KINDS, "device"),
    **dict.fromkeys(CONTACT_KINDS, "contact"),
    **dict.fromkeys(BUSINESS_KINDS, "business_key"),
}


def new_tail(routing: str) -> Tail:
    """`routing` is `kind:value`, or the name of a subject or message, which stand for nobody."""
    kind, _, value = routing.partition(":")
    rule = RULES.get(kind, "subject")
    return Tail(rule, customer_of(kind, value) if rule in ("user_id", "device", "contact") else None)


Moved = tuple[Kept, Kept]
"""A touchpoint before and after it changed hands."""


@lru_cache(maxsize=1 << 16)
def customer_of_user(user_id: str) -> str:
    return customer_of(UNIQUE_KIND, user_id)


def is_marker(kept: Kept, kiosk: Container[int]) -> bool:
    return kept.ends or (kept.user_id is not None and kept.occurred_at // DAY_MS not in kiosk)


def user_between(occurred_at: int, before: Kept | None, after: Kept | None, limits: Limits) -> str | None:
    """The one user whom the neighbouring markers name, if they name exactly one."""
    user: str | None = None
    if before is not None and not before.ends and occurred_at - before.occurred_at <= limits.login_ms:
        user = before.user_id
    if after is not None and not after.ends and after.occurred_at - occurred_at <= limits.horizon_ms:
        return after.user_id if user is None or user == after.user_id else None
    return user


def owner_between(kept: Kept, before: Kept | None, after: Kept | None, tail: Tail, limits: Limits) -> str | None:
    if kept.user_id is not None:
        return customer_of_user(kept.user_id)
    if tail.kiosk and kept.occurred_at // DAY_MS in tail.kiosk:
        return tail.customer_id
    user = user_between(kept.occurred_at, before, after, limits)
    return tail.customer_id if user is None else customer_of_user(user)


def place(tail: Tail, kept: Kept, limits: Limits) -> tuple[Kept, Sequence[Moved]]:
    """Add an on-time touchpoint; returns it with its customer, and the older ones that changed hands, in the
    order.
    """
    entries = tail.entries
    if not entries or entries[-1] < kept:
        index = len(entries)
        if kept.user_id is None and not kept.ends and index < limits.kiosk_touchpoints:
            kept = _owned(kept, owner_between(kept, tail.marker, None, tail, limits))
            entries.append(kept)
            return kept, ()
        entries.append(kept)
    else:
        index = bisect_left(entries, kept)
        entries.insert(index, kept)
    low, high = index, index + 1
    day = kept.occurred_at // DAY_MS
    if day not in tail.kiosk and _is_kiosk_day(entries, index, limits):
        tail.kiosk |= {day}
        tail.marker = marker_before(entries, len(entries), tail.kiosk)
        low, high = 0, len(entries)
    elif is_marker(kept, tail.kiosk):
        if tail.marker is None or tail.marker < kept:
            tail.marker = kept
        low, high = _neighbourhood(entries, index, tail.kiosk)
    moved = attribute(tail, low, high, limits)
    return entries[index], [pair for pair in moved if pair[1].touchpoint_id != kept.touchpoint_id]


def attribute(tail: Tail, low: int, high: int, limits: Limits) -> list[Moved]:
    """Apply rule 2 to entries[low:high]; returns those that changed hands."""
    entries, kiosk = tail.entries, tail.kiosk
    after = marker_from(entries, high, kiosk)
    afters: list[Kept | None] = []
    for kept in reversed(entries[low:high]):
        afters.append(after)
        if is_marker(kept, kiosk):
            after = kept
    before = marker_before(entries, low, kiosk)
    moved: list[Moved] = []
    for index in range(low, high):
        kept = entries[index]
        owned = _owned(kept, owner_between(kept, before, afters.pop(), tail, limits))
        if owned is not kept:
            entries[index] = owned
            moved.append((kept, owned))
        if is_marker(kept, kiosk):
            before = owned
    return moved


def marker_before(entries: Sequence[Kept], index: int, kiosk: Container[int]) -> Kept | None:
    for near in range(index - 1, -1, -1):
        if is_marker(entries[near], kiosk):
            return entries[near]
    return None


def marker_from(entries: Sequence[Kept], index: int, kiosk: Container[int]) -> Kept | None:
    for near in range(index, len(entries)):
        if is_marker(entries[near], kiosk):
            return entries[near]
    return None


def add_late(tail: Tail, kept: Kept) -> Kept:
    """A touchpoint that is evidence for nothing: kept only to know it again."""
    kept = _owned(kept, tail.customer_id if kept.user_id is None else customer_of_user(kept.user_id))
    insort(tail.late, kept)
    return kept


def _owned(kept: Kept, customer_id: str | None) -> Kept:
    if kept.customer_id == customer_id:
        return kept
    return Kept(
        kept.occurred_at,
        kept.sequence,
        kept.touchpoint_id,
        kept.log_time,
        kept.user_id,
        kept.ends,
        kept.too_late,
        customer_id,
        kept.entry,
    )


def _neighbourhood(entries: Sequence[Kept], index: int, kiosk: Container[int]) -> tuple[int, int]:
    """From the marker before `index` to the one after it; they themselves only where they are logouts that
    name no user.
    """
    low = index
    while low > 0 and not is_marker(entries[low - 1], kiosk):
        low -= 1
    high = index + 1
    while high < len(entries) and not is_marker(entries[high], kiosk):
        high += 1
    if low > 0 and entries[low - 1].user_id is None:
        low -= 1
    if high < len(entries) and entries[high].user_id is None:
        high += 1
    return low, high


def _is_kiosk_day(entries: Sequence[Kept], index: int, limits: Limits) -> bool:
    """Did the entry at `index` make its day a kiosk day?"""
    kept = entries[index]
    user_id, day = kept.user_id, kept.occurred_at // DAY_MS
    is_crowded = len(entries) > limits.kiosk_touchpoints
    if user_id is not None and not is_crowded:
        for near in (index - 1, index + 1):
            known = 0 <= near < len(entries) and entries[near].user_id == user_id
            if known and entries[near].occurred_at // DAY_MS == day:
                return False
    low, high = _occurred_before(entries, day * DAY_MS), _occurred_before(entries, (day + 1) * DAY_MS)
    if high - low > limits.kiosk_touchpoints:
        return True
    if user_id is None:
        return False
    return len({other.user_id for other in entries[low:high] if other.user_id is not None}) > limits.kiosk_users


def _occurred_before(entries: Sequence[Kept], occurred_at: int) -> int:
    return bisect_left(entries, occurred_at, key=lambda kept: kept.occurred_at)
