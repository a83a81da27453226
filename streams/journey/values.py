"""Frozen values of the core: a touchpoint as it is kept, a break as it is found, an alert as it is remembered."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from schemas.records import AlertState, BreakKind, Fact, Severity


class Kept(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A touchpoint as long as a journey may need it, and its form in the changelog.

    `kinds`: bits of the key kinds it carries; `own`: those of them that have no bit, because a deployment added them
    (so what was kept means the same whatever is added later). `facts`: None when there are none. `person`: who acted,
    if asked for. `stands`: its time is over, and it is kept only because it excuses what starts after it.
    """

    touchpoint_id: str
    name: str
    occurred_at: int
    sequence: int
    log_time: int
    channel: str
    facts: dict[str, Fact] | None
    kinds: int
    rev: int
    moved_from: str | None
    person: str | None = None
    own: tuple[str, ...] = ()
    stands: bool = False


Order = tuple[int, int, str]


def order_of(kept: Kept) -> Order:
    return (kept.occurred_at, kept.sequence, kept.touchpoint_id)


def comes_after(kept: Kept, other: Kept) -> bool:
    """In the order; almost always the times decide."""
    if kept.occurred_at != other.occurred_at:
        return kept.occurred_at > other.occurred_at
    return order_of(kept) > order_of(other)


class Finding(NamedTuple):
    """A break of one instance as the fold sees it."""

    name: str
    kind: BreakKind
    step: str | None
    occurrence: int
    severity: Severity
    cause_at: int
    due_at: int | None
    cleared_at: int | None


class AlertRecord(NamedTuple):
    """What is remembered of an alert. `fired_at` and `changed_at` are log times. `acknowledged_by`: who looks after it
    since it fired last, or closed it; `closed`: for good.
    """

    finding: Finding
    state: AlertState
    fired_at: int
    changed_at: int
    acknowledged_by: str | None = None
    closed: bool = False


Book = dict[tuple[str, int], AlertRecord]
"""The alerts of one instance, by break name and occurrence."""
