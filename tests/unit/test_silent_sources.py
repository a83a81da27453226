"""The sequences that could break it (docs/sources.md), one by one, through a real keep_time and a real track."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from streams.journey.holds import Place
from streams.pace.silence import FORGOTTEN_MS
from streams.pace.sources import Silences
from streams.product import watches_of
from streams.stage import Effect
from tests.silence_case import PICKUP, SECOND, SOURCES, World, at

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


def test_reports_that_run_ahead_are_heard_when_time_comes_there() -> None:
    world = World(partitions=2)
    world.report(10, 0, till_1=(5, 5))
    world.report(200, 0, till_1=(120, 130))
    world.report(10, 1)
    world.report(60, 1)
    assert world.sources == [("till-1", "firing", 60)]
    world.report(119, 1)
    assert len(world.sources) == 1
    world.report(121, 1)
    assert world.sources[1:] == [("till-1", "resolved", 121)]


def test_a_restart_of_keep_time_between_alert_and_tick_gives_the_same_again() -> None:
    """Both are effects of one record, redone as a whole; a receiver drops by position what it has seen. So a difference
    is told once, whatever was sent before the crash: none is lost, because what was said is stored with the position.
    """
    world = World()
    world.beats(10, heard=["till-1"])
    world.comes("ordered", 1, store="1")
    for seconds in range(15, 120, 5):
        world.restart_clock()
        before = len(world.reports)
        heard = (seconds - 1, seconds - 1)
        if seconds > 80:
            world.report(seconds, till_1=heard)
        else:
            world.report(seconds)
        first, second = redone(world, before), redone(world, before)
        assert [effect.value for effect in first] == [effect.value for effect in second]
        assert world.log.records[-1].value == second[-1].value
        world.restart_track()
    assert world.sources == [("till-1", "firing", 50), ("till-1", "resolved", 85)]
    assert world.told == [("7", "firing", True)]


def redone(world: World, report: int) -> list[Effect]:
    """What a keep_time that was restored from the last checkpoint makes of this report."""
    again, out = world.new_clock(), list[Effect]()
    again.restore(world.clock_state.items())
    again.apply(world.reports[report], out)
    return out


def test_a_tick_says_only_what_changed() -> None:
    world = World()
    world.beats(10, heard=["till-1"])
    world.beats(100, 10)
    said = [tick["sources"] for tick in world.ticks]
    quiet = {"source": "till-1", "held_from": None, "held_until": None}
    assert said[:2] == [[quiet | {"heard_at": at(4)}], [quiet | {"heard_at": at(9)}]]
    assert [each for each in said[2:] if each] == [[quiet | {"heard_at": at(9), "held_from": at(9)}]]


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


def test_on_call_acknowledges_and_closes() -> None:
    world = World()
    world.beats(10, heard=["till-1"])
    world.beats(50, 10)
    world.word(world.own.alerts[0])
    world.word(world.own.alerts[0])
    assert [(alert["state"], alert["reason"], alert["acknowledged_by"]) for alert in world.own.alerts] == [
        ("firing", "fired", None),
        ("acknowledged", "acknowledged", "on-call"),
    ]
    world.restart_clock()
    world.word(world.own.alerts[0], closes=True)
    assert [(alert["state"], alert["reason"]) for alert in world.own.alerts[2:]] == [("resolved", "closed")]
    world.beats(80, 50, heard=["till-1"])
    world.beats(140, 80)
    assert [(alert["state"], alert["occurrence"]) for alert in world.own.alerts[3:]] == [("firing", 2)]


def test_an_acknowledged_alert_is_resolved_like_another() -> None:
    world = World()
    world.beats(10, heard=["till-1"])
    world.beats(50, 10)
    world.word(world.own.alerts[0])
    world.report(60, till_1=(58, 58))
    assert [alert["state"] for alert in world.own.alerts] == ["firing", "acknowledged", "resolved"]
    assert world.own.alerts[2]["cleared_at"] == at(58)


def test_a_source_is_forgotten_after_thirty_days() -> None:
    world = World()
    world.beats(10, heard=["till-1"])
    world.beats(60, 10)
    world.reported(at(9) + FORGOTTEN_MS - 1, 0, {})
    assert len(world.own.alerts) == 1
    world.restart_clock()
    world.reported(at(9) + FORGOTTEN_MS, 0, {})
    assert [(alert["state"], alert["reason"]) for alert in world.own.alerts[1:]] == [("resolved", "expired")]
    assert world.ticks[-1]["sources"] == [{"source": "till-1", "heard_at": None, "held_from": None, "held_until": None}]
    assert world.clock.numbers()["sources"] == 0
    world.restart_clock()
    assert not any(key.startswith(b"h|") for key in world.clock_state)


def test_an_entry_that_is_gone_sets_free_what_it_held() -> None:
    world = World()
    world.beats(10, heard=["till-1"])
    world.comes("ordered", 1, store="1")
    world.beats(60, 10)
    world.rules = world.rules.model_copy(update={"sources": {"depot": world.rules.sources["depot"]}})
    world.restart_clock()
    world.report(65)
    assert [(alert["state"], alert["incident"]) for alert in world.own.alerts] == [
        ("firing", "sources/till-{store}"),
        ("resolved", "sources/till-{store}"),
    ]
    assert world.told == [("7", "firing", True)]


def test_a_longer_patience_ends_a_silence_that_is_none_any_more() -> None:
    world = World()
    world.beats(10, heard=["till-1"])
    world.beats(60, 10)
    longer = world.rules.sources["till-{store}"].model_copy(update={"silent_after": "10m"})
    world.rules = world.rules.model_copy(update={"sources": {"till-{store}": longer}})
    world.restart_clock()
    world.report(65)
    assert world.ticks[-1]["sources"] == [
        {"source": "till-1", "heard_at": at(9), "held_from": None, "held_until": None}
    ]
    world.report(70, till_1=(69, 69))
    assert [alert["state"] for alert in world.own.alerts] == ["firing", "resolved"]


def test_more_sources_than_there_is_room_for_are_counted_and_not_watched() -> None:
    silences = Silences(watches_of(World().rules), sources_max=2)
    silences.hear({f"till-{number}": (0, 0) for number in range(4)})
    assert silences.numbers() == {"sources": 2, "silent": 0, "unwatched": 2}
    assert len(silences.judge(SECOND * 50).alerts) == 2


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
