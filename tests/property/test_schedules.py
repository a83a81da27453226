"""The stages under a scheduler that crashes, redoes, delays and duplicates: after every schedule the laws
hold.

SCHEDULES=10000 runs that many; SCHEDULE_SEED=17 runs that one alone. Without either: about 15 seconds.
"""

from __future__ import annotations

import os
import time
from random import Random

import pytest

from tests.simulated.generate import Shape
from tests.simulated.laws import Overtaken, check, check_ticks
from tests.simulated.worlds import RULES, build

DEFAULT_S = 12.0
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


def test_laws_hold_after_every_schedule() -> None:
    only = os.environ.get("SCHEDULE_SEED")
    wanted = os.environ.get("SCHEDULES")
    if only is not None:
        run_one(int(only))
        return
    stop_at = time.monotonic() + DEFAULT_S
    seed = 0
    while seed < int(wanted) if wanted is not None else time.monotonic() < stop_at:
        try:
            run_one(seed)
        except BaseException:
            print(f"\nSCHEDULE_SEED={seed} reproduces this")
            raise
        seed += 1
    print(f"{seed} schedules")


@pytest.mark.parametrize("broken", ["one round", "no round"])
def test_ticks_with_fewer_rounds_break_the_law(broken: str) -> None:
    """The law would not be worth much if the scheduler could not break a weaker protocol."""

    def hunt() -> None:
        for seed in range(3_000):
            world = build(Random(seed), weaker=broken, of=FOREIGN)
            world.run()
            check_ticks(world.logs, world.raw_partitions)

    with pytest.raises(Overtaken):
        hunt()
