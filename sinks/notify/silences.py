"""The silences that people made, on disk. Methods that change something run inside the caller's transaction."""

from __future__ import annotations

from sinks.notify.database import Database
from sinks.notify.quiet import SILENCES_MAX, Silence


class Silences:
    """`now` is the wall clock, ms."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def standing(self, now: int) -> list[Silence]:
        """Those that are not over, the first to end first."""
        rows = self._db.run("SELECT body FROM silence WHERE until_at > ? ORDER BY until_at, silence_id", now)
        return [Silence.model_validate_json(body) for (body,) in rows.fetchall()]

    def add(self, silence: Silence, now: int) -> bool:
        """False when there are as many as may be. Those that are over go first."""
        self.forget(now)
        (count,) = self._db.one("SELECT count(*) FROM silence WHERE silence_id <> ?", silence.silence_id)
        if count >= SILENCES_MAX:
            return False
        body = silence.model_dump_json(by_alias=True).encode()
        self._db.run("INSERT OR IGNORE INTO silence VALUES (?, ?, ?)", silence.silence_id, body, silence.until_at)
        return True

    def remove(self, silence_id: str) -> None:
        """What it held back is looked at again at once."""
        self._db.run("DELETE FROM silence WHERE silence_id = ?", silence_id)
        self._db.run("UPDATE board SET held_until = 0 WHERE held = 'silenced' AND held_by = ?", silence_id)

    def forget(self, now: int) -> None:
        self._db.run("DELETE FROM silence WHERE until_at <= ?", now)
