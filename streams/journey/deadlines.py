"""What hangs on W, the log time of the last tick: missed steps, expiry, and when to look again.

A deadline that nothing settled is judged at W >= due + grace + arrives_within, and not before W has reached the log
time of everything the instance was told; what was judged once stays, unless the fold itself settles it. A million
waiting deadlines cost nothing per tick: the agenda holds each run once, at the earliest time at which W can change
something.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from typing import Generic, TypeVar

from streams.journey.compile import CompiledDefinition, CompiledStep
from streams.journey.fold import Run, due_at

T = TypeVar("T")


def waiting(definition: CompiledDefinition, run: Run) -> Iterator[tuple[CompiledStep, int]]:
    """The steps that may be missed, not settled and not void, with their due times."""
    start = run.start
    if start is None or run.failed_at is not None or run.settled == definition.complete:
        return
    for step in definition.deadlines:
        if run.settled >> step.index & 1 or step.if_missing == "nothing":
            continue
        due = due_at(definition, run, step)
        if due is not None and due <= start.occurred_at + definition.lifetime_ms:
            yield step, due


def judge(definition: CompiledDefinition, run: Run, w: int) -> bool:
    """Bring `missed` and `expired` up to W. True when one of them changed."""
    start = run.start
    if start is None:
        return False
    missed = 0
    for step, due in waiting(definition, run):
        known = w >= run.max_log or run.missed >> step.index & 1
        if known and w >= due + definition.grace_ms + step.arrives_within_ms:
            missed |= 1 << step.index
    expired = w > start.occurred_at + definition.lifetime_ms
    changed = missed != run.missed or (expired is not run.expired and run.ended_at is None)
    run.missed, run.expired = missed, expired
    return changed


def next_fire(definition: CompiledDefinition, run: Run, firing: bool) -> int | None:
    """The least W that changes this run without a further touchpoint; None when none does."""
    start = run.start
    if start is None:
        return None
    first: int | None = None
    if not run.expired and (run.ended_at is None or firing):
        first = start.occurred_at + definition.lifetime_ms + 1
    for step, due in waiting(definition, run):
        if not run.missed >> step.index & 1:
            fire = max(due + definition.grace_ms + step.arrives_within_ms, run.max_log)
            if first is None or fire < first:
                first = fire
    return first


def keep_until(definition: CompiledDefinition, run: Run, firing: bool) -> int:
    """The last moment that may still concern this run; it is forgotten some time after W has passed it."""
    last = max(run.members[-1].occurred_at, run.max_log)
    start = run.start
    if start is None:
        return last
    if run.ended_at is None:
        return max(last, start.occurred_at + definition.latest_ms)
    return max(last, start.occurred_at + definition.lifetime_ms) if firing else last


class Agenda(Generic[T]):
    """When to look at what. Entries that moved to a later time are put back when they come up, so a change costs
    nothing.
    """

    __slots__ = ("_heap", "_serial")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, T]] = []
        self._serial = 0

    def __len__(self) -> int:
        return len(self._heap)

    def put(self, at: int, item: T) -> None:
        self._serial += 1
        heappush(self._heap, (at, self._serial, item))

    def due(self, w: int, when: Callable[[T, int], int | None]) -> list[tuple[int, T]]:
        """Take out what is due at W. `when` gives the true time of an item put down for a time, None if that entry is
        void.
        """
        found: list[tuple[int, T]] = []
        while self._heap and self._heap[0][0] <= w:
            at, _, item = heappop(self._heap)
            true = when(item, at)
            if true is None:
                continue
            if true <= w:
                found.append((true, item))
            else:
                self.put(true, item)
        return found
