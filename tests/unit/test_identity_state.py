"""What resolve remembers: stored so that it goes on alike from anywhere, forgotten at the same moment in
every life, bounded.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from streams.identity.limits import DAY_MS, HOUR_MS, Limits
from streams.identity.resolve import Resolve
from streams.stage import Effect
from tests.simulated.generate import history, shape
from tests.simulated.log import Record
from tests.simulated.scheduler import SECRET, World
from tests.simulated.worlds import CONFIG, PARTITIONS, RULES, build
from tests.unit.identity_bench import START, Bench, page

SMALL = Limits(kept=5)


def raw_of(seed: int) -> World:
    rng = Random(seed)
    world = build(rng)
    world.run()
    return world


@pytest.mark.parametrize("seed", range(12))
def test_from_any_cut_the_effects_are_the_same(seed: int) -> None:
    config = replace(CONFIG, limits=replace(CONFIG.limits, kiosk_touchpoints=6, kept=8))
    for partition, log in enumerate(raw_of(seed).logs.read("touchpoints.raw", each) for each in range(PARTITIONS)):
        whole = Resolve(partition, PARTITIONS, config)
        effects = [apply(whole, record) for record in log]
        for cut in range(0, len(log), 3):
            before, state = Resolve(partition, PARTITIONS, config), dict[bytes, bytes]()
            for number, record in enumerate(log[:cut]):
                assert apply(before, record) == effects[number]
                if number % 2:
                    store(before, state)
            store(before, state)
            after = Resolve(partition, PARTITIONS, config)
            after.restore(reversed(state.items()))
            assert after.changes() == []
            assert [apply(after, record) for record in log[cut:]] == effects[cut:]
            store(after, state)
            expected = dict[bytes, bytes]()
            again = Resolve(partition, PARTITIONS, config)
            for record in log:
                apply(again, record)
            store(again, expected)
            assert state == expected


def apply(stage: Resolve, record: Record) -> list[Effect]:
    out: list[Effect] = []
    stage.apply(record, out)
    return out


def store(stage: Resolve, state: dict[bytes, bytes]) -> None:
    for key, value in stage.changes():
        if value is None:
            state.pop(key, None)
        else:
            state[key] = value


def test_a_duplicate_is_known_until_the_retention_ends_and_the_state_is_empty_afterwards() -> None:
    bench = Bench()
    first = page(START, anonymous_id="a", order_id="7")
    assert bench.kinds(bench.touchpoint(first, START)) == ["touchpoint", "evidence"]
    bench.mark(START + 7 * DAY_MS - 1)
    assert bench.touchpoint(first, START + 6 * DAY_MS) == []
    bench.mark(START + 7 * DAY_MS + HOUR_MS + 60_000)
    assert bench.kinds(bench.touchpoint(first, START + 8 * DAY_MS)) == ["touchpoint"]
    bench.mark(START + 30 * DAY_MS)
    bench.store()
    assert list(bench.state) == [b"s"]


def test_a_marker_is_remembered_longer_than_what_it_may_move() -> None:
    bench = Bench()
    bench.touchpoint(page(START, anonymous_id="a", user_id="u"), START)
    bench.mark(START + 9 * DAY_MS)
    (resolved,) = bench.touchpoint(page(START + 70 * HOUR_MS, anonymous_id="a"), START + 70 * HOUR_MS)
    assert bench.body(resolved)["attributed_by"] == "login"
    bench.mark(START + 10 * DAY_MS + 2 * HOUR_MS)
    bench.mark(START + 13 * DAY_MS + 2 * HOUR_MS)
    (resolved,) = bench.touchpoint(page(START + 71 * HOUR_MS, anonymous_id="a"), START + 71 * HOUR_MS)
    assert bench.body(resolved)["attributed_by"] == "device"


def test_the_cap_keeps_what_occurred_last_whatever_arrived_last() -> None:
    states = []
    for order in (range(9), reversed(range(9))):
        bench = Bench(limits=SMALL)
        for hour in order:
            bench.touchpoint(page(START + hour * HOUR_MS, anonymous_id="a"), START + 10 * HOUR_MS)
        bench.store()
        states.append({key for key in bench.state if key.startswith(b"t|")})
    assert states[0] == states[1]
    assert len(states[0]) == 5


def test_what_a_hostile_device_costs_is_bounded_and_counted() -> None:
    bench = Bench(limits=Limits(kept=50, kiosk_touchpoints=20))
    for number in range(200):
        at = START + number * 1_000
        bench.touchpoint(page(at, anonymous_id="bot", user_id=f"u{number % 9}"), at)
    numbers = bench.stage.numbers()
    assert (numbers["identifiers"], numbers["touchpoints"]) == (1, 50)
    assert (numbers["dropped"], numbers["kiosk_days"]) == (150, 1)
    assert set(numbers) == set(Bench().stage.numbers()), "the same names every time"


def test_histories_have_everything_in_them() -> None:
    """The random histories would prove little if they never got to the interesting places."""
    rng = Random(1)
    values = b"".join(arrival.value for _ in range(50) for arrival in history(rng, 3, shape(rng), RULES, SECRET))
    assert all(word in values for word in (b"signed_out", b"user_id", b"device_id", b"email", b"ticket_id", b"subject"))
