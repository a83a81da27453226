"""The course of one alert against the table of docs/journeys.md: which state may follow which, and who is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tests.oracle.report import Report
from tests.oracle.results import Row

OPEN: Final = ("firing", "acknowledged")
EXPIRED: Final = "expired"
CLOSED: Final = "closed"
MAY_FOLLOW: Final = {
    None: ("firing", "resolved"),
    "firing": ("resolved", "withdrawn", "moved", "acknowledged"),
    "acknowledged": ("resolved", "withdrawn", "moved"),
    "resolved": ("firing", "withdrawn", "moved"),
    "withdrawn": ("firing", "resolved"),
    "moved": ("firing", "resolved"),
}


def check_changes(course: Sequence[Row], about: str, report: Report, *, quiet: bool = False) -> None:
    """`quiet`: nobody is told of this break, whatever becomes of it."""
    was: str | None = None
    closed = False
    for record in course:
        state = record["state"]
        if state not in MAY_FOLLOW[was]:
            report.differ("alert_change", f"{about}: {was or 'none'} became {state}; the table has no such row")
        elif closed and state != "withdrawn":
            report.differ("alert_change", f"{about}: it is closed for good, and became {state}")
        elif record["notify"] != (not quiet and tells(was, record)):
            report.differ(
                "alert_change",
                f"{about}: {was or 'none'} became {state} with notify {record['notify']}"
                f" ({record['reason']}); the table says otherwise",
            )
        closed = closed or (state == "resolved" and record["reason"] == CLOSED)
        was = state


def tells(was: str | None, record: Row) -> bool:
    """Whether somebody is told, by the table; nobody of what is in shadow mode, nor in a replay or backfill."""
    state = record["state"]
    if record["run"] in ("replay", "backfill") or state == "moved" or record.get("mode", "live") != "live":
        return False
    if state == "resolved" and was is None:
        return record["continues"] is not None and record["reason"] != EXPIRED
    if state == "resolved":
        return was in ("firing", "acknowledged", "moved")
    if state == "withdrawn":
        return was in OPEN
    return bool(state in OPEN)
