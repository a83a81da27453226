"""The life of an alert that is about no customer: a source that is silent, a touchpoint whose contract is broken. Pure.

One thing has one alert at a time, counted by occurrence. It fires, a person may acknowledge or close it, and it is
resolved when what it says is over. What began and was over before anybody looked is resolved at once, and nobody is
told; nobody is told in a replay or backfill either (docs/journeys.md, "Alerts").
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from schemas.control_records import Acknowledgement
from schemas.fast import encode, fast_type
from schemas.identifiers import alert_id_of, dedup_key_of, partition_of
from schemas.records import Alert, AlertScope, AlertState, At, BreakKind, Run, Severity
from schemas.times import from_ms
from schemas.topics import PARTITIONS
from streams.stage import Effect

ACTING: Final = ("live", "simulation")
"""Runs in which somebody is told."""
VERSION: Final = 1
"""Entries of sources.yaml and touchpoints.yaml have no versions."""

_alert = fast_type(Alert)


class About(NamedTuple):
    """What the alert is about. `group` and `name` are the incident, `group/name`; `anchor` is the one thing."""

    scope: AlertScope
    kind: BreakKind
    group: str
    name: str
    anchor: str
    owner: str
    severity: Severity
    runbook: str | None = None


class Episode(msgspec.Struct, array_like=True):
    """The last alert about a thing, as it is stored. `closed`: by a person, for good."""

    occurrence: int
    state: AlertState
    cause_at: int
    due_at: int | None
    fired_at: int
    changed_at: int
    cleared_at: int | None = None
    acknowledged_by: str | None = None
    closed: bool = False

    @property
    def is_open(self) -> bool:
        return self.state in ("firing", "acknowledged")


class Change(NamedTuple):
    """One change of one alert, to be written."""

    about: About
    episode: Episode
    told: bool
    reason: str
    first_line: str


def alert_id(about: About, occurrence: int) -> str:
    return alert_id_of(about.anchor, about.kind, occurrence)


def began(occurrence: int, cause_at: int, due_at: int | None, log_time: int) -> Episode:
    return Episode(occurrence, "firing", cause_at, due_at, log_time, log_time)


def ended(episode: Episode, cleared_at: int, log_time: int) -> None:
    """Changes the episode. Of one that a person closed nothing is written any more, so ask `closed` first."""
    episode.state, episode.cleared_at = "resolved", cleared_at
    episode.changed_at = max(episode.changed_at, log_time)


def said(about: About, episode: Episode, word: Acknowledgement, log_time: int) -> bool:
    """Changes the episode as a person says. False: the word is about another alert, or changes nothing."""
    if word.alert_id != alert_id(about, episode.occurrence) or not episode.is_open:
        return False
    if not word.closes and episode.state == "acknowledged":
        return False
    episode.state = "resolved" if word.closes else "acknowledged"
    episode.closed, episode.acknowledged_by = word.closes, word.acknowledged_by
    episode.changed_at = max(episode.changed_at, log_time)
    return True


def effect(change: Change, at: At, run: Run, log_time: int) -> Effect:
    """To the topic `alerts`, where all of one incident lie in one partition."""
    about, episode = change.about, change.episode
    incident = f"{about.group}/{about.name}"
    is_told = change.told and run in ACTING
    record = _alert(
        at=at,
        run=run,
        alert_id=alert_id(about, episode.occurrence),
        dedup_key=dedup_key_of(about.group, VERSION, about.anchor, about.kind, episode.occurrence),
        continues=None,
        incident=incident,
        state=episode.state,
        notify=is_told,
        reason=run if change.told and not is_told else change.reason,
        scope=about.scope,
        definition=about.group,
        version=VERSION,
        owner=about.owner,
        runbook=about.runbook,
        severity=about.severity,
        kind=about.kind,
        break_name=about.kind,
        step=None,
        occurrence=episode.occurrence,
        journey_id=None,
        customer_id=None,
        anchor=about.anchor,
        cause_at=episode.cause_at,
        due_at=episode.due_at,
        cleared_at=episode.cleared_at,
        fired_at=episode.fired_at,
        changed_at=episode.changed_at,
        cause_log_time=log_time,
        acknowledged_by=episode.acknowledged_by,
        evidence=[],
        first_line=change.first_line,
    )
    return Effect("alerts", partition_of(incident, PARTITIONS), incident.encode(), encode(record))


def clock(at: int) -> str:
    """`2026-03-02 08:00 UTC`."""
    return f"{from_ms(at)[:16].replace('T', ' ')} UTC"
