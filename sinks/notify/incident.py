"""Incidents: what is broken, not for whom. Pure.

An incident is all open alerts with the same labels: journey, break, kind, severity, owner and run. The break's name
holds the step or cause. An alert that is about no journey has the two parts of its incident's name there: `sources`
and the entry, `catalogue` and the touchpoint. The definition's version is no label, so an incident goes on across
versions. A version that changes severity or owner opens an incident of its own: Alertmanager knows an alert by its
labels, and would otherwise never hear the end of the old one.

An alert is open while its dedup key was told as firing or acknowledged, and nobody was told that it ended. One that
moved is open until it is told as withdrawn, or for as long as the alert that continues it.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal, cast

from schemas.records import Alert, AlertScope, AlertState, BreakKind, Run, Severity
from schemas.routes import Filter
from schemas.touchpoint import Contract

GROWTH: Final = (1, 10, 100, 1_000, 10_000)
"""Open alerts at which somebody is told again."""
SAMPLE_MAX: Final = 5
NAMES_MAX: Final = 3
LINE_MAX: Final = 500

News = Literal["fired", "grew", "acknowledged", "flapping", "resolved"]
IncidentReason = Literal[News, "flaps", "no_threshold", "not_told"]
INCIDENT_REASONS: Final[dict[IncidentReason, str]] = {
    "fired": "the first alerts of the incident are open",
    "grew": "more alerts are open and not acknowledged than at any threshold told before, or it is steady again",
    "acknowledged": "somebody looks after every open alert",
    "flapping": "it began again once too often; nothing more is told until it is steady",
    "resolved": "the last open alert ended",
    "flaps": "told that it flaps, and not steady yet",
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
    scope: AlertScope = "journey"
    """Follows from the kind, and is no part of the key."""

    def key(self) -> str:
        parts = (self.journey, self.break_name, self.kind, self.severity, self.owner, self.run)
        return sha256("\0".join(parts).encode()).hexdigest()[:32]

    def passes(self, wanted: Filter) -> bool:
        return wanted.takes(self.journey, self.break_name, self.kind, self.owner, self.severity, self.scope)


def labels_of(alert: Alert) -> Labels:
    group, _, name = alert.incident.partition("/")
    is_journey = alert.scope == "journey" or not name
    return Labels(
        journey=alert.definition if is_journey else group,
        break_name=alert.break_name if is_journey else name,
        kind=alert.kind,
        severity=alert.severity,
        owner=alert.owner,
        run=alert.run,
        scope=alert.scope,
    )


def is_open(state: AlertState) -> bool:
    return state in ("firing", "acknowledged")


Standing = Literal["opens", "closes", "acknowledged", "stays"]


def standing(state: AlertState, is_replay: bool, was_told: bool) -> Standing:
    """What a change does to the open alerts. `was_told`: somebody heard that it is open, and of no end."""
    if is_replay:
        return "stays"
    match state:
        case "firing":
            return "opens" if was_told else "stays"
        case "moved":
            return "stays" if was_told else "closes"
        case "resolved" | "withdrawn":
            return "closes"
        case "acknowledged":
            return "acknowledged" if was_told else "stays"


@dataclass(frozen=True, slots=True)
class Heard:
    """What one route was told of one incident: `reached` is the highest threshold of alerts that nobody looks after,
    `round` counts its beginnings. `is_acknowledged` and `is_flapping`: that was the last thing it heard.
    """

    is_open: bool = False
    round: int = 0
    reached: int = 0
    is_acknowledged: bool = False
    is_flapping: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    reason: IncidentReason
    after: Heard

    @property
    def news(self) -> News | None:
        return None if self.reason in ("flaps", "no_threshold", "not_told") else cast(News, self.reason)


def reached(count: int) -> int:
    """The highest threshold that `count` has reached."""
    return GROWTH[bisect_right(GROWTH, count) - 1] if count else 0


def advance(heard: Heard, count: int, acknowledged: int = 0) -> Step:
    """What a route is to hear, now that `count` alerts are open, `acknowledged` of which somebody looks after."""
    waiting = count - acknowledged
    if count == 0:
        return Step("resolved", Heard(False, heard.round, 0)) if heard.is_open else Step("not_told", heard)
    round_ = heard.round if heard.is_open else heard.round + 1
    after = Heard(True, round_, reached(waiting), is_acknowledged=waiting == 0)
    if waiting == 0:
        is_news = not heard.is_open or not heard.is_acknowledged
        return Step("acknowledged", after) if is_news else Step("no_threshold", heard)
    if not heard.is_open:
        return Step("fired", after)
    if heard.is_acknowledged or heard.is_flapping or reached(waiting) > heard.reached:
        return Step("grew", after)
    return Step("no_threshold", heard)


def flapping(heard: Heard, count: int) -> Step:
    """What a route hears once of an incident that comes and goes."""
    round_ = heard.round if heard.is_open else heard.round + 1
    return Step("flapping", Heard(True, round_, reached(count), is_flapping=True))


class Incident(Contract):
    """An incident as it is told. `count` alerts are open, at most `peak` were since `opened_at` (wall clock, ms).
    `sample`: the anchors of those that have waited longest; `line`: the first of them, or how the last one ended.
    Somebody looks after `acknowledged` of them, `acknowledged_by` names who most; `runbook`: the definition's.
    """

    labels: Labels
    step: str | None
    count: int
    peak: int
    opened_at: int
    closed_at: int | None
    line: str
    sample: list[str]
    acknowledged: int = 0
    acknowledged_by: list[str] = []
    runbook: str | None = None


class IncidentNews(Contract):
    """What waits in the outbox for a Slack route."""

    key: str
    news: News
    incident: Incident


def news_key(incident_key: str, news: News, after: Heard, now: int) -> str:
    """The same for every attempt. `now` tells apart what a route hears anew after it was away from the file."""
    return f"{incident_key}.{after.round}.{news}.{after.reached}.{now}"
