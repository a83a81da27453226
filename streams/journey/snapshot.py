"""What leaves track: snapshots of journeys and changes of alerts, as records of schemas.records, and the first line
for people.

The first line needs no query: who, which journey and step, how late or what happened, and the last three touchpoints.
It names the customer by the beginning of the id and the business key; never an identifier of a person, a device or a
contact.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Final, cast

import msgspec

from schemas.fast import encode, fast_type
from schemas.identifiers import alert_id_of, dedup_key_of, journey_id_of, partition_of
from schemas.records import Alert, At, BreakState, Journey, Mode, StepState, StepStatus, Witness
from schemas.records import Run as RunKind
from schemas.topics import PARTITIONS
from streams.journey.alerting import Move, findings, told
from streams.journey.fold import status_of
from streams.journey.instances import CUSTOMER
from streams.journey.open_hours import NEVER
from streams.journey.plan import CompiledDefinition
from streams.journey.run import Run
from streams.journey.values import Finding
from streams.stage import Effect

EVIDENCE = 3
LATE_STEPS: Final = ("missing_step", "handoff_lost")
DAY_MS = 86_400_000
LAST_MS = 253_402_300_799_999
"""The end of the year 9999, the last one a date can name."""
_JOURNEY, _BREAK = fast_type(Journey), fast_type(BreakState)
_ALERT, _WITNESS = fast_type(Alert), fast_type(Witness)


def journey_effect(
    definition: CompiledDefinition,
    run: Run,
    customer: str,
    at: At,
    kind: RunKind,
    log_time: int,
    truncated: bool,
    exists: bool,
) -> Effect:
    """A snapshot; of an instance that exists no more, the last one."""
    start = run.start
    assert start is not None, "an instance without a start is not reported"
    breaks = [_BREAK(**finding._asdict()) for finding in findings(definition, run)] if exists else []
    journey = _JOURNEY(
        at=at,
        run=kind,
        journey_id=run.journey_id,
        definition=definition.name,
        version=definition.version,
        mode=cast(Mode, run.mode),
        customer_id=customer,
        anchor=run.anchor,
        status=status_of(definition, run) if exists else "moved",
        started_at=start.occurred_at,
        ended_at=_ended_at(definition, run),
        steps=cast(list[StepState], _steps(definition, run, exists)),
        breaks=breaks,
        touchpoint_ids=[kept.touchpoint_id for kept in run.members] if exists else [],
        truncated=truncated,
        log_time=log_time,
    )
    return Effect("journeys", partition_of(customer, PARTITIONS), customer.encode(), encode(journey))


def _ended_at(definition: CompiledDefinition, run: Run) -> int | None:
    if run.ended_at is None and run.expired and run.start is not None:
        return run.start.occurred_at + definition.lifetime_ms
    return run.ended_at


class StepRow(msgspec.Struct, frozen=True, gc=False):
    """The fields of StepState in their order (a test compares), built by position: most of a snapshot is steps."""

    step: str
    status: StepStatus
    due_at: int | None = None
    reached_at: int | None = None
    touchpoint_id: str | None = None
    channel: str | None = None


@cache
def _waiting(step: str) -> StepRow:
    return StepRow(step, "waiting")


def _steps(definition: CompiledDefinition, run: Run, exists: bool) -> list[StepRow]:
    start = run.start
    if not exists or start is None:
        return [_waiting(step.name) for step in definition.steps]
    rows, reached = [], run.reached
    for step in definition.steps:
        before = start if step.after is None else reached[step.after]
        due = None if step.within_ms is None or before is None else step.due(before.occurred_at)
        due = None if due == NEVER else due
        kept = reached[step.index]
        if kept is not None:
            rows.append(StepRow(step.name, "reached", due, kept.occurred_at, kept.touchpoint_id, kept.channel))
        elif run.settled >> step.index & 1:
            rows.append(StepRow(step.name, "skipped", due))
        elif run.missed >> step.index & 1:
            rows.append(StepRow(step.name, "missed", due))
        else:
            rows.append(_waiting(step.name) if due is None else StepRow(step.name, "waiting", due))
    return rows


def alert_effect(
    definition: CompiledDefinition,
    run: Run,
    customer: str,
    at: At,
    kind: RunKind,
    log_time: int,
    move: Move,
    gone: str = "",
) -> Effect:
    """`gone`: why there is no such instance any more, in words."""
    record, finding = move.record, move.record.finding
    notify, reason = told(definition, run.mode, kind, move)
    incident = f"{definition.name}/{finding.name}"
    alert = _ALERT(
        at=at,
        run=kind,
        alert_id=alert_id_of(run.journey_id, finding.name, finding.occurrence),
        dedup_key=dedup_key_of(definition.name, definition.version, run.anchor, finding.name, finding.occurrence),
        continues=continues(definition, run, finding),
        incident=incident,
        state=record.state,
        notify=notify,
        reason=reason,
        definition=definition.name,
        version=definition.version,
        mode=cast(Mode, run.mode),
        owner=definition.owner,
        runbook=definition.runbooks.get(finding.name),
        severity=finding.severity,
        kind=finding.kind,
        break_name=finding.name,
        step=finding.step,
        occurrence=finding.occurrence,
        journey_id=run.journey_id,
        customer_id=customer,
        anchor=run.anchor,
        cause_at=finding.cause_at,
        due_at=finding.due_at,
        cleared_at=finding.cleared_at,
        fired_at=record.fired_at,
        changed_at=record.changed_at,
        cause_log_time=log_time,
        acknowledged_by=record.acknowledged_by,
        evidence=[
            _WITNESS(
                touchpoint_id=kept.touchpoint_id, name=kept.name, channel=kept.channel, occurred_at=kept.occurred_at
            )
            for kept in run.members[-EVIDENCE:]
        ],
        first_line=first_line(definition, run, customer, move, log_time, gone),
    )
    return Effect("alerts", partition_of(incident, PARTITIONS), incident.encode(), encode(alert))


def continues(definition: CompiledDefinition, run: Run, finding: Finding) -> str | None:
    """The alert of the same break under the customer from whom the start came."""
    if run.start is None or run.start.moved_from is None:
        return None
    before = journey_id_of(definition.name, definition.version, run.start.moved_from, run.anchor)
    return alert_id_of(before, finding.name, finding.occurrence)


def gone_into(heir: Run | None, log_time: int) -> str:
    """Why an instance is no more whose start went to nobody else. `heir`: the one that its start belongs to now."""
    if heir is None or heir.start is None:
        return "there is no such journey any more"
    since = clock(heir.start.occurred_at, log_time)
    return f"the journey began earlier than was known, at {since} UTC, and goes on as {heir.anchor}"


def first_line(
    definition: CompiledDefinition, run: Run, customer: str, move: Move, log_time: int, gone: str = ""
) -> str:
    short = f"{CUSTOMER} {customer[:8]}"
    who = short if definition.kind is None else f"{run.anchor} ({short})"
    last = ", ".join(
        f"{kept.name} {kept.channel} {clock(kept.occurred_at, log_time)}" for kept in run.members[-EVIDENCE:]
    )
    return f"{who}: {definition.name}, {_what(run, move, log_time, gone)}. Last: {last}."


def _what(run: Run, move: Move, log_time: int, gone: str) -> str:
    finding, state = move.record.finding, move.record.state
    subject = _subject(run, finding, state in ("firing", "acknowledged"), log_time)
    if state == "firing":
        return subject
    if state == "acknowledged":
        return f"{subject}, {move.record.acknowledged_by} looks after it"
    if state == "withdrawn":
        late = finding.kind in LATE_STEPS
        if gone:
            return f"withdrawn: {f'step {finding.step}' if late else finding.name}, {gone}"
        return f"withdrawn: step {finding.step} is not late after all" if late else f"withdrawn: {finding.name}"
    if state == "moved":
        return f"{subject}, goes on under another customer"
    if move.reason == "closed":
        return f"{subject}, closed by {move.record.acknowledged_by}"
    if move.reason == "expired":
        return f"{subject}, given up: the journey's time is over"
    cleared = finding.cleared_at if finding.cleared_at is not None else log_time
    return f"{subject}, over at {clock(cleared, log_time)} UTC"


def _subject(run: Run, finding: Finding, is_firing: bool, log_time: int) -> str:
    name, step, when = finding.name, finding.step, f"{clock(finding.cause_at, log_time)} UTC"
    until = finding.cleared_at if finding.cleared_at is not None else max(log_time, finding.cause_at)
    is_, has = ("is", "has ") if is_firing else ("was", "")
    times = f", for the {finding.occurrence}. time" if finding.occurrence > 1 else ""
    match finding.kind:
        case "missing_step" | "handoff_lost" | "feedback_not_asked":
            return f"step {step} {is_} {span(until - finding.cause_at)} late (due {when})"
        case "failure_event":
            waits = f"step {step} has not put it right" if is_firing else f"to be put right by step {step}"
            return f"{name} at {when}, {waits}{times}"
        case "out_of_order":
            return f"{name} at {when}, before step {step}{times}"
        case "skipped_step":
            return f"{name}: succeeded at {when} without step {step}{times}"
        case "abandoned":
            since = _silent_since(run, finding)
            silent = f"nothing {has}happened for {span(until - since)}"
            return f"{name}: {silent} (since {clock(since, log_time)} UTC){times}"
        case "forbidden":
            return f"{name}: happened at {when} and is forbidden{', somebody must look' if is_firing else ''}"
        case "repeated" | "low_score":
            return f"{name}{f' at step {step}' if step is not None else ''} since {when}{times}"
        case "experience_balance":
            return f"{name}: the bad outweighs the good since {when}{times}"
        case "identity_conflict":
            return f"{name}: different people act in it since {when}{', somebody must look' if is_firing else ''}"
        case "silent_source" | "broken_contract":
            raise AssertionError(f"{finding.kind} is no break of a journey")


def _silent_since(run: Run, finding: Finding) -> int:
    """The touchpoint from which the silence was counted: one after it, up to the due time, would have moved that."""
    due_at = finding.cause_at
    return max((kept.occurred_at for kept in run.members if kept.occurred_at <= due_at), default=due_at)


def clock(at: int, now: int) -> str:
    """Hours and minutes, UTC; with the date when it is not the day of `now`."""
    moment = datetime.fromtimestamp(min(max(at, 0), LAST_MS) // 1000, UTC)
    return moment.strftime("%H:%M" if at // DAY_MS == now // DAY_MS else "%Y-%m-%d %H:%M")


def span(ms: int) -> str:
    """Rounded down to what a person would say."""
    for unit, size in (("d", DAY_MS), ("h", 3_600_000), ("min", 60_000)):
        if ms >= 2 * size or (ms >= size and unit == "min"):
            return f"{ms // size} {unit}"
    return f"{ms // 1000} s"
