"""What came of a situation, as the views of ClickHouse and the topics say; values only, so that it can be kept."""

from __future__ import annotations

from typing import Final

import msgspec


class Owner(msgspec.Struct, frozen=True):
    """`customer` is an id; empty: nobody."""

    customer: str
    rule: str


class Found(msgspec.Struct, frozen=True):
    """A touchpoint in v_touchpoints. `history`: every owner it was given, the first one first."""

    owner: Owner
    too_late: bool
    occurred_at: int
    log_time: int
    history: list[Owner]


class FoundJourney(msgspec.Struct, frozen=True):
    definition: str
    customer: str
    about: str
    status: str
    touchpoints: list[str]


class FoundAlert(msgspec.Struct, frozen=True):
    """`went`: all its states, in their order. `continues`: the customer whose alert it says it follows."""

    alert: str
    customer: str
    about: str
    state: str
    continues: str | None
    went: list[str]


class Outcome(msgspec.Struct, frozen=True):
    """`customers`: the customer that each identifier of the script alone stands for. `carries`: identifiers of each
    touchpoint, in clear. Touchpoints are named by their short message ids.
    """

    name: str
    customers: dict[str, str]
    carries: dict[str, list[str]]
    touchpoints: dict[str, Found]
    journeys: list[FoundJourney]
    alerts: list[FoundAlert]


encode: Final = msgspec.json.Encoder().encode
decode: Final = msgspec.json.Decoder(list[Outcome]).decode


class CustomerNames:
    """What to call a customer: the name of the expectation, else its identifier, else the beginning of its id."""

    def __init__(self, outcome: Outcome, named: dict[str, str]) -> None:
        """`named`: name -> identifier."""
        self._texts = {customer: identifier for identifier, customer in outcome.customers.items()}
        self._texts |= {outcome.customers[text]: name for name, text in named.items() if text in outcome.customers}
        self._texts[""] = "nobody"

    def __call__(self, customer: str) -> str:
        return self._texts.get(customer) or f"somebody unknown ({customer[:8]})"
