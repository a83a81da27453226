"""The silence itself, through a real keep_time: its alert and what people say of it, what ticks say, when a source is
forgotten.
"""

from __future__ import annotations

from streams.pace.silence import FORGOTTEN_MS
from streams.pace.sources import Silences
from streams.product import watches_of
from streams.stage import Effect
from tests.silence_case import SECOND, World, at


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
