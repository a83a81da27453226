"""A full scope: what goes, what stays whatever comes, and what that costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from random import Random
from typing import Any

import pytest

from schemas.definition import Catalogue, Definition
from schemas.records import Entry
from streams.journey import instances
from streams.journey.compile import compile_definitions
from streams.journey.fold import advance
from streams.journey.plan import CompiledDefinition
from streams.journey.run import Run
from streams.journey.track import Track
from streams.journey.values import Kept
from tests.journey_case import MINUTE, NOON, Log, Outcome, assert_restart_changes_nothing, play, touch

BALANCE: dict[str, Any] = {
    "journey": "relationship",
    "version": 1,
    "mode": "live",
    "owner": "team-customers",
    "instance": {"key": "customer"},
    "start": {"weighted": True},
    "breaks": {"soured": {"balance_below": -8, "until": -4, "half_life": "3d"}},
    "lifetime": "30d",
}
VISIT: dict[str, Any] = {
    "journey": "visit",
    "version": 1,
    "mode": "live",
    "owner": "team-web",
    "instance": {"key": "customer"},
    "start": {"touchpoint": "came"},
    "steps": {"left": {"touchpoint": "came", "if_missing": "nothing", "within": "1h"}},
    "outcome": {"success": "left", "failure": ["banned"]},
    "lifetime": "1m",
}
CATALOGUE = Catalogue.model_validate(
    {
        "touchpoints": {
            "complained": {
                "owner": "team-customers",
                "impact": {"stage": "service", "mode": "activate", "criticality": "high", "valence": "negative"},
            }
        }
    }
)


def stage(most: int, said: dict[str, Any] = BALANCE) -> Track:
    compiled = compile_definitions([Definition.model_validate(said)], CATALOGUE)
    return Track(0, compiled, "live", entries_max=most)


def complaint(minute: int) -> Entry:
    return touch("complained", NOON + minute * MINUTE, order=None, tid=f"t{minute:04}")


def log_of(entries: Iterable[Entry]) -> Log:
    log = Log()
    for entry in entries:
        log.resolved(entry)
        log.tick(entry.log_time)
    return log


def fold(minutes: Iterable[int], most: int) -> Outcome:
    return play(log_of(map(complaint, minutes)), stage(most))


def test_what_began_the_journey_stays_and_one_break_is_told_once() -> None:
    outcome = fold(range(520), 500)
    journey = outcome.journey()
    assert (journey["anchor"], journey["status"], journey["truncated"]) == ("start:t0000", "open", True)
    kept = journey["touchpoint_ids"]
    assert kept[0] == "t0000"
    assert len(kept) <= 500
    assert kept[1:] == [f"t{minute:04}" for minute in range(521 - len(kept), 520)]
    assert outcome.told == [("soured", "firing", "fired", True)]


def test_what_is_kept_does_not_hang_on_arrival() -> None:
    wanted = ["t0000", "t0016", "t0017", "t0018", "t0019"]
    for seed in range(20):
        minutes = list(range(20))
        Random(seed).shuffle(minutes)
        found = fold(minutes, 5).journeys.values()
        standing = [journey["touchpoint_ids"] for journey in found if journey["status"] != "moved"]
        assert standing == [wanted], minutes


def test_room_for_several_is_made_at_once_and_what_is_older_than_what_went_stays_out() -> None:
    for seed in range(5):
        minutes = list(range(120))
        Random(seed).shuffle(minutes)
        found = fold(minutes, 64).journeys.values()
        (kept,) = [journey["touchpoint_ids"] for journey in found if journey["status"] != "moved"]
        assert 57 <= len(kept) <= 64
        assert kept == ["t0000", *(f"t{minute:04}" for minute in range(121 - len(kept), 120))]


def test_a_restart_changes_nothing_where_it_is_crowded() -> None:
    log = log_of(map(complaint, [*range(60), 7, 3, *range(61, 90)]))
    for cut in (59, 80, 125, 150):
        assert_restart_changes_nothing(log, cut, lambda: stage(32))


def test_instances_that_are_over_are_forgotten_and_nobody_hears_of_it() -> None:
    """Each visit lasts a minute, and the next comes after two; so every touchpoint began an instance."""
    visits = (touch("came", NOON + 2 * number * MINUTE, order=None, tid=f"v{number:03}") for number in range(60))
    outcome = play(log_of(visits), stage(20, VISIT))
    assert len(outcome.journeys) == 60
    assert {journey["status"] for journey in outcome.journeys.values()} == {"expired", "open"}
    assert outcome.alerts == []


def test_a_touchpoint_too_many_costs_few_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    folded = 0

    def counted(definition: CompiledDefinition, run: Run, kept: Kept, said: Mapping[str, Kept]) -> None:
        nonlocal folded
        folded += 1
        advance(definition, run, kept, said)

    monkeypatch.setattr(instances, "advance", counted)
    play(log_of(map(complaint, range(800))), stage(160))
    assert folded < 800 * 12
