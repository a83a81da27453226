"""The twelve situations of docs/situations.md, played once on real Kafka, workers and ClickHouse.

And the judgement bites: an expectation that is altered in one place fails, with a sentence that names the place.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.patience import PATIENCE_SECONDS
from tests.situations.compare import differences
from tests.situations.expectation import NOBODY, Expectation, ExpectedAlert, ExpectedJourney, read_expectation
from tests.situations.outcome import Outcome, encode
from tests.situations.run import play_all
from tests.situations.script import names, read_script

pytestmark = pytest.mark.timeout(600)  # one run for all; two minutes on a machine that does nothing else
SITUATIONS = names()
TWELVE = """
card_used_by_two_people email_typo_corrected_later family_tablet guest_checkout_then_login kiosk late_store_file
merge_during_a_rebalance placeholder_ids split stale_cookie till_that_knows_only_the_order two_accounts_of_one_person
"""
Alteration = Callable[[Expectation], tuple[Expectation, str]]
"""The altered expectation, and what the failure must name."""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    scripts = [read_script(name) for name in SITUATIONS]
    return {outcome.name: outcome for outcome in play_all(scripts, tmp_path_factory.mktemp("world"), print)}


def test_all_twelve_are_there() -> None:
    assert TWELVE.split() == SITUATIONS


@pytest.mark.parametrize("name", SITUATIONS)
def test_it_is_as_expected(outcomes: dict[str, Outcome], name: str) -> None:
    assert differences(read_expectation(name), outcomes[name]) == []


def another_customer(expected: Expectation) -> tuple[Expectation, str]:
    one, owned = next((one, owned) for one, owned in expected.touchpoints.items() if owned.owner != NOBODY)
    other = next(name for name in expected.customers if name != owned.owner)
    altered = {**expected.touchpoints, one: owned.model_copy(update={"owner": other})}
    named = f"touchpoint {one}: expected customer {other}, found {owned.owner}"
    return expected.model_copy(update={"touchpoints": altered}), named


def another_rule(expected: Expectation) -> tuple[Expectation, str]:
    one, owned = next(reversed(expected.touchpoints.items()))
    other = "device" if owned.rule != "device" else "login"
    altered = {**expected.touchpoints, one: owned.model_copy(update={"rule": other})}
    return expected.model_copy(update={"touchpoints": altered}), f"touchpoint {one}: expected rule {other}, found"


def another_past(expected: Expectation) -> tuple[Expectation, str]:
    """Of a touchpoint with a user_id, which never belongs to anybody else."""
    one, owned = next((one, owned) for one, owned in expected.touchpoints.items() if owned.rule == "user_id")
    other = next(name for name in expected.customers if name != owned.owner)
    altered = {**expected.touchpoints, one: owned.model_copy(update={"was": [other]})}
    return expected.model_copy(update={"touchpoints": altered}), f"touchpoint {one}: never belonged to {other}"


def touchpoint_forgotten(expected: Expectation) -> tuple[Expectation, str]:
    one, *_ = expected.touchpoints
    altered = {other: owned for other, owned in expected.touchpoints.items() if other != one}
    return expected.model_copy(update={"touchpoints": altered}), f"touchpoint {one} was not expected"


def turned_round(expected: Expectation) -> tuple[Expectation, str]:
    """Who is one must be apart, or who must be apart is one."""
    if expected.one_customer:
        one, other, *_ = group = expected.one_customer[0]
        return expected.model_copy(update={"apart": [group]}), f"{one} and {other} must never be one customer, and are"
    group = [*expected.never_one, *expected.apart][0]
    return expected.model_copy(update={"one_customer": [group]}), "one customer was expected, found"


def person_torn(expected: Expectation) -> tuple[Expectation, str]:
    """An identifier is always the same customer as itself."""
    one = next(iter(expected.customers.values()))
    return expected.model_copy(update={"never_one": [[one, one]]}), f"{one} and {one} must never be one customer"


def called(kind: str, what: ExpectedAlert | ExpectedJourney) -> str:
    name = what.alert if isinstance(what, ExpectedAlert) else what.definition
    return f"{kind} {name} of {what.customer} about {what.about}"


def alert_missing(expected: Expectation) -> tuple[Expectation, str]:
    *rest, last = expected.alerts
    return expected.model_copy(update={"alerts": rest}), f"{called('alert', last)} was not expected ({last.state})"


def alert_too_many(expected: Expectation) -> tuple[Expectation, str]:
    extra = expected.alerts[0].model_copy(update={"alert": "click_and_collect/bad_pickup"})
    altered = expected.model_copy(update={"alerts": [*expected.alerts, extra]})
    return altered, f"{called('alert', extra)} is missing (expected {extra.state})"


def alert_in_another_state(expected: Expectation) -> tuple[Expectation, str]:
    *rest, last = expected.alerts
    other = last.model_copy(update={"state": "acknowledged"})
    altered = expected.model_copy(update={"alerts": [*rest, other]})
    return altered, f"{called('alert', last)}: expected acknowledged, found {last.state}"


def journey_missing(expected: Expectation) -> tuple[Expectation, str]:
    first, *rest = expected.journeys
    return expected.model_copy(update={"journeys": rest}), f"{called('journey', first)} was not expected"


def journey_too_many(expected: Expectation) -> tuple[Expectation, str]:
    extra = expected.journeys[0].model_copy(update={"about": "order_id:nowhere"})
    altered = expected.model_copy(update={"journeys": [*expected.journeys, extra]})
    return altered, f"{called('journey', extra)} is missing"


ALTERATIONS: list[Alteration] = [
    another_customer,
    another_rule,
    another_past,
    touchpoint_forgotten,
    turned_round,
    person_torn,
    alert_missing,
    alert_too_many,
    alert_in_another_state,
    journey_missing,
    journey_too_many,
]


@pytest.mark.parametrize("alter", ALTERATIONS, ids=lambda alter: alter.__name__)
@pytest.mark.parametrize("name", SITUATIONS)
def test_an_altered_expectation_fails_and_names_it(outcomes: dict[str, Outcome], name: str, alter: Alteration) -> None:
    altered, named = alter(read_expectation(name))
    found = differences(altered, outcomes[name])
    assert any(text.startswith(f"{name}: {named}") for text in found), found


def test_the_command_says_what_differs_and_exits_with_1(outcomes: dict[str, Outcome], tmp_path: Path) -> None:
    """Judged anew from what was kept, once as it was and once with an alert that never came."""
    whole, torn = tmp_path / "whole.json", tmp_path / "torn.json"
    whole.write_bytes(encode(list(outcomes.values())))
    kept = [
        Outcome(one.name, one.customers, one.carries, one.touchpoints, one.journeys, one.alerts[1:])
        for one in outcomes.values()
    ]
    torn.write_bytes(encode(kept))
    assert _judge(whole) == (0, 0)
    assert _judge(torn) == (1, len(SITUATIONS))


def _judge(file: Path) -> tuple[int, int]:
    command = [sys.executable, "-m", "tests.situations.run", "--load", str(file), "--width", "150"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    told = [line for line in done.stdout.splitlines() if line.startswith("✘ ") and "is missing (expected" in line]
    return done.returncode, len(told)
