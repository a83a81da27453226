"""Records as rows: widths, what repeats, what is left out, what a sender can do to us."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import pytest
from pydantic import BaseModel

from schemas.fast import encode
from schemas.identifiers import customer_of
from sinks.clickhouse.batch import DECODERS, Unreadable, build
from sinks.clickhouse.protocol import Seen
from sinks.clickhouse.rows import COLUMNS, EARLIEST_AT, LATEST_AT, TEXT_MAX, Row, order_of, rows_of
from tests.sink_records import (
    about_source,
    acknowledged,
    alert,
    attach,
    customer,
    dead_letter,
    decision,
    detach,
    journey,
    naming,
    resolved,
    switched,
    tick,
)


@dataclass(frozen=True)
class Record:
    offset: int
    value: bytes | None
    timestamp: int = 0


def records(*found: BaseModel) -> list[Record]:
    return [Record(offset, encode(record)) for offset, record in enumerate(found)]


def cell(table: str, row: Row, column: str) -> object:
    return row[COLUMNS[table].index(column)]


def touchpoint(**changes: object) -> dict[str, object]:
    ((table, row),) = rows_of(resolved(1, **changes))  # type: ignore[arg-type]  # Any field may be changed.
    return dict(zip(COLUMNS[table], row, strict=True))


def test_every_record_has_as_many_cells_as_its_table_has_columns() -> None:
    tracked = (journey(1, offset=1), alert(1, offset=1), dead_letter(1))
    for record in (
        *(resolved(1), attach([1], 2, offset=1), *tracked),
        *(naming("email:x", "u1", offset=1), decision(1, "block", "email:x")),
        *(about_source(1, "till-7", offset=1), switched(3), acknowledged(1, offset=4)),
    ):
        for table, row in rows_of(record):
            assert len(row) == len(COLUMNS[table])


def test_labels_come_from_properties_context_and_subject() -> None:
    found = touchpoint(
        properties={"store_id": 12, "country": "FR"}, context={"app": {"version": "3.1"}, "country": "DE"}
    )
    assert (found["store_id"], found["country"], found["app_version"]) == ("12", "FR", "3.1")
    assert touchpoint(subject={"kind": "store", "id": "s9"})["store_id"] == "s9"
    odd = touchpoint(
        properties={"store_id": ["x"], "country": True}, context={"app": "1.2", "location": {"country": "IT"}}
    )
    assert (odd["store_id"], odd["country"], odd["app_version"]) == ("", "IT", "")
    assert touchpoint(properties={"store_id": "x" * 5_000})["store_id"] == "x" * TEXT_MAX


def test_account_and_usable_contacts_stand_with_the_touchpoint() -> None:
    found = touchpoint(identifiers={"email": "X@Y", "account_id": "firm"}, contacts=["email:hmac:aa", "phone:hmac:bb"])
    assert (found["account_id"], found["contacts"]) == ("firm", ["email:hmac:aa", "phone:hmac:bb"])
    assert (touchpoint()["account_id"], touchpoint()["contacts"]) == ("", [])


def test_namings_and_decisions_say_nobody_with_an_empty_text() -> None:
    ((table, row),) = rows_of(naming("email:x", None, offset=7))
    assert (table, row) == ("contact_namings", ("email:x", "", customer_of("email", "x"), 7, "live"))
    ((table, row),) = rows_of(naming("email:x", "u1", offset=8))
    assert (row[1:4]) == ("u1", customer_of("user_id", "u1"), 8)
    ((table, row),) = rows_of(decision(3, "block", "email:x"))
    assert (table, cell(table, row, "user_id"), cell(table, row, "kind")) == ("identity_decisions", "", "block")
    ((_, later),) = rows_of(decision(4, "lift", "email:x"))
    assert later[-1] > row[-1]  # type: ignore[operator]  # Positions are integers.


def test_the_topic_identities_has_namings_and_decisions() -> None:
    found = build(
        DECODERS["identities"], records(naming("email:x", "u1", offset=1), decision(2, "block", "email:x")), {}
    )
    assert {table: len(rows) for table, rows in found.rows.items()} == {"contact_namings": 1, "identity_decisions": 1}
    again = build(DECODERS["identities"], records(naming("email:x", "u1", offset=1)), found.seen_after)
    assert (again.count, again.repeated) == (0, 1)


def test_times_beyond_what_clickhouse_holds_are_moved_to_its_borders() -> None:
    found = touchpoint(occurred_at_sent=-(10**15), occurred_at=10**15)
    assert (found["occurred_at_sent"], found["occurred_at"]) == (EARLIEST_AT, LATEST_AT)


def test_only_moves_of_customers_change_an_attribution() -> None:
    assert [row[:2] for _, row in rows_of(attach([1, 2], 9, offset=5))] == [(f"{n:032x}", customer(9)) for n in (1, 2)]
    assert [row[1:3] for _, row in rows_of(detach([1], 9, offset=5))] == [("", "waiting")]
    for silent in (attach([1], 9, offset=5, scope="order_id:1"), detach([1], 9, offset=5, moved_to=3), tick(1)):
        assert list(rows_of(silent)) == []
    assert list(rows_of(detach([1], 9, offset=5, scope="order_id:1"))) == []


def test_a_switch_is_the_same_row_from_every_partition_and_a_word_on_an_alert_is_none() -> None:
    ((table, row),) = rows_of(switched(7, 2, "shadow", ordinal=3))
    assert (table, cell(table, row, "position"), cell(table, row, "mode")) == ("definition_modes", 7, "shadow")
    assert list(rows_of(switched(7, 2, "shadow", ordinal=0))) == [(table, row)]
    assert list(rows_of(acknowledged(1, offset=8))) == []


def test_an_alert_about_no_customer_has_empty_texts() -> None:
    ((table, row),) = rows_of(about_source(1, "till-7", offset=1, runbook="https://w/till", acknowledged_by="anna"))
    found = dict(zip(COLUMNS[table], row, strict=True))
    assert (found["journey_id"], found["customer_id"], found["scope"]) == ("", "", "source")
    assert (found["runbook"], found["acknowledged_by"], found["mode"]) == ("https://w/till", "anna", "live")


def test_the_topic_touchpoints_has_switches_and_words_on_alerts() -> None:
    found = build(DECODERS["touchpoints"], records(switched(5), acknowledged(1, offset=6), resolved(1)), {})
    assert {table: len(rows) for table, rows in found.rows.items()} == {"definition_modes": 1, "touchpoints": 1}
    again = build(DECODERS["touchpoints"], records(switched(5), switched(7, 2)), found.seen_after)
    assert (again.count, again.repeated) == (1, 1)


def test_the_order_grows_with_the_position() -> None:
    random = Random(1)
    found = sorted((random.randrange(2**40), random.randrange(2**20)) for _ in range(500))
    orders = [order_of(("track", 3, *position)) for position in found]
    assert orders == sorted(orders)
    with pytest.raises(ValueError, match="ordinal"):
        order_of(("track", 3, 1, 1 << 20))


def test_what_was_seen_is_dropped_and_ticks_leave_nothing() -> None:
    decode = DECODERS["touchpoints"]
    first = build(decode, records(resolved(1), tick(9), resolved(2), resolved(2, partition=1)), {})
    assert (first.count, first.repeated) == (3, 0)
    assert dict(first.seen_after) == {("resolve", 0): (2, 0), ("resolve", 1): (2, 0)}
    again = build(decode, records(resolved(1), resolved(2), resolved(3), resolved(2, ordinal=1)), first.seen_after)
    assert (again.count, again.repeated) == (1, 3)


def test_any_cut_gives_the_same_rows() -> None:
    """Redelivered and cut at random: the rows together are those of one pass."""
    random = Random(2)
    decode = DECODERS["touchpoints"]
    log = records(*[resolved(n, partition=n % 3) for n in range(60)])
    whole = build(decode, log, {})
    rows: list[Row] = []
    seen: Seen = {}
    at = 0
    while at < len(log):
        end = min(at + random.randrange(1, 9), len(log))
        batch = build(decode, log[max(at - 5, 0) : end], seen)
        rows += batch.rows.get("touchpoints", [])
        seen, at = batch.seen_after, end
    assert rows == whole.rows["touchpoints"]


@pytest.mark.parametrize("value", [None, b"", b"{}", b"\xff", b'{"type":"tick"}'])
def test_what_cannot_be_read_names_the_offset_and_quotes_nothing(value: bytes | None) -> None:
    with pytest.raises(Unreadable, match="offset 7"):
        build(DECODERS["touchpoints"], [Record(7, value)], {})
