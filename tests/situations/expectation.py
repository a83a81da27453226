"""What must be true in the end: `expectation.yaml`, written by hand from docs/identity.md and docs/journeys.md.

`customers` gives a name to each customer that the file speaks of: the identifier that it follows from. Everything is
complete: a touchpoint, journey or alert that is not listed is a difference like one that is missing.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from schemas.records import AlertState, AttributedBy
from schemas.yaml_file import DefinitionError, empty_places, plain, read_mapping
from tests.situations.script import SITUATIONS, SituationError

EXPECTATION: Final = "expectation.yaml"
NOBODY: Final = "nobody"


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Owned(Part):
    """Whose a touchpoint is in the end, by which rule. `was`: who had it before, as it stood between two arrivals."""

    owner: str
    rule: AttributedBy
    too_late: bool = False
    was: list[str] = []


class ExpectedJourney(Part):
    """`about`: `order_id:7`, or `start:` and the message id of the start. `moved` ones left their customer."""

    definition: str
    customer: str
    about: str
    status: Literal["open", "succeeded", "failed", "expired", "moved"]
    touchpoints: list[str] | None = None


class ExpectedAlert(Part):
    """`alert` is definition/break. `continues`: the former customer of what it is about, whether an alert had fired
    there or not.
    """

    alert: str
    customer: str
    about: str
    state: AlertState
    continues: str | None = None


class Expectation(Part):
    """`one_customer`: groups of identifiers that are one customer in the end. `apart`: groups of which no two are one
    customer in the end; `never_one`: nor were at any moment.
    """

    title: str
    why: str
    customers: dict[str, str]
    touchpoints: dict[str, Owned]
    one_customer: list[list[str]] = []
    apart: list[list[str]] = []
    never_one: list[list[str]] = []
    journeys: list[ExpectedJourney] = Field(default_factory=list)
    alerts: list[ExpectedAlert] = Field(default_factory=list)

    @model_validator(mode="after")
    def _names_are_known(self) -> Expectation:
        used = {owned.owner for owned in self.touchpoints.values()}
        used |= {name for owned in self.touchpoints.values() for name in owned.was}
        used |= {journey.customer for journey in self.journeys} | {alert.customer for alert in self.alerts}
        used |= {alert.continues for alert in self.alerts if alert.continues is not None}
        if unknown := used - self.customers.keys() - {NOBODY}:
            raise ValueError(f"{', '.join(sorted(unknown))}: not among `customers`")
        return self


def read_expectation(name: str) -> Expectation:
    """Raises SituationError."""
    try:
        document = read_mapping(SITUATIONS / name / EXPECTATION)
        if empty := next(empty_places(document), None):
            raise SituationError(f"{name}/{EXPECTATION}: {'.'.join(map(str, empty))} has no value")
        return Expectation.model_validate(plain(document))
    except (DefinitionError, ValidationError) as error:
        raise SituationError(f"{name}/{EXPECTATION}: {error}") from error
