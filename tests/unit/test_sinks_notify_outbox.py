"""What the outbox keeps of incidents on disk, and what each route hears of it, whatever order and batches the changes
come in; files of older formats, too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records import Alert
from schemas.routes import Filter
from sinks.notify.alertmanager import Pace
from sinks.notify.database import OutboxError
from sinks.notify.incident import IncidentNews, labels_of
from sinks.notify.outbox import EXPIRES_MS, Arrived, Outbox
from sinks.notify.quiet import MOVED_WAIT_MS
from sinks.notify.routing import Route
from tests.sink_records import DAY_AT, alert
from tests.tries import tries

SLACK = Route("room", "slack", "http://127.0.0.1/slack", template="{state}")
OPERATIONS = Route("operations", "alertmanager", "http://127.0.0.1/am", template="{journey}")
PACE = Pace(1_000, 5_000)


class Hearing:
    """An outbox with its routes; what they hear."""

    def __init__(self, path: Path, routes: Sequence[Route] = (SLACK, OPERATIONS)) -> None:
        self.outbox = Outbox(path, routes)

    def take(self, changes: Sequence[Alert], now: int = 10) -> None:
        self.outbox.accept([Arrived(0, change) for change in changes], now)

    def news(self) -> list[tuple[str, int]]:
        rows = self.outbox._db.run("SELECT body FROM outbox WHERE route = ? ORDER BY seq", SLACK.key).fetchall()
        found = [IncidentNews.model_validate_json(body) for (body,) in rows]
        return [(news.news, news.incident.count) for news in found]

    def reports(self, now: int = 10) -> list[tuple[str, bool, int]]:
        due = self.outbox.to_report(OPERATIONS, now, PACE, 100)
        self.outbox.reported(OPERATIONS, due, now, PACE)
        return [
            (found.report.incident.labels.break_name, found.report.is_open, found.report.incident.count)
            for found in due
        ]


def test_a_batch_is_one_piece_of_news(tmp_path: Path) -> None:
    told = Hearing(tmp_path / "o.sqlite")
    told.take([alert(number, offset=number) for number in range(120)])
    told.take([alert(number, "resolved", offset=200 + number) for number in range(119)])
    told.take([alert(119, "moved", offset=400)])
    assert told.news() == [("fired", 120)]
    told.outbox.release(10 + MOVED_WAIT_MS, 100)
    assert told.news() == [("fired", 120), ("resolved", 0)]


def test_one_that_moves_keeps_the_incident_open_in_either_order(tmp_path: Path) -> None:
    first, heir = alert(1, offset=1), alert(1, offset=1, partition=1, alert_id="heir", continues="x")
    gone = alert(1, "moved", offset=2)
    for number, order in enumerate(([first, gone, heir], [first, heir, gone])):
        told = Hearing(tmp_path / f"{number}.sqlite")
        told.take(order)
        assert told.news() == [("fired", 1)]
        told.take([alert(1, "resolved", offset=9, partition=1, alert_id="heir", continues="x")])
        assert told.news() == [("fired", 1), ("resolved", 0)]


@pytest.mark.parametrize("change", [{"run": "replay"}, {"run": "backfill"}, {"notify": False, "reason": "shadow"}])
def test_nobody_hears_of_replays_and_shadows(tmp_path: Path, change: dict[str, Any]) -> None:
    told = Hearing(tmp_path / "o.sqlite")
    told.take([alert(1, offset=1, **change)])
    assert (told.news(), told.reports()) == ([], [])


STATES = ("firing", "acknowledged", "resolved", "withdrawn", "moved")
CHANGES = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from("ab"), st.sampled_from(STATES), st.sampled_from(("paid", "ready"))),
    max_size=40,
)


def expected(changes: Sequence[Alert], is_over: bool) -> dict[str, int]:
    """Open alerts by break, from sets alone. `is_over`: nothing waits any more for one that continues it."""
    held: dict[str, tuple[str, str, bool]] = {}
    for change in changes:
        key = change.dedup_key
        if change.state == "firing":
            held[key] = (change.alert_id, change.break_name, False)
        elif change.state == "acknowledged":
            held[key] = (*held.get(key, (change.alert_id, change.break_name))[:2], False)
        elif change.state in ("resolved", "withdrawn"):
            held.pop(key, None)
        elif change.state == "moved" and key in held and held[key][0] == change.alert_id:
            held[key] = (*held[key][:2], True)
    breaks = [name for _, name, waits in held.values() if not (is_over and waits)]
    return {name: breaks.count(name) for name in sorted(set(breaks))}


@settings(max_examples=tries(60), deadline=None)
@given(CHANGES, st.lists(st.integers(0, 40), max_size=6))
def test_the_open_alerts_are_those_that_fired_and_did_not_end_however_they_are_cut(
    moves: list[tuple[int, str, str, str]], cuts: list[int]
) -> None:
    changes = [
        alert(number, state, offset=offset, alert_id=f"{number}{holder}", break_name=name, continues="x")
        for offset, (number, holder, state, name) in enumerate(moves)
    ]
    with TemporaryDirectory() as directory:
        path = Path(directory) / "o.sqlite"
        told = Hearing(path)
        for start, end in pairwise(sorted({0, *cuts, len(changes)})):
            told.take(changes[start:end])
            told.outbox.close()
            told = Hearing(path)
            told.take(changes[start:end])
        assert standing_now(told) == expected(changes, is_over=False)
        told.outbox.release(10 + MOVED_WAIT_MS, 100)
        standing = standing_now(told)
        assert standing == expected(changes, is_over=True)
        assert sum(told.outbox._db.run("SELECT count(*) FROM open_alert").fetchone()) == sum(standing.values())
        heard = told.outbox._db.run("SELECT incident, is_open FROM heard WHERE route = ?", OPERATIONS.key).fetchall()
        open_now = told.outbox._db.run("SELECT key FROM incident WHERE count > 0").fetchall()
        assert {key for key, is_open in heard if is_open} == {key for (key,) in open_now}
        told.outbox.close()


def standing_now(told: Hearing) -> dict[str, int]:
    rows = told.outbox._db.run("SELECT key, count FROM incident WHERE count > 0").fetchall()
    return {told.outbox._incidents.read(key).labels.break_name: count for key, count in rows}


def test_who_has_waited_longest_is_named_first(tmp_path: Path) -> None:
    told = Hearing(tmp_path / "o.sqlite")
    told.take([alert(number, offset=number, cause_at=DAY_AT - number) for number in range(1, 9)])
    (due,) = told.outbox.to_report(OPERATIONS, 10, PACE, 10)
    assert due.report.incident.sample == [f"order_id:{number}" for number in (8, 7, 6, 5, 4)]
    assert (due.report.incident.count, due.report.incident.peak) == (8, 8)


def test_an_open_incident_is_due_again_after_the_refresh_and_at_once_when_something_is_new(tmp_path: Path) -> None:
    told = Hearing(tmp_path / "o.sqlite")
    told.take([alert(1, offset=1)])
    assert told.reports(10) == [("paid", True, 1)]
    assert told.reports(1_009) == []
    assert told.reports(1_010) == [("paid", True, 1)]
    told.take([alert(2, offset=2)])
    assert told.reports(1_011) == []
    told.take([alert(number, offset=number) for number in range(3, 11)])
    assert told.reports(1_012) == [("paid", True, 10)]
    told.take([alert(number, "resolved", offset=20 + number) for number in range(1, 11)])
    assert told.reports(1_013) == [("paid", False, 0)]
    assert told.reports(99_000) == []
    told.take([alert(1, offset=50)])
    assert told.reports(99_001) == [("paid", True, 1)]
    assert told.reports(5) == [("paid", True, 1)], "the clock was set back"


def test_a_new_route_to_alertmanager_hears_what_is_open_and_one_that_takes_it_no_more_forgets(tmp_path: Path) -> None:
    path = tmp_path / "o.sqlite"
    told = Hearing(path, [])
    told.take([alert(1, offset=1), alert(2, offset=2, break_name="ready")])
    told = Hearing(path)
    told.outbox.adopt(10)
    assert sorted(told.reports()) == [("paid", True, 1), ("ready", True, 1)]
    assert told.news() == []
    narrow = Route("operations", "alertmanager", "", template="x", wanted=Filter(breaks=["paid"]))
    told = Hearing(path, [narrow])
    told.outbox.adopt(10)
    assert told.reports(99_000) == [("paid", True, 1)]


def test_a_room_that_was_away_from_the_file_hears_what_is_open_at_the_next_change(tmp_path: Path) -> None:
    path = tmp_path / "o.sqlite"
    Hearing(path).take([alert(1, offset=1)])
    Hearing(path, []).outbox.adopt(20)
    told = Hearing(path)
    told.outbox.adopt(30)
    assert told.news() == [("fired", 1)]
    told.take([alert(2, offset=2)], now=40)
    assert told.news() == [("fired", 1), ("fired", 2)]


def test_what_waited_a_day_for_a_route_that_is_gone_is_parked(tmp_path: Path) -> None:
    path = tmp_path / "o.sqlite"
    Hearing(path).take([alert(1, offset=1)], now=10)
    outbox = Outbox(path, [])
    assert (outbox.adopt(10), outbox.parked()) == (0, 0)
    assert (outbox.adopt(10 + EXPIRES_MS), outbox.parked(), outbox.waiting()) == (1, 1, 0)


def test_incidents_that_ended_long_ago_are_forgotten_once_everybody_heard(tmp_path: Path) -> None:
    told = Hearing(tmp_path / "o.sqlite")
    told.take([alert(1, offset=1), alert(2, offset=2, break_name="ready")])
    told.take([alert(1, "resolved", offset=3)])
    later = 90 * 86_400_000
    count = "SELECT count(*) FROM incident"
    told.outbox.forget(0, later)
    assert told.outbox._db.one(count) == (2,), "Alertmanager has not heard the end"
    told.reports()
    told.outbox.forget(0, later)
    assert told.outbox._db.one(count) == (1,)


def test_a_file_of_the_first_format_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "o.sqlite"
    with sqlite3.connect(path) as old:
        old.executescript(
            "CREATE TABLE outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, dedup_key TEXT NOT NULL,"
            " idempotency_key TEXT NOT NULL UNIQUE, body BLOB NOT NULL, changed_at INTEGER NOT NULL,"
            " accepted_at INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, next_at INTEGER NOT NULL DEFAULT 0,"
            " parked TEXT) STRICT;"
            "CREATE INDEX outbox_by_key ON outbox (dedup_key, seq) WHERE parked IS NULL;"
            "INSERT INTO outbox VALUES (7, 'd', 'd.1.firing', x'7b7d', 1, 2, 3, 4, NULL);"
            "PRAGMA user_version = 1"
        )
    old.close()
    for _ in range(2):
        webhook = Route("webhook", "webhook", "")
        outbox = Outbox(path, [webhook])
        assert [tuple(found) for found in outbox.due(webhook.key, 4, 9)] == [(7, "d", "d.1.firing", b"{}", 1, 2, 3)]
        outbox.close()


SECOND_FORMAT = """
CREATE TABLE told (dedup_key TEXT PRIMARY KEY, state TEXT NOT NULL, round INTEGER NOT NULL,
    changed_at INTEGER NOT NULL) STRICT;
CREATE TABLE incident (key TEXT PRIMARY KEY, labels BLOB NOT NULL, step TEXT, count INTEGER NOT NULL,
    peak INTEGER NOT NULL, opened_at INTEGER NOT NULL, closed_at INTEGER, line TEXT NOT NULL) STRICT;
CREATE TABLE open_alert (dedup_key TEXT PRIMARY KEY, incident TEXT NOT NULL, alert_id TEXT NOT NULL,
    anchor TEXT NOT NULL, cause_at INTEGER NOT NULL, line TEXT NOT NULL) STRICT;
CREATE TABLE heard (route TEXT NOT NULL, incident TEXT NOT NULL, is_open INTEGER NOT NULL, round INTEGER NOT NULL,
    reached INTEGER NOT NULL, changes INTEGER NOT NULL DEFAULT 0, sent INTEGER NOT NULL DEFAULT 0,
    refresh_at INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (route, incident)) STRICT;
PRAGMA user_version = 2
"""


def test_what_was_open_in_a_file_of_the_second_format_is_acknowledged_and_ends(tmp_path: Path) -> None:
    found = alert(1, offset=1)
    labels = labels_of(found)
    old_labels = labels.model_dump_json(exclude={"scope"}).encode()
    with sqlite3.connect(path := tmp_path / "o.sqlite") as old:
        old.executescript(SECOND_FORMAT)
        old.execute("INSERT INTO told VALUES (?, 'firing', 1, 1)", (found.dedup_key,))
        old.execute("INSERT INTO incident VALUES (?, ?, 'paid', 1, 1, 5, NULL, 'x')", (labels.key(), old_labels))
        row = (found.dedup_key, labels.key(), found.alert_id, found.anchor, found.cause_at, "x")
        old.execute("INSERT INTO open_alert VALUES (?, ?, ?, ?, ?, ?)", row)
        old.execute("INSERT INTO heard VALUES (?, ?, 1, 1, 1, 1, 1, 0)", (SLACK.key, labels.key()))
    old.close()
    told = Hearing(path)
    told.take([alert(1, "acknowledged", offset=2, acknowledged_by="anna")])
    told.outbox.close()
    told = Hearing(path)
    told.take([alert(1, "resolved", offset=3)])
    assert told.news() == [("acknowledged", 1), ("resolved", 0)]


def test_a_file_of_a_later_format_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(path := tmp_path / "o.sqlite") as newer:
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(OutboxError, match="format 99"):
        Outbox(path)
