"""What makes a notifier's file of an older format one of this format. Runs once, in one transaction.

Up to format 4 the key of an alert had no version, and one that moved and that nobody continued stayed told for ever.
What is open goes on under its new key, so that its incident ends; a webhook that was told under the old key hears of
the end under the new one.
"""

from __future__ import annotations

import sqlite3
from typing import Final

import msgspec

from schemas.fast import DECODE_ERRORS, encode, fast_decoder
from schemas.identifiers import dedup_key_of
from schemas.records import Alert

_FROM_3: Final = ("ALTER TABLE told ADD COLUMN closed INTEGER NOT NULL DEFAULT 0",)
_FROM_1: Final = (
    "CREATE TABLE IF NOT EXISTS told (dedup_key TEXT PRIMARY KEY, state TEXT NOT NULL, round INTEGER NOT NULL,"
    " changed_at INTEGER NOT NULL) STRICT",
    "ALTER TABLE told ADD COLUMN by TEXT",
    *_FROM_3,
    "DROP INDEX outbox_by_key",
    "ALTER TABLE outbox RENAME TO outbox_1",
)
_AFTER_1: Final = (
    "INSERT INTO outbox SELECT seq, 'webhook:webhook', dedup_key, idempotency_key, body, changed_at, accepted_at,"
    " attempts, next_at, parked FROM outbox_1",
    "DROP TABLE outbox_1",
)
_FROM_2: Final = (
    "ALTER TABLE told ADD COLUMN by TEXT",
    *_FROM_3,
    "ALTER TABLE incident ADD COLUMN acknowledged INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE incident ADD COLUMN runbook TEXT",
    "ALTER TABLE open_alert ADD COLUMN acknowledged_by TEXT",
    "ALTER TABLE heard ADD COLUMN is_acknowledged INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE heard ADD COLUMN is_flapping INTEGER NOT NULL DEFAULT 0",
)

_decode = fast_decoder(Alert)


def statements_of(version: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Before and after today's tables are made."""
    return {1: (_FROM_1, _AFTER_1), 2: (_FROM_2, ()), 3: (_FROM_3, ())}.get(version, ((), ()))


def take_over(db: sqlite3.Connection, version: int) -> None:
    """With today's tables. Takes seconds for the most alerts that a board holds."""
    if "moved_at" not in [column[1] for column in db.execute("PRAGMA table_info(board)")]:
        db.execute("ALTER TABLE board ADD COLUMN moved_at INTEGER")
    if version == 4:
        db.execute(
            "UPDATE told SET state = 'withdrawn' WHERE state IN ('firing', 'acknowledged')"
            " AND dedup_key NOT IN (SELECT dedup_key FROM open_alert)"
        )
    for key, record in db.execute("SELECT dedup_key, record FROM board").fetchall():
        _rename(db, key, record)


def _rename(db: sqlite3.Connection, key: str, record: bytes) -> None:
    try:
        alert = _decode(record)
    except DECODE_ERRORS:  # Of a version that said other things of an alert; it stays under its old key.
        return
    new = dedup_key_of(alert.definition, alert.version, alert.anchor, alert.break_name, alert.occurrence)
    for table in ("told", "open_alert", "board"):
        db.execute(f"UPDATE OR REPLACE {table} SET dedup_key = ? WHERE dedup_key = ?", (new, key))  # noqa: S608
    fields = msgspec.json.decode(record) | {"dedup_key": new}
    db.execute("UPDATE board SET record = ? WHERE dedup_key = ?", (encode(fields), new))
