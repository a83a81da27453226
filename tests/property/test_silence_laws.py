"""Random schedules of reports, ticks, deadlines and restarts against docs/sources.md, read out by brute force.

The oracle keeps everything that was ever reported, looks at every moment, and forgets no hold. Times are small whole
numbers (ms), so that everything happens at the same time as something else now and then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.fast import encode, fast_type
from schemas.records import Progress
from streams.journey.holds import Holds, Place
from streams.pace.keep_time import KeepTime
from streams.pace.silence import INTERVALS_MAX, Watch, hear
from streams.stage import Effect
from tests.journey_case import Record

GAP: Final = 2
SILENT_AFTER: Final = 40
CATCHES_UP: Final = 15
END: Final = 400
SOURCES: Final = ("a-1", "a-2", "b")
_progress = fast_type(Progress)


def all_time(at: int) -> int:
    return at + SILENT_AFTER


def by_day(at: int) -> int:
    """Open from 0 to 60 of every 100, counted moment by moment."""
    left = SILENT_AFTER
    while left:
        left -= at % 100 < 60
        at += 1
    return at


def watches(due: Callable[[int], int]) -> dict[str, Watch]:
    return {form: Watch(form, "x", "error", None, GAP, CATCHES_UP, due) for form in ("a-{n}", "b")}


# -- the oracle: moments, one by one


@dataclass
class Told:
    """All that was ever reported of one source."""

    moments: set[int] = field(default_factory=set)

    def closed(self) -> set[int]:
        found = sorted(self.moments)
        filled = set(found)
        for one, next_one in pairwise(found):
            if next_one - one <= GAP:
                filled.update(range(one, next_one))
        return filled

    def heard_at(self, w: int) -> int | None:
        return max((moment for moment in self.closed() if moment <= w), default=None)

    def silences(self, w: int, due: Callable[[int], int]) -> Iterator[tuple[int, int | None]]:
        """Those that began by W: from when, and when it was heard again, as far as that is by W."""
        found = sorted(self.closed())
        for one, next_one in zip(found, [*found[1:], None]):
            again = next_one if next_one is not None and next_one <= w else None
            silent_from = due(one) if next_one != one + 1 else END * 3
            if any(silent_from <= moment for moment in range(one, (w + 1) if again is None else again)):
                yield one, again
            if again is None:
                return

    def holds(self, w: int, due: Callable[[int], int]) -> list[tuple[int, int | None]]:
        holds: list[tuple[int, int | None]] = []
        for since, again in self.silences(w, due):
            until = None if again is None else again + CATCHES_UP
            if holds and (holds[-1][1] is None or holds[-1][1] > since):
                holds[-1] = holds[-1][0], until
            else:
                holds.append((since, until))
        return holds


def lets_pass(heard_at: int | None, holds: list[tuple[int, int | None]], f: int, w: int) -> bool:
    if heard_at is None:
        return True
    lifted: int | None = f
    while lifted is not None:
        above = [until for since, until in holds if since < lifted and (until is None or lifted < until)]
        if not above:
            return w >= lifted and heard_at >= lifted
        lifted = above[0]
    return False


# -- a schedule


@dataclass
class Partition:
    """What one raw partition will report: its beats, and when which source was heard there."""

    beats: list[int]
    heard: dict[str, list[int]]
    next: int = 0


def schedule(rng: Random, partitions: int) -> list[Partition]:
    """Each source speaks in spells, anywhere; beats come now close, now far apart."""
    found = [Partition([], {source: [] for source in SOURCES}) for _ in range(partitions)]
    for partition in found:
        at = 0
        while at < END:
            at += rng.choice((1, 2, 3, 8, 20))
            partition.beats.append(at)
    for source in SOURCES:
        at = rng.randrange(80)
        while at < END:
            found[rng.randrange(partitions)].heard[source].append(at)
            at += rng.choice((0, 1, 2, 3, 5, 15, 20, 39, 40, 41, 55, 120))
    return found


def reports(rng: Random, partitions: list[Partition]) -> Iterator[tuple[int, int, dict[str, tuple[int, int]]]]:
    """The order in which the partitions happen to report; each in the order of its beats."""
    favourite = rng.randrange(len(partitions))
    while waiting := [n for n, one in enumerate(partitions) if one.next < len(one.beats)]:
        number = favourite if favourite in waiting and rng.random() < 0.6 else rng.choice(waiting)
        if rng.random() < 0.1:
            favourite = rng.randrange(len(partitions))
        partition = partitions[number]
        since = partition.beats[partition.next - 1] if partition.next else -1
        until = partition.beats[partition.next]
        partition.next += 1
        found = {name: [at for at in moments if since < at <= until] for name, moments in partition.heard.items()}
        yield number, until, {name: (min(found[name]), max(found[name])) for name in SOURCES if found[name]}


class Bench:
    """A keep_time that is restarted now and then, and the places that its ticks tell."""

    def __init__(self, rng: Random, partitions: int, due: Callable[[int], int]) -> None:
        self._rng, self._partitions, self._due = rng, partitions, due
        self.stage = self._new()
        self.state: dict[bytes, bytes] = {}
        self.holds = Holds()
        self.alerts: list[dict[str, Any]] = []
        self._records: list[Record] = []
        self._since: list[bytes] = []

    def _new(self) -> KeepTime:
        return KeepTime(self._partitions, 1, b"secret", hops=0, watched_sources=watches(self._due))

    def report(self, partition: int, log_time: int, heard: dict[str, tuple[int, int]]) -> int | None:
        """The W of the tick that this gave."""
        at = ("resolve", partition, log_time, 0)
        self._records.append(Record(len(self._records), encode(_progress(at=at, log_time=log_time, heard=heard))))
        out: list[Effect] = []
        self.stage.apply(self._records[-1], out)
        self._since += [effect.value for effect in out]
        w = None
        for effect in out:
            value = msgspec.json.decode(effect.value)
            if value["type"] == "alert":
                self.alerts.append(value)
            else:
                w = value["log_time"]
                for state in value["sources"]:
                    self.holds.take(msgspec.convert(state, Place))
        return w

    def checkpoint(self, done: int) -> None:
        """Kept as of now; and a stage restored from the checkpoint before makes the same of what came since."""
        other, out = self._new(), list[Effect]()
        other.restore(self.state.items())
        for record in self._records[done:]:
            other.apply(record, out)
        assert [effect.value for effect in out] == self._since
        self._since = []
        for key, value in self.stage.changes():
            if value is None:
                self.state.pop(key, None)
            else:
                self.state[key] = value
        if self._rng.random() < 0.5:
            self.stage = other
            self.stage.changes()


@pytest.mark.parametrize("due", [all_time, by_day])
@pytest.mark.parametrize("seed", range(40))
def test_what_waits_is_let_pass_as_the_page_says(seed: int, due: Callable[[int], int]) -> None:
    rng = Random(seed)
    partitions = rng.randrange(1, 4)
    bench, told = Bench(rng, partitions, due), {source: Told() for source in SOURCES}
    expected: dict[str, list[tuple[int, int, int | None]]] = {source: [] for source in SOURCES}
    done = 0
    for count, (number, log_time, heard) in enumerate(reports(rng, schedule(rng, partitions))):
        for source, (first, last) in heard.items():
            told[source].moments.update(range(first, last + 1))
        w = bench.report(number, log_time, heard)
        if rng.random() < 0.2:
            bench.checkpoint(done)
            done = count + 1
        if w is None:
            continue
        for source in SOURCES:
            place, known = bench.holds.places.get(source), told[source]
            heard_at, holds = known.heard_at(w), known.holds(w, due)
            for f in range(w + 1):
                wanted = lets_pass(heard_at, holds, f, w)
                assert (place is None or place.lets_pass(f, w)) == wanted, (source, f, w, place, holds)
            expect_alerts(expected[source], known, w, due)
    got: dict[str, list[tuple[int, int, int | None]]] = {source: [] for source in SOURCES}
    for alert in bench.alerts:
        mine = got[alert["anchor"].removeprefix("source:")]
        one = alert["occurrence"], alert["cause_at"], alert["cleared_at"]
        if alert["state"] == "firing":
            mine.append(one)
        else:
            assert mine[-1] == (*one[:2], None)
            mine[-1] = one
    assert got == expected


def expect_alerts(alerts: list[tuple[int, int, int | None]], known: Told, w: int, due: Callable[[int], int]) -> None:
    """Firing when silent at a tick, resolved at the first tick at or after r."""
    heard_at = known.heard_at(w)
    if alerts and alerts[-1][2] is None:
        occurrence, cause_at, _ = alerts[-1]
        again = [again for since, again in known.silences(w, due) if due(since) == cause_at and again is not None]
        if again:
            alerts[-1] = occurrence, cause_at, again[-1]
    is_silent = heard_at is not None and due(heard_at) <= w
    if heard_at is not None and is_silent and (not alerts or alerts[-1][2] is not None):
        alerts.append((len(alerts) + 1, due(heard_at), None))


INTERVAL: Final = st.tuples(st.integers(0, 60), st.integers(0, 9)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@given(st.lists(INTERVAL, max_size=12), st.randoms(use_true_random=False))
def test_in_which_order_reports_come_makes_no_difference(intervals: list[tuple[int, int]], rng: Random) -> None:
    outcomes = []
    for _ in range(2):
        rng.shuffle(intervals)
        heard: tuple[tuple[int, int], ...] = ()
        for first, last in [*intervals, *intervals[:3]]:
            heard = hear(heard, first, last, GAP)
        outcomes.append(heard)
    assert outcomes[0] == outcomes[1]
    moments = {moment for first, last in intervals for moment in range(first, last + 1)}
    assert {moment for first, last in outcomes[0] for moment in range(first, last + 1)} == Told(moments).closed()
    assert all(later[0] - earlier[1] > GAP for earlier, later in pairwise(outcomes[0]))


def test_a_partition_hours_behind_takes_no_gap_for_none() -> None:
    """A night of a till that speaks every few minutes, known ahead of W: each of its pauses is still one."""
    moments = [0]
    for number in range(300):
        moments.append(moments[-1] + GAP + 1 + number % 7)
    heard: tuple[tuple[int, int], ...] = ()
    for moment in moments:
        heard = hear(heard, moment, moment, GAP)
    assert heard == tuple((moment, moment) for moment in moments)


def test_a_source_that_runs_far_ahead_stays_small() -> None:
    heard: tuple[tuple[int, int], ...] = ()
    for number in range(1_000):
        heard = hear(heard, number * 10 + number % 7, number * 10 + number % 7, GAP)
    assert len(heard) == INTERVALS_MAX
    assert (heard[0][0], heard[-1][1]) == (0, 9_990 + 999 % 7)
