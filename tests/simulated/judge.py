"""One history from its seed: generated, put through a schedule of faults, and held against every law."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from streams.identity.resolve import ResolveConfig
from tests.oracle.rules import DAY
from tests.simulated.cover import of_the_logs, of_the_set
from tests.simulated.generate import HOUR_MS, REMEMBERED_MS, Shape, shape
from tests.simulated.journeys import in_order, last_tick, outcome
from tests.simulated.laws import check, check_long
from tests.simulated.log import Logs
from tests.simulated.playing import judge_world
from tests.simulated.worlds import (
    CONFIG,
    FORGETFUL,
    FORGETFUL_RULES,
    OWN_CONFIG,
    OWN_RULES,
    PARTITIONS,
    RULES,
    TIGHT,
    TIGHT_RULES,
    WATCHED,
    Weaker,
    build,
    build_calm,
)


def judge(seed: int) -> set[str]:
    """What the history was about. Raises AssertionError when a law does not hold."""
    if seed % 10 == 9:
        return judge_long(seed)
    if seed % 10 in (4, 7):
        return judge_world(seed)
    tight = seed % 3 == 1
    return judge_with_track(seed, tight) if seed % 2 else judge_attribution(seed, tight=tight)


def judge_attribution(
    seed: int, of: Shape | None = None, weaker: Weaker | None = None, tight: bool = False
) -> set[str]:
    """Whose touchpoint, why, whom contacts name; nothing lost, nothing twice, no tick too early. `tight`: identifiers
    keep little.
    """
    rng = Random(seed)
    of = _within(of or shape(rng)) if tight else of or shape(rng)
    world = build(rng, weaker, of, config=TIGHT if tight else CONFIG)
    world.run()
    expected = check(world.logs, PARTITIONS, TIGHT_RULES if tight else RULES, WATCHED)
    covered = {*of_the_set(expected), *of_the_logs(world.logs, expected, PARTITIONS)}
    return covered | {name for name, count in world.faults.items() if count}


def judge_own_kinds(seed: int) -> set[str]:
    """The same where the deployment has kinds of its own. What it was about is said of their groups; and which of the
    kinds decided something, by routing it.
    """
    world = build(Random(seed), config=OWN_CONFIG, rules=OWN_RULES)
    world.run()
    expected = check(world.logs, PARTITIONS, OWN_RULES, WATCHED)
    found = [one for one in expected.attribution.touchpoints.values() if one.touchpoint.routing is not None]
    routed = {f"{(one.touchpoint.routing or ('', ''))[0]}: {one.by}" for one in found}
    return {*of_the_set(expected), *of_the_logs(world.logs, expected, PARTITIONS), *routed}


def _within(of: Shape) -> Shape:
    """What identifiers that keep little can know: what they keep no longer they take for new, and what they have
    forgotten does not fall out.
    """
    return replace(of, duplicates=0.0, span_ms=min(of.span_ms, REMEMBERED_MS))


def judge_with_track(seed: int, tight: bool = False) -> set[str]:
    """Journeys and alerts, too: as in a world in which everything arrives in the order and nothing goes wrong.

    No clock is wrong here, for the correction of clocks depends on the order of arrival.
    """
    rng = Random(seed)
    of = shape(rng)
    of = replace(of, skewed=0.0, span_ms=min(of.span_ms, 96 * HOUR_MS))
    of = _within(of) if tight else of
    config = TIGHT if tight else CONFIG
    world = build(rng, of=of, with_track=True, config=config)
    world.run()
    expected = check(world.logs, PARTITIONS, TIGHT_RULES if tight else RULES, WATCHED)
    check_journeys(world.logs, PARTITIONS, config)
    covered = {*of_the_set(expected), *of_the_logs(world.logs, expected, PARTITIONS)}
    return covered | {name for name, count in world.faults.items() if count}


def judge_long(seed: int) -> set[str]:
    """Eighteen days with contacts and decisions: links are forgotten, and touchpoints too.

    A link is told to the graph when a worker gets to it, which here may be days later. What it should have forgotten by
    then it forgets on the next day, so one more day goes by. No clock is wrong here: its correction is forgotten with
    the last touchpoint of its identifier, which the oracle, who forgets nothing, does not know.
    """
    rng = Random(seed)
    of = replace(shape(rng), skewed=0.0, span_ms=18 * DAY, contacts=0.8, pool=rng.choice((1, 2, 3)), decisions=2)
    world = build(rng, of=of, config=FORGETFUL)
    world.run()
    world.pass_time(world.logs.now + DAY)
    expected = check_long(world.logs, PARTITIONS, FORGETFUL_RULES)
    return {"links forgotten"} if expected.attribution.links.forgotten else set()


def check_journeys(logs: Logs, partitions: int, config: ResolveConfig = CONFIG) -> tuple[int, int]:
    """How many journeys and alerts there are in the end, all of them as in a calm world."""
    calm = build_calm(in_order(logs, partitions), partitions, config)
    calm.arrive_all()
    calm.pass_time(last_tick(logs, 0))
    journeys, alerts = outcome(logs)
    expected_journeys, expected_alerts = outcome(calm.logs)
    for name in journeys.keys() | expected_journeys.keys():
        assert journeys.get(name) == expected_journeys.get(name), f"journey {name} differs from that of a calm world"
    assert alerts == expected_alerts, "alerts differ from those of a calm world"
    return len(journeys), len(alerts)
