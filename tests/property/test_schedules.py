"""The stages under a scheduler that crashes, redoes, delays and duplicates: after every schedule the laws hold.

These are the first of `make histories`, which runs as many as one likes and reproduces one by its seed.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from tests.simulated.generate import Shape
from tests.simulated.judge import judge, judge_attribution
from tests.simulated.laws import Misnamed, Overtaken, check_ticks
from tests.simulated.worlds import Weaker, build
from tests.tries import tries

SCHEDULES = 150
WORLDS_MAX = 3_000
CHAINS = Shape(
    touchpoints=25,
    span_ms=3_600_000,
    late_ms=0,
    users=1,
    devices=1,
    duplicates=0.0,
    foreign=1.0,
    bad=0.0,
    skewed=0.0,
    contacts=0.9,
    pool=1,
)
"""From a foreign partition to the owner, to the graph, to those who asked, to the owners of their keys: four hops."""
CROWD = replace(CHAINS, users=3, pool=2)


def test_laws_hold_after_every_schedule() -> None:
    for seed in range(tries(SCHEDULES)):
        try:
            judge(seed)
        except BaseException as error:
            error.add_note(f"`make histories SEED={seed}` runs it alone")
            raise


@pytest.mark.parametrize("broken", ["one round less", "no round", "nothing caused"])
def test_ticks_with_fewer_rounds_break_the_law(broken: Weaker) -> None:
    """The law would not be worth much if the scheduler could not break a weaker protocol."""

    def hunt() -> None:
        for seed in range(WORLDS_MAX):
            world = build(Random(seed), broken, CHAINS)
            world.run()
            check_ticks(world.logs, world.raw_partitions)

    with pytest.raises(Overtaken):
        hunt()


@pytest.mark.parametrize("broken", ["sources never quiet", "silent for good"])
def test_a_clock_that_hides_silences_breaks_the_law(broken: Weaker) -> None:
    def hunt() -> None:
        for seed in range(WORLDS_MAX):
            judge_attribution(seed, None, broken)

    with pytest.raises(AssertionError, match=r"source|till-|crm"):
        hunt()


@pytest.mark.parametrize("broken", ["never judged again", "last arrival wins"])
def test_a_graph_that_answers_otherwise_breaks_the_law(broken: Weaker) -> None:
    def hunt() -> None:
        for seed in range(WORLDS_MAX):
            judge_attribution(seed, CROWD, broken)

    with pytest.raises(Misnamed):
        hunt()
