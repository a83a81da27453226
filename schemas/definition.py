"""Journey definitions and the touchpoint catalogue: data, versioned, validated.

What a definition means: docs/journeys.md. The description of each field is said here, once: the JSON Schema for
editors (`schemas.definition_schema`) and the tables of docs/definitions.md are made from it.
`schemas.definition_files` reads the files and turns what is wrong into a line and a column.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints
from pydantic.json_schema import SkipJsonSchema

from schemas.break_shapes import REPETITION, SHAPES, Shape
from schemas.calendar import Calendar
from schemas.identifiers import BUSINESS_KINDS
from schemas.records import Fact, Severity
from schemas.touchpoint import Contract

Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
Duration = Annotated[str, StringConstraints(pattern=r"^[1-9]\d{0,5}(s|m|h|d)$")]
"""`10m`, `8h`, `7d`: whole seconds, minutes, hours, days."""
Where = dict[Word, Fact]

UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}

_EQUAL: Final = "`channel` is compared with the touchpoint's channel, any other word with its property of that name."


APART: Final = "1s"
"""Of a repetition that does not say it."""


def duration_ms(text: str) -> int:
    return int(text[:-1]) * UNIT_MS[text[-1]]


LINKS: Final = r"^https?://[^\s]+$"
Runbook = Annotated[str, StringConstraints(pattern=LINKS, max_length=500)]


class Instance(Contract):
    """What makes two touchpoints part of the same journey."""

    key: Annotated[str, Field(min_length=1, max_length=100)] = Field(
        description="One journey for each value of this business key, or of one that identity.yaml adds; `customer`: "
        "one open journey for each customer."
    )
    if_absent: Literal["ignore", "only_open_one"] = Field(
        "ignore",
        description="Of a touchpoint without the key: it takes part in no journey, or it joins the customer's open one "
        "if exactly one is open.",
    )


class Pattern(Contract):
    """Which touchpoint begins the journey: exactly one of `touchpoint` and `weighted`."""

    touchpoint: Word | None = Field(None, description="Name of the touchpoint in the catalogue.")
    weighted: Literal[True] | None = Field(
        None,
        description="Every touchpoint that has weight in the catalogue. For journeys of a customer with a balance.",
    )
    where: Where = Field({}, description=f"What else must be equal. {_EQUAL}")


class Handoff(Contract):
    """The customer changes the channel here."""

    model_config = {**Contract.model_config, "populate_by_name": True}
    from_channel: Annotated[Word, Field(alias="from")] = Field(description="Channel that the customer leaves.")
    to_channel: Annotated[Word, Field(alias="to")] = Field(description="Channel on which the customer is expected.")


class Step(Contract):
    """One thing that is expected to happen. It names exactly one of `touchpoint` and `any_of`; without `within` it has
    no deadline.
    """

    touchpoint: Word | None = Field(None, description="The touchpoint that reaches the step.")
    any_of: Annotated[list[Word], Field(min_length=2, max_length=20)] | None = Field(
        None, description="Several touchpoints, each of which reaches the step."
    )
    where: Where = Field({}, description=f"What else must be equal. {_EQUAL}")
    times: Annotated[int, Field(ge=1, le=50)] = Field(
        1, description="The step is reached by so many of its touchpoints, by the last of them."
    )
    after: Word = Field("start", description="The step before this one, or `start`. The deadline counts from it.")
    within: Duration | None = Field(
        None, description="Time allowed from reaching the step before: 90s, 10m, 8h, 7d. Without it: no deadline."
    )
    if_missing: Literal["break", "count", "nothing"] = Field(
        "break",
        description="When the deadline passes: an alert; the step counts as missed in journeys and views; or nothing.",
    )
    severity: Severity = Field("error", description="Severity of the alert.")
    counting: Word | None = Field(
        None, description="The calendar in whose hours `within` is counted. Without it all time counts."
    )
    handoff: Handoff | None = Field(
        None, description="The step is a change of channel: missing it is a lost hand-off instead of a missing step."
    )
    feedback: Literal[True] | None = Field(
        None, description="Here the customer is asked for feedback: missing it is feedback that was not asked."
    )
    excused_by: Annotated[list[Word], Field(max_length=20)] = Field(
        [], description="Touchpoints after which neither this step nor one after it is expected any more."
    )
    runbook: Runbook | None = Field(None, description="What to do about its alert. Without it: the definition's.")


class Outcome(Contract):
    """How the journey ends."""

    success: Word | None = Field(
        None, description="The step that makes the journey a success. Required where there are steps."
    )
    failure: Annotated[list[Word], Field(max_length=20)] = Field(
        [],
        description="Touchpoints that end the journey as failed and clear its alerts, low scores and bans excepted. "
        "They reach no step.",
    )


class Break(Contract):
    """Trouble that is no missed deadline, in one of nine shapes: repetition (`touchpoint`, `at_least`, `in_window`,
    `cleared_by`), failure (`touchpoint`, `cleared_by`), wrong order (`touchpoint`, `requires`), skipped step
    (`without`), ban (`touchpoint`, and `at_most` or `never_with`), abandonment (`idle`), low score (`score`, `below`),
    balance (`balance_below`, `until`, `half_life`), conflict of persons (`persons_above`).
    """

    touchpoint: Word | None = Field(
        None, description="The touchpoint that is counted, fails, comes too early or is banned."
    )
    where: Where = Field({}, description=f"Beside `touchpoint`: what else must be equal. {_EQUAL}")
    at_least: Annotated[int, Field(ge=2, le=50)] | None = Field(
        None, description="Repetition: the break begins with this many."
    )
    in_window: Duration | None = Field(None, description="Repetition: within this time, up to and with the last one.")
    apart: Duration | None = Field(
        None,
        description="Repetition: one that comes sooner after the last one that counted is the same, sent twice, and "
        "does not count. Without it: 1s.",
    )
    cleared_by: Word | None = Field(
        None,
        description="Repetition, failure: the step whose touchpoint ends the break and the count. The alert names it. "
        "Low score: its touchpoint ends the break, too.",
    )
    requires: Word | None = Field(
        None, description="Wrong order: the step whose touchpoint should have come before. The alert names it."
    )
    without: Word | None = Field(
        None, description="Skipped step: the step that had not come when the journey succeeded. The alert names it."
    )
    tolerate: Duration | None = Field(
        None,
        description="Failure, wrong order, skipped step: no break if it is put right within this time. Without it: at "
        "once.",
    )
    at_most: Annotated[int, Field(ge=0, le=50)] | None = Field(
        None, description="Ban: so many are allowed in one journey, after the start; 0: none."
    )
    never_with: Word | None = Field(
        None, description="Ban: not in one journey with this touchpoint, whichever came first."
    )
    idle: Duration | None = Field(
        None, description="Abandonment: the break begins when nothing happens for so long before success."
    )
    counting: Word | None = Field(
        None, description="Beside `tolerate` and `idle`: the calendar in whose hours they are counted."
    )
    score: Word | None = Field(
        None, description="Low score: the property that is looked at, on whatever touchpoint carries it."
    )
    below: float | None = Field(
        None, description="Low score: the break begins below this number, and ends with a score at or above it."
    )
    about: Word | None = Field(
        None,
        description="Low score: the step that the alert names. Only what comes after the touchpoint that reached it "
        "counts. Without it: whatever comes after the start.",
    )
    balance_below: float | None = Field(
        None,
        description="Balance: the break begins when the sum of what the touchpoints are worth is below this number.",
    )
    until: float | None = Field(None, description="Balance: it ends when the sum is at or above this number.")
    half_life: Duration | None = Field(
        None, description="Balance: after this time a touchpoint counts half as much, after twice the time a quarter."
    )
    persons_above: Annotated[int, Field(ge=1, le=20)] | None = Field(
        None, description="Conflict of persons: the break begins when more users than this act in one journey."
    )
    among: Annotated[list[Word], Field(min_length=1, max_length=20)] | None = Field(
        None, description="Conflict of persons: the touchpoints that count. Without it all of the journey."
    )
    severity: Severity = Field("error", description="Severity of the alert.")
    runbook: Runbook | None = Field(None, description="What to do about its alert. Without it: the definition's.")


def shape_of(rule: Break) -> Shape:
    """By what is given; a break without any sign is taken for a repetition."""
    given = {part for part in type(rule).model_fields if getattr(rule, part) is not None}
    return next((shape for shape in SHAPES if not given.isdisjoint(shape.sign)), REPETITION)


class Definition(Contract):
    """The expected course of one kind of journey."""

    journey: Word = Field(description="Name of the definition, unique in the deployment.")
    version: Annotated[int, Field(ge=1, le=10_000)] = Field(
        description="Count it up with each change of meaning. Journeys and alerts carry it."
    )
    mode: Literal["shadow", "live"] = Field(
        "shadow", description="`shadow`: alerts are stored and nobody is told. `live`: somebody is."
    )
    owner: Annotated[str, Field(min_length=1, max_length=100)] = Field(
        description="The team that answers for the journey. Alerts name it."
    )
    runbook: Runbook | None = Field(None, description="What to do about its alerts: a link that they carry.")
    instance: Instance = Field(description="What makes two touchpoints part of the same journey.")
    calendars: Annotated[dict[Word, Calendar], Field(max_length=20)] = Field(
        {}, description="Opening hours, by name, for deadlines that count open time only."
    )
    start: Pattern = Field(description="The touchpoint that begins the journey.")
    steps: Annotated[dict[Word, Step], Field(max_length=50)] = Field(
        {}, description="What is expected, by name. The order of the lines means nothing, only `after` does."
    )
    outcome: Outcome = Field(
        default_factory=Outcome, description="How the journey ends. Without it: with its lifetime."
    )
    breaks: Annotated[dict[Word, Break], Field(max_length=50)] = Field(
        {}, description="Trouble that is no missed deadline, by name. A step's name cannot be used again."
    )
    grace: Duration = Field("1m", description="Added to each deadline before it is judged.")
    lifetime: Duration = Field(
        "30d", description="From the start; then the journey has expired. Deadlines after it do not count."
    )


class Impact(Contract):
    """What the touchpoint means for the customer, and how it is managed."""

    stage: Word = Field(description="Stage of the customer's way: awareness, purchase, service, ...")
    mode: Literal["ignore", "monitor", "participate", "activate", "control"] = Field(
        description="How much effort it gets. No journey waits for a touchpoint of mode `ignore`."
    )
    criticality: Literal["low", "medium", "high"] = Field(description="How much a bad experience here costs.")
    valence: Literal["positive", "neutral", "negative"] = Field(
        "neutral", description="What it is to the customer when it happens."
    )


class Score(Contract):
    """A property as a measure of the experience. `worst` may be the larger number."""

    property: Word = Field(description="The property that holds the number.")
    worst: float = Field(description="The value that is worth -1.")
    neutral: float = Field(description="The value that is worth nothing.")
    best: float = Field(description="The value that is worth 1.")


class Answer(Contract):
    """What the owner of the touchpoint owes the customer."""

    touchpoint: Word = Field(description="The touchpoint that answers.")
    within: Duration = Field(description="Time allowed for it.")


class PropertyRule(Contract):
    """What is known of one property of a touchpoint."""

    type: Literal["string", "integer", "number", "boolean"] = Field(description="Type of its value.")
    required: bool = Field(False, description="Whether every such touchpoint carries it.")


class CatalogueEntry(Contract):
    """What is known of a touchpoint by its name."""

    channel: Word | None = Field(None, description="Channel of the touchpoints that name none.")
    owner: Annotated[str, Field(min_length=1, max_length=100)] = Field(
        description="The team that answers for the touchpoint."
    )
    impact: Impact = Field(description="What the touchpoint means for the customer, and how it is managed.")
    attributed_by: Annotated[str, Field(min_length=1, max_length=100)] | None = Field(
        None, description="The business key by which it finds its customer, when it names no person."
    )
    ends_session: bool = Field(
        False, description="The person leaves the device: what follows on it is not theirs until they say so."
    )
    arrives_within: Duration | None = Field(
        None, description="How late it may arrive. Deadlines of steps that wait for it are judged that much later."
    )
    properties: dict[Word, PropertyRule] = Field({}, description="Its properties, by name. Others are allowed.")
    score: Score | None = Field(None, description="A property that says how the customer felt, in place of `valence`.")
    answer: Answer | None = Field(
        None, description="Beside mode `participate`: what the owner must do about it, and in which time."
    )
    media: Literal["owned", "paid", "earned"] = Field(
        "owned", description="Whose voice it is: ours, bought, or others' (a review, a recommendation)."
    )
    referrer: Word | None = Field(None, description="The property that holds the user_id of who recommended.")


class Catalogue(Contract):
    """All touchpoints by name: the whole of the file."""

    touchpoints: Annotated[dict[Word, CatalogueEntry], Field(max_length=5_000)]
    keys: Annotated[tuple[str, ...], Field(exclude=True), SkipJsonSchema()] = BUSINESS_KINDS
    """Not of the file: the business keys of the deployment that it belongs to, by which touchpoints and journeys may
    go. Identity rules say which; who checks definitions has a catalogue in hand anyway.
    """


def step_order(definition: Definition) -> list[str]:
    """Steps by their distance from the start, then by name: the order in which people read a journey. Raises ValueError
    where the steps go in a circle.
    """
    return sorted(definition.steps, key=lambda name: (_distance(definition.steps, name), name))


def _distance(steps: dict[str, Step], name: str) -> int:
    distance = 1
    while steps[name].after != "start":
        name, distance = steps[name].after, distance + 1
        if distance > len(steps):
            raise ValueError(f"the steps go in a circle through {name!r}; `after` must lead to start")
    return distance
