"""The stage resolve, record by record: what is refused, forwarded, believed, counted."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

import pytest

from schemas.control import Control, control_headers, read_control
from schemas.control_records import DecisionKind
from schemas.fast import encode, fast_decoder
from schemas.identifiers import customer_of, partition_of
from schemas.records import Resolved
from streams.identity.effects import MOVE_AT_ONCE
from streams.identity.limits import HOUR_MS, Limits
from streams.identity.resolve import CLOCKS_APART_MS, TooMuchBadData
from tests.simulated.generate import rfc3339
from tests.unit.identity_bench import SECRET, START, Bench, page
from tests.unit.identity_cases import decided


def test_bad_data_is_a_dead_letter_with_its_bytes_and_without_values_in_the_text() -> None:
    bench = Bench()
    for value in (
        b'{"name": "secret-name"',
        b"\xff\x00",
        None,
        page(START)[:-1] + b', "secret": 1}',
        b"x" * 40_000,
    ):
        (effect,) = bench.touchpoint(value, START, (("source", b"web"), ("odd", b"\xff")))
        letter = bench.body(effect)
        assert effect.topic == "dead_letters"
        assert b64decode(letter["payload"]) == (value or b"")
        assert (letter["offset"], letter["partition"], letter["source"]) == (bench.offset, 0, "web")
        assert "secret-name" not in letter["detail"]
        assert letter["headers"]["odd"] == "\\xff"


def test_a_control_with_a_wrong_mac_is_a_dead_letter() -> None:
    bench = Bench(partition=0, partitions=2)
    value = encode({"type": "beat", "log_time": START})
    wrong = (
        control_headers("beat", 1, value, SECRET),
        control_headers("beat", 0, value, b"other"),
        control_headers("mark", 0, value, SECRET)[1:] + (("control", b"beat"),),
        (("control", b"beat"),),
        (("control", b"open_sesame"),),
    )
    for headers in wrong:
        (effect,) = bench.touchpoint(value, START, headers)
        assert bench.body(effect)["failure"] == "unauthentic_control"


def test_a_misplaced_touchpoint_is_reproduced_as_it_came() -> None:
    user = next(f"u{n}" for n in range(99) if partition_of(f"user_id:u{n}", 2) == 1)
    here, there = Bench(0, 2), Bench(1, 2)
    value = page(START, user_id=user)
    (forwarded,) = here.touchpoint(value, START + 5, (("source", b"till"), ("log_time", b"1")))
    assert (forwarded.topic, forwarded.partition, forwarded.value) == ("touchpoints.raw", 1, value)
    assert read_control(forwarded.headers, 1, value, SECRET) == Control("forwarded", START + 5, ("resolve", 0, 0, 0))
    (resolved,) = there.touchpoint(value, START + HOUR_MS, forwarded.headers)
    body = there.body(resolved)
    assert (body["log_time"], body["source"]) == (START + 5, "till")
    assert body["customer_id"] == customer_of("user_id", user)
    assert there.touchpoint(value, START + HOUR_MS, forwarded.headers) == []
    counts = there.body(there.beat(START)[0])["counts"]
    assert (counts["read"], counts["duplicates"]) == (1, 0)


def test_a_touchpoint_is_forwarded_once_only() -> None:
    user = next(f"u{n}" for n in range(99) if partition_of(f"user_id:u{n}", 3) == 1)
    (forwarded,) = Bench(0, 3).touchpoint(page(START, user_id=user), START)
    lost = Bench(1, next(count for count in range(4, 99) if partition_of(f"user_id:{user}", count) != 1))
    (letter,) = lost.touchpoint(forwarded.value, START, forwarded.headers)
    assert (letter.topic, lost.body(letter)["failure"]) == ("dead_letters", "contract_violation")
    assert "Replay it" in lost.body(letter)["detail"]


def test_log_time_is_the_broker_s_when_live_and_the_driver_s_otherwise() -> None:
    header = (("log_time", str(START + 9).encode()),)
    for run, expected in (("live", START + 1), ("simulation", START + 9)):
        bench = Bench(run=run)  # type: ignore[arg-type]  # the loop forgets the literals
        (resolved,) = bench.touchpoint(page(START, email="e"), START + 1, header)
        assert bench.body(resolved)["log_time"] == expected
    (letter,) = Bench(run="replay").touchpoint(page(START, email="e"), START + 1)
    assert Bench().body(letter)["field"] == "log_time"


def test_a_live_beat_covers_what_came_before_its_own_millisecond() -> None:
    bench = Bench()
    assert bench.body(bench.beat(START, START - 5)[0])["log_time"] == START - 1
    assert bench.body(bench.beat(START - 10, START)[0])["log_time"] == START - 1
    replayed = Bench(run="replay")
    assert replayed.body(replayed.beat(START, 5)[0])["log_time"] == 5


def test_when_the_brokers_clock_jumps_time_does_not() -> None:
    """Else every deadline of the next three hours would fire at once, and stay past when the clock is right again."""
    bench = Bench()
    bench.beat(START, START)
    jumped = bench.body(bench.beat(START + 3 * HOUR_MS, START + 250)[0])
    assert jumped["log_time"] == START + 250 + CLOCKS_APART_MS
    assert bench.stage.numbers()["broker_ahead_ms"] == 3 * HOUR_MS - 250
    assert bench.body(bench.beat(START + 60_000, START + 60_000)[0])["log_time"] == START + 60_000 - 1
    assert bench.body(bench.beat(START + 61_000, START + 9 * HOUR_MS)[0])["log_time"] == START + 61_000 - 1, "nor so"


def test_a_mark_is_reported_once_and_last() -> None:
    bench = Bench()
    bench.beat(START + 1)
    (report,) = bench.mark(START - 7, number=2)
    assert report.last
    assert bench.body(report)["mark"] == [START - 7, 2]


@pytest.mark.parametrize("restored", [False, True])
def test_a_mark_is_told_how_far_from_its_arrival_caused_records_caused_more(restored: bool) -> None:
    """Not what an arrival itself caused: that lies before the mark for all who may wait for it."""
    bench = Bench()
    out = bench.touchpoint(page(START, user_id="u1", email="ann@shop.example"), START)
    (sighting,) = (effect for effect in out if effect.topic == "touchpoints.raw")
    assert bench.body(bench.mark(START, 1)[-1])["hops"] == 0
    out = bench.touchpoint(sighting.value, START, sighting.headers)
    assert bench.kinds(out)[:1] == ["naming"]
    assert bench.body(bench.beat(START + 1)[-1])["hops"] is None, "a beat says nothing of it, and forgets nothing"
    if restored:
        bench.store()
        bench.stage.restore(bench.state.items())
    assert bench.body(bench.mark(START, 2)[-1])["hops"] == 3
    assert bench.body(bench.mark(START, 3)[-1])["hops"] == 0


def test_too_late_is_stored_and_is_evidence_for_nothing() -> None:
    bench = Bench()
    late = START + 80 * HOUR_MS
    bench.touchpoint(page(START + 1, anonymous_id="a"), START + 1)
    (user,) = bench.touchpoint(page(START + 2, anonymous_id="a", user_id="u", order_id="7"), late)
    (device,) = bench.touchpoint(page(START + 3, anonymous_id="a"), late)
    (key,) = bench.touchpoint(page(START + 4, order_id="7"), late)
    told = [(bench.body(effect)["attributed_by"], bench.body(effect)["too_late"]) for effect in (user, device, key)]
    assert told == [("user_id", True), ("device", True), ("waiting", True)]
    assert bench.touchpoint(page(START + 3, anonymous_id="a"), late) == []


def test_a_login_moves_what_was_browsed_and_tells_its_keys() -> None:
    bench = Bench()
    device, user = customer_of("anonymous_id", "a"), customer_of("user_id", "u")
    bench.touchpoint(page(START, anonymous_id="a", order_id="7"), START)
    effects = bench.touchpoint(page(START + 1, anonymous_id="a", user_id="u"), START + 1)
    assert bench.kinds(effects) == ["touchpoint", "detach", "attach", "evidence"]
    _, detach, attach, evidence = map(bench.body, effects)
    assert (detach["customer_id"], detach["moved_to"]) == (device, user)
    assert (attach["customer_id"], attach["moved_from"], attach["attributed_by"]) == (user, device, "login")
    assert attach["entries"][0]["keys"] == {"order_id": "7"}
    assert (evidence["key"], evidence["customer_id"], evidence["rev"]) == ("order_id:7", user, 1)


def test_a_resolved_touchpoint_keeps_every_field_of_the_contract() -> None:
    bench = Bench()
    body = {
        "message_id": "m",
        "name": "page_viewed",
        "occurred_at": rfc3339(START),
        "sequence": 3,
        "channel": "app",
        "identifiers": {"anonymous_id": "a", "order_id": "7", "email": "null"},
        "properties": {"path": "/", "fulfilment": "pickup", "deep": {"er": [1]}},
        "context": {"locale": "en"},
    }
    headers = (("source", b"shop"), ("sent_at", b"%d" % (START + 5)), ("received_at", b"%d" % (START + 8)))
    effect = bench.touchpoint(json.dumps(body).encode(), START + 9, headers)[0]
    resolved = fast_decoder(Resolved)(effect.value)
    Resolved.model_validate_json(effect.value)
    assert encode(resolved) == effect.value
    expected = {
        "format_version": 1,
        "at": ["resolve", 0, 0, 0],
        "type": "touchpoint",
        "run": "live",
        "message_id": "m",
        "customer_id": customer_of("anonymous_id", "a"),
        "attributed_by": "device",
        "rev": 0,
        "origin": "anonymous_id:a",
        "name": "page_viewed",
        "declared": True,
        "channel": "app",
        "source": "shop",
        "occurred_at": START,
        "occurred_at_sent": START,
        "sent_at": START + 5,
        "received_at": START + 8,
        "log_time": START + 9,
        "sequence": 3,
        "too_late": False,
        "subject": None,
        "keys": {"order_id": "7"},
        "facts": {"fulfilment": "pickup"},
        "properties": body["properties"],
        "context": body["context"],
        "contacts": [],
    }
    said = bench.body(effect)
    assert {name: said[name] for name in expected} == expected
    assert said.keys() - expected.keys() == {"touchpoint_id", "identifiers"}
    assert said["identifiers"]["email"] == "null"


def test_large_moves_are_cut() -> None:
    bench = Bench(limits=Limits(kiosk_touchpoints=10_000))
    count = 2 * MOVE_AT_ONCE + 1
    for number in range(count):
        bench.touchpoint(page(START + number, anonymous_id="a"), START + number)
    effects = bench.touchpoint(page(START + count, anonymous_id="a", user_id="u"), START + count)
    assert bench.kinds(effects) == ["touchpoint", *["detach"] * 3, *["attach"] * 3]
    assert sum(len(bench.body(effect)["entries"]) for effect in effects[4:]) == count
    assert [bench.body(effect)["at"][3] for effect in effects] == list(range(7))


def test_too_much_bad_data_stops_the_partition_and_a_restart_does_not_forget() -> None:
    limits = Limits(bad_window=20, bad_at_least=8, bad_ratio=0.5)
    bench = Bench(limits=limits)
    for number in range(7):
        bench.touchpoint(b"{", START + number)
    bench.store()
    again = Bench(limits=limits)
    again.stage.restore(bench.state.items())
    with pytest.raises(TooMuchBadData, match="8 of the last 8"):
        again.touchpoint(b"{", START)
    calm = Bench(limits=limits)
    for number in range(200):
        calm.touchpoint(b"{" if number % 2 else page(START + number, email="e"), START + number)


def test_a_decision_that_is_too_many_is_refused_where_everybody_can_see_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.identity.decisions.MOST", 2)
    bench = Bench()

    def told(kind: DecisionKind, identifier: str, user_id: str | None = None) -> list[str]:
        one = decided(kind, identifier, user_id)
        value = encode(one.model_copy(update={"at": ("keep_time", 0, bench.offset + 1, 0)}))
        effects = bench.touchpoint(value, START, control_headers("decision", 0, value, SECRET))
        return [effect.topic for effect in effects if bench.body(effect)["type"] == "decision"]

    assert [told("block", "loyalty_card:1"), told("link", "device_id:d", "u")] == [["identities"]] * 2
    assert [told("block", "loyalty_card:2"), told("link", "device_id:e", "u")] == [[], []]
    numbers = bench.stage.numbers()
    assert (numbers["decisions"], numbers["decisions_refused"]) == (2, 2)
    (resolved,) = bench.touchpoint(page(START, device_id="e"), START)
    assert bench.body(resolved)["attributed_by"] == "device"
    assert told("lift", "loyalty_card:1") == ["identities"]
    assert told("link", "device_id:e", "u") == ["identities"]


def test_a_quarantined_record_is_a_counted_dead_letter() -> None:
    bench = Bench()
    out: list[Any] = []
    bench.stage.quarantine(bench.record(b"poison", START), "ticket 7", out)
    letter = bench.body(out[0])
    assert (letter["failure"], letter["detail"], b64decode(letter["payload"])) == (
        "quarantined",
        "ticket 7",
        b"poison",
    )
    assert bench.body(bench.beat(START)[0])["counts"]["dead_letters"] == 1
