"""What a definition would have raised, counted. Pure.

An alert belongs to the time in which it fired first; what becomes of it is said as of the end. Two definitions are
compared by what an alert is about: anchor, break and occurrence. Neither the version nor the customer counts, so that
another version of a definition, or an attribution that changed since, is compared with what it replaces.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from deploy.backtest.course import AlertChange, JourneySeen
from schemas.records import AlertState, BreakKind, Severity
from schemas.times import from_ms

SAMPLES_MAX: Final = 2
"""First lines of each break; of what only one side raises a few more."""
DIFFERENT_MAX: Final = 10
ALERTS_MAX: Final = 10_000
"""That a report lists one by one; of those beyond it says how many there are."""
WAITING_MAX: Final = 200_000
"""Alerts without a counterpart that are remembered."""
DAY_MS: Final = 86_400_000
End = Literal["open", "cleared", "cleared_at_once", "expired", "withdrawn", "moved"]
Subject = tuple[str, str, int]
"""Anchor, break, occurrence."""


class Sample(msgspec.Struct, frozen=True):
    customer_id: str
    anchor: str
    break_name: str
    fired_at: str
    ended: End
    first_line: str
    told: bool
    """Whether somebody would have been told when it fired."""


class BreakFigures(msgspec.Struct):
    """`told`: of how many somebody would have been told when they fired. The ends add up to `alerts`."""

    kind: BreakKind
    severity: Severity
    alerts: int = 0
    told: int = 0
    open: int = 0
    cleared: int = 0
    cleared_at_once: int = 0
    expired: int = 0
    withdrawn: int = 0
    moved: int = 0
    samples: list[Sample] = []


class DayFigures(msgspec.Struct, frozen=True):
    """How often somebody would have been told on the days (UTC) from the first to the last. `busiest`: the day and its
    number.
    """

    days: int
    told: int
    median: int
    most: int
    busiest: list[tuple[str, int]]


class Otherwise(msgspec.Struct, frozen=True):
    """Both raised it, and it ended in two ways."""

    here: Sample
    ended_there: End


class Difference(msgspec.Struct):
    """Of two sides, `here` the definition that is tried. `false`: of these, how many were withdrawn. Of those that both
    raised: `ended_otherwise`, and `at_once_otherwise`: cleared by both, but by one in the same breath, so that nobody
    was told.
    """

    against: str
    both: int = 0
    only_here: int = 0
    only_there: int = 0
    false_here: int = 0
    false_there: int = 0
    by_break: dict[str, tuple[int, int, int]] = {}
    """Both, only here, only there."""
    samples_here: list[Sample] = []
    samples_there: list[Sample] = []
    ended_otherwise: int = 0
    at_once_otherwise: int = 0
    samples_otherwise: list[Otherwise] = []


class Raised(msgspec.Struct):
    """One alert, from its first change on."""

    first: AlertChange
    state: AlertState
    reason: str
    told: bool

    @property
    def subject(self) -> Subject:
        return self.first.anchor, self.first.break_name, self.first.occurrence

    @property
    def ended(self) -> End:
        return end_of(self.state, self.reason)


def end_of(state: AlertState, reason: str) -> End:
    if state == "withdrawn" or state == "moved":
        return state
    if state == "resolved":
        return "expired" if reason == "expired" else "cleared_at_once" if reason == "cleared_at_once" else "cleared"
    return "open"


class Tally:
    """Takes the alerts and journeys of one side as they change; one slice of the customers after the other."""

    def __init__(self, since: int, until: int) -> None:
        self._since, self._until = since, until
        self.breaks: dict[str, BreakFigures] = {}
        self.per_day: Counter[str] = Counter()
        self.journeys: Counter[str] = Counter()
        self.broken = 0
        self.alerts: list[Sample] = []
        self.left_out = 0
        self._raised: dict[str, Raised] = {}
        self._seen: dict[str, JourneySeen] = {}

    def alert(self, change: AlertChange) -> None:
        known = self._raised.get(change.alert_id)
        if known is None:
            known = self._raised[change.alert_id] = Raised(change, change.state, change.reason, False)
        known.state, known.reason = change.state, change.reason
        if change.state == "firing" and change.notify:
            known.told = True
            if self._since <= change.changed_at <= self._until:
                self.per_day[from_ms(change.changed_at)[:10]] += 1

    def journey(self, seen: JourneySeen) -> None:
        if seen.started_at is not None and self._since <= seen.started_at <= self._until:
            self._seen[seen.journey_id] = seen

    def close_slice(self) -> dict[Subject, Raised]:
        """Count what these customers had, and forget them; what was raised in the time that is asked for."""
        raised = {one.subject: one for one in self._raised.values() if self._since <= one.first.fired_at <= self._until}
        for one in raised.values():
            self._count(one)
        room = max(0, ALERTS_MAX - len(self.alerts))
        self.alerts += [sample_of(one) for one in list(raised.values())[:room]]
        self.left_out += max(0, len(raised) - room)
        self.journeys.update(seen.status for seen in self._seen.values())
        self.broken += len({(one.first.customer_id, one.first.anchor) for one in raised.values()})
        self._raised, self._seen = {}, {}
        return raised

    def _count(self, one: Raised) -> None:
        first = one.first
        found = self.breaks.get(first.break_name)
        if found is None:
            found = self.breaks[first.break_name] = BreakFigures(first.kind, first.severity, samples=[])
        found.alerts += 1
        found.told += one.told
        setattr(found, one.ended, getattr(found, one.ended) + 1)
        if len(found.samples) < SAMPLES_MAX and one.told:
            found.samples.append(sample_of(one))

    def days(self) -> DayFigures:
        """The median counts days without any."""
        length = max(1, self._until // DAY_MS - self._since // DAY_MS + 1)
        numbers = sorted([*self.per_day.values(), *([0] * (length - len(self.per_day)))])
        busiest = sorted(self.per_day.items(), key=lambda pair: (-pair[1], pair[0]))[:SAMPLES_MAX]
        return DayFigures(length, sum(numbers), numbers[len(numbers) // 2], numbers[-1], busiest)


def sample_of(one: Raised) -> Sample:
    first = one.first
    return Sample(
        customer_id=first.customer_id or "",
        anchor=first.anchor,
        break_name=first.break_name,
        fired_at=from_ms(first.fired_at),
        ended=one.ended,
        first_line=first.first_line,
        told=one.told,
    )


class Comparison:
    """Takes both sides slice by slice. What has no counterpart yet may find it in another slice (attribution may have
    changed since an alert was stored), so it waits until the end; or until too many wait.
    """

    def __init__(self, against: str) -> None:
        self._found = Difference(against, by_break={}, samples_here=[], samples_there=[], samples_otherwise=[])
        self._here: dict[Subject, Raised] = {}
        self._there: dict[Subject, Raised] = {}

    def add(self, here: Mapping[Subject, Raised], there: Mapping[Subject, Raised]) -> None:
        for subject, one in here.items():
            if (known := self._there.pop(subject, None)) is None:
                self._here[subject] = one
            else:
                self._both(one, known)
        for subject, one in there.items():
            if (known := self._here.pop(subject, None)) is None:
                self._there[subject] = one
            else:
                self._both(known, one)
        if len(self._here) + len(self._there) > WAITING_MAX:
            self.end()

    def end(self) -> Difference:
        found = self._found
        for subject, one in sorted(self._here.items(), key=_standing_first):
            self._count(subject[1], 1)
            found.only_here += 1
            found.false_here += one.state == "withdrawn"
            _keep(found.samples_here, one)
        for subject, one in sorted(self._there.items(), key=_standing_first):
            self._count(subject[1], 2)
            found.only_there += 1
            found.false_there += one.state == "withdrawn"
            _keep(found.samples_there, one)
        self._here, self._there = {}, {}
        return found

    def _both(self, here: Raised, there: Raised) -> None:
        self._found.both += 1
        self._count(here.first.break_name, 0)
        if {here.ended, there.ended} == {"cleared", "cleared_at_once"}:
            self._found.at_once_otherwise += 1
        elif here.ended != there.ended:
            self._found.ended_otherwise += 1
            if len(self._found.samples_otherwise) < DIFFERENT_MAX:
                self._found.samples_otherwise.append(Otherwise(sample_of(here), there.ended))

    def _count(self, name: str, place: int) -> None:
        counts = list(self._found.by_break.get(name, (0, 0, 0)))
        counts[place] += 1
        self._found.by_break[name] = counts[0], counts[1], counts[2]


def _standing_first(pair: tuple[Subject, Raised]) -> tuple[bool, Subject]:
    """For the samples: what was withdrawn says less."""
    return pair[1].state == "withdrawn", pair[0]


def _keep(samples: list[Sample], one: Raised) -> None:
    if len(samples) < DIFFERENT_MAX:
        samples.append(sample_of(one))


def total(breaks: Iterable[BreakFigures], field: str) -> int:
    return sum(int(getattr(one, field)) for one in breaks)
