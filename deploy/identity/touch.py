"""A touchpoint as the explanation needs it: what it names, when, whose it is, where it lay. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.identifiers import BUILT_IN_KINDS, Group, IdentifierKinds
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

    `origin` is its routing identifier, `group` that of its kind: None for a subject. `owner` is whose it is as stored
    now.
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
    group: Group | None

    @property
    def on_device(self) -> bool:
        return self.group == "device"

    @property
    def on_key(self) -> bool:
        """It names nobody but a business key."""
        return self.group == "business_key"

    @property
    def order(self) -> tuple[int, int, str]:
        return self.occurred_at, self.sequence, self.touchpoint_id


Reads = Callable[[str, str], str | None]
"""(kind, value) -> the text that counts; None: it is not usable, so it does nothing."""


def touch_of(
    row: Row,
    owner: Owner | None = None,
    reads: Reads = DEFAULT_READER.read,
    kinds: IdentifierKinds = BUILT_IN_KINDS,
) -> Touch:
    """`row`: of `read.TOUCHES`. Without `owner` that of the row counts."""
    rule = row["attributed_by"]
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
        said_contacts=_said(row, kinds.contacts),
        keys=tuple(key for key in _said(row, kinds.keys) if reads(*key.split(":", 1)) is not None),
        weak=bool(row["weak"]),
        owner=owner or Owner(row["customer_id"] or None, rule),
        raw_partition=row["raw_partition"],
        raw_offset=row["raw_offset"],
        group=kinds.group_of(row["origin"].partition(":")[0]),
    )


def _said(row: Row, kinds: tuple[str, ...]) -> tuple[str, ...]:
    """Kinds that the deployment added stand in one map."""
    other = row["other_identifiers"]
    values = ((kind, row[kind] if kind in row else other.get(kind)) for kind in kinds)
    return tuple(f"{kind}:{value}" for kind, value in values if value)
