"""What track reads of the records on `touchpoints`: only the fields it needs, the rest is skipped unread.

A Resolved touchpoint carries its properties and context; decoding them for journeys that never look at them would
cost more than the fold. The contract is schemas.records; a test compares every field here with it.
"""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.records import At, AttributedBy, Fact, Mode
from streams.journey.holds import Place

DECODE_ERRORS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class UnreadableRecord(ValueError):
    """A record on our own topic that we cannot read: another version wrote it, or somebody who should not."""

    def __init__(self, partition: int, offset: int, error: Exception) -> None:
        where = f"touchpoints, partition {partition}, offset {offset}"
        advice = "Find out who wrote it; `touchline quarantine` gives it up."
        super().__init__(f"{where}: not a record of this version ({error}). {advice}")


class EntryView(msgspec.Struct, frozen=True, gc=False):
    touchpoint_id: str
    name: str
    occurred_at: int
    sequence: int
    log_time: int
    channel: str
    keys: dict[str, str]
    facts: dict[str, Fact]
    person: str | None = None


class ResolvedView(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="touchpoint"):
    at: At
    touchpoint_id: str
    customer_id: str | None
    attributed_by: AttributedBy
    rev: int
    name: str
    channel: str
    occurred_at: int
    log_time: int
    sequence: int
    too_late: bool
    keys: dict[str, str]
    facts: dict[str, Fact]

    @property
    def person(self) -> str | None:
        """As in an entry: a touchpoint that names a user is always that user's."""
        return self.customer_id if self.attributed_by == "user_id" else None


class AttachView(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="attach"):
    at: At
    customer_id: str
    scope: str
    entries: list[EntryView]
    rev: int
    moved_from: str | None = None


class DetachView(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="detach"):
    at: At
    customer_id: str
    scope: str
    touchpoint_ids: list[str]
    rev: int
    moved_to: str | None = None


class TickView(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="tick"):
    at: At
    log_time: int
    sources: list[Place] = []


class SwitchedView(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="switched"):
    at: At
    definition: str
    version: int
    mode: Mode
    from_at: int


class AcknowledgedView(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="acknowledged"):
    at: At
    alert_id: str
    customer_id: str
    definition: str
    version: int
    anchor: str
    break_name: str
    occurrence: int
    closes: bool
    acknowledged_by: str


View = ResolvedView | AttachView | DetachView | TickView | SwitchedView | AcknowledgedView
decode = msgspec.json.Decoder(View).decode
