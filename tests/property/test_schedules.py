"""The stages under a scheduler that crashes, redoes, delays and duplicates: after every schedule the laws
hold.

SCHEDULES=10000 runs that many; SCHEDULE_SEED=17 runs that one alone. Without either: about 15 seconds.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from tests.simulated.generate import HOUR_MS, Shape, shape
from tests.simulated.journeys import in_order, last_tick, outcome
from tests.simulated.laws import Overtaken, check, check_ticks
from tests.simulated.worlds import PARTITIONS, RULES, Weaker, build, build_calm

DEFAULT_S = 6.0
FOREIGN = Shape(
    touchpoints=25,
    span_ms=3_600_000,
    late_ms=0,
    users=2,
    devices=3,
    duplicates=0.0,
    foreign=0.6,
    bad=0.0,
    skewed=0.0,
)


def run_one(seed: int) -> None:
    rng = Random(seed)
    world = build(rng)
    world.run()
    check(world.logs, world.raw_partitions, RULES)


def run_with_track(seed: int) -> None:
    rng = Random(seed)
    of = replace(shape(rng), skewed=0.0, span_ms=rng.choice((6, 30, 90)) * HOUR_MS)
    world = build(rng, of=of, with_track=True)
    world.run()
    calm = build_calm(in_order(world.logs, PARTITIONS))
    calm.arrive_all()
    calm.pass_time(last_tick(world.logs, 0))
    journeys, alerts = outcome(world.logs)
    expected_journeys, expected_alerts = outcome(calm.logs)
    assert journeys == expected_journeys
    assert alerts == expected_alerts


@pytest.mark.parametrize("run", [run_one, run_with_track])
def test_laws_hold_after_every_schedule(run: Callable[[int], None]) -> None:
    only, wanted = os.environ.get("SCHEDULE_SEED"), os.environ.get("SCHEDULES")
    stop_at = time.monotonic() + DEFAULT_S
    for seed in range(int(wanted or 1_000_000)) if only is None else [int(only)]:
        if wanted is None and time.monotonic() > stop_at:
            break
        try:
            run(seed)
        except BaseException:
            print(f"\nSCHEDULE_SEED={seed} reproduces this")
            raise
    print(f"{seed} schedules")


@pytest.mark.parametrize("broken", ["one round", "no round"])
def test_ticks_with_fewer_rounds_break_the_law(broken: Weaker) -> None:
    """The law would not be worth much if the scheduler could not break a weaker protocol."""

    def hunt() -> None:
        for seed in range(3_000):
            world = build(Random(seed), weaker=broken, of=FOREIGN)
            world.run()
            check_ticks(world.logs, world.raw_partitions)

    with pytest.raises(Overtaken):
        hunt()
