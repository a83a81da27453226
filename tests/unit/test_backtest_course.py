"""The driver of a backtest: leaving out ticks changes nothing, and what it writes is what track reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from random import Random

import msgspec
import pytest

from deploy.backtest.course import AlertChange, Course, JourneySeen
from deploy.backtest.hearing import Heard, Hearing
from deploy.backtest.ticks import Ticks
from deploy.backtest.told import Attached, Scribe, Told
from schemas import records
from schemas.definition import Break, Catalogue, Definition, Instance, Outcome, Pattern, Step
from schemas.sources import SourceRules
from streams.journey.compile import compile_definitions
from streams.journey.inputs import ResolvedView
from streams.journey.plan import Compiled
from streams.journey.track import Track
from streams.pace.sources import Silences
from streams.product import watches_of
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
SOURCES = SourceRules.model_validate(
    {
        "sources": {
            "till-{store}": {
                "owner": "team",
                "brings": ["picked_up", "payment_captured"],
                "silent_after": "1h",
                "catches_up": "20m",
            }
        }
    }
)
WATCHED = compile_definitions(definitions(), Catalogue(touchpoints={}), SOURCES)


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
            store = json.dumps({"store": str(rng.randrange(3))})
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
                    store,
                )
            )
    return sorted(found, key=lambda told: (told.at, told.touchpoint_id, told.scope))


def moments(rng: Random) -> list[Heard]:
    """Of two tills that fall silent now and then. No two lie so close that there is no gap between them."""
    found = []
    for source in ("till-0", "till-1"):
        at = START - rng.randrange(4) * HOUR
        while at < START + 40 * HOUR:
            found.append(Heard(source, at, at))
            at += rng.choice((10 * MINUTE, 10 * MINUTE, 30 * MINUTE, 3 * HOUR, 6 * HOUR)) + rng.randrange(3)
    return sorted(found, key=lambda one: (one.first, one.source))


def every_tick(compiled: Compiled, told: list[Told], until: int, heard: Sequence[Heard] = ()) -> Iterator[AlertChange]:
    """The stage with every tick that there is, and what keep_time would say of the sources with each."""
    silences, ahead = Silences(watches_of(SOURCES)), list(heard)
    track, scribe, waiting = Track(0, compiled, "live", horizon_ms=HORIZON), Scribe(compiled.facts, dict), list(told)
    decode = msgspec.json.Decoder(AlertChange).decode
    first = min([START, *[one.first for one in ahead]])
    for tick in range(first // TICK_MS, -(-until // TICK_MS) + 1):
        out: list[Effect] = []
        while waiting and waiting[0].at <= tick * TICK_MS:
            record = scribe.touchpoint(waiting.pop(0))
            assert record is not None
            track.apply(record, out)
        while ahead and ahead[0].first <= tick * TICK_MS:
            one = ahead.pop(0)
            silences.hear({one.source: (one.first, one.last)})
        track.apply(scribe.tick(tick * TICK_MS, silences.judge(tick * TICK_MS).states), out)
        yield from (decode(effect.value) for effect in out if effect.topic == "alerts")


@pytest.mark.parametrize("seed", range(16))
def test_ticks_that_are_left_out_change_nothing(seed: int) -> None:
    told, until = rows(Random(seed)), START + 40 * HOUR
    alerts: list[AlertChange] = []
    journeys: list[JourneySeen] = []
    course = Course(COMPILED, HORIZON, dict, alerts.append, journeys.append, Ticks(TICK_MS))
    for one in told:
        course.tell(one)
    course.end(until)
    assert alerts == list(every_tick(COMPILED, told, until))


@pytest.mark.parametrize("seed", range(16))
def test_nor_when_sources_fall_silent(seed: int) -> None:
    told, heard, until = rows(Random(seed)), moments(Random(seed)), START + 40 * HOUR
    alerts: list[AlertChange] = []
    course = Course(
        WATCHED, HORIZON, dict, alerts.append, lambda _: None, Ticks(TICK_MS), Hearing(watches_of(SOURCES), heard)
    )
    for one in told:
        course.tell(one)
    course.end(until)
    assert alerts == list(every_tick(WATCHED, told, until, heard))


def test_silences_hold_something_back() -> None:
    def of(compiled: Compiled, seed: int) -> list[AlertChange]:
        return list(every_tick(compiled, rows(Random(seed)), START + 40 * HOUR, moments(Random(seed))))

    assert sum(of(COMPILED, seed) != of(WATCHED, seed) for seed in range(16)) > 8


def test_most_of_these_histories_raise_something() -> None:
    raised = [bool(list(every_tick(COMPILED, rows(Random(seed)), START + 40 * HOUR))) for seed in range(16)]
    assert sum(raised) > 10


def test_the_records_have_the_fields_of_the_contracts() -> None:
    assert set(ResolvedView.__struct_fields__) <= records.Resolved.model_fields.keys()
    assert set(Attached.__struct_fields__) <= records.Attach.model_fields.keys()


def test_a_key_that_counts_no_more_is_not_told() -> None:
    told = rows(Random(1))[0]._replace(scope="order_id")
    assert Scribe(frozenset(), lambda said: {}).touchpoint(told) is None


def test_properties_are_facts_only_where_a_definition_looks_at_them() -> None:
    told = rows(Random(1))[0]._replace(scope="customer", properties='{"csat": 2, "deep": {"er": 1}, "note": "x"}')
    record = Scribe(frozenset(("csat", "deep")), dict).touchpoint(told)
    assert record is not None
    assert msgspec.json.decode(record.value or b"", type=ResolvedView).facts == {"csat": 2}
