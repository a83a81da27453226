"""A seed is a script: the same one in every build, so that a run of last month can be told again.

Whoever changes a story on purpose puts the new digests here.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from itertools import pairwise

import pytest

from sources.simulation.plan import HOUR, MINUTE, SECOND, Expected, Plan
from sources.simulation.scenarios import NEAR_MISSES, ORDINARY, PLANTED
from sources.simulation.script import Script, planted_each, write_script
from sources.simulation.tills import (
    ALONE,
    DEAD,
    SILENT_AFTER,
    STORE_HOURS,
    desk_time,
    open_hours,
    silences_of,
    stores_of,
)
from tests.oracle.decode import Touchpoint
from tests.oracle.files import ROOT, files_in
from tests.oracle.fold import fold

ENOUGH_FOR_EVERY_STORY = 8_000
FILES = files_in(ROOT)
UNNAMED = ("feedback_declined", "picked_up")
NEVER_KNOWN = "a till that is dead for good"
"""Who knows nothing of tills would miss these customers."""


@pytest.mark.parametrize(
    ("seed", "digest"),
    [
        (1, "46ba5de90a5210febd895f35107eaa11fb34ecc5421e50f5c53011bc3b198e32"),
        (20_260_302, "5ffc396c86256aa26946ab3acd7397d2d701a778e1e7216de6e0f8c969854977"),
    ],
)
def test_a_seed_gives_the_same_script_in_every_build(seed: int, digest: str) -> None:
    script = write_script(seed, ENOUGH_FOR_EVERY_STORY)
    assert sha256(repr(script).encode()).hexdigest() == digest


def test_every_story_is_in_one_table_and_both_tables_know_every_break() -> None:
    stories = [story for table in (PLANTED, NEAR_MISSES) for told in table.values() for story in told]
    assert len(set(stories)) == len(stories)
    assert not set(stories) & set(ORDINARY)
    assert set(PLANTED) == set(NEAR_MISSES)


KINDS = {
    *("missing_step", "handoff_lost", "repeated", "low_score", "failure_event", "out_of_order", "skipped_step"),
    *("abandoned", "forbidden", "experience_balance", "identity_conflict", "feedback_not_asked"),
}
"""Of journeys. The thirteenth is that of a source."""


def test_every_kind_of_break_is_planted_and_nearly_had() -> None:
    script = write_script(7, 5_000)
    planted = [found for one in script.expected for found in one.breaks]
    kind_of = {found.name: found.kind for found in planted}
    assert {found.kind for found in planted} == KINDS
    assert {kind_of[one.near_miss] for one in script.expected if one.near_miss is not None} == KINDS
    assert {silence.planted for silence in script.silences} == {True, False}


def test_a_small_run_has_every_kind_at_least_once() -> None:
    """And not always the same stories of it."""
    stories: set[str] = set()
    for seed in range(1, 9):
        script = write_script(seed, 3_000)
        assert {found.kind for one in script.expected for found in one.breaks} == KINDS
        kind_of = {found.name: found.kind for one in script.expected for found in one.breaks}
        assert {kind_of[one.near_miss] for one in script.expected if one.near_miss is not None} == KINDS
        assert len(script.plans) < 4_500
        stories |= {one.story for one in script.expected if one.breaks or one.near_miss}
    enough = write_script(7, ENOUGH_FOR_EVERY_STORY)
    assert stories == {one.story for one in enough.expected if one.breaks or one.near_miss}


def test_opt_outs_are_said_as_they_are_in_life() -> None:
    """Of no order before there is one, of no order while two are open, of the order, and by somebody else."""
    script = write_script(7, ENOUGH_FOR_EVERY_STORY)
    by_teller: dict[str, list[Plan]] = {}
    for plan in script.plans:
        if plan.repeats is None:
            by_teller.setdefault(plan.message_id.partition("-")[0], []).append(plan)
    seen: set[tuple[str, int, int]] = set()
    for plan in script.plans:
        if plan.name == "feedback_declined" and plan.repeats is None:
            orders = [one for one in by_teller[plan.message_id.partition("-")[0]] if one.name == "order_placed"]
            before = sum(one.occurred_at < plan.occurred_at for one in orders)
            whose = "other's" if plan.identifiers.get("anonymous_id", "").startswith("other-") else "own"
            seen.add(("the order's" if "order_id" in plan.identifiers else whose, before, len(orders)))
    assert seen == {("the order's", 1, 1), ("own", 0, 1), ("own", 2, 2), ("other's", 0, 1), ("other's", 1, 1)}


def test_a_till_that_knows_no_order_is_told_later_whose_the_pick_up_was() -> None:
    script = write_script(7, ENOUGH_FOR_EVERY_STORY)
    unnamed = [
        plan
        for plan in script.plans
        if plan.name == "picked_up" and not {"order_id", "user_id"} & set(plan.identifiers)
    ]
    assert {kind for plan in unnamed for kind in plan.identifiers} == {"loyalty_card", "receipt_id"}
    for plan in unnamed:
        ((kind, value),) = plan.identifiers.items()
        (told,) = (one for one in script.plans if one.name == "identified" and one.identifiers.get(kind) == value)
        assert plan.occurred_at < told.occurred_at
        assert "user_id" in told.identifiers


def test_a_million_touchpoints_plant_every_kind_fifty_times() -> None:
    assert planted_each(1_000_000) >= 50
    silences = silences_of(stores_of(1_000_000), 0)
    assert min(Counter(silence.planted for silence in silences).values()) >= 50


@pytest.mark.parametrize("seed", range(1, 9))
def test_the_oracle_finds_what_the_stories_say(seed: int) -> None:
    """By keys, and of customers whose story is theirs alone: no server, and no question whose a touchpoint is."""
    script = write_script(seed, ENOUGH_FOR_EVERY_STORY)
    known: dict[str, list[Touchpoint]] = {}
    for plan in script.plans:
        if plan.repeats is None and plan.fault is None:
            keys = [
                f"{kind}:{plan.identifiers[kind]}" for kind in ("order_id", "ticket_id") if kind in plan.identifiers
            ]
            for key in (*keys, plan.message_id.partition("-")[0]):
                known.setdefault(key, []).append(touchpoint(plan))
    told = [one for one in script.expected if one.definition != "checkout" and one.story != NEVER_KNOWN]
    assert len(told) > 100
    assert [said for one in told if (said := differs(script, one, members_of(one, known)))] == []


def members_of(one: Expected, known: Mapping[str, Sequence[Touchpoint]]) -> list[Touchpoint]:
    """Of an order, too, what its customer does without naming it: no story has several orders and such a pick-up."""
    if one.key.startswith("start:"):
        return list(known[one.key.removeprefix("start:").partition("-")[0]])
    unnamed = known["m" + one.person.removeprefix("p")] if one.definition == "click_and_collect" else ()
    return [*known[one.key], *(x for x in unnamed if x.name in UNNAMED and "order_id" not in x.identifiers and hers(x))]


def hers(x: Touchpoint) -> bool:
    """What an other person does in a story has another device."""
    return not x.identifiers.get("anonymous_id", "").startswith("other-")


# -- silences ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("touchpoints", [500, 5_000, 40_000])
def test_a_till_is_heard_while_it_is_open_but_in_its_silences(touchpoints: int) -> None:
    """Requests collect for half a minute, so what counts is told a little less exactly than planned."""
    script = write_script(3, touchpoints)
    heard: dict[str, list[int]] = {}
    for plan in script.plans:
        heard.setdefault(plan.emitter, []).append(plan.arrives_at)
    for store in (*stores_of(touchpoints), ALONE, DEAD):
        source = f"till-{store}"
        silences = [one for one in script.silences if one.source == source]
        gaps = [
            (left, back)
            for left, back in pairwise([*sorted(heard[source]), script.end])
            if open_time(left, back) >= SILENT_AFTER - SECOND
        ]
        wanted = [(one.began, one.ended or script.end) for one in silences if one.planted]
        assert len(gaps) == len(wanted)
        assert all(abs(gap[0] - want[0]) < MINUTE and gap[1] == want[1] for gap, want in zip(gaps, wanted, strict=True))


def open_time(since: int, until: int) -> int:
    return sum(
        max(0, min(until, closes) - max(since, opens)) for opens, closes in open_hours(since, until, STORE_HOURS)
    )


def test_what_a_till_had_to_tell_comes_when_it_is_back() -> None:
    script = write_script(3, 5_000)
    for silence in script.silences:
        told = [plan for plan in script.plans if plan.emitter == silence.source]
        assert not any(silence.covers(plan.arrives_at) for plan in told)
        kept = [plan for plan in told if silence.covers(plan.occurred_at)]
        assert all(plan.arrives_at <= (silence.ended or 0) + 5 * MINUTE + 20 * HOUR for plan in kept)
    meanwhile = [one for one in script.expected if one.undisturbed]
    assert len(meanwhile) > 4


def test_the_desk_is_closed_at_night_and_on_sunday() -> None:
    friday_19h = 1_772_820_000_000  # 2026-03-06 18:00 UTC, 19:00 in Berlin
    assert desk_time(friday_19h, HOUR) == friday_19h + HOUR
    assert desk_time(friday_19h, 4 * HOUR) == friday_19h + HOUR + 13 * HOUR + 3 * HOUR  # Saturday from 9
    assert (
        desk_time(friday_19h, 7 * HOUR) == friday_19h + (5 + 24 + 24 + 8) * HOUR + HOUR
    )  # five on Saturday, one on Monday


def touchpoint(plan: Plan) -> Touchpoint:
    return Touchpoint(
        touchpoint_id=plan.message_id,
        message_id=plan.message_id,
        source=plan.emitter,
        place="here",
        name=plan.name,
        channel=plan.channel or (FILES.known[plan.name].channel if plan.name in FILES.known else None),
        occurred_at_sent=plan.occurred_at,
        occurred_at=plan.occurred_at,
        sent_at=None,
        received_at=None,
        log_time=plan.arrives_at,
        sequence=0,
        identifiers=plan.identifiers,
        subject=None,
        properties=plan.properties,
    )


def differs(script: Script, one: Expected, members: list[Touchpoint]) -> str | None:
    definition = next(rule for rule in FILES.definitions if rule.name == one.definition)
    found = fold(definition, sorted(members, key=lambda x: x.order), script.end)
    assert found is not None
    breaks = sorted((b.name, b.kind, "firing" if b.cleared_at is None else "resolved") for b in found.breaks)
    wanted = sorted((b.name, b.kind, b.state) for b in one.breaks)
    if (found.status, breaks) == (one.status, wanted):
        return None
    return f"{one.key}, {one.story}: {one.status} {wanted}, found {found.status} {breaks}"
