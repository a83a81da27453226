"""What a customer with too many touchpoints keeps, on random definitions and few places: what began an instance never
goes, so every instance is still there; nothing goes before something that ranks below it; and what is said is marked.

Everything arrives in the order of what occurred: then what there is without a bound is the oracle's to say. Which
instances there are does not hang on what goes, if an instance ends with its lifetime only, or has a key.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any, Final

import pytest

from schemas.definition import Catalogue, Definition
from schemas.definition_checks import flaws_of
from streams.journey.compile import compile_definitions
from streams.journey.track import Track
from tests.journey_case import play
from tests.oracle.decode import Touchpoint
from tests.oracle.fold import matches
from tests.oracle.rules import Definition as Rule
from tests.simulated import drawn
from tests.simulated.breaks import OWNER, Oracle, World, world
from tests.simulated.drawn import START
from tests.simulated.playing import in_order
from tests.tries import tries

WORLDS: Final = tries(250)
Json = dict[str, Any]


def keyed(rng: Random) -> World | None:
    found = replace(world(rng, counting=False, alone=True), words=())
    instance = found.definitions[0].instance
    return found if instance.key != "customer" and instance.if_absent != "only_open_one" else None


def of_a_customer(rng: Random) -> World | None:
    """Instances that end with their lifetime only."""
    found = replace(world(rng, counting=False, alone=True), words=())
    known = Catalogue.model_validate({"touchpoints": drawn.catalogue(rng, None)})
    said: Json = {"journey": "random", "version": 1, "mode": "live", "owner": "team", "instance": {"key": "customer"}}
    said |= {"start": rng.choice(({"weighted": True}, {"touchpoint": START})), "lifetime": rng.choice(("12s", "25s"))}
    said["breaks"] = {
        "bad": {"balance_below": -1, "until": 0, "half_life": "5s"},
        "often": {"touchpoint": rng.choice(drawn.NAMES), "at_most": 1},
    }
    definition = Definition.model_validate(said)
    return None if any(flaws_of(definition, known)) else replace(found, definitions=(definition,), catalogue=known)


def rank(rule: Rule, x: Touchpoint) -> int:
    """The lowest goes first."""
    if x.name in rule.start.names:
        return 2
    steps = {name for step in rule.steps for name in (*step.pattern.names, *step.excused_by)}
    return 1 if x.name in steps | set(rule.failures) else 0


@pytest.mark.parametrize("make", [keyed, of_a_customer])
def test_what_began_stays_and_the_least_goes_first(make: Any) -> None:
    full = 0
    for seed in range(WORLDS):
        rng = Random(seed)
        found, places = make(rng), rng.randint(3, 6)
        if found is not None:
            full += judge(found, places)
    assert full > WORLDS // 20


def judge(found: World, places: int) -> bool:
    """Whether anything went."""
    oracle, rule = Oracle(found), Oracle(found).rules[1]
    wanted = oracle.wanted(len(found.arrivals), found.later[-1])
    compiled = compile_definitions(found.definitions, found.catalogue, found.sources)
    outcome = play(in_order(found), Track(0, compiled, "live", entries_max=places))
    rows = {row["anchor"]: row for row in outcome.journeys.values() if row["customer_id"] == OWNER}
    there = {anchor: row for anchor, row in rows.items() if row["status"] != "moved"}
    assert there.keys() == {anchor for _, anchor in wanted}, found
    assert there.keys() == rows.keys(), f"nothing went to anybody else: {found}"
    by_id = {x.touchpoint_id: x for x in oracle.touchpoints}
    went = False
    for (_, anchor), (members, result, _) in wanted.items():
        row = there[anchor]
        assert row["started_at"] == result.started_at, found
        kept = set(row["touchpoint_ids"])
        assert kept <= set(members), found
        start = next(
            x for x in sorted((by_id[one] for one in members), key=lambda x: x.order) if matches(rule.start, x)
        )
        gone = [by_id[one] for one in members if one not in kept]
        assert start.touchpoint_id in kept, found
        for x in gone:
            for one in kept - {start.touchpoint_id}:
                assert by_id[one].order[:2] >= x.order[:2] or rank(rule, by_id[one]) > rank(rule, x), (
                    f"{x} went, {one} not"
                )
        if gone:
            went = True
            assert row["truncated"], found
    if rule.key != "customer" or len(wanted) < places:
        assert all(len(row["touchpoint_ids"]) <= places for row in there.values()), found
    return went
