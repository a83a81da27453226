"""Alerts that no definition has any more: its file was taken away while they were open, or goes by another key now.
Nothing can clear them, so they end at the first tick after the restart, and what was kept of them is forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from schemas.fast import encode, fast_type
from schemas.identifiers import alert_id_of, dedup_key_of, journey_id_of, partition_of
from schemas.records import Alert, At
from schemas.records import Run as RunKind
from schemas.topics import PARTITIONS
from streams.journey.ledger import BookAddress, Ledger, StoredBook
from streams.journey.values import AlertRecord
from streams.stage import Effect

OPEN: Final = ("firing", "acknowledged")
_ALERT = fast_type(Alert)


class Orphans:
    """Owned by one stage. `books`: in the order in which they are to end."""

    def __init__(self, books: Mapping[BookAddress, StoredBook]) -> None:
        self._books = books

    def end(self, ledger: Ledger, position: Callable[[], At], run: RunKind, w: int) -> Iterator[Effect]:
        """Once; then there are none."""
        books, self._books = self._books, {}
        for (title, customer, anchor), stored in books.items():
            ledger.book(title, customer, anchor, [], 0, None)
            for record in stored.alerts:
                if record.state in OPEN:
                    yield _expired(title, customer, anchor, record, position(), run, w)


def _expired(title: str, customer: str, anchor: str, record: AlertRecord, at: At, run: RunKind, w: int) -> Effect:
    definition, _, version = title.rpartition("@")
    finding, incident = record.finding, f"{definition}/{record.finding.name}"
    journey_id = journey_id_of(definition, int(version), customer, anchor)
    who = f"{anchor} (customer {customer[:8]})"
    replayed = run in ("replay", "backfill")
    alert = _ALERT(
        at=at,
        run=run,
        alert_id=alert_id_of(journey_id, finding.name, finding.occurrence),
        dedup_key=dedup_key_of(definition, int(version), anchor, finding.name, finding.occurrence),
        continues=None,
        incident=incident,
        state="resolved",
        notify=not replayed,
        reason=run if replayed else "expired",
        definition=definition,
        version=int(version),
        owner="",
        severity=finding.severity,
        kind=finding.kind,
        break_name=finding.name,
        step=finding.step,
        occurrence=finding.occurrence,
        journey_id=journey_id,
        customer_id=customer,
        anchor=anchor,
        cause_at=finding.cause_at,
        due_at=finding.due_at,
        cleared_at=finding.cleared_at,
        fired_at=record.fired_at,
        changed_at=w,
        cause_log_time=w,
        acknowledged_by=record.acknowledged_by,
        evidence=[],
        first_line=f"{who}: {title}, {finding.name}, given up: no definition has it any more.",
    )
    return Effect("alerts", partition_of(incident, PARTITIONS), incident.encode(), encode(alert))
