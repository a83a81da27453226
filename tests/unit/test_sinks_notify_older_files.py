"""A file of the format before: what was open goes on under its new key, what moved away long ago is told no more."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from uuid import uuid5

import pytest

from schemas.fast import encode
from schemas.identifiers import NAMESPACE, dedup_key_of
from schemas.records import Alert
from sinks.notify.database import FORMAT
from tests.sink_records import alert
from tests.unit.test_sinks_notify_quiet import Desk

FORMER_BOARD = """
DROP INDEX board_by_id; DROP INDEX board_by_anchor; DROP INDEX board_by_incident; DROP INDEX board_by_rank;
DROP INDEX board_by_hold;
ALTER TABLE board DROP COLUMN moved_at;
PRAGMA user_version = 4;
"""


def former(number: int, state: str = "firing", *, offset: int) -> Alert:
    """With the key of its time."""
    key = uuid5(NAMESPACE, f"dedup|click_and_collect|order_id:{number}|paid|1")
    return alert(number, state, offset=offset, dedup_key=str(key), acknowledged_by="anna")


def today(number: int, state: str, *, offset: int) -> Alert:
    key = dedup_key_of("click_and_collect", 1, f"order_id:{number}", "paid", 1)
    return alert(number, state, offset=offset, dedup_key=key)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """1 is firing, 2 is acknowledged, 3 is silenced, 4 moved away and was never continued."""
    path = tmp_path / "o.sqlite"
    desk = Desk(path)
    desk.take_all([former(1, offset=1), former(2, offset=2), former(2, "acknowledged", offset=3)])
    desk.silence(30, anchor="order_id:3")
    desk.take_all([former(3, offset=4), former(4, offset=5)])
    gone = former(4, offset=0).dedup_key
    for table in ("board", "open_alert"):
        desk.outbox._db.run(f"DELETE FROM {table} WHERE dedup_key = ?", gone)
    desk.outbox._db.run("UPDATE incident SET count = count - 1")
    desk.outbox.close()
    with sqlite3.connect(path) as old:
        old.executescript(FORMER_BOARD)
    old.close()
    again = Desk(path, now=desk.now, offset=9)
    assert again.outbox._db.one("PRAGMA user_version") == (FORMAT,)
    return again


def test_what_was_open_ends_under_its_new_key(desk: Desk) -> None:
    desk.take_all([today(1, "resolved", offset=10), today(2, "resolved", offset=11)])
    assert desk.reasons == ["told", "told"]
    assert desk.news()[-1] == "resolved"
    assert desk.outbox._db.one("SELECT count(*) FROM told WHERE state IN ('firing', 'acknowledged')") == (0,)


def test_what_was_held_back_is_told_under_its_new_key(desk: Desk) -> None:
    desk.wait(30 * 60_000)
    assert desk.told()[-1] == (today(3, "firing", offset=0).dedup_key, "firing", False)


def test_what_had_moved_away_is_no_longer_told_as_open(desk: Desk) -> None:
    query = "SELECT dedup_key FROM told WHERE state NOT IN ('firing', 'acknowledged')"
    assert desk.outbox._db.run(query).fetchall() == [(former(4, offset=0).dedup_key,)]


def test_a_record_that_is_not_understood_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "o.sqlite"
    desk = Desk(path)
    desk.take_all([former(1, offset=1)])
    desk.outbox._db.run("UPDATE board SET record = ?", encode({"type": "something"}))
    desk.outbox.close()
    with sqlite3.connect(path) as old:
        old.execute("PRAGMA user_version = 4")
    old.close()
    keys = Desk(path).outbox._db.run("SELECT dedup_key FROM board").fetchall()
    assert keys == [(former(1, offset=0).dedup_key,)]
