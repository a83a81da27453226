"""What a person says about an alert: it outlives re-folds, restarts and moves, and what is closed stays closed."""

from __future__ import annotations

from typing import Any

from schemas.identifiers import dedup_key_of
from streams.journey.track import Track
from tests.journey_case import (
    DAY,
    HOUR,
    MINUTE,
    NOON,
    Log,
    assert_restart_changes_nothing,
    compiled,
    placed,
    play,
    run,
    touch,
)

FIRE = NOON + 11 * MINUTE
IN_TIME, LATE = NOON + MINUTE, FIRE + MINUTE
BY = "team-night"


def firing() -> Log:
    log = Log()
    log.attach(placed(tid="a"))
    log.tick(FIRE)
    return log


def paid(at: int, log: int = FIRE + HOUR) -> Any:
    return touch("payment_captured", at, tid="p", log=log)


def states(log: Log, *changes: dict[str, Any]) -> list[tuple[str, bool, str, str | None]]:
    return [(a["state"], a["notify"], a["reason"], a["acknowledged_by"]) for a in run(log, *changes).alerts]


def test_what_is_acknowledged_says_who_looks_after_it() -> None:
    log = firing()
    log.acknowledge("paid", by=BY)
    fired, acknowledged = run(log).alerts
    assert (fired["state"], fired["acknowledged_by"]) == ("firing", None)
    assert (acknowledged["state"], acknowledged["acknowledged_by"], acknowledged["notify"]) == (
        "acknowledged",
        BY,
        True,
    )
    assert acknowledged["fired_at"] == fired["fired_at"]
    assert "step paid is 1 min late" in acknowledged["first_line"]
    assert f"{BY} looks after it" in acknowledged["first_line"]


def test_a_late_touchpoint_withdraws_what_was_acknowledged() -> None:
    log = firing()
    log.acknowledge("paid")
    log.attach(paid(IN_TIME))
    assert states(log)[1:] == [("acknowledged", True, "acknowledged", BY), ("withdrawn", True, "withdrawn", BY)]


def test_what_fires_again_waits_for_somebody_again() -> None:
    log = firing()
    log.acknowledge("paid")
    log.attach(paid(LATE))
    log.detach("p")
    assert states(log)[2:] == [("resolved", True, "cleared", BY), ("firing", True, "fired_again", None)]


def test_what_is_closed_stays_closed_whatever_the_fold_says() -> None:
    log = firing()
    log.acknowledge("paid", closes=True)
    closed = ("resolved", True, "closed", BY)
    log.attach(paid(LATE))  # cleared
    log.detach("p")  # active again, by a re-fold
    assert states(log)[1:] == [closed]
    log.attach(paid(IN_TIME))  # there never was one
    assert states(log)[1:] == [closed, ("withdrawn", False, "withdrawn", BY)]
    log.detach("p")  # active once more
    log.acknowledge("paid")
    log.acknowledge("paid", closes=True)
    log.tick(NOON + 20 * DAY)
    assert [one for one in run(log).alerts if one["break_name"] == "paid"][3:] == []
    assert run(firing()).journey()["breaks"] != []


def test_closed_is_not_moved_and_comes_not_back() -> None:
    log = firing()
    log.acknowledge("paid", closes=True)
    log.detach("a", moved_to="c2")
    log.tick(NOON + DAY)
    log.attach(placed(tid="a"), moved_from="c2")
    assert [state for state, *_ in states(log)] == ["firing", "resolved"]


def test_the_successor_of_an_acknowledged_alert_is_known_by_its_key() -> None:
    """It fires, for it cannot know; who has told of the key tells nobody twice."""
    log = firing()
    log.acknowledge("paid")
    log.detach("a", moved_to="c2")
    log.attach(placed(tid="a"), customer="c2", moved_from="c1")
    first, acknowledged, moved, successor = run(log).alerts
    assert (moved["state"], moved["notify"], moved["acknowledged_by"]) == ("moved", False, BY)
    assert (successor["state"], successor["customer_id"]) == ("firing", "c2")
    assert successor["continues"] == first["alert_id"]
    key = dedup_key_of("click_and_collect", 1, "order_id:7", "paid", 1)
    assert {one["dedup_key"] for one in (first, acknowledged, moved, successor)} == {key}


def test_words_about_what_is_not_there_change_nothing_and_are_counted() -> None:
    log = firing()
    log.acknowledge("ready")
    log.acknowledge("paid", occurrence=2)
    log.acknowledge("paid", customer="c2")
    log.acknowledge("paid", version=2)
    log.acknowledge("paid", definition="checkout")
    log.acknowledge("paid", anchor="order_id:8")
    log.acknowledge("paid", anchor="start:a")
    log.acknowledge("paid", alert_id="6c1b7d3f-0000-5000-8000-000000000000")
    unheeded = len(log.records) - 2
    log.acknowledge("paid")
    log.acknowledge("paid", by="somebody else")
    stage = Track(0, compiled(), "live")
    assert [alert["state"] for alert in play(log, stage).alerts] == ["firing", "acknowledged"]
    assert stage.numbers()["unheeded"] == unheeded + 1


def test_an_instance_is_kept_while_somebody_looks_after_it() -> None:
    """The journey is over, its ban is not."""
    ban = {"breaks": {"refunded": {"touchpoint": "invoice_accepted", "at_most": 0}}}
    log = Log()
    log.attach(placed(tid="a"), touch("invoice_accepted", NOON + 1, tid="i"), touch("order_cancelled", NOON + 2))
    log.acknowledge("refunded")
    for day in range(9):
        log.tick(NOON + day * DAY)
    log.acknowledge("refunded", closes=True)
    assert [state for state, *_ in states(log, ban)] == ["firing", "acknowledged", "resolved"]
    log.tick(NOON + 11 * DAY)
    assert [state for state, *_ in states(log, ban)] == ["firing", "acknowledged", "resolved"]


def test_nobody_is_told_of_an_acknowledged_shadow() -> None:
    log = firing()
    log.acknowledge("paid")
    assert states(log, {"mode": "shadow"})[1:] == [("acknowledged", False, "shadow", BY)]


def test_a_restart_anywhere_goes_on_byte_for_byte() -> None:
    log = firing()
    log.acknowledge("paid")
    log.attach(paid(IN_TIME))
    log.detach("p")
    log.acknowledge("paid", closes=True)
    log.detach("a", moved_to="c2")
    log.attach(placed(tid="a"), moved_from="c2")
    log.attach(paid(LATE))
    log.tick(NOON + 9 * HOUR)
    log.acknowledge("ready")
    log.tick(NOON + 12 * DAY)
    for cut in range(len(log.records)):
        assert_restart_changes_nothing(log, cut, lambda: Track(0, compiled(), "live"))
