"""What a backtest counts, what it compares, and what it shows."""

from __future__ import annotations

import pytest
from rich.console import Console

from deploy.backtest.asked import is_file, read_duration, read_moment, read_name
from deploy.backtest.course import AlertChange, JourneySeen
from deploy.backtest.figures import ALERTS_MAX, DIFFERENT_MAX, Comparison, Difference, Raised, Tally, end_of, total
from deploy.backtest.run import Report
from deploy.backtest.screen import screen
from deploy.identity.asked import Unclear
from schemas.records import AlertState
from schemas.times import to_ms

DAY = 86_400_000
SINCE = to_ms("2026-03-02T00:00:00.000Z")
UNTIL = SINCE + 5 * DAY


def change(number: int, state: AlertState, at: int, reason: str = "fired", notify: bool = True) -> AlertChange:
    return AlertChange(
        alert_id=f"a{number}",
        state=state,
        notify=notify,
        reason=reason,
        severity="error",
        kind="missing_step",
        break_name="paid",
        occurrence=1,
        customer_id=f"c{number}",
        anchor=f"order_id:{number}",
        cause_at=at,
        due_at=at,
        cleared_at=None,
        fired_at=at,
        changed_at=at,
        first_line=f"order {number} is late",
    )


def tally(*changes: AlertChange) -> Tally:
    found = Tally(SINCE, UNTIL)
    for one in changes:
        found.alert(one)
    return found


def test_an_alert_counts_where_it_fired_first_and_as_what_it_became() -> None:
    found = tally(
        change(1, "firing", SINCE - 1),
        change(2, "firing", SINCE),
        change(2, "withdrawn", SINCE + 1, "withdrawn"),
        change(3, "resolved", SINCE + DAY, "cleared_at_once", notify=False),
        change(4, "firing", UNTIL),
        change(5, "firing", SINCE + DAY),
        change(5, "resolved", SINCE + 2 * DAY, "expired"),
        change(1, "resolved", SINCE + 5, "cleared"),
    )
    raised = found.close_slice()
    paid = found.breaks["paid"]
    assert sorted(anchor for anchor, _, _ in raised) == ["order_id:2", "order_id:3", "order_id:4", "order_id:5"]
    assert (paid.alerts, paid.told) == (4, 3)
    assert (paid.open, paid.withdrawn, paid.cleared_at_once, paid.expired, paid.cleared) == (1, 1, 1, 1, 0)
    assert total([paid], "alerts") == 4
    assert found.close_slice() == {}, "a slice is forgotten when it is counted"


def test_every_alert_is_listed_as_far_as_there_is_room() -> None:
    found = tally(
        change(1, "firing", SINCE - 1),
        change(2, "firing", SINCE),
        change(2, "withdrawn", SINCE + 1, "withdrawn"),
        change(3, "resolved", SINCE + DAY, "cleared_at_once", notify=False),
    )
    found.close_slice()
    assert [(one.customer_id, one.ended, one.told) for one in found.alerts] == [
        ("c2", "withdrawn", True),
        ("c3", "cleared_at_once", False),
    ]
    for number in range(4, ALERTS_MAX + 10):
        found.alert(change(number, "firing", SINCE))
        if number % 4_000 == 0:
            found.close_slice()
    found.close_slice()
    assert (len(found.alerts), found.left_out) == (ALERTS_MAX, 8)
    assert found.breaks["paid"].alerts == ALERTS_MAX + 8


def test_who_would_have_been_told_on_which_day() -> None:
    found = tally(*[change(number, "firing", SINCE + number % 3 * DAY // 2) for number in range(9)])
    days = found.days()
    assert (days.days, days.told, days.most, days.median) == (6, 9, 6, 0)
    assert days.busiest == [("2026-03-02", 6), ("2026-03-03", 3)]


def test_only_journeys_that_began_in_the_time_count() -> None:
    found = Tally(SINCE, UNTIL)
    found.journey(JourneySeen("j1", "open", SINCE))
    found.journey(JourneySeen("j1", "succeeded", SINCE))
    found.journey(JourneySeen("j2", "open", SINCE - 1))
    found.close_slice()
    assert found.journeys == {"succeeded": 1}


@pytest.mark.parametrize(
    ("state", "reason", "end"),
    [("firing", "fired", "open"), ("acknowledged", "acknowledged", "open"), ("resolved", "closed", "cleared")],
)
def test_what_becomes_of_an_alert(state: AlertState, reason: str, end: str) -> None:
    assert end_of(state, reason) == end


def raised(*numbers: int) -> dict[tuple[str, str, int], Raised]:
    found = [Raised(change(number, "firing", SINCE), "withdrawn", "withdrawn", True) for number in numbers]
    return {one.subject: one for one in found}


def test_a_counterpart_may_lie_in_another_slice() -> None:
    comparison = Comparison("the stored alerts")
    comparison.add(raised(1, 2, 3), raised(1))
    comparison.add({}, raised(2, 4))
    found = comparison.end()
    assert (found.both, found.only_here, found.only_there) == (2, 1, 1)
    assert (found.false_here, found.false_there) == (1, 1)
    assert found.by_break == {"paid": (2, 1, 1)}
    assert [sample.anchor for sample in found.samples_here] == ["order_id:3"]
    assert [sample.anchor for sample in found.samples_there] == ["order_id:4"]


def ended(number: int, state: AlertState, reason: str) -> Raised:
    return Raised(change(number, "firing", SINCE), state, reason, True)


def compared(here: Raised, there: Raised) -> Difference:
    comparison = Comparison("the stored alerts")
    comparison.add({here.subject: here}, {})
    comparison.add({}, {there.subject: there})
    return comparison.end()


def test_what_both_raised_may_end_otherwise() -> None:
    found = compared(ended(1, "resolved", "expired"), ended(1, "firing", "fired"))
    assert (found.both, found.ended_otherwise, found.at_once_otherwise) == (1, 1, 0)
    (one,) = found.samples_otherwise
    assert (one.here.anchor, one.here.ended, one.ended_there) == ("order_id:1", "expired", "open")
    alike = compared(ended(1, "resolved", "cleared"), ended(1, "resolved", "closed"))
    assert (alike.ended_otherwise, alike.at_once_otherwise) == (0, 0)


def test_cleared_in_the_same_breath_is_another_time_of_the_same_end() -> None:
    for here, there in (("cleared", "cleared_at_once"), ("cleared_at_once", "cleared")):
        found = compared(ended(1, "resolved", here), ended(1, "resolved", there))
        assert (found.ended_otherwise, found.at_once_otherwise) == (0, 1)
    at_once = compared(ended(1, "resolved", "cleared_at_once"), ended(1, "firing", "fired"))
    assert (at_once.ended_otherwise, at_once.at_once_otherwise) == (1, 0)


def test_samples_show_first_what_stands() -> None:
    comparison = Comparison("the stored alerts")
    withdrawn = [ended(number, "withdrawn", "withdrawn") for number in range(1, DIFFERENT_MAX + 1)]
    comparison.add({one.subject: one for one in (*withdrawn, ended(99, "firing", "fired"))}, {})
    found = comparison.end()
    assert (found.only_here, found.false_here) == (DIFFERENT_MAX + 1, DIFFERENT_MAX)
    assert found.samples_here[0].anchor == "order_id:99"
    assert len(found.samples_here) == DIFFERENT_MAX


def text_of(report: Report) -> str:
    console = Console(width=100, highlight=False, force_terminal=False)
    with console.capture() as captured:
        console.print(screen(report))
    return captured.get()


def report(found: Tally, moved: int = 0) -> Report:
    comparison = Comparison("the stored alerts")
    comparison.add(found.close_slice(), raised(2, 9))
    return Report(
        definition="pickup",
        version=2,
        since="2026-03-02T00:00:00.000Z",
        until="2026-03-07T00:00:00.000Z",
        run_up_from="2026-02-20T00:00:00.000Z",
        touchpoints=1_234,
        moved=moved,
        journeys=dict(found.journeys),
        broken=found.broken,
        breaks=found.breaks,
        told_per_day=found.days(),
        difference=comparison.end(),
        alerts=found.alerts,
        alerts_left_out=found.left_out,
    )


def test_the_screen_answers_the_questions() -> None:
    shown = text_of(report(tally(change(1, "firing", SINCE), change(2, "firing", SINCE + 1)), moved=3))
    assert "pickup version 2" in shown
    assert "told 2 times" in shown
    assert "most 2 (2026-03-02: 2)" in shown
    assert "order 1 is late" in shown
    assert "raised by both 1; only here 1;" in shown
    assert "only there 1 (1 of them withdrawn later)" in shown
    assert "3 of these touchpoints belonged to somebody else" in shown


def test_the_screen_says_what_ended_otherwise() -> None:
    shown = text_of(report(tally(change(2, "firing", SINCE))))
    assert "raised by both, but ended otherwise: 1" in shown
    assert "paid: open here, withdrawn there" in shown


def test_the_screen_says_that_there_is_nothing() -> None:
    shown = text_of(report(tally()))
    assert "It would have raised no alert." in shown


def test_times_and_names_as_they_are_typed() -> None:
    assert read_moment("2026-03-02") == SINCE
    assert read_moment("2026-03-02T01:00:00+01:00") == SINCE
    assert (read_duration("10s"), read_duration("5m")) == (10_000, 300_000)
    for wrong in ("5", "0s", "250ms"):
        with pytest.raises(Unclear, match="is no duration"):
            read_duration(wrong)
    assert is_file("journeys/pickup.yaml")
    assert not is_file("pickup")
    for wrong in ("yesterday", "2026-02-30", "2026-03-02T08:00"):
        with pytest.raises(Unclear, match="is no time"):
            read_moment(wrong)
    assert read_name("pickup@3") == ("pickup", 3)
    assert read_name("pickup") == ("pickup", None)
    for wrong in ("Pickup", "pickup@", "pickup@0", "pickup@x"):
        with pytest.raises(Unclear, match="names no definition"):
            read_name(wrong)
