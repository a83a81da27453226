"""What hangs on W, the log time of the last tick: missed steps, expiry, and when to look again.

A deadline that nothing settled is judged at W >= due + grace + arrives_within, and not before W has reached the log
time of everything the instance was told; what was judged once stays, unless the fold itself settles it. A balance is
found no sooner either: a partition that runs ahead may bring the bad before the good. A step that was
settled late counts from the same W on, without a look at the log times: all that was in time is known by then. A
million waiting deadlines cost nothing per tick: the agenda holds each run once, at the earliest time at which W can
change something. What waits for a source that may be silent is not there but with the source (`holds`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from heapq import heappop, heappush
from typing import Generic, Protocol, Self, TypeVar

from schemas.sources import SourceForm
from streams.journey.holds import Holds
from streams.journey.plan import CompiledDefinition
from streams.journey.run import Held, Late, Run


class Orderable(Protocol):
    """The heap compares items put down for the same time; what it finds does not matter."""

    def __lt__(self, other: Self, /) -> bool: ...


T = TypeVar("T", bound=Orderable)


def judge(definition: CompiledDefinition, run: Run, w: int, holds: Holds) -> tuple[bool, int | None, Sequence[Held]]:
    """Bring `missed`, `ripe` and `expired` up to W: whether that changed anything, when to judge again, and what waits
    for a source instead.
    """
    start = run.start
    if start is None:
        return False, None, ()
    awaits = definition.awaits if holds.places else None
    held: Sequence[Held] = ()
    limit = start.occurred_at + definition.lifetime_ms
    expired = w > limit
    missed, first = 0, None
    known = run.is_known = w >= run.max_log
    if definition.balances and run.episodes and not known:
        first = run.max_log
    if run.failed_at is None and run.settled != definition.complete:
        for index, after, within_ms, hours, delay_ms in definition.judged:
            before = start if after is None else run.reached[after]
            if before is None or run.settled >> index & 1:
                continue
            at = before.occurred_at
            due = at + within_ms if hours is None else hours.due(at, within_ms)
            if due > limit:
                continue
            fire = due + delay_ms
            if w >= fire and (known or run.missed >> index & 1):
                forms = awaits.get(definition.steps[index].name, ()) if awaits else ()
                if forms and (found := holds.holding(forms, run, fire, w)):
                    held = (*held, *found)
                    continue
                missed |= 1 << index
                continue
            fire = max(fire, run.max_log)
            if first is None or fire < first:
                first = fire
    if definition.waited and run.tallies is not None:
        for rule in definition.waited:
            tally = run.tallies.get(rule.index)
            if tally is None or tally.pending is None:
                continue
            fire, cause_at = tally.pending.due_at + rule.delay_ms, tally.pending.cause_at
            if w >= fire and (w >= run.max_log or tally.judged == cause_at):
                if awaits and (found := holds.holding(awaits.get(rule.name, ()), run, fire, w)):
                    held, tally.judged = (*held, *found), None
                    continue
                missed |= 1 << rule.bit
                tally.judged = cause_at
                continue
            tally.judged = None
            fire = max(fire, run.max_log)
            if first is None or fire < first:
                first = fire
    ripe: tuple[Late, ...] = ()
    if run.late is not None:
        ripe = tuple(late for late in run.late if late.ripe_at <= w)
        if len(ripe) < len(run.late):
            soonest = min(late.ripe_at for late in run.late if late.ripe_at > w)
            first = soonest if first is None else min(first, soonest)
        if awaits:  # What would have been in time may still be under way: it waits for the same sources.
            ripe, found = _let_pass(ripe, awaits, run, w, holds)
            held = (*held, *found)
    changed = missed != run.missed or ripe != run.ripe or (expired is not run.expired and run.ended_at is None)
    run.missed, run.ripe, run.expired = missed, ripe, expired
    return changed, first, held


def _let_pass(
    ripe: tuple[Late, ...], awaits: Mapping[str, tuple[SourceForm, ...]], run: Run, w: int, holds: Holds
) -> tuple[tuple[Late, ...], list[Held]]:
    passed, held = list[Late](), list[Held]()
    for late in ripe:
        found = holds.holding(awaits.get(late.finding.name, ()), run, late.ripe_at, w)
        held.extend(found)
        if not found:
            passed.append(late)
    return tuple(passed), held


def next_look(definition: CompiledDefinition, run: Run, deadline: int | None, firing: bool) -> int | None:
    """The least W that changes this run without a further touchpoint: a deadline, or the end of its time."""
    if run.start is None or run.expired or (run.ended_at is not None and not firing):
        return deadline
    end = run.start.occurred_at + definition.lifetime_ms + 1
    return end if deadline is None or end < deadline else deadline


def keep_until(definition: CompiledDefinition, run: Run, firing: bool) -> int:
    """The last moment that may still concern this run; it is forgotten some time after W has passed it."""
    last = max(run.members[-1].occurred_at, run.max_log)
    start = run.start
    if start is None:
        return last
    if run.ended_at is None or _waits(run):
        return max(last, start.occurred_at + definition.latest_ms)
    return max(last, start.occurred_at + definition.lifetime_ms) if firing else last


def _waits(run: Run) -> bool:
    return run.tallies is not None and any(tally.pending is not None for tally in run.tallies.values())


class Agenda(Generic[T]):
    """When to look at what. Entries that moved to a later time are put back when they come up, so a change costs
    nothing.
    """

    __slots__ = ("_heap",)

    def __init__(self) -> None:
        self._heap: list[tuple[int, T]] = []

    def __len__(self) -> int:
        return len(self._heap)

    def put(self, at: int, item: T) -> None:
        heappush(self._heap, (at, item))

    def first(self) -> int | None:
        """Before this W nothing here is due."""
        return self._heap[0][0] if self._heap else None

    def due(self, w: int, when: Callable[[T, int], int | None]) -> list[tuple[int, T]]:
        """Take out what is due at W. `when` gives the true time of an item put down for a time, None if that entry is
        void.
        """
        found: list[tuple[int, T]] = []
        while self._heap and self._heap[0][0] <= w:
            at, item = heappop(self._heap)
            true = when(item, at)
            if true is None:
                continue
            if true <= w:
                found.append((true, item))
            else:
                self.put(true, item)
        return found
