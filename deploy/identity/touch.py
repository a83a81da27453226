"""A touchpoint as the explanation needs it: what it names, when, whose it is, where it lay. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.identifiers import BUSINESS_KINDS, CONTACT_KINDS, DEVICE_KINDS
from schemas.identity_reader import DEFAULT_READER

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Owner:
    """`customer_id` None: nobody. `by`: the rule."""

    customer_id: str | None
    by: str


@dataclass(frozen=True, slots=True)
class Touch:
    """Times are ms. `user_id` and `contacts` are those that count; `said_user_id` is what it says, proven or not.

    `origin` is its routing identifier. `owner` is its owner as stored now.
    """

    touchpoint_id: str
    message_id: str
    name: str
    channel: str
    source: str
    origin: str
    occurred_at: int
    sequence: int
    log_time: int
    too_late: bool
    user_id: str | None
    said_user_id: str | None
    contacts: tuple[str, ...]
    said_contacts: tuple[str, ...]
    keys: tuple[str, ...]
    weak: bool
    owner: Owner
    raw_partition: int
    raw_offset: int

    @property
    def kind(self) -> str:
        return self.origin.partition(":")[0]

    @property
    def on_device(self) -> bool:
        return self.kind in DEVICE_KINDS

    @property
    def order(self) -> tuple[int, int, str]:
        return self.occurred_at, self.sequence, self.touchpoint_id


Reads = Callable[[str, str], str | None]
"""(kind, value) -> the text that counts; None: it is not usable, so it does nothing."""


def touch_of(row: Row, owner: Owner | None = None, reads: Reads = DEFAULT_READER.read) -> Touch:
    """`row`: of `read.TOUCHES`. Without `owner` that of the row counts."""
    rule = row["attributed_by"]
    said = tuple(f"{kind}:{row[kind]}" for kind in CONTACT_KINDS if row[kind])
    return Touch(
        touchpoint_id=row["touchpoint_id"],
        message_id=row["message_id"],
        name=row["name"],
        channel=row["channel"],
        source=row["source"],
        origin=row["origin"],
        occurred_at=row["at"],
        sequence=row["sequence"],
        log_time=row["arrived_at"],
        too_late=bool(row["too_late"]),
        user_id=row["user_id"] if rule == "user_id" else None,
        said_user_id=row["user_id"] or None,
        contacts=tuple(row["contacts"]),
        said_contacts=said,
        keys=tuple(
            f"{kind}:{row[kind]}" for kind in BUSINESS_KINDS if row[kind] and reads(kind, row[kind]) is not None
        ),
        weak=bool(row["weak"]),
        owner=owner or Owner(row["customer_id"] or None, rule),
        raw_partition=row["raw_partition"],
        raw_offset=row["raw_offset"],
    )
