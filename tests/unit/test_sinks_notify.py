"""Who is told what, and in which order: the decision, the message, the outbox, the answers of receivers."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.notify.decide import REASONS, Decision, Reason, Told, decide, idempotency_key
from sinks.notify.message import body_of, headers_of
from sinks.notify.outbox import Arrived, Outbox
from sinks.notify.post import Again, Delivered, Refused, outcome_of
from sinks.notify.quiet import Hold
from sinks.notify.routing import Route
from sinks.notify.sender import BACKOFF_MAX_MS, backoff_ms
from tests.sink_records import alert, customer

NOTHING = Told()
FIRING = Told("firing", 1)
CLOSED = Told("resolved", 1, closed=True)
WEBHOOK = Route("webhook", "webhook", "http://127.0.0.1/hook")


@pytest.mark.parametrize(
    ("change", "told", "reason", "after"),
    [
        ({"state": "firing"}, NOTHING, "told", FIRING),
        ({"state": "firing"}, FIRING, "duplicate", FIRING),
        ({"state": "firing", "continues": "a"}, FIRING, "continues", FIRING),
        ({"state": "firing", "continues": "a"}, NOTHING, "told", FIRING),
        ({"state": "firing"}, Told("resolved", 1), "told", Told("firing", 2)),
        ({"state": "firing", "notify": False}, NOTHING, "silent", NOTHING),
        ({"state": "firing", "notify": False, "reason": "shadow"}, NOTHING, "shadow", NOTHING),
        ({"state": "firing", "run": "replay"}, NOTHING, "replay", NOTHING),
        ({"state": "resolved", "run": "backfill"}, FIRING, "replay", FIRING),
        ({"state": "firing", "run": "simulation"}, NOTHING, "told", FIRING),
        ({"state": "moved"}, NOTHING, "not_told", NOTHING),
        ({"state": "moved"}, Told("resolved", 1), "not_told", Told("resolved", 1)),
        ({"state": "moved"}, FIRING, "told", Told("withdrawn", 1)),
        ({"state": "moved"}, Told("acknowledged", 1, "anna"), "told", Told("withdrawn", 1)),
        ({"state": "moved"}, Told("firing", 1, closed=True), "told", Told("withdrawn", 1, closed=True)),
        ({"state": "acknowledged", "acknowledged_by": "anna"}, FIRING, "told", Told("acknowledged", 1, "anna")),
        ({"state": "acknowledged"}, Told("acknowledged", 1, "anna"), "duplicate", Told("acknowledged", 1, "anna")),
        ({"state": "firing", "continues": "a"}, Told("acknowledged", 1, "anna"), "continues",
         Told("acknowledged", 1, "anna")),
        ({"state": "firing", "notify": False, "reason": "monitored"}, NOTHING, "monitored", NOTHING),
        ({"state": "acknowledged", "acknowledged_by": "anna"}, NOTHING, "told", Told("acknowledged", 1, "anna")),
        ({"state": "acknowledged", "acknowledged_by": "anna"}, Told("resolved", 1), "told",
         Told("acknowledged", 2, "anna")),
        ({"state": "acknowledged", "notify": False, "reason": "shadow"}, NOTHING, "shadow", NOTHING),
        ({"state": "acknowledged", "notify": False}, NOTHING, "silent", NOTHING),
        ({"state": "acknowledged", "notify": False, "reason": "shadow"}, FIRING, "told",
         Told("acknowledged", 1, "somebody")),
        ({"state": "resolved"}, FIRING, "told", Told("resolved", 1)),
        ({"state": "resolved"}, Told("acknowledged", 1), "told", Told("resolved", 1)),
        ({"state": "resolved"}, NOTHING, "not_told", NOTHING),
        ({"state": "resolved", "notify": False}, FIRING, "told", Told("resolved", 1)),
        ({"state": "withdrawn"}, FIRING, "told", Told("withdrawn", 1)),
        ({"state": "withdrawn"}, Told("resolved", 1), "not_told", Told("resolved", 1)),
        ({"state": "resolved", "reason": "closed"}, FIRING, "told", CLOSED),
        ({"state": "resolved", "reason": "closed"}, NOTHING, "not_told", Told(closed=True)),
        ({"state": "firing", "continues": "a"}, CLOSED, "closed", CLOSED),
        ({"state": "firing"}, Told(closed=True), "closed", Told(closed=True)),
        ({"state": "acknowledged"}, CLOSED, "closed", CLOSED),
        ({"state": "resolved"}, CLOSED, "not_told", CLOSED),
        ({"state": "withdrawn"}, CLOSED, "not_told", CLOSED),
        ({"state": "firing"}, Told("firing", 1, closed=True), "closed", Told("firing", 1, closed=True)),
        ({"state": "resolved"}, Told("firing", 1, closed=True), "told", CLOSED),
    ],
)  # fmt: skip
def test_the_table(change: dict[str, object], told: Told, reason: Reason, after: Told) -> None:
    decision = decide(alert(1, offset=1, **change), told)  # type: ignore[arg-type]  # Any field may be changed.
    assert (decision.reason, decision.after) == (reason, after)
    assert reason in REASONS


@pytest.mark.parametrize(
    ("change", "told", "reason"),
    [
        ({"state": "firing"}, NOTHING, "silenced"),
        ({"state": "firing"}, FIRING, "silenced"),
        ({"state": "acknowledged"}, FIRING, "silenced"),
        ({"state": "resolved"}, FIRING, "silenced"),
        ({"state": "moved"}, FIRING, "silenced"),
        ({"state": "resolved"}, NOTHING, "not_told"),
        ({"state": "moved"}, NOTHING, "not_told"),
        ({"state": "firing", "notify": False, "reason": "shadow"}, NOTHING, "shadow"),
        ({"state": "firing", "run": "replay"}, NOTHING, "replay"),
    ],
)
def test_a_hold_puts_off_what_concerns_somebody(change: dict[str, object], told: Told, reason: Reason) -> None:
    found = alert(1, offset=1, **change)  # type: ignore[arg-type]  # Any field may be changed.
    assert decide(found, told, Hold("silenced", 1)) == Decision(reason, told)


@pytest.mark.parametrize("hold", [None, Hold("silenced", 1), Hold("moved", 1)])
@pytest.mark.parametrize("told", [NOTHING, FIRING, CLOSED])
def test_one_whose_heir_was_heard_is_never_held_back(told: Told, hold: Hold | None) -> None:
    assert decide(alert(1, "moved", offset=1), told, hold, has_heir=True) == Decision("handed_over", told)


def test_one_that_moved_waits_and_then_is_withdrawn() -> None:
    moved = alert(1, "moved", offset=1)
    assert decide(moved, FIRING, Hold("moved", 1)) == Decision("moved", FIRING)
    assert decide(moved, FIRING) == Decision("told", Told("withdrawn", 1))


def test_what_is_closed_in_a_silence_is_closed_when_it_ends() -> None:
    closed = decide(alert(1, "resolved", offset=1, reason="closed"), FIRING, Hold("silenced", 1))
    assert closed == Decision("silenced", Told("firing", 1, closed=True))
    continued = alert(1, offset=2, continues="a")
    assert decide(continued, closed.after, Hold("silenced", 1)) == Decision("closed", closed.after)


@given(st.lists(st.sampled_from(["firing", "acknowledged", "resolved", "withdrawn", "moved"]), max_size=30))
def test_a_receiver_hears_beginnings_and_ends_in_turn(states: list[str]) -> None:
    told, heard, keys = Told(), [], []
    for number, state in enumerate(states):
        decision = decide(alert(1, state, offset=number), told)
        told = decision.after
        if decision.tell:
            heard.append(told.state)
            keys.append(idempotency_key("k", told))
    is_open, is_acknowledged = False, False
    for state in heard:
        assert (state in ("firing", "acknowledged")) if not is_open else (state != "firing")
        assert not (state == "acknowledged" and is_acknowledged)
        is_open, is_acknowledged = state in ("firing", "acknowledged"), state == "acknowledged"
    assert len(keys) == len(set(keys))


def test_the_body_names_no_person_and_the_signature_covers_time_and_body() -> None:
    found = alert(7, offset=1)
    body = body_of(found, "k.1.firing")
    assert customer(7) not in body.decode()
    told = json.loads(body)
    assert (told["state"], told["cause_at"], told["due_at"]) == (
        "firing",
        "2026-05-28T20:36:40.000Z",
        "2026-05-28T20:36:40.000Z",
    )
    headers = headers_of("k.1.firing", body, 1_000, b"secret")
    expected = hmac.new(b"secret", b"1000." + body, sha256).hexdigest()
    assert headers["Touchline-Signature"] == f"v1={expected}"
    assert headers["Idempotency-Key"] == "k.1.firing"
    assert "Touchline-Signature" not in headers_of("k", body, 1_000, b"")


def test_any_year_can_be_told() -> None:
    for at in (-(10**17), 10**17):
        assert json.loads(body_of(alert(1, offset=1, cause_at=at), "k"))["cause_at"] == f"{at} ms since 1970"


def test_answers_of_receivers() -> None:
    assert outcome_of(204, None) == Delivered()
    assert outcome_of(429, "7") == Again("status 429", 7_000)
    assert outcome_of(503, "Wed, 21 Oct 2026 07:28:00 GMT") == Again("status 503", None)
    assert outcome_of(429, "999999999") == Again("status 429", 3_600_000)
    for status in (301, 302, 400, 401, 404, 410):
        assert outcome_of(status, None) == Refused(f"status {status}")


def test_backoff_grows_to_its_bound() -> None:
    waits = [backoff_ms(attempts, 1.0) for attempts in range(40)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (500, BACKOFF_MAX_MS)


def arrived(*found: tuple[int, str, int]) -> Iterable[Arrived]:
    return [Arrived(0, alert(number, state, offset=offset)) for number, state, offset in found]


def test_an_outbox_keeps_the_order_of_each_key_and_knows_what_it_had(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    outbox = Outbox(path, [WEBHOOK])
    changes = [(1, "firing", 1), (2, "firing", 2), (1, "resolved", 3)]
    outbox.accept(arrived(*changes), 10)
    assert [decision for decision in outbox.accept(arrived(*changes), 11).decisions if decision] == []
    outbox.close()
    outbox = Outbox(path, [WEBHOOK])
    first = outbox.due(WEBHOOK.key, 20, 10)
    assert [found.attempts for found in first] == [0, 0]
    assert [found.idempotency_key.rpartition(".")[2] for found in first] == ["firing", "firing"]
    outbox.again([first[0].seq], 500)
    outbox.delivered([first[1].seq])
    assert outbox.due(WEBHOOK.key, 499, 10) == []
    assert [found.attempts for found in outbox.due(WEBHOOK.key, 500, 10)] == [1]
    outbox.park([first[0].seq], "status 400")
    assert [found.idempotency_key.rpartition(".")[2] for found in outbox.due(WEBHOOK.key, 20, 10)] == ["resolved"]
    assert (outbox.waiting(), outbox.parked()) == (1, 1)
    outbox.close()


def test_without_a_receiver_it_decides_and_stores_nothing_to_send(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    (decision,) = outbox.accept(arrived((1, "firing", 1)), 10).decisions
    assert decision is not None
    assert decision.tell
    assert outbox.waiting() == 0
    outbox.close()


def test_of_too_many_ends_the_oldest_are_forgotten_and_none_that_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sinks.notify.outbox.TOLD_MAX", 2)
    store = Outbox(tmp_path / "outbox.sqlite")
    store.accept(arrived(*((number, "firing", number) for number in range(1, 8))), 10)
    store.accept(arrived(*((number, "resolved", 10 + number) for number in range(2, 8))), 10)
    assert (store.forget(0, 10), store.forget(0, 10)) == (4, 0)
    kept = store._db.run("SELECT dedup_key, state FROM told ORDER BY changed_at").fetchall()
    assert kept == [
        (alert(n, offset=0).dedup_key, state) for n, state in ((1, "firing"), (6, "resolved"), (7, "resolved"))
    ]
    store.close()


def test_requests_older_than_a_minute_are_forgotten_of_routes_that_are_gone_too(tmp_path: Path) -> None:
    store = Outbox(tmp_path / "outbox.sqlite")
    store.claim("slack:gone", 10, 3)
    store.forget(0, 10 + 59_999)
    assert store._db.one("SELECT count(*) FROM request") == (3,)
    store.forget(0, 10 + 60_000)
    assert store._db.one("SELECT count(*) FROM request") == (0,)
    store.close()


def test_old_ends_are_forgotten_open_ones_never(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    outbox.accept(arrived((1, "firing", 1), (2, "firing", 2), (2, "resolved", 3)), 10)
    assert outbox.forget(2**62, 10) == 1
    (decision,) = outbox.accept(arrived((1, "firing", 4)), 10).decisions
    assert decision is not None
    assert decision.reason == "duplicate"
    outbox.close()
