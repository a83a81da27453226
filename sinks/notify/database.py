"""The SQLite file of the notifier: its tables, its durability, its versions.

WAL with synchronous=FULL: a commit survives the loss of power. Each thread opens its own Database on the same file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sinks.notify.older_files import statements_of, take_over

BUSY_MS: Final = 10_000
FORMAT: Final = 5

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS seen (
    target INTEGER NOT NULL, stage TEXT NOT NULL, source INTEGER NOT NULL, offset INTEGER NOT NULL, ordinal
    INTEGER NOT NULL,
    PRIMARY KEY (target, stage, source)
) STRICT;
CREATE TABLE IF NOT EXISTS told (
    dedup_key TEXT PRIMARY KEY, state TEXT NOT NULL, round INTEGER NOT NULL, changed_at INTEGER NOT NULL, by TEXT,
    closed INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS told_by_time ON told (changed_at);
CREATE TABLE IF NOT EXISTS outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, route TEXT NOT NULL, key TEXT NOT NULL, idempotency_key TEXT NOT NULL,
    body BLOB NOT NULL, changed_at INTEGER NOT NULL, accepted_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, next_at INTEGER NOT NULL DEFAULT 0, parked TEXT,
    UNIQUE (route, idempotency_key)
) STRICT;
CREATE INDEX IF NOT EXISTS outbox_by_key ON outbox (route, key, seq) WHERE parked IS NULL;
CREATE INDEX IF NOT EXISTS outbox_by_age ON outbox (route, seq) WHERE parked IS NULL;
CREATE TABLE IF NOT EXISTS incident (
    key TEXT PRIMARY KEY, labels BLOB NOT NULL, step TEXT, count INTEGER NOT NULL, peak INTEGER NOT NULL,
    opened_at INTEGER NOT NULL, closed_at INTEGER, line TEXT NOT NULL,
    acknowledged INTEGER NOT NULL DEFAULT 0, runbook TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS open_alert (
    dedup_key TEXT PRIMARY KEY, incident TEXT NOT NULL, alert_id TEXT NOT NULL, anchor TEXT NOT NULL,
    cause_at INTEGER NOT NULL, line TEXT NOT NULL, acknowledged_by TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS open_by_incident ON open_alert (incident, cause_at, dedup_key);
CREATE INDEX IF NOT EXISTS open_waiting ON open_alert (incident, cause_at, dedup_key) WHERE acknowledged_by IS NULL;
CREATE INDEX IF NOT EXISTS open_by_name ON open_alert (incident, acknowledged_by) WHERE acknowledged_by IS NOT NULL;
CREATE TABLE IF NOT EXISTS heard (
    route TEXT NOT NULL, incident TEXT NOT NULL, is_open INTEGER NOT NULL, round INTEGER NOT NULL,
    reached INTEGER NOT NULL, changes INTEGER NOT NULL DEFAULT 0, sent INTEGER NOT NULL DEFAULT 0,
    refresh_at INTEGER NOT NULL DEFAULT 0,
    is_acknowledged INTEGER NOT NULL DEFAULT 0, is_flapping INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (route, incident)
) STRICT;
CREATE TABLE IF NOT EXISTS request (route TEXT NOT NULL, made_at INTEGER NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS request_by_route ON request (route, made_at);
CREATE TABLE IF NOT EXISTS board (
    dedup_key TEXT PRIMARY KEY, alert_id TEXT NOT NULL, incident TEXT NOT NULL, anchor TEXT NOT NULL,
    state TEXT NOT NULL, rank INTEGER NOT NULL, fired_at INTEGER NOT NULL, record BLOB NOT NULL,
    acknowledged_by TEXT, held TEXT, held_by TEXT, held_until INTEGER, moved_at INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS board_by_id ON board (alert_id);
CREATE INDEX IF NOT EXISTS board_by_anchor ON board (anchor);
CREATE INDEX IF NOT EXISTS board_by_incident ON board (incident, state);
CREATE INDEX IF NOT EXISTS board_by_rank ON board (rank, fired_at);
CREATE INDEX IF NOT EXISTS board_by_hold ON board (held_until) WHERE held IS NOT NULL;
CREATE TABLE IF NOT EXISTS silence (silence_id TEXT PRIMARY KEY, body BLOB NOT NULL, until_at INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS flap (
    key TEXT PRIMARY KEY, is_open INTEGER NOT NULL, begins TEXT NOT NULL, turned_at INTEGER NOT NULL,
    is_flapping INTEGER NOT NULL, is_told INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS flap_by_time ON flap (turned_at);
CREATE INDEX IF NOT EXISTS flap_of_those_that_do ON flap (turned_at) WHERE is_flapping;
"""


class OutboxError(Exception):
    """The file cannot be used: says which and why."""


class Database:
    """Not thread-safe. Every statement blocks for the disk."""

    def __init__(self, path: Path) -> None:
        """Raises OutboxError."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, timeout=BUSY_MS / 1000)
            for pragma in (f"busy_timeout = {BUSY_MS}", "journal_mode = WAL", "synchronous = FULL"):
                self._db.execute(f"PRAGMA {pragma}")
            with self.transaction():
                self._make_tables(path)
        except (sqlite3.Error, OSError) as error:
            raise OutboxError(
                f"cannot open {path}: {error}; check the directory, its permissions and the disk"
            ) from error

    def _make_tables(self, path: Path) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > FORMAT:
            raise OutboxError(f"{path} has format {version}, this version knows {FORMAT}; start a newer notifier")
        tables = [statement for statement in _TABLES.split(";") if statement.strip()]
        before, after = statements_of(version)
        for statement in (*before, *tables, *after):
            self._db.execute(statement)
        if 0 < version < FORMAT:
            take_over(self._db, version)
        self._db.execute(f"PRAGMA user_version = {FORMAT}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def run(self, statement: str, *values: Any) -> sqlite3.Cursor:
        return self._db.execute(statement, values)

    def one(self, statement: str, *values: Any) -> Any:
        """The first row, or None."""
        return self._db.execute(statement, values).fetchone()

    def close(self) -> None:
        self._db.close()
