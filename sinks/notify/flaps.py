"""What flaps, on disk: the rule is `sinks.notify.flap`. Methods run inside the caller's transaction."""

from __future__ import annotations

import json
from typing import Final

from schemas.definition import duration_ms
from schemas.quiet_times import Flapping
from sinks.notify.database import Database
from sinks.notify.flap import Flap, settled, told, turned

FLAPS_MAX: Final = 100_000
"""Beyond so many that changed lately a new one is not watched: it is told like any other."""
INCIDENT: Final = "i."


class Flaps:
    """`now` is the wall clock, ms."""

    def __init__(self, database: Database, policy: Flapping) -> None:
        self._db = database
        self._policy = policy
        self._count = 0

    def begin(self) -> None:
        """At the beginning of a batch."""
        (self._count,) = self._db.one("SELECT count(*) FROM flap")

    def of(self, key: str, now: int) -> Flap:
        return settled(self._read(key), now, self._policy)

    def turn(self, key: str, is_open: bool, now: int) -> Flap:
        """After a change, as it is now."""
        before = self._read(key)
        after = turned(before, is_open, now, self._policy)
        if after == before:
            return after
        if before == Flap() and self._count >= FLAPS_MAX:
            return Flap()
        self._count += before == Flap()
        self._write(key, after)
        return after

    def tell(self, key: str, flap: Flap) -> None:
        """Somebody was told that it flaps."""
        self._write(key, told(flap))

    def settle(self, now: int, limit: int) -> list[str]:
        """Those that are steady again are so from now on; returns the incidents among them."""
        steady = duration_ms(self._policy.steady_for)
        rows = self._db.run(
            "SELECT key FROM flap WHERE is_flapping AND turned_at NOT BETWEEN ? AND ? LIMIT ?",
            now - steady + 1,
            now,
            limit,
        ).fetchall()
        for (key,) in rows:
            self._write(key, self.of(key, now))
        return [key.removeprefix(INCIDENT) for (key,) in rows if key.startswith(INCIDENT)]

    def forget(self, now: int) -> None:
        kept = max(duration_ms(self._policy.within), duration_ms(self._policy.steady_for))
        self._db.run("DELETE FROM flap WHERE NOT is_flapping AND turned_at < ?", now - kept)

    def _read(self, key: str) -> Flap:
        row = self._db.one("SELECT is_open, begins, turned_at, is_flapping, is_told FROM flap WHERE key = ?", key)
        if row is None:
            return Flap()
        is_open, begins, turned_at, is_flapping, is_told = row
        return Flap(bool(is_open), tuple(json.loads(begins)), turned_at, bool(is_flapping), bool(is_told))

    def _write(self, key: str, flap: Flap) -> None:
        self._db.run(
            "INSERT OR REPLACE INTO flap VALUES (?, ?, ?, ?, ?, ?)",
            key,
            flap.is_open,
            json.dumps(flap.begins),
            flap.turned_at,
            flap.is_flapping,
            flap.is_told,
        )
