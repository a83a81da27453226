"""The driver of a backtest: leaving out ticks changes nothing, and what it writes is what track reads."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import msgspec
import pytest

from deploy.backtest.course import AlertChange, Course, JourneySeen
from deploy.backtest.told import Attached, Resolved, Scribe, Told
from schemas import records
from schemas.definition import Break, Catalogue, Definition, Instance, Outcome, Pattern, Step
from streams.journey.compile import compile_definitions
from streams.journey.plan import Compiled
from streams.journey.track import Track
from streams.stage import Effect

MINUTE = 60_000
HOUR = 60 * MINUTE
START = 1_772_438_400_000
TICK_MS = 5 * MINUTE
HORIZON = 72 * HOUR
NAMES = ("order_placed", "payment_captured", "picked_up", "page_viewed", "order_cancelled")


def definitions() -> list[Definition]:
    pickup = Definition(
        journey="pickup",
        version=1,
        mode="live",
        owner="team",
        instance=Instance(key="order_id"),
        start=Pattern(touchpoint="order_placed"),
        steps={
            "paid": Step(touchpoint="payment_captured", within="1h"),
            "collected": Step(touchpoint="picked_up", after="paid", within="3h"),
        },
        outcome=Outcome(success="collected", failure=["order_cancelled"]),
        breaks={
            "unpaid": Break(touchpoint="picked_up", requires="paid", tolerate="30m"),
            "gone": Break(idle="2h"),
            "loop": Break(touchpoint="page_viewed", at_least=2, in_window="2h", cleared_by="paid"),
        },
        lifetime="9h",
    )
    visit = pickup.model_copy(update={"journey": "visit", "instance": Instance(key="customer")})
    return [pickup, visit]


COMPILED = compile_definitions(definitions(), Catalogue(touchpoints={}))


def rows(rng: Random) -> list[Told]:
    """Some arrive late, in the same millisecond, or at a tick."""
    found = []
    for number in range(rng.choice((4, 12, 40))):
        occurred_at = START + rng.randrange(20) * HOUR // 2
        log_time = occurred_at + rng.choice((0, 0, 1, 7 * MINUTE, HOUR, 5 * HOUR))
        order = str(rng.randrange(3))
        customer = f"c{order}"
        for scope in ("customer", "order_id"):
            keys = (order, "", "", "")
            name = rng.choice(NAMES)
            found.append(
                Told(
                    log_time,
                    scope,
                    customer,
                    f"t{number}",
                    name,
                    "web",
                    occurred_at,
                    0,
                    log_time,
                    customer,
                    "device",
                    keys,
                    "{}",
                )
            )
    return sorted(found, key=lambda told: (told.at, told.touchpoint_id, told.scope))


def every_tick(compiled: Compiled, told: list[Told], until: int) -> Iterator[AlertChange]:
    """The stage with every tick that there is."""
    track, scribe, waiting = Track(0, compiled, "live", horizon_ms=HORIZON), Scribe(frozenset(), dict), list(told)
    decode = msgspec.json.Decoder(AlertChange).decode
    for tick in range(START // TICK_MS, -(-until // TICK_MS) + 1):
        out: list[Effect] = []
        while waiting and waiting[0].at <= tick * TICK_MS:
            record = scribe.touchpoint(waiting.pop(0))
            assert record is not None
            track.apply(record, out)
        track.apply(scribe.tick(tick * TICK_MS), out)
        yield from (decode(effect.value) for effect in out if effect.topic == "alerts")


@pytest.mark.parametrize("seed", range(40))
def test_ticks_that_are_left_out_change_nothing(seed: int) -> None:
    told, until = rows(Random(seed)), START + 40 * HOUR
    alerts: list[AlertChange] = []
    journeys: list[JourneySeen] = []
    course = Course(COMPILED, HORIZON, dict, alerts.append, journeys.append, TICK_MS)
    for one in told:
        course.tell(one)
    course.end(until)
    assert alerts == list(every_tick(COMPILED, told, until))


def test_most_of_these_histories_raise_something() -> None:
    raised = [bool(list(every_tick(COMPILED, rows(Random(seed)), START + 40 * HOUR))) for seed in range(40)]
    assert sum(raised) > 30


def test_the_records_have_the_fields_of_the_contracts() -> None:
    assert set(Resolved.__struct_fields__) <= records.Resolved.model_fields.keys()
    assert set(Attached.__struct_fields__) <= records.Attach.model_fields.keys()


def test_a_key_that_counts_no_more_is_not_told() -> None:
    told = rows(Random(1))[0]._replace(scope="order_id")
    assert Scribe(frozenset(), lambda said: {}).touchpoint(told) is None


def test_properties_are_facts_only_where_a_definition_looks_at_them() -> None:
    told = rows(Random(1))[0]._replace(scope="customer", properties='{"csat": 2, "deep": {"er": 1}, "note": "x"}')
    record = Scribe(frozenset(("csat", "deep")), dict).touchpoint(told)
    assert record is not None
    assert msgspec.json.decode(record.value or b"", type=Resolved).facts == {"csat": 2}
