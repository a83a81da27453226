"""An incident in words, for people: the fields of a template and their values. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from schemas.records import BreakKind
from sinks.notify.incident import LINE_MAX, NAMES_MAX, SAMPLE_MAX, Incident, News

_STATE: Final[dict[News, str]] = {
    "fired": "FIRING",
    "grew": "STILL FIRING",
    "acknowledged": "ACKNOWLEDGED",
    "flapping": "FLAPPING",
    "resolved": "RESOLVED",
}
_WHAT: Final[dict[BreakKind, str]] = {
    "missing_step": "step {} {} missing",
    "handoff_lost": "the handoff to {} {} lost",
    "repeated": "{} {} repeated",
    "low_score": "{} {} a low score",
    "failure_event": "{} {} a failure not put right",
    "out_of_order": "{} {} a wrong order",
    "skipped_step": "{} {} a skipped step",
    "abandoned": "{} {} an abandonment",
    "forbidden": "{} {} forbidden",
    "experience_balance": "{} {} a bad experience on balance",
    "identity_conflict": "{} {} a conflict of persons",
    "feedback_not_asked": "the question {} {} not asked",
    "silent_source": "source {} {} silent",
    "broken_contract": "the contract of {} {} broken",
}


def state(incident: Incident, news: News) -> str:
    """Of what was simulated nobody shall think that it is real."""
    run = incident.labels.run
    return _STATE[news] if run == "live" else f"{_STATE[news]} ({run})"


def what(incident: Incident) -> str:
    labels = incident.labels
    return _WHAT[labels.kind].format(labels.break_name, "is" if incident.count else "was")


def alerts_in_words(incident: Incident, news: News = "fired") -> str:
    if incident.count == 0:
        return f"none open, {incident.peak:,} at most"
    more = "; it comes and goes, nothing more until it is steady" if news == "flapping" else ""
    return f"{incident.count:,} {'alert' if incident.count == 1 else 'alerts'} open{more}"


def acknowledged_in_words(incident: Incident) -> str:
    """`anna`, or `anna, ben (11 of 12)` when somebody is still to look after some."""
    names = [shortened(name, 100) for name in incident.acknowledged_by]
    who = ", ".join(names[:NAMES_MAX]) + (" and others" if len(names) > NAMES_MAX else "")
    is_all = incident.acknowledged >= incident.count
    return who if is_all or not who else f"{who} ({incident.acknowledged:,} of {incident.count:,})"


def sample_in_words(incident: Incident) -> str:
    """The anchors beside the first, of which `line` tells: `order_id:8, order_id:9 and 12 more`."""
    names = [shortened(anchor, 100) for anchor in incident.sample[1:SAMPLE_MAX]]
    rest = incident.count - 1 - len(names)
    return (", ".join(names) + (f" and {rest:,} more" if rest > 0 else "")) if names else ""


def since(incident: Incident) -> str:
    """Wall clock: when the notifier heard of the first."""
    return datetime.fromtimestamp(incident.opened_at / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def fields_of(incident: Incident, news: News, runbook: str | None) -> dict[str, str]:
    """A value for each of schemas.templates.TEMPLATE_FIELDS."""
    labels = incident.labels
    return {
        "state": state(incident, news),
        "journey": labels.journey,
        "break": labels.break_name,
        "what": what(incident),
        "kind": labels.kind,
        "step": incident.step or "",
        "severity": labels.severity,
        "owner": labels.owner,
        "run": labels.run,
        "count": str(incident.count),
        "peak": str(incident.peak),
        "alerts": alerts_in_words(incident, news),
        "first_line": shortened(incident.line, LINE_MAX),
        "sample": sample_in_words(incident),
        "since": since(incident),
        "runbook": runbook or "",
        "acknowledged_by": acknowledged_in_words(incident) if incident.count else "",
    }


def shortened(text: str, length: int) -> str:
    """On one line, with an ellipsis where something is left out."""
    flat = " ".join(text.split())
    return flat if len(flat) <= length else flat[: length - 1] + "…"
