"""An alert whose journey went to another customer: nothing is said while an heir may come, and all is said if none
does. Law: who heard of a beginning hears one end, never before the wait is over, and nobody hears anything twice.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.fast import fast_decoder
from schemas.records import Alert
from sinks.notify import board
from sinks.notify.quiet import MOVED_WAIT_MS
from tests.journey_case import HOUR, MINUTE, NOON, Log, placed, run, touch
from tests.sink_records import alert
from tests.tries import tries
from tests.unit.test_sinks_notify_quiet import PAGER, Desk, incidents

HEIR: Final[dict[str, Any]] = {"alert_id": "heir", "continues": "the former"}
_decode = fast_decoder(Alert)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "o.sqlite")


def last(desk: Desk) -> dict[str, Any]:
    (*_, body) = desk.outbox._db.run("SELECT body FROM outbox WHERE route = ? ORDER BY seq", PAGER.key).fetchall()
    found: dict[str, Any] = json.loads(body[0])
    return found


def told_open(desk: Desk) -> int:
    return int(desk.outbox._db.one("SELECT count(*) FROM told WHERE state IN ('firing', 'acknowledged')")[0])


def count(desk: Desk) -> int:
    return sum(found.count for _, found in incidents(desk))


def settled(desk: Desk) -> bool:
    rows = desk.outbox._db.one("SELECT count(*) FROM board")[0]
    return (rows, told_open(desk), count(desk), desk.heard_open()) == (0, 0, 0, set())


@pytest.mark.parametrize("later", [0, 1, MOVED_WAIT_MS - 1])
def test_an_heir_takes_over_in_silence_whichever_batch_it_comes_in(desk: Desk, later: int) -> None:
    desk.take(1, "firing")
    desk.take(1, "moved")
    assert (desk.reasons[-1], count(desk)) == ("moved", 1)
    desk.wait(later)
    desk.take(1, "firing", **HEIR)
    assert desk.reasons[-1] == "continues"
    desk.wait(10 * MOVED_WAIT_MS)
    assert (desk.states(), desk.news(), desk.heard_open(), count(desk)) == (["firing"], ["fired"], {"paid"}, 1)
    desk.take(1, "resolved", **HEIR)
    assert (desk.states(), desk.news(), settled(desk)) == (["firing", "resolved"], ["fired", "resolved"], True)


def test_an_heir_that_was_there_first_has_taken_over(desk: Desk) -> None:
    desk.take(1, "firing")
    desk.take(1, "firing", **HEIR)
    desk.take(1, "moved")
    assert desk.reasons == ["told", "continues", "handed_over"]
    desk.wait(10 * MOVED_WAIT_MS)
    assert (desk.states(), count(desk)) == (["firing"], 1)


def test_without_an_heir_everybody_hears_that_it_is_withdrawn_and_not_before(desk: Desk) -> None:
    desk.take(1, "firing")
    desk.take(1, "moved")
    desk.wait(MOVED_WAIT_MS - 1)
    assert (desk.states(), desk.news(), desk.heard_open(), count(desk)) == (["firing"], ["fired"], {"paid"}, 1)
    desk.wait(1)
    assert (desk.states(), desk.news(), settled(desk)) == (["firing", "withdrawn"], ["fired", "resolved"], True)
    found = last(desk)
    assert found["first_line"] == (
        f"order_id:1 (customer {alert(1, offset=0).customer_id[:8]}): click_and_collect, paid is withdrawn: the journey"  # type: ignore[index]
        " belongs to another customer now, where this is no break."
    )
    assert found["idempotency_key"].endswith(".1.withdrawn")
    assert incidents(desk)[0][1].line == found["first_line"]
    desk.wait(HOUR)
    assert len(desk.states()) == 2


@pytest.mark.parametrize("ends", ["resolved", "withdrawn"])
def test_an_heir_that_is_over_already_ends_it_as_what_it_is(desk: Desk, ends: str) -> None:
    desk.take(1, "firing")
    desk.take(1, "moved")
    desk.wait(1_000)
    desk.take(1, ends, **HEIR)
    assert (desk.states(), settled(desk)) == (["firing", ends], True)
    desk.wait(HOUR)
    assert len(desk.states()) == 2


def test_an_heir_after_the_wait_begins_anew(desk: Desk) -> None:
    desk.take(1, "firing")
    desk.take(1, "moved")
    desk.wait(MOVED_WAIT_MS)
    desk.take(1, "firing", **HEIR)
    assert desk.states() == ["firing", "withdrawn", "firing"]
    assert last(desk)["idempotency_key"].endswith(".2.firing")


def test_one_that_comes_back_goes_on(desk: Desk) -> None:
    desk.take(1, "firing")
    desk.take(1, "moved")
    desk.take(1, "firing", reason="came_back")
    desk.wait(HOUR)
    assert (desk.states(), count(desk)) == (["firing"], 1)


def test_who_looks_after_it_goes_on_to_the_heir_and_hears_of_the_withdrawal(desk: Desk) -> None:
    for number in (1, 2):
        desk.take(number, "firing")
        desk.take(number, "acknowledged", acknowledged_by="anna")
        desk.take(number, "moved")
    desk.take(1, "firing", **HEIR)
    (entry,) = desk.outbox.board.listed(("acknowledged",), None, 9)
    assert (entry.alert.alert_id, entry.acknowledged_by) == ("heir", "anna")
    desk.wait(MOVED_WAIT_MS)
    assert [(key, state) for key, state, _ in desk.told()[4:]] == [(alert(2, offset=0).dedup_key, "withdrawn")]
    (incident,) = (found for _, found in incidents(desk))
    assert (incident.count, incident.acknowledged, incident.acknowledged_by) == (1, 1, ["anna"])


def test_of_what_nobody_heard_nobody_hears_that_it_moved(desk: Desk) -> None:
    desk.silence(30, kind="missing_step")
    desk.take(1, "firing")
    desk.take(1, "moved")
    assert desk.reasons == ["silenced", "not_told"]
    desk.wait(HOUR)
    assert (desk.states(), desk.news(), settled(desk)) == ([], [], True)


def test_a_word_on_the_former_that_is_read_after_its_heir_takes_nothing_from_that(desk: Desk) -> None:
    desk.take(1, "firing")
    desk.take(1, "firing", **HEIR)
    desk.take(1, "acknowledged", acknowledged_by="anna")
    desk.take(1, "moved")
    desk.wait(HOUR)
    assert (desk.reasons[-1], desk.states(), count(desk)) == ("handed_over", ["firing", "acknowledged"], 1)


def test_from_one_customer_to_the_next_and_on(desk: Desk) -> None:
    third = {"alert_id": "third", "continues": "heir"}
    desk.take(1, "firing")
    desk.take(1, "firing", **HEIR)
    desk.take(1, "moved", **HEIR)
    desk.take(1, "moved")
    desk.take(1, "firing", **third)
    desk.wait(HOUR)
    assert (desk.states(), count(desk)) == (["firing"], 1)
    desk.take(1, "moved", **third)
    desk.wait(MOVED_WAIT_MS)
    assert (desk.states(), settled(desk)) == (["firing", "withdrawn"], True)


# -- crashes, clocks, bounds --


def test_a_new_life_neither_shortens_nor_forgets_the_wait(desk: Desk) -> None:
    desk.take(1, "firing")
    moved = alert(1, "moved", offset=2)
    desk.take_all([moved])
    for _ in range(3):
        desk.restart()
        desk.take_all([moved])
        desk.wait(19_999)
    assert desk.states() == ["firing"]
    desk.wait(3)
    assert desk.states() == ["firing", "withdrawn"]
    desk.restart()
    desk.take_all([moved])
    desk.wait(HOUR)
    assert (desk.states(), settled(desk)) == (["firing", "withdrawn"], True)


class Killed(BaseException):
    """Stands for SIGKILL."""


def test_a_kill_while_the_end_is_put_up_loses_and_repeats_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.take(1, "firing")
    desk.take(1, "moved")

    def die(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(desk.outbox._incidents, "tell", die)
    with pytest.raises(Killed):
        desk.wait(MOVED_WAIT_MS)
    desk.restart()
    assert (desk.states(), count(desk)) == (["firing"], 1)
    desk.release()
    assert (desk.states(), settled(desk)) == (["firing", "withdrawn"], True)


def test_a_clock_that_was_set_back_keeps_nobody_waiting(desk: Desk) -> None:
    desk.take(1, "firing")
    desk.take(1, "moved")
    desk.now -= 24 * HOUR
    desk.release()
    assert (desk.states(), settled(desk)) == (["firing", "withdrawn"], True)


def test_where_the_board_is_full_the_end_is_told_at_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "BOARD_MAX", 0)
    desk.take(1, "firing")
    desk.take(2, "firing")
    desk.take(2, "firing", **HEIR)
    desk.take(2, "moved")
    desk.take(1, "moved")
    assert desk.reasons == ["told", "told", "continues", "handed_over", "told"]
    assert (desk.states(), count(desk)) == (["firing", "firing", "withdrawn"], 1)


def test_a_thousand_that_moved_away_leave_nothing_behind(desk: Desk) -> None:
    desk.take_all([alert(number, offset=number) for number in range(1, 1_001)])
    desk.take_all([alert(number, "moved", offset=2_000 + number) for number in range(1, 1_001)])
    desk.now += MOVED_WAIT_MS
    while desk.outbox.release(desk.now, 500).decisions:
        pass
    assert settled(desk)
    assert desk.news()[-1] == "resolved"
    assert desk.outbox.forget(2**62, desk.now) == 1_000


# -- the real core --


def changes(log: Log, *definitions: dict[str, Any]) -> list[Alert]:
    effects = run(log, *definitions).effects
    return [_decode(effect.value or b"") for effect in effects if effect.topic == "alerts"]


def test_a_journey_that_is_fine_under_its_next_customer_ends_its_alert(desk: Desk) -> None:
    """A touchpoint without a key makes the step of the order come in time where the order belongs now."""
    log, order = Log(), [placed(tid="o"), touch("payment_captured", NOON + MINUTE, tid="p")]
    log.attach(*order)
    log.resolved(touch("ready_for_pickup", NOON + HOUR, order=None, tid="r", channel="store"), customer="c2")
    log.tick(NOON + 9 * HOUR)
    log.detach("o", "p", moved_to="c2")
    log.attach(*order, customer="c2", moved_from="c1")
    log.tick(NOON + 10 * HOUR)
    found = changes(log, {"instance": {"key": "order_id", "if_absent": "only_open_one"}})
    assert [(one.break_name, one.state, one.customer_id) for one in found] == [
        ("ready", "firing", "c1"), ("ready", "moved", "c1"),
    ]  # fmt: skip
    for one in found:
        desk.take_all([one])
        desk.wait(1_000)
    assert desk.news() == ["fired"]
    desk.wait(MOVED_WAIT_MS)
    assert (desk.states(), desk.news(), settled(desk)) == (["firing", "withdrawn"], ["fired", "resolved"], True)


def test_a_journey_that_is_late_under_its_next_customer_goes_on(desk: Desk) -> None:
    log, order = Log(), [placed(tid="o"), touch("payment_captured", NOON + MINUTE, tid="p")]
    log.attach(*order)
    log.tick(NOON + 9 * HOUR)
    log.detach("o", "p", moved_to="c2")
    log.attach(*order, customer="c2", moved_from="c1")
    log.tick(NOON + 9 * HOUR + 1_000)
    for one in changes(log):
        desk.take_all([one])
        desk.wait(20_000)
    assert desk.reasons == ["told", "moved", "continues"]
    assert (desk.states(), desk.news(), desk.heard_open()) == (["firing"], ["fired"], {"ready"})


# -- the law --

STEPS: Final = st.one_of(
    st.tuples(st.just("take"), st.sampled_from(("firing", "firing", "acknowledged", "resolved", "withdrawn"))),
    st.tuples(st.just("move"), st.sampled_from(("alone", "alone", "leaves first", "comes first"))),
    st.tuples(st.just("wait"), st.sampled_from(("1", "20", "60", "1800"))),
    st.tuples(st.sampled_from(("silence", "unsilence", "restart")), st.just("")),
)


@settings(max_examples=tries(60), deadline=None)
@given(st.lists(STEPS, max_size=25))
def test_whoever_heard_a_beginning_hears_one_end_and_not_before_the_wait_is_over(moves: list[tuple[str, str]]) -> None:
    with TemporaryDirectory() as directory:
        desk = Desk(Path(directory) / "o.sqlite")
        truth, holder, moved_at, silence = "resolved", 0, None, None
        for what, word in moves:
            heard = desk.states()
            match what:
                case "take" if (word == "firing") != (truth in ("firing", "acknowledged")):
                    if not (word == "acknowledged" and truth == "acknowledged"):
                        desk.take(1, word, acknowledged_by="anna", **_who(holder))
                        truth, moved_at = word, None
                case "move" if truth in ("firing", "acknowledged"):
                    former, holder = holder, holder + 1
                    orders = {
                        "alone": ("moved",),
                        "leaves first": ("moved", "firing"),
                        "comes first": ("firing", "moved"),
                    }
                    for state in orders[word]:
                        desk.take(1, state, **_who(former if state == "moved" else holder))
                    alone = word == "alone"
                    truth, moved_at = ("withdrawn", desk.now) if alone else ("firing", None)
                case "wait":
                    desk.wait(int(word) * 1_000)
                case "silence":
                    silence = desk.silence(20, kind="missing_step")
                case "unsilence" if silence:
                    desk.outbox.remove_silence(silence.silence_id)
                    desk.release()
                case "restart":
                    desk.restart()
                    desk.release()
            if moved_at is not None and desk.now < moved_at + MOVED_WAIT_MS:
                assert desk.states() == heard, "something was said although an heir may come"
        for _ in range(3):
            desk.wait(HOUR)
        check(desk, truth)
        desk.outbox.close()


def _who(holder: int) -> dict[str, Any]:
    return {"alert_id": f"heir {holder}", "continues": f"heir {holder - 1}"} if holder else {}


def check(desk: Desk, truth: str) -> None:
    is_open = False
    for state in desk.states():
        begins = state in ("firing", "acknowledged")
        assert begins or is_open, "an end without a beginning"
        assert not (state == "firing" and is_open), "a beginning twice"
        is_open = begins
    assert is_open == (truth in ("firing", "acknowledged"))
    assert (told_open(desk), count(desk), len(desk.heard_open())) == (is_open, is_open, is_open)
    assert desk.outbox.board.held() == {}
