"""A backtest: what a definition would have raised over stored touchpoints, and what another one did or would have.

Nothing is sent or stored. What is held in memory at a time is one slice of the customers: their rows, their open
instances, their alerts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from deploy.backtest.course import Course
from deploy.backtest.figures import (
    BreakFigures,
    Comparison,
    DayFigures,
    Difference,
    Sample,
    Tally,
)
from deploy.backtest.hearing import Hearing
from deploy.backtest.stored import SLICE_ROWS, Extent, Store, Wanted
from deploy.backtest.ticks import AS_LIVE, Ticks
from deploy.backtest.told import UsableOf
from schemas.definition import Catalogue, Definition
from schemas.sources import NOTHING_WATCHED, SourceRules
from schemas.times import from_ms
from streams.journey.compile import compile_definitions
from streams.journey.plan import Compiled
from streams.pace.silence import FORGOTTEN_MS
from streams.product import watches_of

PROGRESS_EVERY: Final = 1_000
"""Touchpoints between two words about it."""
STORED: Final = "the stored alerts of live versions"


class NothingStored(Exception):
    """There is nothing to run over. Says what is there."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for. `since` and `until` are log times, ms; None: from the first, to the last touchpoint stored.
    `against` None: the alerts that live versions of the definition's name have raised.
    """

    definition: Definition
    catalogue: Catalogue
    since: int | None = None
    until: int | None = None
    against: Definition | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """What the deployment has set. `ticks`: when its clock ticks; `sources`: which are watched."""

    horizon_ms: int
    usable_of: UsableOf
    ticks: Ticks = AS_LIVE
    slice_rows: int = SLICE_ROWS
    sources: SourceRules = NOTHING_WATCHED


class Report(msgspec.Struct, frozen=True):
    """`run_up_from`: touchpoints were read from there on, so that journeys under way at `since` are known. `moved`:
    touchpoints that belonged to somebody else when they arrived. `journeys`: those that started in the time, by status.
    `alerts`: all of the definition that is tried, the oldest first, as far as there is room.
    """

    definition: str
    version: int
    since: str
    until: str
    run_up_from: str
    touchpoints: int
    moved: int
    journeys: Mapping[str, int]
    broken: int
    breaks: Mapping[str, BreakFigures]
    told_per_day: DayFigures
    difference: Difference
    alerts: Sequence[Sample]
    alerts_left_out: int


Progress = Callable[[int, int], None]
"""Told so far, and how many there will be, about."""


def live(definition: Definition) -> Definition:
    """As if it were in force: what would be told is the question, whatever its file says."""
    return definition.model_copy(update={"mode": "live"})


def run_up_ms(compiled: Compiled, horizon_ms: int) -> int:
    """How long before the time that is asked for a journey may have begun that is still under way in it."""
    return max(definition.latest_ms for definition in compiled.definitions) + horizon_ms


def wanted_of(sides: Sequence[Compiled], keys: Sequence[str]) -> Wanted:
    definitions = [one for side in sides for one in side.definitions]
    return Wanted(
        names=sorted({name for side in sides for name in side.names}),
        facts=sorted({fact for one in definitions for fact in one.score_facts}),
        kinds=sorted({kind for side in sides for kind in side.kinds}),
        of_customers=any(side.joint for side in sides),
        needs_properties=any(side.facts for side in sides),
        keys=keys,
        excuses=sorted({name for one in definitions if one.joint for name in one.excuses}),
        excuse_ms=max((one.excuse_ms for one in definitions), default=0),
    )


def backtest(wish: Wish, store: Store, setting: Setting, progress: Progress) -> Report:
    """Blocks. Raises NothingStored, and what the store raises."""
    extent = store.extent()
    since, until = _span(wish, extent)
    definitions = [live(wish.definition)] + ([live(wish.against)] if wish.against is not None else [])
    sides = [compile_definitions([one], wish.catalogue, setting.sources) for one in definitions]
    wanted = wanted_of(sides, wish.catalogue.keys)
    begin = max(since - max(run_up_ms(side, setting.horizon_ms) for side in sides), extent.first_at)
    count = store.count(wanted, begin, until)
    slices = max(1, -(-count // setting.slice_rows))
    tallies = [Tally(since, until) for _ in sides]
    name = wish.definition.journey
    comparison = Comparison(STORED if wish.against is None else f"{wish.against.journey}@{wish.against.version}")
    watches = watches_of(setting.sources)
    heard = store.heard(setting.sources, watches, begin - FORGOTTEN_MS, until)
    seen = 0
    for number in range(slices):
        courses = [
            Course(
                side,
                setting.horizon_ms,
                setting.usable_of,
                tally.alert,
                tally.journey,
                setting.ticks,
                Hearing(watches, heard),
                wish.catalogue.keys,
            )
            for side, tally in zip(sides, tallies, strict=True)
        ]
        rows = store.told(wanted, begin, until, number, slices)
        for first in range(0, len(rows), PROGRESS_EVERY):
            for course in courses:
                for told in rows[first : first + PROGRESS_EVERY]:
                    course.tell(told)
            progress(seen + first, max(count, seen + len(rows)))
        seen += len(rows)
        for course in courses:
            course.end(until)
        here, *others = [tally.close_slice() for tally in tallies]
        there = others[0] if others else store.alerts(name, since, until, number, slices)
        comparison.add(here, there)
    return _report(wish, tallies[0], comparison, (begin, since, until), count, store.moved(wanted, begin, until))


def _span(wish: Wish, extent: Extent) -> tuple[int, int]:
    if not extent.touchpoints:
        raise NothingStored("ClickHouse has no touchpoints yet: there is nothing to run a definition over")
    since = extent.first_at if wish.since is None else wish.since
    until = extent.last_at if wish.until is None else wish.until
    if since >= until or since > extent.last_at or until < extent.first_at:
        span = f"{from_ms(extent.first_at)} to {from_ms(extent.last_at)}"
        raise NothingStored(
            f"no touchpoint arrived from {from_ms(since)} to {from_ms(until)}: those that are stored arrived {span}"
        )
    return since, until


def _report(
    wish: Wish, tally: Tally, comparison: Comparison, times: tuple[int, int, int], count: int, moved: int
) -> Report:
    begin, since, until = times
    return Report(
        definition=wish.definition.journey,
        version=wish.definition.version,
        since=from_ms(since),
        until=from_ms(until),
        run_up_from=from_ms(begin),
        touchpoints=count,
        moved=moved,
        journeys=dict(sorted(tally.journeys.items())),
        broken=tally.broken,
        breaks=dict(sorted(tally.breaks.items())),
        told_per_day=tally.days(),
        difference=comparison.end(),
        alerts=sorted(tally.alerts, key=lambda one: (one.fired_at, one.anchor, one.break_name, one.first_line)),
        alerts_left_out=tally.left_out,
    )
