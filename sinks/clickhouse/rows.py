"""Records as rows of ClickHouse. Pure: record in, tuples in the order of COLUMNS out.

Times are ms since the epoch and go to DateTime64(3) as they are, within the years that ClickHouse can hold. A missing
text is the empty text, a missing time is NULL: that is what BI tools group and filter most easily. `properties` and
`context` are JSON text: a column of type JSON made inserts four times as expensive.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from schemas.control_records import Decision, Naming
from schemas.identifiers import BUSINESS_KINDS, ROUTING_ORDER
from schemas.records import (
    Acknowledged,
    Alert,
    At,
    Attach,
    DeadLetter,
    Detach,
    Journey,
    Resolved,
    Switched,
    Tick,
)

Row = tuple[object, ...]
TableRows = tuple[str, Row]

ORDINAL_BITS: Final = 20
TEXT_MAX: Final = 100
"""Characters of a text that becomes a LowCardinality column: a client must not fill the dictionary with novels."""
EARLIEST_AT: Final = -2_208_988_800_000  # 1900-01-01
LATEST_AT: Final = 10_413_791_999_000  # 2299-12-31

_PERSON_KINDS: Final = tuple(
    kind for kind in ("user_id", "anonymous_id", "device_id", "email", "phone", "loyalty_card") if kind in ROUTING_ORDER
)
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "touchpoints": (
        *("touchpoint_id", "message_id", "customer_id", "attributed_by", "rev", "run", "origin", "name", "declared"),
        *("channel", "source", "occurred_at", "occurred_at_sent", "sent_at", "received_at", "log_time", "sequence"),
        *("too_late", "store_id", "app_version", "country", "subject_kind", "subject_id", *_PERSON_KINDS),
        *(*BUSINESS_KINDS, "account_id", "contacts", "properties", "context", "raw_partition", "raw_offset"),
        "other_identifiers",
    ),
    "attributions": ("touchpoint_id", "customer_id", "attributed_by", "rev", "run"),
    "journeys": (
        *("journey_id", "version", "run", "definition", "definition_version", "mode", "customer_id"),
        *("anchor", "status", "started_at", "ended_at", "log_time", "truncated", "touchpoint_ids"),
        *("steps.step", "steps.status", "steps.due_at", "steps.reached_at", "steps.touchpoint_id", "steps.channel"),
        *("breaks.name", "breaks.kind", "breaks.step", "breaks.occurrence", "breaks.severity", "breaks.cause_at"),
        *("breaks.due_at", "breaks.cleared_at"),
    ),
    "alerts": (
        *("alert_id", "position", "run", "dedup_key", "continues", "incident", "state", "notify", "reason"),
        *("definition", "definition_version", "mode", "scope", "owner", "runbook", "severity", "kind", "break_name"),
        *("step", "occurrence", "journey_id", "customer_id", "anchor", "cause_at", "due_at", "cleared_at"),
        *("fired_at", "changed_at", "cause_log_time", "acknowledged_by"),
        *("evidence.touchpoint_id", "evidence.name", "evidence.channel", "evidence.occurred_at", "first_line"),
    ),
    "dead_letters": (
        *("stage", "topic", "partition", "offset", "run", "failure", "field", "detail", "source", "log_time"),
        *("headers", "payload"),
    ),
    "contact_namings": ("contact", "user_id", "customer_id", "rev", "run"),
    "definition_modes": (
        *("definition", "version", "position", "mode", "from_at", "reason", "decided_by", "decided_at"),
    ),
    "identity_decisions": (
        *("decision_id", "kind", "identifier", "user_id", "reason", "decided_by", "decided_at", "position"),
    ),
}

_json = msgspec.json.Encoder().encode
LoadedRecord = (
    Resolved | Attach | Detach | Tick | Switched | Acknowledged | Journey | Alert | DeadLetter | Naming | Decision
)


def rows_of(record: LoadedRecord) -> Iterable[TableRows]:
    """The rows that a record adds, with their tables. A tick adds none, nor does what a business key attaches, nor a
    person's word on an alert: the alert itself says it.
    """
    match record.type:
        case "touchpoint":
            return (("touchpoints", _touchpoint(record)),)
        case "attach":
            return _attached(record)
        case "detach":
            return _detached(record)
        case "tick" | "acknowledged":
            return ()
        case "switched":
            return (("definition_modes", _switched(record)),)
        case "journey":
            return (("journeys", _journey(record)),)
        case "alert":
            return (("alerts", _alert(record)),)
        case "dead_letter":
            return (("dead_letters", _dead_letter(record)),)
        case "naming":
            return (("contact_namings", _naming(record)),)
        case "decision":
            return (("identity_decisions", _decision(record)),)


def order_of(at: At) -> int:
    """One number that grows with the position of an effect within its source partition. Raises ValueError."""
    _, _, offset, ordinal = at
    if ordinal >> ORDINAL_BITS:
        raise ValueError(
            f"position {at} has an ordinal above {(1 << ORDINAL_BITS) - 1}; split the record that caused it"
        )
    return offset << ORDINAL_BITS | ordinal


def _touchpoint(record: Resolved) -> Row:
    names, properties, context, subject = record.identifiers, record.properties, record.context, record.subject
    store_id = _text(properties.get("store_id")) or _text(context.get("store_id"))
    if not store_id and subject is not None and subject.kind == "store":
        store_id = subject.id
    return (
        record.touchpoint_id,
        record.message_id,
        record.customer_id or "",
        record.attributed_by,
        record.rev,
        record.run,
        record.origin,
        record.name,
        record.declared,
        record.channel,
        record.source,
        _at(record.occurred_at),
        _at(record.occurred_at_sent),
        _maybe_at(record.sent_at),
        _maybe_at(record.received_at),
        _at(record.log_time),
        record.sequence,
        record.too_late,
        store_id,
        _inner(context, "app", "version") or _text(context.get("app_version")) or _text(properties.get("app_version")),
        _text(properties.get("country")) or _text(context.get("country")) or _inner(context, "location", "country"),
        subject.kind if subject is not None else "",
        subject.id if subject is not None else "",
        *[getattr(names, kind) or "" for kind in _PERSON_KINDS],
        *[record.keys.get(kind) or getattr(names, kind) or "" for kind in BUSINESS_KINDS],
        names.account_id or "",
        record.contacts,
        _json(properties).decode(),
        _json(context).decode(),
        record.at[1],
        record.at[2],
        _other(record) if names.other or record.keys else {},
    )


def _other(record: Resolved) -> dict[str, str]:
    """Of kinds without a column; of a business key the text that counts."""
    return (record.identifiers.other or {}) | {
        kind: value for kind, value in record.keys.items() if kind not in BUSINESS_KINDS
    }


def _attached(record: Attach) -> Iterable[TableRows]:
    if record.scope != "customer":
        return ()
    shared = (record.customer_id, record.attributed_by, record.rev, record.run)
    return [("attributions", (entry.touchpoint_id, *shared)) for entry in record.entries]


def _detached(record: Detach) -> Iterable[TableRows]:
    """With `moved_to` the attach that follows says it; without, the touchpoints wait for an owner again."""
    if record.scope != "customer" or record.moved_to is not None:
        return ()
    return [("attributions", (found, "", "waiting", record.rev, record.run)) for found in record.touchpoint_ids]


def _journey(record: Journey) -> Row:
    steps, breaks = record.steps, record.breaks
    return (
        record.journey_id,
        order_of(record.at),
        record.run,
        record.definition,
        record.version,
        record.mode,
        record.customer_id,
        record.anchor,
        record.status,
        _maybe_at(record.started_at),
        _maybe_at(record.ended_at),
        _at(record.log_time),
        record.truncated,
        record.touchpoint_ids,
        [step.step for step in steps],
        [step.status for step in steps],
        [_maybe_at(step.due_at) for step in steps],
        [_maybe_at(step.reached_at) for step in steps],
        [step.touchpoint_id or "" for step in steps],
        [step.channel or "" for step in steps],
        [found.name for found in breaks],
        [found.kind for found in breaks],
        [found.step or "" for found in breaks],
        [found.occurrence for found in breaks],
        [found.severity for found in breaks],
        [_at(found.cause_at) for found in breaks],
        [_maybe_at(found.due_at) for found in breaks],
        [_maybe_at(found.cleared_at) for found in breaks],
    )


def _alert(record: Alert) -> Row:
    return (
        record.alert_id,
        order_of(record.at),
        record.run,
        record.dedup_key,
        record.continues or "",
        record.incident,
        record.state,
        record.notify,
        record.reason,
        record.definition,
        record.version,
        record.mode,
        record.scope,
        record.owner,
        record.runbook or "",
        record.severity,
        record.kind,
        record.break_name,
        record.step or "",
        record.occurrence,
        record.journey_id or "",
        record.customer_id or "",
        record.anchor,
        _at(record.cause_at),
        _maybe_at(record.due_at),
        _maybe_at(record.cleared_at),
        _at(record.fired_at),
        _at(record.changed_at),
        _at(record.cause_log_time),
        record.acknowledged_by or "",
        [witness.touchpoint_id for witness in record.evidence],
        [witness.name for witness in record.evidence],
        [witness.channel for witness in record.evidence],
        [_at(witness.occurred_at) for witness in record.evidence],
        record.first_line,
    )


def _dead_letter(record: DeadLetter) -> Row:
    return (
        record.at[0],
        record.topic,
        record.partition,
        record.offset,
        record.run,
        record.failure,
        record.field or "",
        record.detail,
        record.source,
        _at(record.log_time),
        record.headers,
        record.payload,
    )


def _switched(record: Switched) -> Row:
    """The same from every partition: the offset of the word is, its ordinal is not."""
    return (
        record.definition,
        record.version,
        record.at[2],
        record.mode,
        _at(record.from_at),
        record.reason,
        record.decided_by,
        _at(record.decided_at),
    )


def _naming(record: Naming) -> Row:
    return (record.contact, record.user_id or "", record.customer_id, record.rev, record.run)


def _decision(record: Decision) -> Row:
    return (
        record.decision_id,
        record.kind,
        record.identifier,
        record.user_id or "",
        record.reason,
        record.decided_by,
        _at(record.decided_at),
        order_of(record.at),
    )


def _at(ms: int) -> int:
    return min(max(ms, EARLIEST_AT), LATEST_AT)


def _maybe_at(ms: int | None) -> int | None:
    return None if ms is None else _at(ms)


def _text(value: Any) -> str:
    """Senders write ids as numbers, too; anything else is no label."""
    if isinstance(value, str):
        return value[:TEXT_MAX]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def _inner(outer: Mapping[str, Any], name: str, field: str) -> str:
    value = outer.get(name)
    return _text(value.get(field)) if isinstance(value, dict) else ""
