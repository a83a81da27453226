"""One that moved while something else holds it back, too: a silence, or that it flaps."""

from __future__ import annotations

import pytest

from sinks.notify.quiet import MOVED_WAIT_MS
from tests.journey_case import HOUR, MINUTE
from tests.sink_records import alert
from tests.unit.test_sinks_notify_moved import HEIR, count, desk, settled
from tests.unit.test_sinks_notify_quiet import Desk, incidents

__all__ = ["desk"]


@pytest.mark.parametrize(("minutes", "told_after"), [(1, MOVED_WAIT_MS + 30_000), (30, 30 * MINUTE)])
def test_within_a_silence_it_waits_for_both(desk: Desk, minutes: int, told_after: int) -> None:
    begins = desk.now
    desk.take(1, "firing")
    desk.silence(minutes, kind="missing_step")
    desk.wait(30_000)
    desk.take(1, "moved")
    assert desk.reasons[-1] == "silenced"
    desk.wait(begins + told_after - 1 - desk.now)
    assert (desk.states(), count(desk)) == (["firing"], 1)
    desk.wait(1)
    assert (desk.states(), settled(desk)) == (["firing", "withdrawn"], True)


def test_a_silence_that_is_taken_back_shortens_no_wait(desk: Desk) -> None:
    desk.take(1, "firing")
    silence = desk.silence(30, kind="missing_step")
    desk.take(1, "moved")
    desk.outbox.remove_silence(silence.silence_id)
    desk.wait(MOVED_WAIT_MS - 1)
    assert desk.states() == ["firing"]
    desk.wait(1)
    assert desk.states() == ["firing", "withdrawn"]


def test_a_silence_that_begins_in_the_wait_holds_the_end_back(desk: Desk) -> None:
    desk.take(1, "firing")
    desk.take(1, "moved")
    desk.silence(30, kind="missing_step")
    desk.wait(MOVED_WAIT_MS)
    assert (desk.states(), desk.outbox.board.held()) == (["firing"], {"silenced": 1})
    desk.wait(30 * MINUTE)
    assert (desk.states(), settled(desk)) == (["firing", "withdrawn"], True)


def test_an_heir_within_the_silence_takes_over(desk: Desk) -> None:
    desk.take(1, "firing")
    desk.silence(30, kind="missing_step")
    desk.take(1, "moved")
    desk.take(1, "firing", **HEIR)
    desk.wait(30 * MINUTE)
    assert (desk.states(), desk.reasons[-1], count(desk)) == (["firing"], "silenced", 1)


@pytest.mark.parametrize("told_before", [True, False])
@pytest.mark.parametrize("order", [("moved", "firing"), ("firing", "moved"), ("firing",)])
@pytest.mark.parametrize("heir_after", [False, True])
def test_a_word_within_the_silence_goes_on_to_the_heir(
    desk: Desk, told_before: bool, order: tuple[str, ...], heir_after: bool
) -> None:
    """Who looks after it is not forgotten, whatever is read when."""
    first = alert(1, offset=0).alert_id
    if told_before:
        desk.take(1, "firing")
    desk.silence(30, kind="missing_step")
    if not told_before:
        desk.take(1, "firing")
    desk.take(1, "acknowledged", acknowledged_by="anna")
    for state in order:
        if state == "firing" and heir_after:
            desk.now += 30 * MINUTE
        desk.take(1, state, **({"alert_id": "heir", "continues": first} if state == "firing" else {}))
    desk.wait(30 * MINUTE)
    if told_before or order[0] == "firing":
        assert desk.states() == (["firing", "acknowledged"] if told_before else ["acknowledged"])
        ((_, incident),) = incidents(desk)
        assert (incident.count, incident.acknowledged_by) == (1, ["anna"])
        (entry,) = desk.outbox.board.listed(("acknowledged",), None, 9)
        assert (entry.alert.alert_id, entry.acknowledged_by) == ("heir", "anna")
    desk.take(1, "moved")
    desk.take(1, "resolved", alert_id="heir", continues=first)
    assert (desk.states()[-1], settled(desk)) == ("resolved", True)


def test_of_one_that_flaps_the_end_is_told_when_it_is_steady_and_once(desk: Desk) -> None:
    for _ in range(4):
        desk.take(1, "firing")
        desk.take(1, "resolved")
    desk.take(1, "firing")
    before = desk.states()
    desk.take(1, "moved")
    desk.wait(10 * MINUTE - 1)
    assert (desk.reasons[-1], desk.states()) == ("flapping", before)
    desk.wait(1)
    assert desk.states() == [*before, "withdrawn"]
    desk.wait(HOUR)
    assert (desk.states(), settled(desk)) == ([*before, "withdrawn"], True)


def test_what_moves_away_and_comes_again_flaps_too(desk: Desk) -> None:
    """The end that the wait brings is an end."""
    for _ in range(5):
        desk.take(1, "firing")
        desk.take(1, "moved")
        desk.wait(MOVED_WAIT_MS)
    assert [flaps for _, state, flaps in desk.told() if state == "firing"] == [False, False, False, True]
