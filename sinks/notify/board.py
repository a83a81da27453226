"""Every open alert as its last record says it, and what is held back: what `alerts list` shows, what a person can
acknowledge, and what is decided again when a hold ends.

One row for a dedup key, written in the transaction that takes the alert from Kafka. It stays while the alert is open
or something about it is held back.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, Final, NamedTuple, cast

from schemas.fast import encode, fast_decoder
from schemas.records import Alert
from schemas.routes import SEVERITIES
from sinks.notify.database import Database
from sinks.notify.decide import NOBODYS, SOMEBODY, Decision
from sinks.notify.incident import is_open
from sinks.notify.quiet import MOVED_WAIT_MS, Hold

BOARD_MAX: Final = 100_000
"""Beyond so many an alert is told like any other, and neither listed nor held back."""
PREFIX_MIN: Final = 4
CANDIDATES_MAX: Final = 5
NEAR_MAX: Final = 2_000
_OPEN: Final = "state IN ('firing', 'acknowledged')"

_decode = fast_decoder(Alert)


class Entry(NamedTuple):
    """An alert on the board. `acknowledged_by`: also of one that continues one that was acknowledged. `held`: of its
    last change nobody was told yet, and why.
    """

    alert: Alert
    state: str
    acknowledged_by: str | None
    held: str | None


class Board:
    """Not thread-safe. Methods that change something run inside the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._count = 0

    def begin(self) -> None:
        """At the beginning of a batch."""
        (self._count,) = self._db.one("SELECT count(*) FROM board")

    def has_room(self, dedup_key: str) -> bool:
        return self._count < BOARD_MAX or self._row(dedup_key) is not None

    def holder(self, dedup_key: str) -> str | None:
        """The alert that was heard last under that key, of those that concern somebody."""
        row = self._row(dedup_key)
        return str(row[0]) if row else None

    def moved_at(self, dedup_key: str) -> int | None:
        row = self._row(dedup_key)
        return None if row is None else cast(int | None, row[1])

    def acknowledged_by(self, dedup_key: str) -> str | None:
        row = self._row(dedup_key)
        return None if row is None else cast(str | None, row[2])

    def note(self, alert: Alert, decision: Decision, hold: Hold | None, moved_at: int | None = None) -> None:
        """After the decision. `moved_at`: when it was heard that the alert moved (wall clock, ms)."""
        if decision.reason in NOBODYS:
            return
        row = self._row(alert.dedup_key)
        if not (decision.is_held or is_open(alert.state)):
            self._db.run("DELETE FROM board WHERE dedup_key = ?", alert.dedup_key)
            self._count -= row is not None
        elif row is not None or self._count < BOARD_MAX:
            carried = decision.after.by if alert.state == "firing" and decision.reason == "continues" else None
            if row is not None and alert.state == "moved":
                carried = row[2]
            is_former = row is not None and alert.state == "acknowledged" and alert.continues != row[0]
            holder = row[0] if is_former else alert.alert_id
            self._put(alert, holder, carried, hold if decision.is_held else None, moved_at)
            self._count += row is None

    def _row(self, dedup_key: str) -> Any:
        return self._db.one("SELECT alert_id, moved_at, acknowledged_by FROM board WHERE dedup_key = ?", dedup_key)

    def _put(self, alert: Alert, holder: str, carried: str | None, hold: Hold | None, moved_at: int | None) -> None:
        """`holder`: who has the journey. A word on the former alert may be read after the heir was."""
        self._db.run(
            "INSERT OR REPLACE INTO board VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            alert.dedup_key,
            holder,
            alert.incident,
            alert.anchor,
            "acknowledged" if carried and alert.state == "firing" else alert.state,
            -SEVERITIES.index(alert.severity),
            alert.fired_at,
            encode(alert),
            (alert.acknowledged_by or SOMEBODY) if alert.state == "acknowledged" else carried,
            hold.reason if hold else None,
            hold.by if hold else None,
            hold.until if hold else None,
            moved_at,
        )

    # -- holds --

    def due(self, now: int, limit: int) -> list[Alert]:
        """What was held back until now. Of what moved nobody waits longer because the clock was set back."""
        rows = self._db.run(
            "SELECT record FROM board WHERE held IS NOT NULL AND (held_until <= ? OR held = 'moved' AND held_until > ?)"
            " ORDER BY held_until LIMIT ?",
            now,
            now + MOVED_WAIT_MS,
            limit,
        )
        return [_decode(record) for (record,) in rows.fetchall()]

    def look_again(self) -> None:
        """At all that is held back: windows may have changed."""
        self._db.run("UPDATE board SET held_until = 0 WHERE held IS NOT NULL")

    def held(self) -> dict[str, int]:
        """How many are held back, by reason."""
        rows = self._db.run("SELECT held, count(*) FROM board WHERE held IS NOT NULL GROUP BY held ORDER BY held")
        return dict(rows.fetchall())

    def held_by(self, silence_id: str) -> int:
        query = "SELECT count(*) FROM board WHERE held = 'silenced' AND held_by = ?"
        return int(self._db.one(query, silence_id)[0])

    # -- looking --

    def listed(self, states: Sequence[str], incident: str | None, limit: int) -> list[Entry]:
        """The worst first, then the oldest."""
        marks = ", ".join("?" * len(states))
        rows = self._db.run(
            f"SELECT record, state, acknowledged_by, held FROM board WHERE state IN ({marks})"  # noqa: S608  # Only marks.
            " AND (? IS NULL OR incident = ?) ORDER BY rank, fired_at, dedup_key LIMIT ?",
            *states,
            incident,
            incident,
            limit,
        )
        return [_entry(row) for row in rows.fetchall()]

    def counted(self, states: Sequence[str], incident: str | None) -> int:
        marks = ", ".join("?" * len(states))
        row = self._db.one(
            f"SELECT count(*) FROM board WHERE state IN ({marks}) AND (? IS NULL OR incident = ?)",  # noqa: S608
            *states,
            incident,
            incident,
        )
        return int(row[0])

    def named(self, said: str, limit: int = CANDIDATES_MAX) -> list[Entry]:
        """Open alerts whose id is or begins with what was said, or whose anchor it is."""
        ends = said + "\U0010ffff" if len(said) >= PREFIX_MIN else said
        rows = self._db.run(
            f"SELECT record, state, acknowledged_by, held FROM board WHERE {_OPEN}"  # noqa: S608  # A constant.
            " AND (alert_id BETWEEN ? AND ? OR anchor = ?) ORDER BY alert_id LIMIT ?",
            said,
            ends,
            said,
            limit,
        )
        return [_entry(row) for row in rows.fetchall()]

    def near(self, said: str) -> list[str]:
        """Ids of open alerts that look like it, among the newest."""
        rows = self._db.run(
            f"SELECT alert_id, anchor FROM board WHERE {_OPEN} ORDER BY fired_at DESC LIMIT ?",  # noqa: S608
            NEAR_MAX,
        ).fetchall()
        known = {name for row in rows for name in row}
        known |= {alert_id[: max(len(said), PREFIX_MIN)] for alert_id, _ in rows}
        return get_close_matches(said, sorted(known), n=CANDIDATES_MAX, cutoff=0.6)

    def incidents_near(self, said: str) -> list[str]:
        rows = self._db.run(f"SELECT DISTINCT incident FROM board WHERE {_OPEN} LIMIT ?", NEAR_MAX)  # noqa: S608
        return get_close_matches(said, [name for (name,) in rows.fetchall()], n=CANDIDATES_MAX, cutoff=0.5)


def _entry(row: Any) -> Entry:
    record, state, acknowledged_by, held = row
    return Entry(_decode(record), state, acknowledged_by, held)
