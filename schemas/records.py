"""The records that stages exchange on Kafka: one definition each, with a format version.

`at` is the position of the effect: source stage, source partition, source offset, ordinal within that record (DESIGN:
a receiver drops
what is not above the highest it has seen from that source partition). Times are ms since the epoch, UTC. `log_time`
is the broker's time
at the record's first append, or the recorded arrival time in a simulation.
"""

from __future__ import annotations

from typing import Literal

from schemas.checked import InnerObject
from schemas.touchpoint import Contract, Identifiers, Subject, Version1

At = tuple[str, int, int, int]
Fact = str | int | float | bool
Run = Literal["live", "simulation", "replay", "backfill"]
Severity = Literal["info", "warning", "error", "critical"]
AttributedBy = Literal["user_id", "login", "manual", "device", "contact", "business_key", "waiting", "subject"]
AlertState = Literal["firing", "acknowledged", "resolved", "withdrawn", "moved"]
BreakKind = Literal[
    "missing_step",
    "handoff_lost",
    "repeated",
    "low_score",
    "failure_event",
    "out_of_order",
    "skipped_step",
    "abandoned",
    "forbidden",
    "experience_balance",
    "identity_conflict",
    "feedback_not_asked",
    "silent_source",
    "broken_contract",
]
AlertScope = Literal["journey", "source", "touchpoint"]
"""What an alert is about: one customer's journey; a source that fell silent; a touchpoint whose contract is broken."""
Mode = Literal["off", "shadow", "live"]
"""Of one version of a definition: folds no journey; stored and nobody told; somebody is told."""
StepStatus = Literal["waiting", "reached", "skipped", "missed"]
JourneyStatus = Literal["open", "succeeded", "failed", "expired", "moved"]


class StoredIdentifiers(Identifiers):
    """`other`: by kind, those of kinds that the deployment declares itself. What they mean, its rules know."""

    other: dict[str, str] | None = None


class Entry(Contract):
    """What the journeys need of a touchpoint: enough to fold it again at any time."""

    touchpoint_id: str
    name: str
    occurred_at: int
    sequence: int
    log_time: int
    channel: str
    keys: dict[str, str]
    facts: dict[str, Fact]
    person: str | None = None
    """The customer of the user that it names, on a server's word or with a proof. Only when a definition asks."""


# -- on progress
# ----------------------------------------------------------------------------------------------------------------------


class Counts(Contract):
    """What became of the touchpoints of one partition since the beginning. Part of the state, so a redo does not
    count twice.
    """

    read: int = 0
    resolved: int = 0
    duplicates: int = 0
    dead_letters: int = 0
    forwarded: int = 0
    too_late: int = 0
    suppressed: int = 0


class Progress(Contract):
    """One raw partition is processed up to `log_time`, its effects acknowledged; `mark` is the mark just processed,
    if any.
    """

    format_version: Version1 = 1
    type: Literal["progress"] = "progress"
    at: At
    log_time: int
    mark: tuple[int, int] | None = None
    counts: Counts = Counts()
    heard: dict[str, tuple[int, int]] = {}
    """Of each watched source that was heard since the last report: the first and the last log time."""
    hops: int | None = None
    """With a mark: of what records on raw caused on raw since the mark before, the most hops that any is from its
    arrival; 0: nothing. None: not said, it may be any.
    """
    violations: dict[str, tuple[int, int]] = {}
    """Touchpoints of mode `control` that broke their contract since the last report: the first and the last log time,
    by name.
    """


# -- on touchpoints
# -------------------------------------------------------------------------------------------------------------------


class Resolved(Contract):
    """A touchpoint with its customer. `customer_id` is None while a business key waits for its owner, and for
    subjects.
    """

    format_version: Version1 = 1
    type: Literal["touchpoint"] = "touchpoint"
    at: At
    run: Run
    touchpoint_id: str
    message_id: str
    customer_id: str | None
    attributed_by: AttributedBy
    rev: int
    origin: str
    name: str
    declared: bool
    channel: str
    source: str
    occurred_at: int
    occurred_at_sent: int
    sent_at: int | None
    received_at: int | None
    log_time: int
    sequence: int
    too_late: bool
    identifiers: StoredIdentifiers
    subject: Subject | None
    keys: dict[str, str]
    facts: dict[str, Fact]
    properties: InnerObject
    context: InnerObject
    contacts: list[str] = []
    """The usable contacts, each `kind:value`: ClickHouse shows whom they name now."""


class Attach(Contract):
    """These touchpoints are the customer's: of the customer itself (`scope` "customer") or of one business key
    ("order_id:7").
    """

    format_version: Version1 = 1
    type: Literal["attach"] = "attach"
    at: At
    run: Run
    customer_id: str
    scope: str
    entries: list[Entry]
    rev: int
    attributed_by: AttributedBy
    moved_from: str | None = None


class Detach(Contract):
    """These touchpoints are the customer's no more. `moved_to` None: they wait under their key again."""

    format_version: Version1 = 1
    type: Literal["detach"] = "detach"
    at: At
    run: Run
    customer_id: str
    scope: str
    touchpoint_ids: list[str]
    rev: int
    moved_to: str | None = None


class SourceState(Contract):
    """A watched source as of a tick (docs/sources.md). `heard_at` None: it is heard all the time. What would fire
    after `held_from` waits until `held_until`; None as long as the silence lasts.
    """

    source: str
    heard_at: int | None
    held_from: int | None = None
    held_until: int | None = None


class Tick(Contract):
    """Everything that arrived by `log_time` lies before this record, with all that follows from it. `sources`: those
    whose state changed since the tick before.
    """

    format_version: Version1 = 1
    type: Literal["tick"] = "tick"
    at: At
    log_time: int
    sources: list[SourceState] = []


class Switched(Contract):
    """From `from_at` on this version of the definition is in this mode: it counts for journeys that start then."""

    format_version: Version1 = 1
    type: Literal["switched"] = "switched"
    at: At
    definition: str
    version: int
    mode: Mode
    from_at: int
    reason: str
    decided_by: str
    decided_at: int


class Acknowledged(Contract):
    """A person looks after an alert of this customer, or has closed it. `acknowledged_at` is the person's clock."""

    format_version: Version1 = 1
    type: Literal["acknowledged"] = "acknowledged"
    at: At
    alert_id: str
    customer_id: str
    definition: str
    version: int
    anchor: str
    break_name: str
    occurrence: int
    closes: bool
    acknowledged_by: str
    acknowledged_at: int


# -- on journeys and alerts
# -----------------------------------------------------------------------------------------------------------


class StepState(Contract):
    step: str
    status: StepStatus
    due_at: int | None = None
    reached_at: int | None = None
    touchpoint_id: str | None = None
    channel: str | None = None


class Witness(Contract):
    """A touchpoint as evidence, readable without a query."""

    touchpoint_id: str
    name: str
    channel: str
    occurred_at: int


class BreakState(Contract):
    """A break as the fold sees it."""

    name: str
    kind: BreakKind
    step: str | None
    occurrence: int
    severity: Severity
    cause_at: int
    due_at: int | None
    cleared_at: int | None


class Journey(Contract):
    """A snapshot: one customer's run through one definition."""

    format_version: Version1 = 1
    type: Literal["journey"] = "journey"
    at: At
    run: Run
    journey_id: str
    definition: str
    version: int
    mode: Mode = "live"
    customer_id: str
    anchor: str
    status: JourneyStatus
    started_at: int | None
    ended_at: int | None
    steps: list[StepState]
    breaks: list[BreakState]
    touchpoint_ids: list[str]
    truncated: bool
    log_time: int


class Alert(Contract):
    """One change of one alert. `first_line` needs no query; `notify` says whether somebody is to be told, `reason`
    why or why not. An alert that is about no customer has neither `journey_id` nor `customer_id`.
    """

    format_version: Version1 = 1
    type: Literal["alert"] = "alert"
    at: At
    run: Run
    alert_id: str
    dedup_key: str
    continues: str | None
    incident: str
    state: AlertState
    notify: bool
    reason: str
    scope: AlertScope = "journey"
    definition: str
    version: int
    mode: Mode = "live"
    owner: str
    runbook: str | None = None
    severity: Severity
    kind: BreakKind
    break_name: str
    step: str | None
    occurrence: int
    journey_id: str | None
    customer_id: str | None
    anchor: str
    cause_at: int
    due_at: int | None
    cleared_at: int | None
    fired_at: int
    changed_at: int
    cause_log_time: int
    acknowledged_by: str | None = None
    evidence: list[Witness]
    first_line: str


# -- on dead_letters
# ------------------------------------------------------------------------------------------------------------------


class DeadLetter(Contract):
    """A record that cannot be processed: why, where it lay, and its bytes, untouched (base64)."""

    format_version: Version1 = 1
    type: Literal["dead_letter"] = "dead_letter"
    at: At
    run: Run
    failure: Literal[
        "malformed", "contract_violation", "size_violation", "unsupported_format", "unauthentic_control", "quarantined"
    ]
    field: str | None
    detail: str
    source: str
    topic: str
    partition: int
    offset: int
    log_time: int
    headers: dict[str, str]
    payload: str
