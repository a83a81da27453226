"""A seed is a script: the same one in every build, so that a run of last month can be told again.

Whoever changes a story on purpose puts the new digests here.
"""

from hashlib import sha256

import pytest

from sources.simulation.plan import Expected, Plan
from sources.simulation.scenarios import NEAR_MISSES, ORDINARY, PLANTED
from sources.simulation.script import Script, write_script
from tests.oracle.decode import Touchpoint
from tests.oracle.files import ROOT, files_in
from tests.oracle.fold import fold

ENOUGH_FOR_EVERY_STORY = 8_000
FILES = files_in(ROOT)


@pytest.mark.parametrize(
    ("seed", "digest"),
    [
        (1, "4d255446b18c78c444c78d7c8fdb693697c7176d5b2fcaaaac96814adccdbe5a"),
        (20_260_302, "4c85811a2ae3668177f090a674553e1388a0b1db9e1909ac43bc905a3a84a8f8"),
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
    *("abandoned", "forbidden"),
}


def test_every_kind_of_break_is_planted_and_nearly_had() -> None:
    script = write_script(7, 5_000)
    planted = [found for one in script.expected for found in one.breaks]
    kind_of = {found.name: found.kind for found in planted}
    assert {found.kind for found in planted} == KINDS
    assert {kind_of[one.near_miss] for one in script.expected if one.near_miss is not None} == KINDS


@pytest.mark.parametrize("seed", range(1, 7))
def test_the_oracle_finds_what_the_stories_say(seed: int) -> None:
    """Of orders and cases, by their keys alone: no server, and no question whose they are."""
    script = write_script(seed, ENOUGH_FOR_EVERY_STORY)
    by_key: dict[str, list[Touchpoint]] = {}
    for plan in script.plans:
        for kind in ("order_id", "ticket_id"):
            if kind in plan.identifiers and plan.repeats is None and plan.fault is None:
                by_key.setdefault(f"{kind}:{plan.identifiers[kind]}", []).append(touchpoint(plan))
    keyed = [one for one in script.expected if one.definition != "checkout"]
    assert len(keyed) > 100
    assert [said for one in keyed if (said := differs(script, one, by_key[one.key]))] == []


def touchpoint(plan: Plan) -> Touchpoint:
    return Touchpoint(
        touchpoint_id=plan.message_id,
        message_id=plan.message_id,
        source=plan.emitter,
        place="here",
        name=plan.name,
        channel=plan.channel or FILES.known[plan.name].channel,
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
