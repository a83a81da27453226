"""Defects of identity, planted into the run of the simulated histories, which the oracle judges.

The demo's people share no contacts and nobody decides about them; the histories are about little else.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final

from tests.oracle.planting import Defect, swap

HISTORIES: Final = "tests.simulated.histories"
NAMES: Final = frozenset({"Misnamed", "check_attribution"})
OWNERS: Final = frozenset({"check_attribution", "check_keys"})
"""Laws that break, as the history's traceback names them."""


def trust_a_crowd() -> None:
    """The shop's own phone number joins everybody who ever gave it."""
    swap("streams.identity.contacts", "Graph.is_crowded", lambda _: lambda self, identifier: False)


def join_two_people() -> None:
    """Where a chain connects two users, one of them is taken for both."""

    def make(users_of: Any) -> Any:
        return lambda identifiers: frozenset(sorted(users_of(identifiers))[:1])

    swap("streams.identity.contacts", "_users", make)


def forget_the_neighbours() -> None:
    """A new link judges the contacts that it joins, and not those behind them."""
    swap("streams.identity.contacts", "Graph._around", lambda _: lambda self, starts: set(starts))


def forget_an_unlink() -> None:
    swap("streams.identity.decisions", "Decisions.is_unlinked", lambda _: lambda self, identifier, user_id: False)


def keep_a_lifted_decision() -> None:
    def make(take: Any) -> Any:
        return lambda self, decision, order: None if decision.kind == "lift" else take(self, decision, order)

    swap("streams.identity.decisions", "Decisions.take", make)


def leave_what_was_named_anew() -> None:
    """Only touchpoints that come after it hear that a contact names somebody else."""
    swap("streams.identity.owner", "Owner.reattribute", lambda _: lambda self, routing: None)


def believe_a_browser() -> None:
    """Any user_id that a page sends is believed."""
    swap("schemas.identity_reader", "IdentityReader.proves", lambda _: lambda self, user_id, context: True)


def claim_from_a_browser() -> None:
    """The earliest claim on an order decides, whoever made it."""

    def make(_: Any) -> Any:
        return lambda key: next((claim for claim in key.claims if claim.customer_id is not None), None)

    swap("streams.identity.keys", "deciding", make)


def _defects() -> list[Defect]:
    plants: list[tuple[str, Callable[[], None], frozenset[str]]] = [
        ("trust a crowd", trust_a_crowd, NAMES),
        ("join two people", join_two_people, NAMES),
        ("forget the neighbours", forget_the_neighbours, NAMES),
        ("forget an unlink", forget_an_unlink, NAMES),
        ("keep a lifted decision", keep_a_lifted_decision, NAMES | OWNERS),
        ("leave what was named anew", leave_what_was_named_anew, OWNERS),
        ("believe a browser", believe_a_browser, NAMES | OWNERS | {"check_nothing_lost"}),
        ("claim from a browser", claim_from_a_browser, OWNERS),
    ]
    return [Defect(name, HISTORIES, plant, found_as) for name, plant, found_as in plants]


IDENTITY_DEFECTS: Final = {defect.name: defect for defect in _defects()}


def command(histories: int) -> list[str]:
    return [sys.executable, "-m", HISTORIES, "--count", str(histories), "--jobs", "1"]


def breaks_a_law(defect: Defect | None, output: str) -> bool:
    """Whether the run says what it must: nothing, or one of the laws that the defect breaks. What it says of the
    product's own assertions does not count.
    """
    if defect is None:
        return "breaks a law" not in output and "hold every law" in output
    return "breaks a law" in output and any(law in output for law in defect.found_as)
