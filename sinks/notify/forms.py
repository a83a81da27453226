"""What the notifier's API takes and answers, in JSON. Times are RFC 3339. Pure."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from schemas.records import AlertScope, AlertState, BreakKind, Run, Severity
from schemas.times import from_ms
from schemas.touchpoint import Contract, Time
from sinks.notify.board import Entry
from sinks.notify.incident import labels_of
from sinks.notify.message import EvidenceItem, time_text
from sinks.notify.quiet import Hold, HoldReason, Matchers, Said, Silence, Who

LISTED: Final = 200
LISTED_MAX: Final = 1_000
INCIDENT_MAX: Final = 500
"""Alerts that one word on an incident acknowledges."""
STATES: Final[dict[str, tuple[AlertState, ...]]] = {
    "open": ("firing", "acknowledged"),
    "firing": ("firing",),
    "acknowledged": ("acknowledged",),
}


class WordForm(Contract):
    """Why is required where an alert is closed: that is for good."""

    by: Who
    reason: Annotated[str, Field(max_length=500)] = ""


class SilenceForm(Contract):
    """`from`: now, if not given."""

    model_config = {**Contract.model_config, "populate_by_name": True}
    matchers: Matchers
    from_time: Annotated[Time | None, Field(alias="from")] = None
    until: Time
    reason: Said
    by: Who


class QuietView(Contract):
    """Why nobody is told for now; `by` is a silence's id or a window's name."""

    reason: HoldReason
    until: str
    by: str


class AlertView(Contract):
    """`is_told`: everybody was told how it stands. `evidence` only where one alert is asked for."""

    alert_id: str
    state: AlertState
    acknowledged_by: str | None
    is_told: bool
    quiet: QuietView | None
    severity: Severity
    kind: BreakKind
    scope: AlertScope
    run: Run
    incident: str
    definition: str
    definition_version: int
    break_name: str
    anchor: str
    customer_id: str | None
    journey_id: str | None
    owner: str
    runbook: str | None
    fired_at: str
    due_at: str | None
    first_line: str
    evidence: list[EvidenceItem] = []


class Listed(Contract):
    """`total`: as many as there are; `held`: how many changes nobody was told of yet, by reason."""

    alerts: list[AlertView]
    total: int
    held: dict[str, int]


class SilenceView(Contract):
    """`holds`: how many alerts it holds back now."""

    silence_id: str
    matchers: dict[str, str]
    from_time: str
    until: str
    reason: str
    by: str
    holds: int


class Silences(Contract):
    silences: list[SilenceView]


class Answered(Contract):
    """`asked`: alerts of which the workers were told; `already`: those that were acknowledged before; `left`: beyond
    the bound of one word.
    """

    word: Literal["acknowledge", "close"]
    asked: list[str]
    already: int = 0
    left: int = 0


class Refusal(Contract):
    """What is wrong and what to do; `candidates`: what may have been meant."""

    error: str
    candidates: list[str] = []


def alert_view(entry: Entry, hold: Hold | None, runbook: str | None, with_evidence: bool = False) -> AlertView:
    alert, labels = entry.alert, labels_of(entry.alert)
    return AlertView(
        alert_id=alert.alert_id,
        state="acknowledged" if entry.state == "acknowledged" else alert.state,
        acknowledged_by=entry.acknowledged_by,
        is_told=entry.held is None,
        quiet=None if hold is None else QuietView(reason=hold.reason, until=time_text(hold.until), by=hold.by),
        severity=alert.severity,
        kind=alert.kind,
        scope=alert.scope,
        run=alert.run,
        incident=alert.incident,
        definition=labels.journey,
        definition_version=alert.version,
        break_name=labels.break_name,
        anchor=alert.anchor,
        customer_id=alert.customer_id,
        journey_id=alert.journey_id,
        owner=alert.owner,
        runbook=runbook,
        fired_at=time_text(alert.fired_at),
        due_at=None if alert.due_at is None else time_text(alert.due_at),
        first_line=alert.first_line,
        evidence=[
            EvidenceItem(
                touchpoint_id=w.touchpoint_id, name=w.name, channel=w.channel, occurred_at=time_text(w.occurred_at)
            )
            for w in (alert.evidence if with_evidence else ())
        ],
    )


def silence_view(silence: Silence, holds: int) -> SilenceView:
    return SilenceView(
        silence_id=silence.silence_id,
        matchers=silence.matchers.given(),
        from_time=from_ms(silence.from_at),
        until=from_ms(silence.until_at),
        reason=silence.reason,
        by=silence.by,
        holds=holds,
    )
