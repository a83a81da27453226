"""What may be forgotten: touchpoints, and the instances made of them, long after the last thing that could concern
them.

Touchpoints are forgotten together with every instance that shares one of them, or what is left would fold into
something else. An excuse stays longer, but only stands for what starts after it. When something is looked at depends
only on the customer's id and W (`slots`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from streams.journey.deadlines import keep_until
from streams.journey.instances import Scope, Unit
from streams.journey.ledger import Ledger
from streams.journey.memory import Memory
from streams.journey.plan import CompiledDefinition, title
from streams.journey.run import Run
from streams.journey.slots import Household, minutes
from streams.journey.values import Kept


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
    _prolong(found, scopes, units)
    return found


def _prolong(found: Sequence[Cluster], scopes: Sequence[Scope], units: Sequence[Unit]) -> None:
    """Some instances stay as long as something else, which their absence would change."""
    several = [unit for unit in units if len(unit.runs) > 1]
    of_run = {id(run): cluster for cluster in found for _, run in cluster.runs} if several else {}
    of_kept = {member: cluster for cluster in found for member in cluster.members} if several else {}
    longer = True
    pairs = [(of_run[id(former)], of_run[id(run)]) for unit in several for former, run in _followed(unit)]
    pairs += [(of_kept[id(kept)], of_run[id(run)]) for unit in several for kept, run in _between(unit, scopes)]
    while longer:
        longer = False
        for needs, needed in pairs:
            if needs.until > needed.until:
                needed.until, longer = needs.until, True


def _followed(unit: Unit) -> Iterable[tuple[Run, Run]]:
    """What comes after the end goes to a customer's last instance, not to one before it."""
    return pairwise(unit.runs) if unit.definition.kind is None else ()


def _between(unit: Unit, scopes: Sequence[Scope]) -> Iterator[tuple[Kept, Run]]:
    """A touchpoint without key joins an instance if it is the only one that is open; so it knows them all."""
    definition = unit.definition
    if definition.kind is None:
        return
    for scope in scopes:
        for kept in () if scope.of_key else scope.kept:
            if kept.name not in definition.excuses and unit.wants(kept, scope):
                yield from ((kept, run) for run in unit.runs if _spans(definition, run, kept.occurred_at))


def _spans(definition: CompiledDefinition, run: Run, at: int) -> bool:
    start = run.start
    if start is None or at < start.occurred_at:
        return False
    return at <= (run.ended_at if run.ended_at is not None else start.occurred_at + definition.lifetime_ms)


def _join(found: list[Cluster], new: Cluster) -> None:
    for cluster in [cluster for cluster in found if not cluster.members.isdisjoint(new.members)]:
        found.remove(cluster)
        new = Cluster(new.members | cluster.members, cluster.runs + new.runs, max(new.until, cluster.until))
    found.append(new)


class Eviction:
    """Takes out of the memory what nothing can concern any more. `retention_ms`: how long after its last moment
    something is remembered.
    """

    __slots__ = ("_ledger", "_memory", "_retention_ms")

    def __init__(self, memory: Memory, ledger: Ledger, retention_ms: int) -> None:
        self._memory, self._ledger, self._retention_ms = memory, ledger, retention_ms

    def evict(self, before: int, w: int) -> None:
        """Look at the customers whose minute has come since W was `before`."""
        limit = w - self._retention_ms
        for minute in minutes(before, w):
            slot = self._memory.slots[minute]
            for address, scope in list(slot.alone.items()):
                self._clear_out((scope,), scope.units, limit)
                if self._is_empty(scope):
                    del slot.alone[address]
            for customer, household in list(slot.households.items()):
                self._clear_out(household.scopes, household.units, limit)
                self._shrink(household)
                if not household.scopes:
                    del slot.households[customer]

    def _clear_out(self, scopes: Sequence[Scope], units: Sequence[Unit], limit: int) -> None:
        """Forget what nothing can concern any more: its last moment lies before `limit`."""
        dead: set[int] = set()
        for cluster in clusters(scopes, units):
            if cluster.until < limit:
                dead |= cluster.members
                for unit, run in cluster.runs:
                    self._forget_run(unit, run)
        needed = {one for unit in units for run in unit.runs for one in run.pardons} if dead else set()
        for scope in scopes:
            self._forget_touchpoints(scope, dead, needed, limit)
        for unit in units:
            self._forget_attic(unit, limit)

    def _forget_run(self, unit: Unit, run: Run) -> None:
        unit.runs = tuple(other for other in unit.runs if other is not run)
        if run.ticket is not None:
            run.ticket.run = None
        if run.alerts or run.missed:
            self._ledger.book(title(unit.definition), unit.customer, run.anchor, [], 0, None)

    def _forget_touchpoints(self, scope: Scope, dead: set[int], needed: set[str], limit: int) -> None:
        """`needed`: what excused something that lives on."""
        staying = []
        for kept in scope.kept:
            if id(kept) not in dead:
                staying.append(kept)
            elif kept.touchpoint_id in needed or self._memory.stands_until(scope, kept) >= limit:
                staying.append(kept if kept.stands else self._memory.stand(scope, kept))
            else:
                self._ledger.entry(scope.customer, scope.key, kept.touchpoint_id, None)
        scope.kept = staying
        for touchpoint_id, (_, last) in list((scope.gone or {}).items()):
            if scope.gone is not None and last < limit:
                del scope.gone[touchpoint_id]
                self._ledger.gone(scope.customer, scope.key, touchpoint_id, None)

    def _forget_attic(self, unit: Unit, limit: int) -> None:
        for anchor, (_, until) in list((unit.attic or {}).items()):
            if unit.attic is not None and until < limit:
                del unit.attic[anchor]
                self._ledger.book(title(unit.definition), unit.customer, anchor, [], 0, None)

    def _is_empty(self, scope: Scope) -> bool:
        if scope.kept or scope.gone or any(unit.attic for unit in scope.units):
            return False
        if scope.truncated:
            self._ledger.truncated(scope.customer, scope.key, False)
        return True

    def _shrink(self, household: Household) -> None:
        for scope in [scope for scope in household.scopes if self._is_empty(scope)]:
            household.scopes.remove(scope)
            for unit in scope.units:
                unit.scopes = tuple(other for other in unit.scopes if other is not scope)
        household.units = [unit for unit in household.units if unit.scopes]
