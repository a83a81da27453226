"""What a receiver gets: the body, the headers, the signature. Pure.

POST, JSON: `Notification`, or what the route's template makes of its fields. Headers:
- `Idempotency-Key`: the same for every attempt to tell the same thing. Delivery is at least once: drop keys you know.
- `Touchline-Timestamp`: seconds since the epoch when the attempt was made. Refuse what is older than five minutes.
- `Touchline-Signature`: `v1=` and the hex HMAC-SHA256 of timestamp, a full stop and the body, with the shared secret.

Answer 2xx when you have it; 429 or 5xx to get it again (`Retry-After` in seconds is honoured); any other answer
parks it. The body names no person: no customer, no identifiers. `journey_id` leads to them for those who may
look. `flapping`: it comes and goes, nothing more is sent of it until it is steady. `acknowledged_by` is somebody of
yours.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

import msgspec

from schemas.fast import encode, fast_type
from schemas.records import Alert, AlertScope, AlertState, BreakKind, Severity
from schemas.templates import filled_body
from schemas.touchpoint import Contract

CONTENT_HEADERS: Final = {"Content-Type": "application/json", "User-Agent": "touchline-notifier/1"}
ACTIONS: Final[Mapping[AlertState, str]] = {
    "firing": "trigger",
    "acknowledged": "acknowledge",
    "resolved": "resolve",
    "withdrawn": "resolve",
    "moved": "resolve",
}
"""What a pager is to do. Of one that moved nobody is told as such."""
_alert = fast_type(Alert)


class EvidenceItem(Contract):
    touchpoint_id: str
    name: str
    channel: str
    occurred_at: str


class Notification(Contract):
    """Times are RFC 3339, UTC."""

    format_version: int = 1
    idempotency_key: str
    state: AlertState
    first_line: str
    severity: Severity
    owner: str
    runbook: str | None
    incident: str
    scope: AlertScope
    definition: str
    definition_version: int
    kind: BreakKind
    break_name: str
    step: str | None
    occurrence: int
    alert_id: str
    dedup_key: str
    continues: str | None
    journey_id: str | None
    anchor: str
    cause_at: str
    due_at: str | None
    cleared_at: str | None
    fired_at: str
    changed_at: str
    acknowledged_by: str | None
    flapping: bool
    evidence: list[EvidenceItem]


def body_of(alert: Alert, key: str, runbook: str | None = None, flapping: bool = False) -> bytes:
    return encode(
        Notification(
            idempotency_key=key,
            state=alert.state,
            first_line=alert.first_line,
            severity=alert.severity,
            owner=alert.owner,
            runbook=runbook,
            incident=alert.incident,
            scope=alert.scope,
            definition=alert.definition,
            definition_version=alert.version,
            kind=alert.kind,
            break_name=alert.break_name,
            step=alert.step,
            occurrence=alert.occurrence,
            alert_id=alert.alert_id,
            dedup_key=alert.dedup_key,
            continues=alert.continues,
            journey_id=alert.journey_id,
            anchor=alert.anchor,
            cause_at=time_text(alert.cause_at),
            due_at=_maybe_text(alert.due_at),
            cleared_at=_maybe_text(alert.cleared_at),
            fired_at=time_text(alert.fired_at),
            changed_at=time_text(alert.changed_at),
            acknowledged_by=alert.acknowledged_by,
            flapping=flapping,
            evidence=[
                EvidenceItem(
                    touchpoint_id=w.touchpoint_id, name=w.name, channel=w.channel, occurred_at=time_text(w.occurred_at)
                )
                for w in alert.evidence
            ],
        )
    )


def given_up(alert: Alert) -> Alert:
    """How one ends that moved and that nobody continues: nothing is wrong any more, as far as anybody knows."""
    short = f"customer {(alert.customer_id or '')[:8]}"
    who = short if alert.anchor.startswith("start:") else f"{alert.anchor} ({short})"
    why = "the journey belongs to another customer now, where this is no break"
    line = f"{who}: {alert.definition}, {alert.break_name} is withdrawn: {why}."
    return _changed(alert, state="withdrawn", first_line=line)


def looked_after(alert: Alert, by: str) -> Alert:
    """One that continues an alert that was acknowledged while nobody was to be told."""
    return _changed(alert, state="acknowledged", acknowledged_by=by)


def _changed(alert: Alert, **changes: str) -> Alert:
    fields = {name: getattr(alert, name) for name in Alert.model_fields if name != "type"}
    return _alert(**fields | changes)


def body_for(message: bytes, template: str, secret: bytes) -> bytes:
    """What a webhook gets: the message, or the route's template filled with its fields and two more."""
    if not template:
        return message
    values = msgspec.json.decode(message, type=dict[str, Any])
    more = {"action": ACTIONS[values["state"]], "secret": secret.decode()}
    return filled_body(template, values | more)


def headers_of(key: str, body: bytes, sent_at_seconds: int, secret: bytes) -> dict[str, str]:
    """Without a secret there is no signature."""
    headers = CONTENT_HEADERS | {"Idempotency-Key": key, "Touchline-Timestamp": str(sent_at_seconds)}
    return headers | ({"Touchline-Signature": f"v1={signature(secret, sent_at_seconds, body)}"} if secret else {})


def signature(secret: bytes, sent_at_seconds: int, body: bytes) -> str:
    return hmac.new(secret, b"%d.%s" % (sent_at_seconds, body), sha256).hexdigest()


def time_text(ms: int) -> str:
    try:
        at = datetime.fromtimestamp(ms / 1000, UTC)
    except (OverflowError, ValueError, OSError):  # A touchpoint may claim any year; the alert goes out all the same.
        return f"{ms} ms since 1970"
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _maybe_text(ms: int | None) -> str | None:
    return None if ms is None else time_text(ms)
