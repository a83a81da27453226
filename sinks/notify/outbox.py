"""What is to be sent and what was told, in SQLite: on disk before the first byte leaves and before Kafka hears
that we have it.

One transaction per batch of alerts: their positions, what was told, the notifications. So a redelivered alert
changes nothing, and a notification cannot be forgotten. WAL with synchronous=FULL: a commit survives the loss
of power.

Each thread opens its own Outbox on the same file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, cast

from schemas.records import Alert
from sinks.notify.decide import Decision, Told, ToldState, decide, idempotency_key
from sinks.notify.message import body_of

BUSY_MS: Final = 10_000
PARKED_MAX: Final = 1_000
TOLD_KEPT_MS: Final = 60 * 86_400_000
FORMAT: Final = 1

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS seen (
    target INTEGER NOT NULL, stage TEXT NOT NULL, source INTEGER NOT NULL, offset INTEGER NOT NULL, ordinal
    INTEGER NOT NULL,
    PRIMARY KEY (target, stage, source)
) STRICT;
CREATE TABLE IF NOT EXISTS told (
    dedup_key TEXT PRIMARY KEY, state TEXT NOT NULL, round INTEGER NOT NULL, changed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS told_by_time ON told (changed_at);
CREATE TABLE IF NOT EXISTS outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, dedup_key TEXT NOT NULL, idempotency_key TEXT NOT NULL UNIQUE,
    body BLOB NOT NULL, changed_at INTEGER NOT NULL, accepted_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, next_at INTEGER NOT NULL DEFAULT 0, parked TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS outbox_by_key ON outbox (dedup_key, seq) WHERE parked IS NULL;
"""


class OutboxError(Exception):
    """The file cannot be used: says which and why."""


class Waiting(NamedTuple):
    """A notification to be sent. `accepted_at` is the wall clock, ms."""

    seq: int
    idempotency_key: str
    body: bytes
    changed_at: int
    accepted_at: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Arrived:
    """An alert as it was read: the partition it lay in, and the record."""

    partition: int
    alert: Alert


class Outbox:
    """Not thread-safe. Every method is one transaction and blocks for the disk."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, timeout=BUSY_MS / 1000)
            for pragma in (f"busy_timeout = {BUSY_MS}", "journal_mode = WAL", "synchronous = FULL"):
                self._db.execute(f"PRAGMA {pragma}")
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version not in (0, FORMAT):
                raise OutboxError(f"{path} has format {version}, this version knows {FORMAT}; start a newer notifier")
            with self._transaction():
                for statement in _SCHEMA.split(";"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {FORMAT}")
        except (sqlite3.Error, OSError) as error:
            raise OutboxError(
                f"cannot open {path}: {error}; check the directory, its permissions and the disk"
            ) from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # -- Kafka to outbox --

    def accept(self, arrived: Iterable[Arrived], now: int, *, deliver: bool) -> list[Decision | None]:
        """Decide on each; None for one that was seen before. With `deliver` false nothing is put up for sending."""
        with self._transaction():
            return [self._accept(found, now, deliver) for found in arrived]

    def _accept(self, found: Arrived, now: int, deliver: bool) -> Decision | None:
        alert = found.alert
        if not self._is_new(found):
            return None
        decision = decide(alert, self._told(alert.dedup_key))
        if decision.tell:
            self._db.execute(
                "INSERT OR REPLACE INTO told VALUES (?, ?, ?, ?)",
                (alert.dedup_key, decision.after.state, decision.after.round, alert.changed_at),
            )
        if decision.tell and deliver:
            key = idempotency_key(alert.dedup_key, decision.after)
            self._db.execute(
                "INSERT OR IGNORE INTO outbox (dedup_key, idempotency_key, body, changed_at, accepted_at)"
                " VALUES (?, ?, ?, ?, ?)",
                (alert.dedup_key, key, body_of(alert, key), alert.changed_at, now),
            )
        return decision

    def _is_new(self, found: Arrived) -> bool:
        stage, source, offset, ordinal = found.alert.at
        where = (found.partition, stage, source)
        row = self._db.execute(
            "SELECT offset, ordinal FROM seen WHERE target = ? AND stage = ? AND source = ?", where
        ).fetchone()
        if row is not None and (offset, ordinal) <= row:
            return False
        self._db.execute("INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?, ?)", (*where, offset, ordinal))
        return True

    def _told(self, dedup_key: str) -> Told:
        row = self._db.execute("SELECT state, round FROM told WHERE dedup_key = ?", (dedup_key,)).fetchone()
        return Told(cast(ToldState, row[0]), row[1]) if row else Told()

    def forget(self, changed_before: int) -> int:
        """Drop what was told and ended before that log time; returns how much."""
        with self._transaction():
            return self._db.execute(
                "DELETE FROM told WHERE changed_at < ? AND state IN ('resolved', 'withdrawn')", (changed_before,)
            ).rowcount

    # -- outbox to receiver --

    def due(self, now: int, limit: int) -> list[Waiting]:
        """The oldest of each dedup key, if its time has come: what follows waits behind it."""
        rows = self._db.execute(
            "SELECT seq, idempotency_key, body, changed_at, accepted_at, attempts FROM outbox AS this"
            " WHERE parked IS NULL AND next_at <= ? AND NOT EXISTS (SELECT 1 FROM outbox AS other"
            " WHERE other.dedup_key = this.dedup_key AND other.parked IS NULL AND other.seq < this.seq)"
            " ORDER BY seq LIMIT ?",
            (now, limit),
        )
        return [Waiting(*row) for row in rows]

    def delivered(self, seq: int) -> None:
        with self._transaction():
            self._db.execute("DELETE FROM outbox WHERE seq = ?", (seq,))

    def again(self, seq: int, next_at: int) -> None:
        with self._transaction():
            self._db.execute("UPDATE outbox SET attempts = attempts + 1, next_at = ? WHERE seq = ?", (next_at, seq))

    def park(self, seq: int, cause: str) -> None:
        """Given up. The newest PARKED_MAX are kept for a person to look at."""
        with self._transaction():
            self._db.execute("UPDATE outbox SET attempts = attempts + 1, parked = ? WHERE seq = ?", (cause, seq))
            self._db.execute(
                "DELETE FROM outbox WHERE parked IS NOT NULL AND seq NOT IN"
                " (SELECT seq FROM outbox WHERE parked IS NOT NULL ORDER BY seq DESC LIMIT ?)",
                (PARKED_MAX,),
            )

    def waiting(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM outbox WHERE parked IS NULL").fetchone()[0])

    def parked(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM outbox WHERE parked IS NOT NULL").fetchone()[0])

    def close(self) -> None:
        self._db.close()
