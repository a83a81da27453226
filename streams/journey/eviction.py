"""What may be forgotten: touchpoints, and the instances made of them, long after the last thing that could concern
them.

Touchpoints are forgotten together with every instance that shares one of them, or what is left would fold into
something else. When something is looked at depends only on the customer's id and W: each customer has a minute of the
day. So the answer does not hang on when the process began, and no tick looks at everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from zlib import crc32

from streams.journey.deadlines import keep_until
from streams.journey.instances import Scope, Unit
from streams.journey.run import Run

MINUTE_MS = 60_000
SLOTS = 1440


def slot_of(customer: str) -> int:
    """The customer's minute of the day."""
    return crc32(customer.encode()) % SLOTS


def minutes(before: int, w: int) -> Iterator[int]:
    """The minutes of the day that W passed since `before`; after a day or more all of them, once."""
    first, last = before // MINUTE_MS + 1, w // MINUTE_MS
    for minute in range(max(first, last - SLOTS + 1), last + 1):
        yield minute % SLOTS


class Cluster:
    """Touchpoints that stay or go together, by identity, and until when they are needed."""

    __slots__ = ("members", "runs", "until")

    def __init__(self, members: set[int], runs: list[tuple[Unit, Run]], until: int) -> None:
        self.members, self.runs, self.until = members, runs, until


def is_firing(run: Run) -> bool:
    """Or acknowledged: nobody has said that it is over."""
    return bool(run.alerts) and any(one.state in ("firing", "acknowledged") for one in (run.alerts or {}).values())


def clusters(scopes: Sequence[Scope], units: Sequence[Unit]) -> list[Cluster]:
    found: list[Cluster] = []
    for unit in units:
        for run in unit.runs:
            until = keep_until(unit.definition, run, is_firing(run))
            _join(found, Cluster({id(kept) for kept in run.members}, [(unit, run)], until))
    members = {member for cluster in found for member in cluster.members}
    for scope in scopes:
        for kept in scope.kept:
            if id(kept) not in members:
                found.append(Cluster({id(kept)}, [], kept.occurred_at))
    return found


def _join(found: list[Cluster], new: Cluster) -> None:
    for cluster in [cluster for cluster in found if not cluster.members.isdisjoint(new.members)]:
        found.remove(cluster)
        new = Cluster(new.members | cluster.members, cluster.runs + new.runs, max(new.until, cluster.until))
    found.append(new)
