"""The screen of the live demo: fits its terminal, says what it is given."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.demo.alert_book import AlertBook, Change
from deploy.demo.feed import Clock, incidents_of, merged, plans_of, renamed, touchpoints_of
from deploy.demo.live import Meter, make_folder
from deploy.demo.screen import (
    Addresses,
    Flow,
    View,
    behind_by_reader,
    clock,
    fitted,
    grouped,
    lines_of,
    plain_line,
    query_lines,
)
from sources.simulation.plan import HOUR, MINUTE, Plan
from sources.simulation.script import START, write_script

FIRST_LINE = "order_id:7 (customer 15b3924e): click_and_collect, step paid is 30 min late (due 12:17 UTC). Last: a."
CHANGE = Change(START, "firing", "click_and_collect/paid", FIRST_LINE)
ADDRESSES = Addresses(
    "/tmp/demo", "http://127.0.0.1:20001", "127.0.0.1:20002", "http://127.0.0.1:20003", "bi", "p" * 32, "touchline"
)
VIEW = View(
    seconds=61.5,
    log_time=START,
    pace=15,
    waiting=False,
    planted=("payment outage",),
    sent=Flow(12_345, 301.7),
    resolved=Flow(12_300, 299.6),
    stored=Flow(11_000, 250),
    open_journeys=812,
    journeys=2_000,
    refused=8,
    duplicates=12,
    dead_letters=33,
    too_late=2,
    suppressed=40,
    lag={"touchline touchpoints.raw": 5, "loader alerts": 3, "loader journeys": 4, "notifier alerts": 1},
    latency=(310, 900),
    open_alerts=[("click_and_collect/paid", 31), ("checkout/checkout_loop", 4), ("click_and_collect/ready", 2)],
    alert_states={"firing": 50, "resolved": 9, "withdrawn": 4},
    changes=[replace(CHANGE, log_time=START + number * MINUTE) for number in range(30)],
    trouble="",
    addresses=ADDRESSES,
)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (60, 20), (200, 60), (80, 10), (130, 40)])
def test_the_screen_fills_its_terminal_and_no_more(width: int, height: int) -> None:
    lines = lines_of(VIEW, width, height)
    assert len(lines) == height
    assert max(line.cell_len for line in lines) <= width


def test_a_narrow_terminal_shows_numbers_changes_and_a_whole_query() -> None:
    lines = [line.plain for line in lines_of(VIEW, 80, 24)]
    text = "\n".join(lines)
    for expected in (
        "302/s",
        "12 345",
        "812 open of 2 000",
        "p50 310 ms",
        "payment outage",
        "31 click_and_collect/paid",
    ):
        assert expected in text
    assert "08:29 firing    order_id:7: step paid is 30 min late (due 12:17 UTC). Last: a." in lines
    assert [line.rstrip() for line in lines[-3:]] == query_lines(ADDRESSES)


def test_the_latest_changes_are_kept_when_room_is_short() -> None:
    text = "\n".join(line.plain for line in lines_of(VIEW, 130, 40))
    assert "08:29" in text
    assert "08:00 firing" not in text


def test_before_the_first_alert_the_screen_says_so() -> None:
    text = "\n".join(line.plain for line in lines_of(replace(VIEW, changes=[], latency=None, open_alerts=[]), 80, 24))
    assert "no alert has changed yet" in text
    assert "no alert yet" in text


def test_trouble_and_waiting_are_shown() -> None:
    text = "\n".join(line.plain for line in lines_of(replace(VIEW, trouble="worker-1 had ended", waiting=True), 80, 24))
    assert "worker-1 had ended" in text
    assert "waits for the workers" in text


def test_a_log_gets_one_line() -> None:
    line = plain_line(VIEW)
    assert "\n" not in line
    for expected in ("1:01", "2026-03-02 08:00", "sent 12345 (302/s)", "50 firing", "behind 13", "p50 310 ms"):
        assert expected in line


def test_a_first_line_that_fits_is_left_alone() -> None:
    assert fitted(CHANGE, 200) == FIRST_LINE
    assert "customer" not in fitted(CHANGE, 95)


def test_lag_by_reader() -> None:
    assert behind_by_reader(VIEW.lag) == {"resolve": 5, "loader": 7, "notifier": 1}


def test_numbers_and_times() -> None:
    assert (grouped(1_234_567), clock(3_725)) == ("1 234 567", "62:05")


# -- alerts ------------------------------------------------------------------------------------------------------------


def alert(name: str, state: str, cause: int = 5) -> dict[str, object]:
    return {
        "alert_id": name,
        "state": state,
        "incident": "d/b",
        "first_line": "x",
        "changed_at": 1,
        "cause_log_time": cause,
    }


def test_the_book_counts_what_is_open_and_how_fast_it_came() -> None:
    book = AlertBook()
    for name, state in (("a", "firing"), ("b", "firing"), ("a", "resolved"), ("c", "moved"), ("a", "firing")):
        book.take(alert(name, state), 1_200, {5: 1_000}.get)
    assert book.open_by_incident() == [("d/b", 2)]
    assert book.seen == {"firing": 3, "resolved": 1, "moved": 1}
    assert book.latency() == (200, 200)
    assert [change.state for change in book.changes] == ["firing", "firing", "resolved", "moved", "firing"]


def test_an_unknown_cause_gives_no_latency() -> None:
    book = AlertBook()
    book.take(alert("a", "firing", cause=9), 1_200, {5: 1_000}.get)
    assert book.latency() is None


def test_the_folder_of_a_killed_demo_is_removed_by_the_next(tmp_path: Path) -> None:
    (tmp_path / "touchline-demo-other").mkdir()
    living = make_folder(tmp_path)
    killed = make_folder(tmp_path)
    (killed / "owner").write_text(f"{os.getpid()} 0")
    new = make_folder(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "touchline-demo-other", living, new])


def test_a_meter_gives_totals_and_rates() -> None:
    meter = Meter()
    assert meter.take(10.0, 100) == Flow(100, 0.0)
    assert meter.take(12.0, 300) == Flow(300, 100.0)


# -- the feed ----------------------------------------------------------------------------------------------------------


def test_people_orders_and_messages_of_two_scripts_never_meet() -> None:
    first, second = (plans_of(write_script(7 + number, 1_500, START + number * 24 * HOUR), number) for number in (0, 1))

    def values(plans: list[Plan], *, messages: bool) -> set[str]:
        if messages:
            return {plan.message_id for plan in plans}
        return {value for plan in plans for value in plan.identifiers.values()} - {"null"}

    for messages in (True, False):
        assert not values(first, messages=messages) & values(second, messages=messages)
    for plan in second:
        if "order_id" in plan.identifiers and "order_id" in plan.properties:
            assert plan.identifiers["order_id"] == plan.properties["order_id"]


def test_a_repeated_touchpoint_stays_a_repetition() -> None:
    plan = Plan("web", "page_viewed", 1, 2, {"anonymous_id": "null"}, "m1-1", repeats="m1-1")
    other = renamed(plan, 3)
    assert (other.message_id, other.repeats, other.identifiers) == ("m1-1-3", "m1-1-3", {"anonymous_id": "null"})


def test_the_feed_sends_in_order_of_arrival() -> None:
    plans = [Plan("web", "page_viewed", at, at, {}, f"m{at}") for at in (5, 1, 9, 3)]
    assert [plan.arrives_at for plan in merged(plans[:2], plans[2:])] == [1, 3, 5, 9]


def test_the_rate_follows_from_the_size_of_a_script() -> None:
    each = touchpoints_of(rate=300, pace=15)
    assert each * 7 / 8 / (24 * 60 / 15) == pytest.approx(300, rel=0.01)


def test_the_first_incident_comes_within_seconds_at_the_default_pace() -> None:
    first = min(incident.begins for incident in incidents_of(START))
    assert (first - START) / MINUTE / 15 < 30


def test_the_clock_tells_when_log_time_was_reached() -> None:
    clock_ = Clock()
    assert clock_.wall_of(1) is None
    for log_time, wall in ((100, 1_000), (200, 1_250), (300, 1_500)):
        clock_.reached(log_time, wall)
    assert [clock_.wall_of(at) for at in (99, 100, 150, 200, 300, 301)] == [None, 1_000, 1_250, 1_250, 1_500, None]
