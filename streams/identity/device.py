"""Rules 2 and 3: whose are the touchpoints of one device or contact? A pure function of its on-time touchpoints in the
order, of the users that their contacts name, and of what people decided (`Hearsay`).

A marker (login or logout) changes only what lies between its two neighbouring markers; a day that becomes a
kiosk day may change everything on the device. A plain touchpoint changes only itself. So the cost follows
what can change: appending a plain touchpoint looks at the last marker and nothing else.

Kiosk days only ever grow with the set, so the verdict is kept and outlives the touchpoints that caused it.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Container, Mapping, Sequence
from functools import cache, lru_cache
from typing import Literal, NamedTuple

import msgspec

from schemas.identifiers import BUILT_IN_KINDS, UNIQUE_KIND, IdentifierKinds, customer_of
from schemas.records import AttributedBy
from streams.identity.decisions import Decisions
from streams.identity.hearsay import Hearsay
from streams.identity.limits import DAY_MS, Limits


class Kept(msgspec.Struct, frozen=True, order=True, gc=False, array_like=True):
    """A touchpoint in the tail of its routing identifier. The first three fields are the order; ids are
    unique.

    `entry` is the JSON of its records.Entry, empty where it can never move: with a user_id, without identifier.
    `by` is the rule that gave it to its customer. `contacts` are those that may name its user: none where it
    carries a user_id. `weak`: a browser's.
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
    by: AttributedBy
    contacts: tuple[str, ...]
    weak: bool


class Over(NamedTuple):
    """What fell out of the day that is kept in part (`streams.identity.cap`)."""

    day: int
    touchpoints: int
    users: frozenset[str]


Rule = Literal["user_id", "device", "contact", "business_key", "subject"]
"""Which rule speaks for an identifier when a touchpoint on it carries no user_id."""


class Tail:
    """What the owner of one routing identifier remembers. `entries` (on time) and `late` are sorted by the
    order.
    """

    __slots__ = (
        *("customer_id", "due", "earliest", "entries", "kiosk", "late", "marker", "name", "offset_ms", "over", "rule"),
    )

    def __init__(self, name: str, rule: Rule, customer_id: str | None) -> None:
        self.name = name
        self.rule = rule
        self.customer_id = customer_id
        self.entries: list[Kept] = []
        self.late: list[Kept] = []
        self.kiosk: frozenset[int] = frozenset()
        self.offset_ms = 0
        self.over: Over | None = None
        self.marker: Kept | None = None
        """The last marker in the order."""
        self.earliest = 0
        """Not above the earliest end of retention of what is kept; 0 while nothing is."""
        self.due = -1


@cache
def _rules(kinds: IdentifierKinds) -> Mapping[str, Rule]:
    return {
        UNIQUE_KIND: "user_id",
        **dict.fromkeys(kinds.devices, "device"),
        **dict.fromkeys(kinds.contacts, "contact"),
        **dict.fromkeys(kinds.keys, "business_key"),
    }


def alone(rule: Rule) -> AttributedBy:
    """What a touchpoint is attributed by when nothing but its routing identifier counts."""
    return "waiting" if rule == "business_key" else rule


def new_tail(routing: str, kinds: IdentifierKinds = BUILT_IN_KINDS) -> Tail:
    """`routing` is `kind:value`, or the name of a subject or message, which stand for nobody."""
    kind, _, value = routing.partition(":")
    rule = _rules(kinds).get(kind, "subject")
    return Tail(routing, rule, customer_of(kind, value) if rule in ("user_id", "device", "contact") else None)


Moved = tuple[Kept, Kept]
"""A touchpoint before and after it changed hands."""


@lru_cache(maxsize=1 << 16)
def customer_of_user(user_id: str) -> str:
    return customer_of(UNIQUE_KIND, user_id)


def is_marker(kept: Kept, kiosk: Container[int]) -> bool:
    return kept.ends or (kept.user_id is not None and kept.occurred_at // DAY_MS not in kiosk)


def user_between(
    occurred_at: int, before: Kept | None, after: Kept | None, device: str, limits: Limits, decisions: Decisions
) -> str | None:
    """The one user whom the neighbouring markers name, if they name exactly one."""
    user: str | None = None
    if before is not None and not before.ends and occurred_at - before.occurred_at <= limits.login_ms:
        user = before.user_id
        if decisions and user is not None and decisions.names_nobody(device, user):
            user = None
    if after is not None and not after.ends and after.occurred_at - occurred_at <= limits.horizon_ms:
        later = after.user_id
        if decisions and later is not None and decisions.names_nobody(device, later):
            return user
        return later if user is None or user == later else None
    return user


Ownership = tuple[str | None, AttributedBy]
"""The customer, and the rule that says so."""


def owner_between(
    kept: Kept, before: Kept | None, after: Kept | None, tail: Tail, limits: Limits, hearsay: Hearsay
) -> Ownership:
    if kept.user_id is not None:
        return customer_of_user(kept.user_id), "user_id"
    decisions = hearsay.decisions
    if tail.rule == "device":
        if decisions and not decisions.is_blocked(tail.name) and (by_hand := decisions.linked(tail.name)) is not None:
            return customer_of_user(by_hand), "manual"
        if not tail.kiosk or kept.occurred_at // DAY_MS not in tail.kiosk:
            user = user_between(kept.occurred_at, before, after, tail.name, limits, decisions)
            if user is not None:
                return customer_of_user(user), "login"
    if kept.contacts and (user := hearsay.named(kept.contacts)) is not None:
        return customer_of_user(user), "contact"
    return tail.customer_id, "device" if tail.rule == "device" else "contact"


def place(tail: Tail, kept: Kept, limits: Limits, hearsay: Hearsay) -> tuple[Kept, Sequence[Moved]]:
    """Add an on-time touchpoint; returns it with its customer, and the older ones that changed hands, in the
    order.
    """
    entries = tail.entries
    if not entries or entries[-1] < kept:
        index = len(entries)
        if kept.user_id is None and not kept.ends and index < limits.kiosk_touchpoints and tail.over is None:
            kept = _owned(kept, owner_between(kept, tail.marker, None, tail, limits, hearsay))
            entries.append(kept)
            return kept, ()
        entries.append(kept)
    else:
        index = bisect_left(entries, kept)
        entries.insert(index, kept)
    low, high = index, index + 1
    day = kept.occurred_at // DAY_MS
    if day not in tail.kiosk and _is_kiosk_day(tail, index, limits):
        begin_kiosk_day(tail, day)
        low, high = 0, len(entries)
    elif is_marker(kept, tail.kiosk):
        if tail.marker is None or tail.marker < kept:
            tail.marker = kept
        low, high = _neighbourhood(entries, index, tail.kiosk)
    elif day in tail.kiosk:  # No marker matters there, and looking for one could be long.
        entries[index] = _owned(kept, owner_between(kept, None, None, tail, limits, hearsay))
        return entries[index], ()
    moved = attribute(tail, low, high, limits, hearsay)
    return entries[index], [pair for pair in moved if pair[1].touchpoint_id != kept.touchpoint_id]


def attribute(tail: Tail, low: int, high: int, limits: Limits, hearsay: Hearsay) -> list[Moved]:
    """Apply the rules to entries[low:high]; returns those that changed hands, or the rule that gave them."""
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
        owned = _owned(kept, owner_between(kept, before, afters.pop(), tail, limits, hearsay))
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


def by_contacts(tail: Tail, kept: Kept, limits: Limits, hearsay: Hearsay) -> Kept:
    """A touchpoint routed by a contact, with its customer."""
    return _owned(kept, owner_between(kept, None, None, tail, limits, hearsay))


def add_late(tail: Tail, kept: Kept) -> Kept:
    """A touchpoint that is evidence for nothing: kept only to know it again."""
    kept = itself(tail, kept)
    insort(tail.late, kept)
    return kept


def itself(tail: Tail, kept: Kept) -> Kept:
    """With the customer that follows from what it carries itself."""
    if kept.user_id is None:
        return _owned(kept, (tail.customer_id, alone(tail.rule)))
    return _owned(kept, (customer_of_user(kept.user_id), "user_id"))


def _owned(kept: Kept, owner: Ownership) -> Kept:
    customer_id, by = owner
    if kept.customer_id == customer_id and kept.by == by:
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
        by,
        kept.contacts,
        kept.weak,
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


def _is_kiosk_day(tail: Tail, index: int, limits: Limits) -> bool:
    """Did the entry at `index` make its day a kiosk day?"""
    entries, over = tail.entries, tail.over
    user_id, day = entries[index].user_id, entries[index].occurred_at // DAY_MS
    if user_id is not None and len(entries) + (over.touchpoints if over is not None else 0) <= limits.kiosk_touchpoints:
        for near in (index - 1, index + 1):
            known = 0 <= near < len(entries) and entries[near].user_id == user_id
            if known and entries[near].occurred_at // DAY_MS == day:
                return False
    return is_crowded(tail, day, limits, user_id is not None)


def is_crowded(tail: Tail, day: int, limits: Limits, has_users: bool = True) -> bool:
    """Does it have more touchpoints on this day, or more users, than a device of one person?"""
    entries, over = tail.entries, tail.over if tail.over is not None and tail.over.day == day else None
    low, high = _occurred_before(entries, day * DAY_MS), _occurred_before(entries, (day + 1) * DAY_MS)
    if high - low + (over.touchpoints if over is not None else 0) > limits.kiosk_touchpoints:
        return True
    if not has_users:
        return False
    users = {other.user_id for other in entries[low:high] if other.user_id is not None}
    return len(users if over is None else users | over.users) > limits.kiosk_users


def begin_kiosk_day(tail: Tail, day: int) -> None:
    tail.kiosk |= {day}
    tail.marker = marker_before(tail.entries, len(tail.entries), tail.kiosk)


def _occurred_before(entries: Sequence[Kept], occurred_at: int) -> int:
    return bisect_left(entries, occurred_at, key=lambda kept: kept.occurred_at)
