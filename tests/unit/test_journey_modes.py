"""Versions and modes: the timeline of switches, and what becomes of journeys when one is switched."""

from __future__ import annotations

from random import Random
from typing import Any

from schemas.records import Mode
from streams.journey.modes import BEGINNING, TURNS_MAX, Modes, Turn, differences, mode_at, timelines
from streams.journey.track import Track
from tests.journey_case import HOUR, MINUTE, NOON, VISIT, Log, Outcome, compiled, placed, play, touch

FIRE = NOON + 11 * MINUTE
LATER = NOON + HOUR


def stage(*changes: dict[str, Any]) -> Track:
    return Track(0, compiled(*changes), "live")


def seen(outcome: Outcome) -> dict[tuple[int, str], tuple[str, str]]:
    """By version and anchor: status and mode."""
    return {(j["version"], j["anchor"]): (j["status"], j["mode"]) for j in outcome.journeys.values()}


# -- the timeline -----------------------------------------------------------------------------------------------------


def by_the_page(files: dict[int, Mode], turns: list[Turn], version: int, moment: int) -> Mode:
    """The page, moment by moment: what the version was last switched to, and whether another went live since."""
    modes: dict[int, Mode] = dict(files)
    for at in sorted({turn.from_at for turn in turns if turn.from_at <= moment}):
        here = {turn.version: turn for turn in sorted(turns, key=lambda one: one.order) if turn.from_at == at}
        for turn in sorted(here.values(), key=lambda one: one.order):
            for other in modes:
                if turn.mode == "live" and turn.version in modes and other != turn.version and modes[other] == "live":
                    modes[other] = "off"
            if turn.version in modes:
                modes[turn.version] = turn.mode
    return modes[version]


def test_the_timeline_is_the_page_moment_by_moment() -> None:
    for seed in range(300):
        rng = Random(seed)
        files: dict[int, Mode] = {1: rng.choice(("live", "shadow")), 2: "shadow", 3: "shadow"}
        modes: tuple[Mode, ...] = ("off", "shadow", "live", "live")
        turns = [
            Turn(rng.randint(1, 4), rng.choice(modes), rng.randint(0, 5), order) for order in range(rng.randint(0, 8))
        ]
        lines = timelines(files, rng.sample(turns, len(turns)))
        for moment in range(-1, 7):
            live = 0
            for version, line in lines.items():
                assert mode_at(line, moment) == by_the_page(files, turns, version, moment), (seed, version, moment)
                live += mode_at(line, moment) == "live"
            assert live <= 1


def test_what_is_live_gives_way() -> None:
    lines = timelines({1: "live", 2: "shadow"}, [Turn(2, "live", 10, 0), Turn(1, "shadow", 30, 1)])
    assert lines[1] == ((BEGINNING, "live"), (10, "off"), (30, "shadow"))
    assert lines[2] == ((BEGINNING, "shadow"), (10, "live"))


def test_a_word_taken_back_at_its_own_moment_never_was() -> None:
    lines = timelines({1: "live", 2: "shadow"}, [Turn(2, "live", 10, 0), Turn(2, "shadow", 10, 1)])
    assert lines == {1: ((BEGINNING, "live"),), 2: ((BEGINNING, "shadow"),)}


def test_differences_are_told_in_the_order_of_time() -> None:
    one, other = ((BEGINNING, "live"), (10, "off")), ((BEGINNING, "live"), (5, "shadow"), (20, "off"))
    assert differences(one, other) == [(5, 10), (10, 20)]  # type: ignore[arg-type]  # literals of a test
    assert differences(one, one) == []  # type: ignore[arg-type]


def test_the_earliest_switches_become_what_was_before() -> None:
    (definition,) = compiled().definitions
    modes = Modes((definition,))
    for number in range(TURNS_MAX + 20):
        modes.take(definition.name, Turn(1, "off" if number % 2 else "shadow", 10 * number, number))
    assert len(modes.turns[definition.name].turns) == TURNS_MAX
    assert [modes.at(definition, 10 * number) for number in range(20, TURNS_MAX + 20)] == ["shadow", "off"] * 50
    again = Modes((definition,))
    again.load(modes.turns)
    moments = range(-10, 10 * TURNS_MAX + 400, 5)
    assert [again.at(definition, at) for at in moments] == [modes.at(definition, at) for at in moments]


# -- journeys ---------------------------------------------------------------------------------------------------------


def test_who_is_under_way_stays_with_the_former_version() -> None:
    one, two = {"mode": "live"}, {"version": 2, "mode": "shadow"}
    log = Log()
    log.attach(placed(NOON, order="7", tid="a"), scope="order_id:7")
    log.switch(2, "live", LATER)
    log.attach(placed(LATER, order="8", tid="b"), scope="order_id:8")
    log.tick(LATER + 11 * MINUTE)
    outcome = play(log, stage(one, two))
    assert seen(outcome) == {
        (1, "order_id:7"): ("open", "live"),
        (2, "order_id:7"): ("open", "shadow"),
        (2, "order_id:8"): ("open", "live"),
    }
    told = [(a["version"], a["anchor"], a["mode"], a["notify"], a["reason"]) for a in outcome.alerts]
    assert sorted(told) == [
        (1, "order_id:7", "live", True, "fired"),
        (2, "order_id:7", "shadow", False, "shadow"),
        (2, "order_id:8", "live", True, "fired"),
    ]
    assert len({alert["alert_id"] for alert in outcome.alerts}) == 3


def test_a_switch_says_nothing_about_those_under_way() -> None:
    log = Log()
    log.attach(placed(NOON, order="7", tid="a"), scope="order_id:7")
    log.tick(FIRE)
    log.switch(1, "live", LATER)
    stage_, outcome = stage({"mode": "shadow"}), Outcome()
    for record in log.records:
        if record.offset == 2:
            stage_.flush(outcome.effects)
            said = len(outcome.effects)
        stage_.apply(record, outcome.effects)
    stage_.flush(outcome.effects)
    assert len(outcome.effects) == said
    assert [alert["notify"] for alert in outcome.alerts] == [False]


def test_off_begins_nothing_and_the_first_match_decides_for_a_key() -> None:
    log = Log()
    log.switch(1, "off", NOON)
    log.switch(1, "live", LATER)
    log.attach(placed(NOON + MINUTE, tid="a"), touch("payment_captured", NOON + 2 * MINUTE))
    log.attach(placed(LATER + MINUTE, tid="b"))
    log.attach(placed(LATER + MINUTE, order="8", tid="c"), scope="order_id:8")
    log.tick(LATER + 9 * HOUR)
    assert seen(play(log, stage())) == {(1, "order_id:8"): ("open", "live")}


def test_off_begins_nothing_and_the_next_start_of_a_customer_may() -> None:
    log = Log()
    log.switch(1, "off", NOON, "visit")
    log.switch(1, "live", LATER, "visit")
    for at in (NOON - 1, NOON, LATER - MINUTE, LATER + 2 * HOUR):
        log.resolved(touch("visit_started", at, tid=f"v{at - NOON}", order=None))
    log.resolved(touch("bought", NOON - 1, tid="b", order=None, sequence=1))
    log.tick(LATER + 3 * HOUR)
    assert seen(play(log, stage(VISIT))) == {
        (1, "start:v-1"): ("succeeded", "live"),
        (1, f"start:v{3 * HOUR}"): ("open", "live"),
    }


def test_a_switch_that_reaches_back_folds_what_started_since_again() -> None:
    log = Log()
    log.attach(placed(NOON, order="7", tid="a"), scope="order_id:7")
    log.attach(placed(LATER, order="8", tid="b"), scope="order_id:8")
    log.tick(LATER + 11 * MINUTE)
    log.switch(1, "off", LATER)
    log.switch(1, "live", LATER)
    log.switch(1, "shadow", LATER)
    outcome = play(log, stage())
    assert seen(outcome) == {(1, "order_id:7"): ("open", "live"), (1, "order_id:8"): ("open", "shadow")}
    told = [(a["anchor"][-1], a["state"], a["mode"], a["notify"]) for a in outcome.alerts]
    assert told == [
        ("7", "firing", "live", True),
        ("8", "firing", "live", True),
        ("8", "withdrawn", "live", True),  # who was told that it fired is told that it never was
        ("8", "firing", "live", True),
    ]


def test_an_earlier_start_that_arrives_late_changes_the_mode_with_the_start() -> None:
    log = Log()
    log.switch(1, "live", LATER)
    log.attach(placed(LATER + 1, tid="b", log=LATER + 1))
    log.tick(LATER + 2)
    log.attach(placed(LATER - 1, tid="a", log=LATER + 3))
    log.tick(LATER + HOUR)
    outcome = play(log, stage({"mode": "shadow"}))
    assert seen(outcome) == {(1, "order_id:7"): ("open", "shadow")}
    assert [alert["notify"] for alert in outcome.alerts] == [False]


def test_switches_of_what_does_not_lie_here_are_kept_for_when_it_does() -> None:
    log = Log()
    log.switch(2, "live", NOON)
    log.switch(1, "live", NOON, "another")
    log.attach(placed(NOON, tid="a"))
    one, state = stage(), dict[bytes, bytes]()
    assert seen(play(log, one)) == {(1, "order_id:7"): ("open", "live")}
    state.update((key, value) for key, value in one.changes() if value is not None)
    both, out = stage({}, {"version": 2, "mode": "shadow"}), Outcome()
    both.restore(state.items())
    new = len(log.records)
    log.switch(1, "shadow", NOON + HOUR)
    log.attach(placed(NOON + 1, order="8", tid="b"), scope="order_id:8")
    for record in log.records[new:]:
        both.apply(record, out.effects)
    both.flush(out.effects)
    assert seen(out) == {(2, "order_id:8"): ("open", "live")}
