"""Records as the stages write them, for the tests of the sinks: small, valid, told apart by number."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid5

from schemas.control_records import Decision, DecisionKind, Naming
from schemas.identifiers import customer_of
from schemas.records import (
    Acknowledged,
    Alert,
    Attach,
    DeadLetter,
    Detach,
    Entry,
    Journey,
    Mode,
    Resolved,
    Switched,
    Tick,
)

SPACE = UUID(int=7)
DAY_AT = 1_780_000_000_000  # 2026-05-28


def customer(number: int) -> str:
    return str(uuid5(SPACE, f"customer {number}"))


def resolved(
    number: int, *, offset: int | None = None, ordinal: int = 0, partition: int = 0, **changes: Any
) -> Resolved:
    at = number if offset is None else offset
    fields: dict[str, Any] = {
        "at": ("resolve", partition, at, ordinal),
        "run": "live",
        "touchpoint_id": f"{number:032x}",
        "message_id": f"m{number}",
        "customer_id": customer(number % 50),
        "attributed_by": "device",
        "rev": at,
        "origin": f"anonymous_id:a{number % 50}",
        "name": "order_placed",
        "declared": True,
        "channel": "web",
        "source": "shop",
        "occurred_at": DAY_AT + number,
        "occurred_at_sent": DAY_AT + number,
        "sent_at": DAY_AT + number + 5,
        "received_at": None,
        "log_time": DAY_AT + number + 20,
        "sequence": 0,
        "too_late": False,
        "identifiers": {"anonymous_id": f"a{number % 50}", "order_id": str(number)},
        "subject": None,
        "keys": {"order_id": str(number)},
        "facts": {"fulfilment": "pickup"},
        "properties": {"order_id": str(number), "fulfilment": "pickup", "amount": 12.5},
        "context": {"app": {"version": "1.2"}, "country": "DE"},
    }
    return Resolved.model_validate(fields | changes)


def entry(number: int) -> Entry:
    return Entry(
        touchpoint_id=f"{number:032x}",
        name="order_placed",
        occurred_at=DAY_AT + number,
        sequence=0,
        log_time=DAY_AT + number + 20,
        channel="web",
        keys={},
        facts={},
    )


def attach(numbers: list[int], to: int, *, offset: int, scope: str = "customer", partition: int = 0) -> Attach:
    return Attach(
        at=("resolve", partition, offset, 1),
        run="live",
        customer_id=customer(to),
        scope=scope,
        entries=[entry(number) for number in numbers],
        rev=offset,
        attributed_by="login",
    )


def detach(
    numbers: list[int], old: int, *, offset: int, scope: str = "customer", moved_to: int | None = None
) -> Detach:
    return Detach(
        at=("resolve", 0, offset, 0),
        run="live",
        customer_id=customer(old),
        scope=scope,
        touchpoint_ids=[f"{number:032x}" for number in numbers],
        rev=offset,
        moved_to=None if moved_to is None else customer(moved_to),
    )


def tick(number: int) -> Tick:
    return Tick(at=("keep_time", 0, number, 0), log_time=DAY_AT + number)


def switched(
    offset: int, version: int = 1, mode: Mode = "live", *, from_at: int = DAY_AT, ordinal: int = 0, **changes: Any
) -> Switched:
    fields: dict[str, Any] = {
        "at": ("keep_time", 0, offset, ordinal),
        "definition": "click_and_collect",
        "version": version,
        "mode": mode,
        "from_at": from_at,
        "reason": "tried for a week",
        "decided_by": "anna",
        "decided_at": DAY_AT + offset,
    }
    return Switched.model_validate(fields | changes)


def acknowledged(number: int, *, offset: int, **changes: Any) -> Acknowledged:
    fields: dict[str, Any] = {
        "at": ("keep_time", 0, offset, 0),
        "alert_id": str(uuid5(SPACE, f"alert {number}")),
        "customer_id": customer(number),
        "definition": "click_and_collect",
        "version": 1,
        "anchor": f"order_id:{number}",
        "break_name": "paid",
        "occurrence": 1,
        "closes": False,
        "acknowledged_by": "anna",
        "acknowledged_at": DAY_AT + offset,
    }
    return Acknowledged.model_validate(fields | changes)


def about_source(number: int, source: str, state: str = "firing", *, offset: int, **changes: Any) -> Alert:
    """An alert that is about no customer."""
    fields: dict[str, Any] = {
        "at": ("keep_time", 0, offset, 0),
        "incident": "sources/till-{store_id}",
        "scope": "source",
        "definition": "sources",
        "kind": "silent_source",
        "break_name": "silent_source",
        "step": None,
        "journey_id": None,
        "customer_id": None,
        "anchor": f"source:{source}",
        "evidence": [],
        "first_line": f"source {source} is silent",
    }
    return alert(number, state, offset=offset, **fields | changes)


def journey(number: int, *, offset: int, partition: int = 0, **changes: Any) -> Journey:
    fields: dict[str, Any] = {
        "at": ("track", partition, offset, 0),
        "run": "live",
        "journey_id": str(uuid5(SPACE, f"journey {number}")),
        "definition": "click_and_collect",
        "version": 1,
        "customer_id": customer(number),
        "anchor": f"order_id:{number}",
        "status": "open",
        "started_at": DAY_AT + number,
        "ended_at": None,
        "steps": [
            {"step": "paid", "status": "reached", "due_at": DAY_AT + 600_000, "reached_at": DAY_AT + number + 60_000,
             "touchpoint_id": f"{number:032x}", "channel": "web"},
            {"step": "ready", "status": "waiting", "due_at": DAY_AT + 9_000_000},
        ],
        "breaks": [],
        "touchpoint_ids": [f"{number:032x}"],
        "truncated": False,
        "log_time": DAY_AT + number + 20,
    }  # fmt: skip
    return Journey.model_validate(fields | changes)


def alert(
    number: int, state: str = "firing", *, offset: int, ordinal: int = 0, partition: int = 0, **changes: Any
) -> Alert:
    fields: dict[str, Any] = {
        "at": ("track", partition, offset, ordinal),
        "run": "live",
        "alert_id": str(uuid5(SPACE, f"alert {number}")),
        "dedup_key": str(uuid5(SPACE, f"dedup {number}")),
        "continues": None,
        "incident": "click_and_collect/paid",
        "state": state,
        "notify": True,
        "reason": "live",
        "definition": "click_and_collect",
        "version": 1,
        "owner": "team-stores",
        "severity": "critical",
        "kind": "missing_step",
        "break_name": "paid",
        "step": "paid",
        "occurrence": 1,
        "journey_id": str(uuid5(SPACE, f"journey {number}")),
        "customer_id": customer(number),
        "anchor": f"order_id:{number}",
        "cause_at": DAY_AT + 600_000,
        "due_at": DAY_AT + 600_000,
        "cleared_at": None,
        "fired_at": DAY_AT + 660_000,
        "changed_at": DAY_AT + 660_000 + offset,
        "cause_log_time": DAY_AT + 660_000,
        "evidence": [
            {
                "touchpoint_id": f"{number:032x}",
                "name": "order_placed",
                "channel": "web",
                "occurred_at": DAY_AT + number,
            }
        ],
        "first_line": "paid is missing 10 minutes after the start",
    }
    return Alert.model_validate(fields | changes)


def dead_letter(number: int) -> DeadLetter:
    return DeadLetter(
        at=("resolve", 0, number, 0),
        run="live",
        failure="malformed",
        field=None,
        detail="no JSON",
        source="till",
        topic="touchpoints.raw",
        partition=0,
        offset=number,
        log_time=DAY_AT + number,
        headers={"source": "till"},
        payload="e30=",
    )


def naming(contact: str, user_id: str | None, *, offset: int, ordinal: int = 0, partition: int = 5) -> Naming:
    kind, value = ("user_id", user_id) if user_id is not None else contact.split(":", 1)
    return Naming(
        at=("resolve", partition, offset, ordinal),
        run="live",
        contact=contact,
        user_id=user_id,
        customer_id=customer_of(kind, value),
        rev=offset,
    )


def decision(number: int, kind: DecisionKind, identifier: str, user_id: str | None = None) -> Decision:
    return Decision(
        at=("resolve", 5, number, 0),
        decision_id=f"{number:032x}",
        kind=kind,
        identifier=identifier,
        user_id=user_id,
        reason="asked for by the customer",
        decided_by="support",
        decided_at=DAY_AT + number,
    )
