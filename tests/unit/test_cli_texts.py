"""What tail, trace and dead-letters say, from rows alone."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import pytest

from deploy.cli.dead_letters import bytes_text, condition
from deploy.cli.kafka_look import Hit, Looked, matches
from deploy.cli.replay import HEADER, Left, Replayed, plan
from deploy.cli.tail import Filter
from deploy.cli.tail_text import line_text
from deploy.cli.trace_text import (
    dead_letter_lines,
    found_lines,
    not_found_lines,
    read_letter_id,
    time_text,
    waiting_lines,
)
from schemas.decode import decode_touchpoint
from schemas.decoded import Decoded, Invalid

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
GOOD = b'{"message_id":"m-1","name":"page_viewed","occurred_at":"2026-03-02T10:00:00Z","identifiers":{"user_id":"u1"}}'
ACCEPTED = {
    "received_at": 0,
    "verdict": "accepted",
    "source": "web",
    "name": "page_viewed",
    "message_id": "m-1",
    "touchpoint_id": "ab",
}
REFUSED = {
    "received_at": 0,
    "verdict": "refused",
    "source": "till",
    "failure": "contract_violation",
    "field": "name",
    "message_id": "m-2",
}


def letter(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "stage": "resolve",
        "topic": "touchpoints.raw",
        "partition": 3,
        "offset": 42,
        "failure": "quarantined",
        "field": "",
        "detail": "given up by hand",
        "source": "till",
        "log_time": AT,
        "headers": {"format": "touchline", "source": "till"},
        "payload": base64.b64encode(GOOD).decode(),
    }
    return base | changes


# -- tail --------------------------------------------------------------------------------------------------------------


def test_a_line_of_tail() -> None:
    accepted, refused = line_text(ACCEPTED).plain, line_text(REFUSED).plain
    assert accepted.split() == ["00:00:00.000", "accepted", "web", "page_viewed", "m-1", "ab"]
    assert "refused" in refused
    assert "contract_violation in name" in refused
    assert "m-2" in refused


@pytest.mark.parametrize(
    ("wanted", "taken"),
    [
        (Filter(False, None), [True, True]),
        (Filter(True, None), [False, True]),
        (Filter(False, "web"), [True, False]),
        (Filter(True, "web"), [False, False]),
    ],
)
def test_filters_of_tail(wanted: Filter, taken: list[bool]) -> None:
    assert [wanted.takes(line) for line in (ACCEPTED, REFUSED)] == taken


# -- trace -------------------------------------------------------------------------------------------------------------


def touchpoint(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "touchpoint_id": "ab",
        "message_id": "m-1",
        "customer_id": "c" * 36,
        "attributed_by": "login",
        "name": "order_placed",
        "declared": True,
        "channel": "web",
        "source": "web[x]",
        "occurred_at": AT,
        "log_time": AT,
        "too_late": False,
        "raw_partition": 5,
        "raw_offset": 9,
        "order_id": "",
    }
    return base | changes


JOURNEY = {
    "journey_id": "j",
    "definition": "click_and_collect",
    "definition_version": 3,
    "anchor": "order_id:7",
    "status": "open",
    "started_at": AT,
    "reached_steps": ["paid"],
    "waiting_steps": ["ready"],
    "missed_steps": [],
}
MOVES = [
    {"customer_id": "d" * 36, "attributed_by": "device"},
    {"customer_id": "c" * 36, "attributed_by": "login"},
]
COPY = Hit(5, 77, 0, False, Invalid("malformed", None, ""))
LAID_OUT = {"starts": {"click_and_collect@3": "order_placed"}, "with_row": True}


def test_a_stored_touchpoint_is_told_in_full() -> None:
    alerts = [{"state": "firing", "first_line": "late", "alert_id": "a"}]
    text = "\n".join(found_lines(touchpoint(), MOVES, [JOURNEY], {}, alerts, [COPY], **LAID_OUT))  # type: ignore[arg-type]
    for expected in (
        "touchpoints.raw/5/9",
        "by login: its device was signed in",
        "dddddddd (device) -> cccccccc (login)",
        "touchpoints.raw/5/77, dropped",
        "order_id:7: open; it began it (reached paid; waiting ready; missed none)",
        "late",
        "message_id       m-1",
    ):
        assert expected in text
    assert "order_id         " not in text, "empty columns are left out"
    assert "web\\[x]" in text, "what senders say is no markup"


def test_the_step_that_it_reached() -> None:
    text = "\n".join(found_lines(touchpoint(name="paid"), [], [JOURNEY], {"j": "paid"}, [], [], **LAID_OUT))  # type: ignore[arg-type]
    assert "it reached step paid" in text
    assert "alerts       none" in text


def test_too_late_undeclared_and_nobody() -> None:
    row = touchpoint(too_late=True, declared=False, customer_id="", attributed_by="waiting")
    text = "\n".join(found_lines(row, [], [], {}, [], [], **LAID_OUT))  # type: ignore[arg-type]
    for expected in ("too late", "not in the catalogue", "nobody by waiting", "takes part in none"):
        assert expected in text


def test_where_it_waits() -> None:
    decoded = decode_touchpoint(GOOD)
    assert isinstance(decoded, Decoded)
    hit = Hit(3, 42, 0, False, decoded)
    assert "waits for resolve, 2 records before it" in waiting_lines(hit, 40)[-1]
    assert "waits for the loader" in waiting_lines(hit, 43)[-1]
    bad = Hit(3, 42, 0, False, Invalid("malformed", "name", ""))
    assert "dead letter" in waiting_lines(bad, 43)[-1]
    assert "malformed in name" in waiting_lines(bad, 43)[0]


def test_not_found_says_what_was_searched() -> None:
    text = "\n".join(not_found_lines("[x]", 12, Looked([], 345, False), 20_000))
    for expected in ("\\[x]", "12 touchpoints", "345 records", "not to the end"):
        assert expected in text
    assert "Kafka" not in "\n".join(not_found_lines("x", 12, None, 20_000))


def test_a_record_matches_by_either_id_and_an_unreadable_one_by_its_text() -> None:
    decoded = decode_touchpoint(GOOD)
    assert isinstance(decoded, Decoded)
    assert matches("m-1", GOOD, decoded)
    assert matches(decoded.touchpoint_id, GOOD, decoded)
    assert not matches("m-", GOOD, decoded)
    bad = Invalid("malformed", None, "")
    assert matches("m-1", GOOD[:-3], bad)
    assert not matches("m-", GOOD[:-3], bad)


def test_ids_of_dead_letters() -> None:
    assert read_letter_id("touchpoints.raw/3/42") == ("touchpoints.raw", 3, 42)
    for wrong in ("m-1", "a/b", "a/1/x", "/1/2", "a/1/2/3", "a/-1/2", "a/١/2", ""):
        assert read_letter_id(wrong) is None
    assert "touchpoints.raw/3/42" in dead_letter_lines(letter())[1]


def test_times_are_utc() -> None:
    assert time_text(AT) == time_text(1_772_445_600_000) == "2026-03-02 10:00:00.000Z"


# -- dead letters ------------------------------------------------------------------------------------------------------


def test_bytes_are_text_or_hex() -> None:
    assert bytes_text(b'{"a":1}\n') == ("8, UTF-8", '{"a":1}\n')
    assert bytes_text(b"\xff\x00")[1] == "ff 00"
    assert bytes_text(b"\x1b[2J")[1] == "1b 5b 32 4a", "a sender must not steer the terminal"


def test_conditions_carry_values_as_parameters() -> None:
    where, parameters = condition([("t", 1, 2)], "malformed", None, "x' OR 1")
    assert "x'" not in where
    assert parameters == {"failure": "malformed", "source": "x' OR 1", "places": ["t/1/2"]}
    assert condition([], None, None, None) == ("1", {})


def test_a_replayed_record_is_the_original_and_says_where_it_lay() -> None:
    replayed = plan(letter(), force=False)
    assert isinstance(replayed, Replayed)
    assert (replayed.value, replayed.partition) == (GOOD, 3)
    assert dict(replayed.headers) == {
        "format": b"touchline",
        "source": b"till",
        HEADER: b"touchpoints.raw/3/42",
    }
    again = plan(letter(headers={HEADER: "touchpoints.raw/1/1"}), force=False)
    assert isinstance(again, Replayed)
    assert again.headers == ((HEADER, b"touchpoints.raw/3/42"),)


def test_the_copy_is_the_same_touchpoint() -> None:
    replayed = plan(letter(), force=False)
    assert isinstance(replayed, Replayed)
    before = decode_touchpoint(GOOD, [("format", b"touchline"), ("source", b"till")])
    after = decode_touchpoint(replayed.value, replayed.headers)
    assert isinstance(before, Decoded)
    assert isinstance(after, Decoded)
    assert before.touchpoint_id == after.touchpoint_id


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"topic": "touchpoints"}, "only the workers"),
        ({"failure": "unauthentic_control"}, "pretend"),
        ({"headers": {"control": "evidence", "mac": "0"}}, "where it lay"),
        ({"headers": {"source": "\\xff"}}, "not ASCII"),
        ({"payload": base64.b64encode(b"{").decode()}, "still malformed"),
    ],
)
def test_what_is_not_replayed(changes: dict[str, Any], reason: str) -> None:
    left = plan(letter(**changes), force=False)
    assert isinstance(left, Left)
    assert reason in left.reason


def test_force_sends_what_cannot_be_read() -> None:
    assert isinstance(plan(letter(payload=base64.b64encode(b"{").decode()), force=True), Replayed)


def test_a_forwarded_record_loses_what_only_we_may_say() -> None:
    headers = {"source": "till", "control": "forwarded", "mac": "0", "log_time": "5", "at": "[]"}
    replayed = plan(letter(headers=headers), force=False)
    assert isinstance(replayed, Replayed)
    assert set(dict(replayed.headers)) == {"source", HEADER}
