"""What the journeys are told again: a stored touchpoint under one heading of one customer. Pure.

On `touchpoints` a touchpoint is Resolved for its customer, and attached to the owner of each business key that it
carries. A backtest knows only whose it is now; so it makes these two records, and never a Detach.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from schemas.fast import encode, fast_type
from schemas.identifiers import BUSINESS_KINDS
from schemas.records import At, AttributedBy, Entry, Fact, SourceState, Tick
from streams.identity.effects import make_entry
from streams.journey.inputs import ResolvedView
from streams.journey.instances import CUSTOMER
from streams.stage import LogRecord

FACTS: Final = frozenset((str, int, float, bool))
UsableOf = Callable[[dict[str, str]], dict[str, str]]
"""Which identifiers count, and as which text: that of the deployment's identity rules."""


class Told(NamedTuple):
    """Times are ms. `at`: when the journeys could know of it: its arrival or, while its business key had no owner, that
    of the first claim. `customer_id` is whose it is under this heading, `owner_id` whose it is at all. `scope`:
    "customer", or the kind of the key. `keys` in the order of the deployment's, empty where there is none.
    `properties`: JSON text.
    """

    at: int
    scope: str
    customer_id: str
    touchpoint_id: str
    name: str
    channel: str
    occurred_at: int
    sequence: int
    log_time: int
    owner_id: str
    attributed_by: AttributedBy
    keys: Sequence[str]
    properties: str


class Attached(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="attach"):
    """What may be looked at of records.Attach when journeys are folded; of records.Resolved that is a ResolvedView."""

    at: At
    customer_id: str
    scope: str
    entries: list[Entry]
    rev: int


class Record(NamedTuple):
    """A LogRecord; what a broker adds, nobody looks at."""

    offset: int
    value: bytes
    timestamp: int = 0
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


_properties = msgspec.json.Decoder(dict[str, Any]).decode
_tick = fast_type(Tick)


class Scribe:
    """Writes the records of one log: positions grow. `facts`: the properties that definitions look at. `keys`: the
    business keys of the deployment.
    """

    def __init__(self, facts: frozenset[str], usable_of: UsableOf, keys: Sequence[str] = BUSINESS_KINDS) -> None:
        self._facts, self._usable_of, self._keys = facts, usable_of, keys
        self._offset = -1

    def touchpoint(self, told: Told) -> LogRecord | None:
        """None: the key under which it would be told counts no more."""
        said = {kind: value for kind, value in zip(self._keys, told.keys, strict=True) if value}
        keys = self._usable_of(said) if said else said
        facts = self._facts_of(told.properties)
        if told.scope == CUSTOMER:
            return self._record(_resolved(told, self._next("resolve"), keys, facts))
        if told.scope not in keys:
            return None
        return self._record(_attach(told, self._next("resolve"), keys, facts))

    def tick(self, log_time: int, sources: Sequence[SourceState] = ()) -> LogRecord:
        return self._record(_tick(at=self._next("keep_time"), log_time=log_time, sources=list(sources)))

    def _next(self, stage: str) -> At:
        self._offset += 1
        return (stage, 0, self._offset, 0)

    def _record(self, value: object) -> LogRecord:
        return Record(self._offset, encode(value))

    def _facts_of(self, properties: str) -> dict[str, Fact]:
        if not self._facts or properties in ("", "{}"):
            return {}
        found = _properties(properties)
        return {name: value for name, value in found.items() if name in self._facts and type(value) in FACTS}


def _resolved(told: Told, at: At, keys: dict[str, str], facts: dict[str, Fact]) -> ResolvedView:
    return ResolvedView(
        at=at,
        touchpoint_id=told.touchpoint_id,
        customer_id=told.customer_id,
        attributed_by=told.attributed_by,
        rev=1,
        name=told.name,
        channel=told.channel,
        occurred_at=told.occurred_at,
        log_time=told.log_time,
        sequence=told.sequence,
        too_late=False,
        keys=keys,
        facts=facts,
    )


def _attach(told: Told, at: At, keys: dict[str, str], facts: dict[str, Fact]) -> Attached:
    entry = make_entry(
        told.touchpoint_id,
        told.name,
        told.occurred_at,
        told.sequence,
        told.log_time,
        told.channel,
        keys,
        facts,
        told.owner_id if told.attributed_by == "user_id" else None,
    )
    scope = f"{told.scope}:{keys[told.scope]}"
    return Attached(at=at, customer_id=told.customer_id, scope=scope, entries=[entry], rev=1)
