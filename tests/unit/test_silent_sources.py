"""What waits for a source that may be silent: the sequences that could break it (docs/sources.md), one by one, through
a real keep_time and a real track.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from streams.journey.holds import Place
from tests.silence_case import PICKUP, SOURCES, World, at

WAITS_FOR_BOTH = PICKUP | {"steps": {"collected": {"touchpoint": "ready", "within": "20s"}}}


def test_a_source_that_speaks_delays_nothing() -> None:
    world = World()
    world.comes("ordered", 0, store="1")
    world.beats(20, heard=["till-1"])
    assert world.told == []
    world.beats(25, 20, 1, heard=["till-1"])
    assert world.told == [("7", "firing", True)]
    assert world.out.alerts[0]["fired_at"] == at(22), "heard at 21, which the report of 22 says"


def test_a_deadline_between_the_last_word_and_the_silence_is_explained_by_it() -> None:
    world = World()
    world.beats(10, heard=["till-1"])
    world.comes("ordered", 1, store="1")
    world.beats(300, 10)
    assert world.told == []
    assert world.sources == [("till-1", "firing", 50)]
    (alert,) = world.own.alerts
    assert (alert["kind"], alert["incident"], alert["anchor"]) == (
        "silent_source",
        "sources/till-{store}",
        "source:till-1",
    )
    assert (alert["cause_at"], alert["due_at"], alert["scope"]) == (at(49), at(49), "source")
    assert (alert["customer_id"], alert["journey_id"], alert["owner"]) == (None, None, "stores")
    assert (alert["severity"], alert["notify"], alert["occurrence"]) == ("critical", True, 1)


def test_a_quiet_source_that_speaks_again_lets_pass_what_waited_for_it() -> None:
    """It was quiet for 35 s, which is no silence."""
    world = World()
    world.beats(10, heard=["till-1"])
    world.comes("ordered", 1, store="1")
    world.beats(40, 10)
    assert world.told == []
    world.report(45, till_1=(44, 44))
    assert world.told == [("7", "firing", True)]
    assert world.sources == []


def test_after_a_silence_only_those_who_did_not_come_are_told() -> None:
    world = World()
    world.beats(10, heard=["till-1", "till-2"])
    for order in ("came", "late", "never"):
        world.comes("ordered", 1, order, store="1")
    world.comes("ordered", 1, "elsewhere", store="2")
    world.beats(100, 10, heard=["till-2"])
    assert world.told == [("elsewhere", "firing", True)]
    world.report(105, till_1=(101, 104), till_2=(104, 104))
    world.comes("picked_up", 15, "came", log=102)
    world.comes("picked_up", 60, "late", log=103)
    world.beats(110, 105, heard=["till-1", "till-2"])
    assert world.told[1:] == []
    world.beats(125, 110, heard=["till-1", "till-2"])
    assert sorted(world.told[1:]) == [("late", "resolved", False), ("never", "firing", True)]
    assert {alert["fired_at"] for alert in world.out.alerts[1:]} == {at(115)}, "heard at 114; it had until 111"
    assert world.sources == [("till-1", "firing", 50), ("till-1", "resolved", 105)]
    assert world.own.alerts[1]["cleared_at"] == at(101)


def test_a_step_waits_for_both_of_its_sources() -> None:
    world = World(definition=WAITS_FOR_BOTH)
    world.comes("ordered", 1, store="1")
    world.beats(20, heard=["till-1", "depot"])
    world.beats(200, 20, heard=["till-1"])
    assert world.told == []
    assert world.sources == [("depot", "firing", 80)]
    world.beats(290, 200, heard=["depot"])
    assert world.sources[1:] == [("depot", "resolved", 205), ("till-1", "firing", 240)]
    assert world.told == [("7", "firing", True)], "each lets pass by itself: the till was heard long after the deadline"


def test_a_journey_that_names_no_store_waits_for_no_till() -> None:
    no_text: tuple[dict[str, Any], ...] = ({}, {"store": 1})
    for facts in no_text:
        world = World()
        world.beats(10, heard=["till-1"])
        world.comes("ordered", 1, **facts)
        world.beats(30, 10)
        assert world.told == [("7", "firing", True)]


def test_a_source_that_was_never_heard_is_not_waited_for() -> None:
    world = World()
    world.comes("ordered", 1, store="1")
    world.beats(30)
    assert world.told == [("7", "firing", True)]
    assert world.sources == []


def test_the_first_store_in_the_order_counts() -> None:
    world = World()
    world.beats(10, heard=["till-1", "till-2"])
    world.comes("ordered", 1, store="1")
    world.comes("failed", 5, store="2")
    world.beats(40, 10, heard=["till-2"])
    assert world.told == []


def test_a_partition_far_behind_holds_the_judgement_back() -> None:
    """What it has not read yet may be the source's word."""
    world = World(partitions=2)
    world.report(10, 0, till_1=(5, 5))
    world.report(10, 1)
    world.comes("ordered", 1, store="1")
    for seconds in range(20, 500, 20):
        world.report(seconds, 0)
    assert world.sources == []
    world.report(100, 1, till_1=(11, 95))
    world.report(300, 1, till_1=(110, 280))
    assert world.told == [("7", "firing", True)]
    assert world.sources == []
    world.report(340, 1)
    assert world.sources == [("till-1", "firing", 340)]


def test_a_second_silence_while_it_catches_up_is_one_hold_with_the_first() -> None:
    world = World(sources={"till-{store}": SOURCES["till-{store}"] | {"catches_up": "60s"}})
    world.beats(10, heard=["till-1"])
    world.comes("ordered", 1, store="1")
    world.beats(60, 10)
    world.report(65, till_1=(64, 64))
    world.beats(120, 65)
    assert world.ticks[-1]["sources"] == []
    assert world.sources[-1] == ("till-1", "firing", 105)
    world.report(125, till_1=(123, 123))
    world.beats(180, 125, heard=["till-1"])
    assert world.told == [], "the second hold ends at 183"
    world.beats(190, 180, heard=["till-1"])
    assert world.told == [("7", "firing", True)]
    assert [alert["occurrence"] for alert in world.own.alerts] == [1, 1, 2, 2]


def test_a_deadline_within_the_time_to_catch_up_waits_for_its_end() -> None:
    world = World()
    world.beats(10, heard=["till-1"])
    world.beats(60, 10)
    world.comes("ordered", 45, store="1")
    world.report(62, till_1=(61, 61))
    world.beats(70, 62, 1, heard=["till-1"])
    assert world.told == [], "due 65, grace 66; it catches up until 71"
    world.beats(73, 70, 1, heard=["till-1"])
    assert world.told == [("7", "firing", True)]


def test_what_is_told_may_be_withdrawn_by_what_was_in_time_still() -> None:
    world = World()
    world.comes("ordered", 0, store="1")
    world.beats(25, 0, 1, heard=["till-1"])
    world.comes("picked_up", 10, log=30)
    assert world.told == [("7", "firing", True), ("7", "withdrawn", True)]


def test_a_suspicion_waits_for_the_source_that_clears_it_and_an_abandonment_for_all() -> None:
    steps = {"collected": {"touchpoint": "picked_up"}, "mended": {"touchpoint": "ready"}}
    breaks = {
        "broken": {"touchpoint": "failed", "cleared_by": "mended", "tolerate": "5s"},
        "given_up": {"idle": "10s"},
    }
    world = World(definition=PICKUP | {"steps": steps, "breaks": breaks})
    world.beats(10, heard=["till-1", "depot"])
    world.comes("ordered", 8, store="1")
    world.comes("failed", 9)
    world.beats(40, 10, heard=["depot"])
    assert world.told == []
    world.beats(200, 40, heard=["till-1", "depot"])
    assert [(alert["break_name"], alert["state"]) for alert in world.out.alerts] == [
        ("broken", "firing"),
        ("given_up", "firing"),
    ]


def test_what_waits_for_a_silent_source_costs_a_tick_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is looked at once when its deadline comes, and once when the source is back."""
    world = World()
    world.beats(10, heard=["till-1"])
    for order in range(300):
        world.comes("ordered", 1, str(order), store="1")
    world.beats(30, 10)
    judged, settle = [0], world.track._settle

    def counted(*args: Any) -> None:
        judged[0] += 1
        settle(*args)

    monkeypatch.setattr(world.track, "_settle", counted)
    world.beats(90, 30)
    assert judged[0] == 0
    world.beats(120, 90, heard=["till-1"])
    assert judged[0] == 300
    assert world.track.numbers()["held"] == 0
    assert len(world.told) == 300


def test_entries_that_no_longer_count_do_not_pile_up() -> None:
    world = World()
    world.beats(10, heard=["till-1"])
    world.beats(60, 10)
    for number in range(3_000):
        order = str(number)
        world.comes("ordered", 5, order, store="1")
        world.comes("picked_up", 6, order, log=61)
    assert world.track.numbers()["held"] <= 1_024


def test_the_word_of_a_source_is_stored_with_the_position() -> None:
    world = World()
    world.beats(10, heard=["till-1"])
    world.beats(60, 10)
    world.restart_track()
    place = Place("till-1", at(9), at(9), None)
    stored = [value for key, value in world.track_state.items() if msgspec.msgpack.decode(key)[0] == "o"]
    assert [msgspec.msgpack.decode(value, type=Place) for value in stored] == [place]
    assert world.track._holds.places == {"till-1": place}
