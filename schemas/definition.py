"""Journey definitions and the touchpoint catalogue: data, versioned, validated. The meaning of each field:
docs/journeys.md.

`schemas.definition_files` reads them from YAML and turns what is wrong into a line and a column.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.records import Fact, Severity
from schemas.touchpoint import Contract

Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
Duration = Annotated[str, StringConstraints(pattern=r"^[1-9]\d{0,5}(s|m|h|d)$")]
"""`10m`, `8h`, `7d`: whole seconds, minutes, hours, days."""

UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def duration_ms(text: str) -> int:
    return int(text[:-1]) * UNIT_MS[text[-1]]


class Instance(Contract):
    """`key`: a business key kind, or `customer`."""

    key: Literal["order_id", "receipt_id", "ticket_id", "claim_id", "customer"]
    if_absent: Literal["ignore", "only_open_one"] = "ignore"


class Pattern(Contract):
    """A touchpoint by name, and by the equality of its channel or properties."""

    touchpoint: Word
    where: dict[Word, Fact] = {}


class Handoff(Contract):
    model_config = {**Contract.model_config, "populate_by_name": True}
    from_channel: Annotated[Word, Field(alias="from")]
    to_channel: Annotated[Word, Field(alias="to")]


class Step(Contract):
    """Exactly one of `touchpoint` and `any_of`. Without `within` there is no deadline."""

    touchpoint: Word | None = None
    any_of: Annotated[list[Word], Field(min_length=2, max_length=20)] | None = None
    where: dict[Word, Fact] = {}
    after: Word = "start"
    within: Duration | None = None
    if_missing: Literal["break", "count", "nothing"] = "break"
    severity: Severity = "error"
    handoff: Handoff | None = None


class Outcome(Contract):
    """`success` is a step, `failure` are touchpoints."""

    success: Word
    failure: Annotated[list[Word], Field(max_length=20)] = []


class Break(Contract):
    """Either repeated (`touchpoint`, `at_least`, `in_window`, `cleared_by`) or a low score (`score`, `below`,
    `about`).
    """

    touchpoint: Word | None = None
    where: dict[Word, Fact] = {}
    at_least: Annotated[int, Field(ge=2, le=50)] | None = None
    in_window: Duration | None = None
    cleared_by: Word | None = None
    score: Word | None = None
    below: float | None = None
    about: Word | None = None
    severity: Severity = "error"


class Definition(Contract):
    """The expected course of one kind of journey."""

    journey: Word
    version: Annotated[int, Field(ge=1, le=10_000)]
    mode: Literal["shadow", "live"] = "shadow"
    owner: Annotated[str, Field(min_length=1, max_length=100)]
    instance: Instance
    start: Pattern
    steps: Annotated[dict[Word, Step], Field(min_length=1, max_length=50)]
    outcome: Outcome
    breaks: Annotated[dict[Word, Break], Field(max_length=50)] = {}
    grace: Duration = "1m"
    lifetime: Duration = "30d"


class Impact(Contract):
    stage: Word
    mode: Literal["ignore", "monitor", "participate", "activate", "control"]
    criticality: Literal["low", "medium", "high"]
    valence: Literal["positive", "neutral", "negative"] = "neutral"


class PropertyRule(Contract):
    type: Literal["string", "integer", "number", "boolean"]
    required: bool = False


class CatalogueEntry(Contract):
    """What is known of a touchpoint by its name."""

    channel: Word | None = None
    owner: Annotated[str, Field(min_length=1, max_length=100)]
    impact: Impact
    attributed_by: Literal["order_id", "receipt_id", "ticket_id", "claim_id"] | None = None
    ends_session: bool = False
    arrives_within: Duration | None = None
    properties: dict[Word, PropertyRule] = {}


class Catalogue(Contract):
    touchpoints: Annotated[dict[Word, CatalogueEntry], Field(max_length=5_000)]
