"""What is to be sent and what was told, in SQLite: on disk before the first byte leaves and before Kafka hears
that we have it.

One transaction per batch of alerts: their positions, what was told, the open alerts of each incident, the
notifications. So a redelivered alert changes nothing, and a notification cannot be forgotten.

Each thread opens its own Outbox on the same file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from schemas.records import Alert
from sinks.notify.alertmanager import Pace
from sinks.notify.board import Board
from sinks.notify.database import Database, OutboxError
from sinks.notify.decide import Decision
from sinks.notify.incidents import Due
from sinks.notify.incidents import Told as IncidentTold
from sinks.notify.intake import Intake, Released
from sinks.notify.quiet import Hold, Quiet, Silence
from sinks.notify.rate import WINDOW_MS, Waiting
from sinks.notify.routing import Route

__all__ = ["Accepted", "Arrived", "Outbox", "OutboxError"]

PARKED_MAX: Final = 1_000
EXPIRES_MS: Final = 86_400_000
TOLD_KEPT_MS: Final = 60 * 86_400_000
TOLD_MAX: Final = 1_000_000
"""Beyond so many alerts that ended the oldest are forgotten sooner. Those that are open are never forgotten: they are
as many as the workers hold open.
"""
_WAITING: Final = "seq, key, idempotency_key, body, changed_at, accepted_at, attempts"


@dataclass(frozen=True, slots=True)
class Arrived:
    """An alert as it was read: the partition it lay in, and the record."""

    partition: int
    alert: Alert


class Accepted(NamedTuple):
    """A decision for each alert, None for one that was seen before; and what was decided of the incidents."""

    decisions: list[Decision | None]
    incidents: list[IncidentTold]


class Outbox:
    """Not thread-safe. Every method is one transaction and blocks for the disk."""

    def __init__(self, path: Path, routes: Sequence[Route] = (), rules: Quiet | None = None) -> None:
        """`rules`: the maintenance windows and what flaps. Raises OutboxError."""
        self._db = Database(path)
        self._routes = tuple(routes)
        self._intake = Intake(self._db, routes, rules or Quiet())
        self._incidents = self._intake.incidents

    # -- Kafka to outbox --

    def accept(self, arrived: Iterable[Arrived], now: int) -> Accepted:
        """Decide on each and put up for sending what the routes take. `now`: wall clock, ms."""
        with self._db.transaction():
            self._intake.begin(now)
            changed: list[str] = []
            decisions = [
                self._intake.take(found.alert, now, changed) if self._is_new(found) else None for found in arrived
            ]
            return Accepted(decisions, self._incidents.tell(changed, now))

    def release(self, now: int, limit: int) -> Released:
        """Decide again on what was held back until now: a silence or a window ended, or it does not flap any more."""
        with self._db.transaction():
            self._intake.begin(now)
            return self._intake.release(now, limit)

    def _is_new(self, found: Arrived) -> bool:
        stage, source, offset, ordinal = found.alert.at
        where = (found.partition, stage, source)
        row = self._db.one("SELECT offset, ordinal FROM seen WHERE target = ? AND stage = ? AND source = ?", *where)
        if row is not None and (offset, ordinal) <= row:
            return False
        self._db.run("INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?, ?)", *where, offset, ordinal)
        return True

    def forget(self, changed_before: int, now: int) -> int:
        """Drop what was told and ended before that log time, and what is beyond TOLD_MAX; returns how much. Incidents
        are kept as long.
        """
        with self._db.transaction():
            self._incidents.forget(now - TOLD_KEPT_MS)
            self._intake.silences.forget(now)
            self._intake.flaps.forget(now)
            self._db.run("DELETE FROM request WHERE made_at <= ?", now - WINDOW_MS)
            return self._forget_told(changed_before)

    def _forget_told(self, changed_before: int) -> int:
        ended = "DELETE FROM told WHERE changed_at < ? AND state NOT IN ('firing', 'acknowledged')"
        newest = "SELECT changed_at FROM told WHERE state NOT IN ('firing', 'acknowledged') ORDER BY changed_at DESC"
        row = self._db.one(newest + " LIMIT 1 OFFSET ?", TOLD_MAX - 1)
        return self._db.run(ended, max(changed_before, row[0] if row else changed_before)).rowcount

    def adopt(self, now: int) -> int:
        """Once at the start: the routes may have changed since the last life. What has waited a day for one that is
        gone is parked; returns how much."""
        with self._db.transaction():
            self._intake.board.look_again()
            self._incidents.adopt(now)
            known = {route.key for route in self._routes}
            rows = self._db.run("SELECT DISTINCT route FROM outbox WHERE parked IS NULL").fetchall()
            return sum(
                self._db.run(
                    "UPDATE outbox SET parked = 'the route is gone' WHERE parked IS NULL AND route = ?"
                    " AND accepted_at <= ?",
                    route,
                    now - EXPIRES_MS,
                ).rowcount
                for (route,) in rows
                if route not in known
            )

    # -- outbox to receiver --

    def due(self, route: str, now: int, limit: int) -> list[Waiting]:
        """The oldest of each key, if its time has come: what follows waits behind it."""
        rows = self._db.run(
            f"SELECT {_WAITING} FROM outbox AS this INDEXED BY outbox_by_age"  # noqa: S608  # A constant.
            " WHERE parked IS NULL AND route = ? AND next_at <= ? AND NOT EXISTS (SELECT 1 FROM outbox AS other WHERE"
            " other.route = this.route AND other.key = this.key AND other.parked IS NULL AND other.seq < this.seq)"
            " ORDER BY seq LIMIT ?",
            route,
            now,
            limit,
        )
        return [Waiting(*row) for row in rows]

    def pile(self, route: str, now: int, limit: int) -> list[Waiting]:
        """All that waits, oldest first, but for what waits behind one whose time has not come."""
        rows = self._db.run(
            f"SELECT {_WAITING} FROM outbox AS this INDEXED BY outbox_by_age"  # noqa: S608  # A constant.
            " WHERE parked IS NULL AND route = ? AND next_at <= ? AND NOT EXISTS (SELECT 1 FROM outbox AS other WHERE"
            " other.route = this.route AND other.key = this.key AND other.parked IS NULL AND other.seq < this.seq"
            " AND other.next_at > ?) ORDER BY seq LIMIT ?",
            route,
            now,
            now,
            limit,
        )
        return [Waiting(*row) for row in rows]

    def delivered(self, seqs: Iterable[int]) -> None:
        with self._db.transaction():
            for seq in seqs:
                self._db.run("DELETE FROM outbox WHERE seq = ?", seq)

    def again(self, seqs: Iterable[int], next_at: int) -> None:
        with self._db.transaction():
            for seq in seqs:
                self._db.run("UPDATE outbox SET attempts = attempts + 1, next_at = ? WHERE seq = ?", next_at, seq)

    def park(self, seqs: Iterable[int], cause: str) -> None:
        """Given up. The newest PARKED_MAX are kept for a person to look at."""
        with self._db.transaction():
            for seq in seqs:
                self._db.run("UPDATE outbox SET attempts = attempts + 1, parked = ? WHERE seq = ?", cause, seq)
            self._db.run(
                "DELETE FROM outbox WHERE parked IS NOT NULL AND seq NOT IN"
                " (SELECT seq FROM outbox WHERE parked IS NOT NULL ORDER BY seq DESC LIMIT ?)",
                PARKED_MAX,
            )

    def requests(self, route: str, now: int) -> list[int]:
        """When the route made its requests of the last minute."""
        rows = self._db.run("SELECT made_at FROM request WHERE route = ? AND made_at > ?", route, now - WINDOW_MS)
        return [at for (at,) in rows]

    def claim(self, route: str, now: int, count: int) -> None:
        """Before the first byte: a rate holds across a crash."""
        with self._db.transaction():
            self._db.run(
                "DELETE FROM request WHERE route = ? AND (made_at <= ? OR made_at > ?)", route, now - WINDOW_MS, now
            )
            for _ in range(count):
                self._db.run("INSERT INTO request VALUES (?, ?)", route, now)

    def to_report(self, route: Route, now: int, pace: Pace, limit: int) -> list[Due]:
        """Incidents that Alertmanager is to hear of, again or for the first time."""
        return self._incidents.due(route, now, pace, limit)

    def reported(self, route: Route, due: Iterable[Due], now: int, pace: Pace) -> None:
        with self._db.transaction():
            self._incidents.reported(route, due, now, pace)

    # -- how it stands --

    def waiting(self) -> int:
        """For one of our routes."""
        count = "SELECT count(*) FROM outbox WHERE parked IS NULL AND route = ?"
        return sum(int(self._db.one(count, route.key)[0]) for route in self._routes)

    def parked(self) -> int:
        return int(self._db.one("SELECT count(*) FROM outbox WHERE parked IS NOT NULL")[0])

    def open_incidents(self) -> int:
        return self._incidents.open_count()

    # -- what people see and say --

    @property
    def board(self) -> Board:
        """To look at: every open alert."""
        return self._intake.board

    def hold(self, alert: Alert, now: int) -> Hold | None:
        """What would hold back a change of this alert now."""
        return self._intake.hold(alert, now)

    def silences(self, now: int) -> list[Silence]:
        return self._intake.silences.standing(now)

    def add_silence(self, silence: Silence, now: int) -> bool:
        """False when there are as many as may be."""
        with self._db.transaction():
            return self._intake.silences.add(silence, now)

    def remove_silence(self, silence_id: str) -> None:
        """What it held back is decided again at the next release."""
        with self._db.transaction():
            self._intake.silences.remove(silence_id)

    def close(self) -> None:
        self._db.close()
