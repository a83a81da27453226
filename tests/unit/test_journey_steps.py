"""Steps that are not simply awaited, and breaks that look at every touchpoint: the borders of docs/journeys.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from schemas.definition import Catalogue, Definition
from schemas.records import Entry
from schemas.worth import worths_of
from streams.journey.compile import compile_definitions
from streams.journey.track import Track
from tests.journey_case import DAY, HOUR, MINUTE, NOON, Log, Outcome, play, touch


def entry(mode: str = "activate", criticality: str = "high", valence: str = "neutral", **more: Any) -> dict[str, Any]:
    impact = {"stage": "service", "mode": mode, "criticality": criticality, "valence": valence}
    return {"owner": "team", "impact": impact, **more}


CATALOGUE = Catalogue.model_validate(
    {
        "touchpoints": {
            "opened": entry(),
            "tried": entry(),
            "asked": entry(arrives_within="20m"),
            "answered": entry(),
            "declined": entry(),
            "good": entry(criticality="low", valence="positive"),
            "bad": entry(criticality="medium", valence="negative"),
            "rated": entry(criticality="low", score={"property": "nps", "worst": 0, "neutral": 7.5, "best": 10}),
            "seen": entry(mode="monitor"),
        }
    }
)
CASE: dict[str, Any] = {
    "journey": "case",
    "version": 1,
    "mode": "live",
    "owner": "team",
    "instance": {"key": "order_id"},
    "start": {"touchpoint": "opened"},
    "steps": {
        "tried_thrice": {"touchpoint": "tried", "times": 3, "within": "1h"},
        "asked": {
            "touchpoint": "asked",
            "after": "tried_thrice",
            "within": "1h",
            "feedback": True,
            "excused_by": ["declined"],
        },
        "answered": {"touchpoint": "answered", "after": "asked"},
    },
    "outcome": {"success": "tried_thrice"},
    "lifetime": "10d",
}
RELATIONSHIP: dict[str, Any] = {
    "journey": "relationship",
    "version": 1,
    "mode": "live",
    "owner": "team",
    "instance": {"key": "customer"},
    "start": {"weighted": True},
    "breaks": {"soured": {"balance_below": -3, "until": 0, "half_life": "1d"}},
    "lifetime": "10d",
}


def run(definition: dict[str, Any], entries: Sequence[Entry], *ticks: int, of_customer: bool = False) -> Outcome:
    log = Log()
    for one in entries:
        if of_customer:
            log.resolved(one)
        else:
            log.attach(one)
    for tick in ticks:
        log.tick(tick)
    compiled = compile_definitions([Definition.model_validate(definition)], CATALOGUE)
    return play(log, Track(0, compiled, "live"), range(len(log.records)))


def statuses(played: Outcome) -> dict[str, str]:
    journey = played.journey()
    return {step["step"]: step["status"] for step in journey["steps"]}


def tries(count: int, at: int = NOON) -> list[Entry]:
    return [touch("opened", at), *(touch("tried", at + number * MINUTE) for number in range(1, count + 1))]


def test_the_third_of_three_reaches_the_step() -> None:
    assert statuses(run(CASE, tries(2)))["tried_thrice"] == "waiting"
    journey = run(CASE, tries(4)).journey()
    assert (journey["steps"][0]["reached_at"], journey["status"]) == (NOON + 3 * MINUTE, "succeeded")


def test_two_of_three_are_a_missing_step() -> None:
    (alert,) = run(CASE, tries(2), NOON + HOUR + MINUTE).alerts
    assert (alert["kind"], alert["step"]) == ("missing_step", "tried_thrice")


def test_feedback_that_was_not_asked_is_a_kind_of_its_own_and_waits_for_who_arrives_late() -> None:
    due = NOON + 3 * MINUTE + HOUR
    assert run(CASE, tries(3), due + 21 * MINUTE - 1).alerts == []
    (alert,) = run(CASE, tries(3), due + 21 * MINUTE).alerts
    assert (alert["kind"], alert["break_name"], alert["state"]) == ("feedback_not_asked", "asked", "firing")


def test_who_opted_out_is_not_asked_and_what_comes_after_is_not_expected() -> None:
    declined = [*tries(3), touch("declined", NOON + 10 * MINUTE)]
    played = run(CASE, declined, NOON + DAY)
    assert played.alerts == []
    assert statuses(played) == {"tried_thrice": "reached", "asked": "skipped", "answered": "skipped"}
    journey = played.journey()
    assert journey["ended_at"] == NOON + 10 * MINUTE


def test_an_excuse_that_comes_too_late_resolves_what_fired() -> None:
    late = [*tries(3), touch("declined", NOON + 3 * HOUR)]
    assert [a["state"] for a in run(CASE, late, NOON + 2 * HOUR, NOON + DAY).alerts] == ["resolved"]


def weights(**facts: float) -> float:
    return worths_of(CATALOGUE)["rated"].weight(facts)


def test_a_score_is_worth_what_lies_between_worst_and_best() -> None:
    assert [weights(nps=value) for value in (0, 3.75, 7.5, 8.75, 10, 11)] == [-1, -0.5, 0, 0.5, 1, 1]
    assert weights() == weights(other=3) == 0
    assert set(worths_of(CATALOGUE)) == {"good", "bad", "rated"}


def states(*entries: Entry) -> list[tuple[str, int]]:
    """Each touchpoint with a tick that knows it."""
    log = Log()
    for one in entries:
        log.resolved(one)
        log.tick(one.log_time)
    compiled = compile_definitions([Definition.model_validate(RELATIONSHIP)], CATALOGUE)
    alerts = play(log, Track(0, compiled, "live"), range(len(log.records))).alerts
    return [(alert["state"], alert["cleared_at"] or alert["cause_at"]) for alert in alerts]


def bad(minutes: int, tid: str = "") -> Entry:
    return touch("bad", NOON + minutes * MINUTE, order=None, tid=tid)


def good(minutes: int) -> Entry:
    return touch("good", NOON + minutes * MINUTE, order=None)


def test_a_balance_counts_from_the_start_and_begins_below_its_limit() -> None:
    assert states(bad(0), good(0)) == []
    assert states(bad(0), bad(0, "again")) == [("firing", NOON)], "-4 is below -3"
    assert states(bad(0), good(1), bad(2)) == []


def test_a_balance_fades_by_half_in_a_half_life() -> None:
    assert states(bad(0), bad(24 * 60)) == [], "-1 and -2 are -3"
    assert states(bad(0), bad(24 * 60 - 1)) == [("firing", NOON + DAY - MINUTE)]


def test_a_balance_ends_when_the_good_has_made_up_for_it() -> None:
    alerts = states(bad(0), bad(0, "again"), good(1440), good(1441), good(1442))
    assert alerts == [("firing", NOON), ("resolved", NOON + DAY + MINUTE)]


def test_the_bad_that_comes_before_the_good_from_another_partition_is_no_false_alarm() -> None:
    earlier = touch("good", NOON - 1, order=None, log=NOON + 5)
    entries = [bad(0), bad(0, "again"), earlier]
    assert [a["state"] for a in run(RELATIONSHIP, entries, NOON + 5, of_customer=True).alerts] == []
    assert [a["state"] for a in run(RELATIONSHIP, entries[:2], NOON, of_customer=True).alerts] == ["firing"]
    assert run(RELATIONSHIP, entries[:2], NOON - 1, of_customer=True).alerts == []


def test_a_relationship_has_no_steps_and_ends_with_its_lifetime() -> None:
    log = Log()
    log.resolved(good(0))
    log.tick(NOON + 10 * DAY + 1)
    compiled = compile_definitions([Definition.model_validate(RELATIONSHIP)], CATALOGUE)
    journey = play(log, Track(0, compiled, "live"), range(2)).journey()
    assert (journey["steps"], journey["status"], journey["ended_at"]) == ([], "expired", NOON + 10 * DAY)


CONFLICT = CASE | {"breaks": {"two_persons": {"persons_above": 1, "among": ["opened", "declined"]}}}


def acted(name: str, minutes: int, person: str | None) -> Entry:
    return touch(name, NOON + minutes * MINUTE).model_copy(update={"person": person})


def test_two_users_in_one_order_are_a_conflict_and_devices_are_nobody() -> None:
    opened = acted("opened", 0, "one")
    assert run(CONFLICT, [opened, acted("declined", 1, None), acted("declined", 2, "one")]).alerts == []
    assert run(CONFLICT, [opened, acted("tried", 1, "other")]).alerts == [], "a step that is not among them"
    (alert,) = run(CONFLICT, [opened, acted("declined", 1, "other"), acted("declined", 2, "third")]).alerts
    assert (alert["kind"], alert["cause_at"], alert["step"]) == ("identity_conflict", NOON + MINUTE, None)
    assert "different people act in it since 12:01 UTC, somebody must look" in alert["first_line"]


def test_nobody_is_told_of_what_is_only_monitored() -> None:
    steps = CASE["steps"] | {"seen": {"touchpoint": "seen", "within": "1h"}}
    played = run(CASE | {"steps": steps}, tries(3), NOON + HOUR + MINUTE)
    assert [(a["break_name"], a["notify"], a["reason"]) for a in played.alerts] == [("seen", False, "monitored")]


@pytest.mark.parametrize(
    ("only_monitored", "monitored"),
    [
        ({"won"}, {"won"}),
        ({"seen"}, {"seen", "unseen"}),
        ({"seen", "declined"}, {"seen", "unseen", "refused"}),
        ({"opened", "seen", "won", "declined"}, {"seen", "won", "unseen", "refused", "gone"}),
    ],
)
def test_which_breaks_only_what_is_monitored_can_cause_or_settle(only_monitored: set[str], monitored: set[str]) -> None:
    definition: dict[str, Any] = {
        "journey": "case",
        "version": 1,
        "owner": "team-service",
        "instance": {"key": "customer"},
        "start": {"touchpoint": "opened"},
        "steps": {
            "seen": {"touchpoint": "seen", "within": "1h"},
            "won": {"touchpoint": "won", "after": "seen"},
        },
        "outcome": {"success": "won"},
        "breaks": {
            "unseen": {"without": "seen"},
            "refused": {"touchpoint": "declined", "cleared_by": "won"},
            "gone": {"idle": "1d"},
            "unhappy": {"score": "csat", "below": 3},
        },
    }
    impact = {"stage": "service", "mode": "monitor", "criticality": "low"}
    known = {name: {"owner": "team", "impact": impact} for name in only_monitored}
    catalogue = Catalogue.model_validate({"touchpoints": known})
    compiled = compile_definitions([Definition.model_validate(definition)], catalogue)
    assert compiled.definitions[0].monitored == monitored
