"""What Alertmanager gets at `/api/v2/alerts`: one alert for each incident. Pure.

The labels are the incident's and few; what changes (count, sample, words) stands in annotations. So does who looks
after it: a label would make it another alert, and a silence there would hide the alerts that come later. `endsAt` of
an open incident lies ahead and is moved on by each refresh: when the notifier is gone, Alertmanager ends the alert by
itself. Times are the wall clock, never a simulation's, because Alertmanager compares them with its own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from schemas.templates import fill
from sinks.notify.incident import Incident
from sinks.notify.message import time_text
from sinks.notify.wording import fields_of, shortened

PATH: Final = "/api/v2/alerts"
ALERT_NAME: Final = "JourneyBreak"
SUMMARY: Final = "{journey}, {what}: {alerts}"


@dataclass(frozen=True, slots=True)
class Pace:
    """How often an open incident is sent again, and how long Alertmanager holds it without hearing of it."""

    refresh_ms: int
    ends_after_ms: int


@dataclass(frozen=True, slots=True)
class Report:
    """An incident as it is to be reported. `is_open` as the route was told, not as it stands by now."""

    incident: Incident
    is_open: bool
    runbook: str | None = None
    is_flapping: bool = False


def alertmanager_alert(
    report: Report, template: str, now: int, pace: Pace, generator_url: str | None
) -> dict[str, Any]:
    incident, labels = report.incident, report.incident.labels
    closed_at = incident.closed_at if incident.closed_at is not None else now
    ends_at = now + pace.ends_after_ms if report.is_open else max(min(closed_at, now), incident.opened_at)
    fields = fields_of(incident, "fired" if report.is_open else "resolved", report.runbook)
    annotations = {
        "summary": shortened(fill(template, fields), 500),
        "description": fields["first_line"],
        "count": fields["count"],
        "sample": ", ".join(shortened(anchor, 100) for anchor in incident.sample),
        "step": fields["step"],
        "runbook_url": fields["runbook"],
        "acknowledged_by": fields["acknowledged_by"],
        "flapping": "true" if report.is_flapping else "",
    }
    alert: dict[str, Any] = {
        "labels": {
            "alertname": ALERT_NAME,
            "journey": labels.journey,
            "break": labels.break_name,
            "kind": labels.kind,
            "severity": labels.severity,
            "owner": labels.owner,
            "run": labels.run,
        },
        "annotations": {name: value for name, value in annotations.items() if value},
        "startsAt": time_text(incident.opened_at),
        "endsAt": time_text(ends_at),
    }
    return alert | ({"generatorURL": generator_url} if generator_url else {})


def alertmanager_body(
    reports: Sequence[Report], template: str, now: int, pace: Pace, generator_url: str | None
) -> bytes:
    alerts = [alertmanager_alert(report, template, now, pace, generator_url) for report in reports]
    return json.dumps(alerts, ensure_ascii=False).encode()
