"""The driver: stored touchpoints, in the order in which they could be known, through the stage `track`. Pure.

The stage is the one that runs live. What keeps time live is replaced: `ticks` says when one is due, and it lies behind
everything that arrived by then. Of a year at four ticks a second only those are made at which the
stage looks at something or a watched source changes, and the last one before each touchpoint, for that is the W it
knows by then. So the outcome is that of all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from deploy.backtest.hearing import Hearing
from deploy.backtest.ticks import AS_LIVE, Ticks
from deploy.backtest.told import Scribe, Told, UsableOf
from schemas.identifiers import BUSINESS_KINDS
from schemas.records import AlertState, BreakKind, JourneyStatus, Severity
from streams.journey.plan import Compiled
from streams.journey.track import Track
from streams.stage import Effect

FLUSH_AT: Final = 20_000
"""Touchpoints between two looks at the journeys: snapshots coalesce, and what waits for them stays bounded."""


class AlertChange(msgspec.Struct, frozen=True, gc=False):
    """What is looked at of an Alert."""

    alert_id: str
    state: AlertState
    notify: bool
    reason: str
    severity: Severity
    kind: BreakKind
    break_name: str
    occurrence: int
    customer_id: str | None
    anchor: str
    cause_at: int
    due_at: int | None
    cleared_at: int | None
    fired_at: int
    changed_at: int
    first_line: str


class JourneySeen(msgspec.Struct, frozen=True, gc=False):
    """What is looked at of a Journey."""

    journey_id: str
    status: JourneyStatus
    started_at: int | None


_alert = msgspec.json.Decoder(AlertChange).decode
_journey = msgspec.json.Decoder(JourneySeen).decode


class Course:
    """One set of definitions on its way through the stored touchpoints."""

    def __init__(
        self,
        compiled: Compiled,
        horizon_ms: int,
        usable_of: UsableOf,
        on_alert: Callable[[AlertChange], None],
        on_journey: Callable[[JourneySeen], None],
        ticks: Ticks = AS_LIVE,
        hearing: Hearing | None = None,
        keys: Sequence[str] = BUSINESS_KINDS,
    ) -> None:
        self._track = Track(0, compiled, "live", horizon_ms=horizon_ms)
        self._scribe = Scribe(compiled.facts, usable_of, keys)
        self._on_alert, self._on_journey, self._ticks = on_alert, on_journey, ticks
        self._hearing = hearing or Hearing({}, ())
        self._ticked = self._since_flush = 0

    def tell(self, told: Told) -> None:
        """Must come in the order of `at`."""
        self._pass_time(self._ticks.last_before(told.at))
        record = self._scribe.touchpoint(told)
        if record is None:
            return
        out: list[Effect] = []
        self._track.apply(record, out)
        self._hear(out)
        self._since_flush += 1
        if self._since_flush >= FLUSH_AT:
            self._flush()

    def end(self, at: int) -> None:
        """Time passes to the first tick not before `at`."""
        self._pass_time(self._ticks.first_from(at))
        self._flush()

    def _pass_time(self, until: int) -> None:
        while (wakes_at := self._wakes_at()) is not None and wakes_at <= until:
            self._tick(self._ticks.first_from(max(wakes_at, self._ticked + 1)))
        if until > self._ticked:
            self._tick(until)

    def _wakes_at(self) -> int | None:
        of_track, of_hearing = self._track.wakes_at(), self._hearing.wakes_at()
        return of_hearing if of_track is None else of_track if of_hearing is None else min(of_track, of_hearing)

    def _tick(self, log_time: int) -> None:
        self._ticked = log_time
        out: list[Effect] = []
        self._track.apply(self._scribe.tick(log_time, self._hearing.states(log_time)), out)
        self._hear(out)

    def _flush(self) -> None:
        self._since_flush = 0
        out: list[Effect] = []
        self._track.flush(out)
        self._track.changes()  # Nothing is stored, so they only must not pile up.
        self._hear(out)

    def _hear(self, out: Iterable[Effect]) -> None:
        for effect in out:
            if effect.topic == "alerts":
                self._on_alert(_alert(effect.value))
            elif effect.topic == "journeys":
                self._on_journey(_journey(effect.value))
