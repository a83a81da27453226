"""Whose clock a touchpoint was timed by, and that nothing occurs after it arrived (docs/identity.md)."""

from __future__ import annotations

import pytest

from streams.identity.limits import DAY_MS, HOUR_MS, MINUTE_MS
from tests.simulated.log import Headers
from tests.unit.identity_bench import START, Bench, page

YEAR_9996 = 253_270_000_000_000


def told(bench: Bench, occurred_at: int, log_time: int, headers: Headers = (), **identifiers: str) -> int:
    """The corrected occurred_at of a touchpoint."""
    occurred: int = bench.body(bench.touchpoint(page(occurred_at, **identifiers), log_time, headers)[0])["occurred_at"]
    return occurred


def sent(sent_at: int, received_at: int) -> Headers:
    return (("sent_at", b"%d" % sent_at), ("received_at", b"%d" % received_at))


@pytest.mark.parametrize("headers", [(), sent(0, START)[1:], sent(START, 0)[:1]])
def test_what_does_not_say_both_times_keeps_its_own(headers: Headers) -> None:
    """A browser three hours slow that knows an order must not make the till's touchpoints too late or early."""
    bench = Bench()
    slow = START - 3 * HOUR_MS
    assert told(bench, slow, START, sent(slow, START), order_id="7") == START
    assert told(bench, START + 1, START + 1, headers, order_id="7") == START + 1
    assert told(bench, slow + 2, START + 2, sent(slow + 2, START + 2), order_id="7") == START + 2, "its offset stays"


def test_a_login_backend_is_not_moved_by_the_clock_of_the_device() -> None:
    bench = Bench()
    slow = START - 70 * HOUR_MS
    assert told(bench, slow, START, sent(slow, START), anonymous_id="a") == START
    assert told(bench, START + 1, START + 1, anonymous_id="a", user_id="u") == START + 1


@pytest.mark.parametrize(
    ("ahead_ms", "expected"),
    [(MINUTE_MS, MINUTE_MS), (HOUR_MS, HOUR_MS), (HOUR_MS + 1, 0), (DAY_MS, 0), (YEAR_9996 - START, 0)],
)
def test_nothing_occurs_long_after_it_arrived(ahead_ms: int, expected: int) -> None:
    bench = Bench()
    assert told(bench, START + ahead_ms, START, anonymous_id="a") == START + expected


def test_what_counts_is_the_corrected_time() -> None:
    bench = Bench()
    fast = START + DAY_MS
    assert told(bench, fast - 5, START, sent(fast, START), anonymous_id="a") == START - 5
    assert told(bench, START, START, sent(START - DAY_MS, START), anonymous_id="a") == START, "a day ahead, corrected"


def test_what_says_it_occurs_in_the_year_9996_is_forgotten_like_everything() -> None:
    bench = Bench()
    far = page(YEAR_9996, anonymous_id="a", user_id="u", email="ann@shop.example", order_id="7")
    for effect in bench.touchpoint(far, START):
        if effect.topic == "touchpoints.raw":
            bench.touchpoint(effect.value, START, effect.headers)
    assert bench.stage.numbers()["graph_identifiers"] == 2
    for day in (15, 31, 402):
        bench.mark(START + day * DAY_MS)
    bench.store()
    assert list(bench.state) == [b"s"]


def test_a_day_in_the_future_hides_no_kiosk_day() -> None:
    bench = Bench()
    for day in range(6):
        told(bench, START + day * 400 * DAY_MS, START + day, anonymous_id="a", user_id=f"u{day}")
    assert bench.stage.numbers()["kiosk_days"] == 1
