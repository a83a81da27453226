"""Incidents: what is broken, not for whom. Pure.

An incident is all open alerts with the same labels: journey, break, kind, severity, owner and run. The break's name
holds the step or cause; the definition's version is no label, so an incident goes on across versions. A version that
changes severity or owner opens an incident of its own: Alertmanager knows an alert by its labels, and would
otherwise never hear the end of the old one.

An alert is open while its dedup key was told as firing and some journey still has it. One that moved is closed
until the alert that continues it arrives, which is told to nobody anew and opens it again.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal

from schemas.records import Alert, BreakKind, Run, Severity
from schemas.routes import Filter
from schemas.touchpoint import Contract
from sinks.notify.decide import Decision

GROWTH: Final = (1, 10, 100, 1_000, 10_000)
"""Open alerts at which somebody is told again."""
SAMPLE_MAX: Final = 5
LINE_MAX: Final = 500

News = Literal["fired", "grew", "resolved"]
IncidentReason = Literal["fired", "grew", "resolved", "no_threshold", "not_told"]
INCIDENT_REASONS: Final[dict[IncidentReason, str]] = {
    "fired": "the first alerts of the incident are open",
    "grew": "more alerts are open than at any threshold told before",
    "resolved": "the last open alert ended or moved away",
    "no_threshold": "told before, and no threshold was passed since",
    "not_told": "it ended, or came and went, and nobody had been told",
}


class Labels(Contract):
    """What tells incidents apart."""

    journey: str
    break_name: str
    kind: BreakKind
    severity: Severity
    owner: str
    run: Run

    def key(self) -> str:
        parts = (self.journey, self.break_name, self.kind, self.severity, self.owner, self.run)
        return sha256("\0".join(parts).encode()).hexdigest()[:32]

    def passes(self, wanted: Filter) -> bool:
        return wanted.takes(self.journey, self.break_name, self.kind, self.owner, self.severity)


def labels_of(alert: Alert) -> Labels:
    return Labels(
        journey=alert.definition,
        break_name=alert.break_name,
        kind=alert.kind,
        severity=alert.severity,
        owner=alert.owner,
        run=alert.run,
    )


Standing = Literal["opens", "closes", "leaves", "stays"]


def standing(alert: Alert, decision: Decision) -> Standing:
    """What a change does to the open alerts. `leaves`: it closes only if no other journey has taken it over."""
    if decision.reason == "replay":
        return "stays"
    match alert.state:
        case "firing":
            return "opens" if decision.after.is_open else "stays"
        case "moved":
            return "leaves"
        case "resolved" | "withdrawn":
            return "closes"
        case "acknowledged":
            return "stays"


@dataclass(frozen=True, slots=True)
class Heard:
    """What one route was told of one incident: `reached` is the highest threshold, `round` counts its beginnings."""

    is_open: bool = False
    round: int = 0
    reached: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    reason: IncidentReason
    after: Heard

    @property
    def news(self) -> News | None:
        return self.reason if self.reason in ("fired", "grew", "resolved") else None


def reached(count: int) -> int:
    """The highest threshold that `count` has reached."""
    return GROWTH[bisect_right(GROWTH, count) - 1] if count else 0


def advance(heard: Heard, count: int) -> Step:
    """What a route is to hear, now that `count` alerts are open."""
    if count == 0:
        return Step("resolved", Heard(False, heard.round, 0)) if heard.is_open else Step("not_told", heard)
    if not heard.is_open:
        return Step("fired", Heard(True, heard.round + 1, reached(count)))
    if reached(count) > heard.reached:
        return Step("grew", Heard(True, heard.round, reached(count)))
    return Step("no_threshold", heard)


class Incident(Contract):
    """An incident as it is told. `count` alerts are open, at most `peak` were since `opened_at` (wall clock, ms).
    `sample`: the anchors of those that have waited longest; `line`: the first of them, or how the last one ended."""

    labels: Labels
    step: str | None
    count: int
    peak: int
    opened_at: int
    closed_at: int | None
    line: str
    sample: list[str]


class IncidentNews(Contract):
    """What waits in the outbox for a Slack route."""

    key: str
    news: News
    incident: Incident


def news_key(incident_key: str, news: News, after: Heard, now: int) -> str:
    """The same for every attempt. `now` tells apart what a route hears anew after it was away from the file."""
    return f"{incident_key}.{after.round}.{news}.{after.reached}.{now}"
