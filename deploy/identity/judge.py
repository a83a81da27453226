"""The rules, run over rows: the workers' own functions say whose each touchpoint is. Pure.

In `streams.identity`: `device` for rules 1 to 3, `contacts` for whom a contact names, `keys` for rule 4, `decisions`
for what people decided. Nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from deploy.identity.touch import Owner, Touch
from schemas.control_records import Decision
from streams.identity.cap import fell_out
from streams.identity.contacts import Graph
from streams.identity.decisions import Decisions
from streams.identity.device import Kept, Tail, add_late, alone, attribute, new_tail, place
from streams.identity.hearsay import Hearsay, Told
from streams.identity.keys import Claim, Key, deciding, take
from streams.identity.limits import Limits

CLAIMING = frozenset(("user_id", "login", "manual", "device", "contact"))
"""What a touchpoint must be attributed by to claim a business key: it names a person or a device."""


@dataclass(frozen=True, slots=True)
class Rules:
    """`ends`: names of touchpoints that end a session."""

    limits: Limits
    ends: frozenset[str]


def in_force(decisions: Iterable[Decision]) -> Decisions:
    """`decisions`: in the order in which they count."""
    standing = Decisions()
    for order, decision in enumerate(decisions):
        standing.take(decision, order)
    return standing


def hearsay_of(graph: Graph, contacts: Iterable[str], decisions: Decisions) -> Hearsay:
    hearsay = Hearsay()
    hearsay.decisions = decisions
    for contact in contacts:
        hearsay.contacts[contact] = Told(graph.names(contact))
    return hearsay


def tail_of(origin: str, touches: Iterable[Touch], hearsay: Hearsay, rules: Rules) -> Tail:
    """All of one routing identifier, on a device or on a contact, as its owner would hold them. What fell out because
    they are too many lies with what came too late: only what it carries itself counts.
    """
    tail, ordered = new_tail(origin, rules.limits.kinds), sorted(touches, key=lambda touch: touch.order)
    out = too_many(ordered, rules.limits)
    for touch in ordered:
        kept = kept_of(touch, tail, rules)
        if touch.too_late:
            add_late(tail, kept)
        elif touch.touchpoint_id in out:
            add_late(tail, kept)
            fell_out(tail, kept)
        elif tail.rule == "device":
            place(tail, kept, rules.limits, hearsay)
        else:
            tail.entries.append(kept)
    if tail.rule == "contact":
        attribute(tail, 0, len(tail.entries), rules.limits, hearsay)
    return tail


def too_many(ordered: Sequence[Touch], limits: Limits) -> frozenset[str]:
    """The ids of those that fell out of memory: while they were remembered, as many as are kept occurred after them."""
    on_time = [touch for touch in ordered if not touch.too_late]
    pairs = zip(on_time, on_time[limits.kept :], strict=False)
    return frozenset(
        one.touchpoint_id
        for one, later in pairs
        if later.log_time <= max(one.occurred_at, one.log_time) + limits.kept_ms
    )


def kept_of(touch: Touch, tail: Tail, rules: Rules) -> Kept:
    return Kept(
        touch.occurred_at,
        touch.sequence,
        touch.touchpoint_id,
        touch.log_time,
        touch.user_id,
        tail.rule == "device" and touch.name in rules.ends,
        touch.too_late,
        tail.customer_id,
        b"",
        alone(tail.rule),
        () if touch.user_id is not None else touch.contacts,
        touch.weak,
    )


def owners_on(origin: str, touches: Sequence[Touch], hearsay: Hearsay, rules: Rules) -> dict[str, Owner]:
    """By touchpoint id, for everything on one device, contact or user."""
    tail = tail_of(origin, touches, hearsay, rules)
    return {
        kept.touchpoint_id: Owner(kept.customer_id, kept.by) for kepts in (tail.entries, tail.late) for kept in kepts
    }


def key_of(
    name: str, touches: Iterable[Touch], owners: Mapping[str, Owner], decisions: Decisions, limits: Limits
) -> Key:
    """A business key with its claims; `owners`: of the claimants, where they are others than stored."""
    key = Key()
    key.is_blocked = decisions.is_blocked(name)
    for touch in touches:
        if not touch.too_late and name in touch.keys:
            owner = owners.get(touch.touchpoint_id, touch.owner)
            customer = owner.customer_id if owner.by in CLAIMING and not touch.on_key else None
            own = touch.origin == name
            claim = Claim(*touch.order, touch.raw_offset, customer, own, touch.log_time, b"", touch.weak)
            take(key, claim, limits)
    return key


def deciding_claim(key: Key) -> Claim | None:
    """The claim whose customer the key has; None: it waits, is blocked or worn out."""
    return None if key.is_blocked or key.is_worn else deciding(key)
