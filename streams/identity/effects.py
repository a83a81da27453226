"""What `resolve` writes, each with its position: (resolve, partition, raw offset, ordinal within that
record).

Only records on raw can cause further ones on raw, so hops are counted here: a touchpoint as it came has depth
0, a forwarded one 1, a sighting 2, a naming 3, evidence 4. Nothing at depth `HOPS` may write to raw again; `keep_time`
flushes exactly that many rounds. They suffice: a touchpoint is forwarded at most once; its owner (and only it) tells
its keys' owners and the contact graph; the graph tells those who attribute by contacts, and they tell their keys'
owners; a key's owner re-attributes only touchpoints that carry nothing but keys, which claim nothing and so have
nothing to tell (streams.identity.keys). Links follow from touchpoints alone, never from attribution.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Literal

import msgspec
from msgspec.structs import replace
from pydantic import BaseModel

from schemas import decoded
from schemas.control import HOPS, OwnName, control_headers, forwarded_headers
from schemas.control_records import Decision, Evidence, Naming, Sighting
from schemas.fast import fast_decoder, fast_type
from schemas.identifiers import CONTACT_GRAPH, UNIQUE_KIND, customer_of, partition_of
from schemas.records import At, Attach, AttributedBy, Counts, DeadLetter, Detach, Entry, Progress, Resolved, Run
from streams.identity.totals import Totals
from streams.stage import Effect, LogRecord

MOVE_AT_ONCE = 200
"""Touchpoints in one Attach or Detach, so that no record outgrows the broker's limit."""
CUSTOMER_SCOPE = "customer"
NAME = "resolve"

Failure = decoded.Failure | Literal["unauthentic_control", "quarantined"]

encode = msgspec.json.Encoder().encode
"""Of structs only, so without the detour of schemas.fast.encode."""
_detach = fast_type(Detach)
_evidence = fast_type(Evidence)
_sighting = fast_type(Sighting)
_naming = fast_type(Naming)
_progress = fast_type(Progress)
_counts = fast_type(Counts)
_dead_letter = fast_type(DeadLetter)
decode_entry = fast_decoder(Entry)


def _positional(model: type[BaseModel], tag: str | None = None) -> Callable[..., Any]:
    """Builds from positions, in the order of the contract: 26 keywords cost more than encoding them. A last field that
    may be None may be left out, and is not written then.
    """
    names = [name for name in model.model_fields if name != "type"]
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = [(name, Any) for name in names]
    omits = model.model_fields[names[-1]].default is None
    if omits:
        fields[-1] = (names[-1], Any, None)
    tag_field = None if tag is None else "type"
    return msgspec.defstruct(
        model.__name__, fields, tag_field=tag_field, tag=tag, frozen=True, gc=False, omit_defaults=omits
    )


_attach = _positional(Attach, "attach")
make_entry: Callable[..., Entry] = _positional(Entry)
make_resolved = _positional(Resolved, "touchpoint")


class TooManyHops(Exception):
    """A bug: ticks would overtake what this record causes."""


@lru_cache(maxsize=1 << 16)
def _place(routing: str, partitions: int) -> tuple[int, bytes]:
    return partition_of(routing, partitions), routing.encode()


class Emission:
    """The effects of one raw record, numbered in the order in which they are added."""

    __slots__ = ("_depth", "_offset", "_ordinal", "_out", "_partition", "_partitions", "_run", "_secret", "_totals")

    def __init__(self, partition: int, partitions: int, run: Run, secret: bytes, totals: Totals) -> None:
        self._partition, self._partitions, self._run, self._secret = partition, partitions, run, secret
        self._totals = totals
        self._offset = self._ordinal = self._depth = 0
        self._out: list[Effect] = []

    def begin(self, offset: int, depth: int, out: list[Effect]) -> None:
        self._offset, self._depth, self._out, self._ordinal = offset, depth, out, 0

    def at(self) -> At:
        at = (NAME, self._partition, self._offset, self._ordinal)
        self._ordinal += 1
        return at

    # -- on touchpoints

    def resolved(self, owner: str, resolved: object) -> None:
        """`owner`: the customer, or the touchpoint's origin if it has none."""
        partition, key = _place(owner, self._partitions)
        self._out.append(Effect("touchpoints", partition, key, encode(resolved)))

    def move(
        self,
        scope: str,
        old: str | None,
        new: str | None,
        entries: Sequence[bytes],
        ids: Sequence[str],
        by: AttributedBy,
    ) -> None:
        """These touchpoints change hands: from nobody (attach), to nobody (detach), or from one customer to
        another; or stay, by another rule (attach from the same customer).
        """
        for start in range(0, len(ids), MOVE_AT_ONCE):
            if old is not None and old != new:
                self._detach(scope, old, new, ids[start : start + MOVE_AT_ONCE])
        for start in range(0, len(entries), MOVE_AT_ONCE):
            if new is not None:
                self._attach(scope, old, new, entries[start : start + MOVE_AT_ONCE], by)

    def _attach(self, scope: str, old: str | None, new: str, entries: Sequence[bytes], by: AttributedBy) -> None:
        raw = [msgspec.Raw(entry) for entry in entries]
        record = _attach(1, self.at(), self._run, new, scope, raw, self._offset, by, old)
        partition, key = _place(new, self._partitions)
        self._out.append(Effect("touchpoints", partition, key, encode(record)))

    def _detach(self, scope: str, old: str, new: str | None, ids: Sequence[str]) -> None:
        record = _detach(
            at=self.at(),
            run=self._run,
            customer_id=old,
            scope=scope,
            touchpoint_ids=list(ids),
            rev=self._offset,
            moved_to=new,
        )
        partition, key = _place(old, self._partitions)
        self._out.append(Effect("touchpoints", partition, key, encode(record)))

    # -- on touchpoints.raw

    def evidence(self, key: str, entry: Entry, customer_id: str | None, weak: bool) -> None:
        record = _evidence(
            at=self.at(),
            key=key,
            entry=entry,
            customer_id=customer_id,
            origin_partition=self._partition,
            rev=self._offset,
            weak=weak,
        )
        self._control("evidence", *_place(key, self._partitions), encode(record))

    def sighting(self, occurred_at: int, user_id: str | None, contacts: Sequence[str], asks: bool) -> None:
        record = _sighting(at=self.at(), occurred_at=occurred_at, user_id=user_id, contacts=list(contacts), asks=asks)
        self._control("sighting", *_place(CONTACT_GRAPH, self._partitions), encode(record))

    def heard_by(self, contact: str, askers: Iterable[int]) -> list[int]:
        """The raw partitions that are told of this contact: its own, and those that asked."""
        return sorted({_place(contact, self._partitions)[0], *askers})

    def naming(self, contact: str, user_id: str | None, partition: int) -> None:
        """To one partition of raw that attributes by this contact."""
        self._control("naming", partition, contact.encode(), encode(self._named(contact, user_id)))

    def _control(self, name: OwnName, partition: int, key: bytes, value: bytes) -> None:
        self._to_raw(partition, key, value, control_headers(name, partition, value, self._secret))

    def forward(self, record: LogRecord, routing: str, log_time: int) -> None:
        """Re-produce a touchpoint where it belongs, as it came; it keeps its log time."""
        partition, key = _place(routing, self._partitions)
        value = record.value or b""
        if self._depth:
            raise TooManyHops(f"{self._where()}: a touchpoint is forwarded once")
        headers = forwarded_headers(record.headers, partition, value, self._secret, log_time, self.at())
        self._to_raw(partition, key, value, headers)

    def _to_raw(self, partition: int, key: bytes, value: bytes, headers: tuple[tuple[str, bytes], ...]) -> None:
        depth = self._depth
        if depth >= HOPS:
            raise TooManyHops(f"{self._where()}: {depth} hops from its arrival, it would cause one more")
        if depth:
            self._totals.hops = max(self._totals.hops, depth + 1)
        self._out.append(Effect("touchpoints.raw", partition, key, value, headers))

    def _where(self) -> str:
        return f"touchpoints.raw, partition {self._partition}, offset {self._offset}"

    # -- on identities

    def named(self, contact: str, user_id: str | None) -> None:
        """For ClickHouse: whom the contact names from now on."""
        partition, key = _place(contact, self._partitions)
        self._out.append(Effect("identities", partition, key, encode(self._named(contact, user_id))))

    def decided(self, decision: Decision) -> None:
        record = replace(decision, at=self.at())  # type: ignore[type-var]  # a struct, typed as its contract
        partition, key = _place(decision.identifier, self._partitions)
        self._out.append(Effect("identities", partition, key, encode(record)))

    def _named(self, contact: str, user_id: str | None) -> object:
        customer_id = customer_of(*contact.split(":", 1)) if user_id is None else customer_of(UNIQUE_KIND, user_id)
        return _naming(
            at=self.at(),
            run=self._run,
            contact=contact,
            user_id=user_id,
            customer_id=customer_id,
            rev=self._offset,
        )

    # -- on progress and dead_letters

    def progress(self, mark: tuple[int, int] | None) -> None:
        """What it says only once is forgotten with it."""
        totals = self._totals
        counts = _counts(
            read=totals.read,
            resolved=totals.resolved,
            duplicates=totals.duplicates,
            dead_letters=totals.dead_letters,
            forwarded=totals.forwarded,
            too_late=totals.too_late,
            suppressed=totals.suppressed,
        )
        record = _progress(
            at=self.at(),
            log_time=totals.log_time,
            mark=mark,
            counts=counts,
            heard=totals.heard,
            hops=totals.hops if mark is not None else None,
            violations=totals.violations,
        )
        totals.violations, totals.heard = {}, {}
        if mark is not None:
            totals.hops = 0
        self._out.append(Effect("progress", 0, str(self._partition).encode(), encode(record), last=True))

    def dead_letter(self, record: LogRecord, payload: bytes, failure: Failure, field: str | None, detail: str) -> None:
        """`detail` names no value."""
        headers = {name: (value or b"").decode("ascii", "backslashreplace") for name, value in record.headers}
        letter = _dead_letter(
            at=self.at(),
            run=self._run,
            failure=failure,
            field=field,
            detail=detail,
            source=headers.get("source", "kafka"),
            topic="touchpoints.raw",
            partition=self._partition,
            offset=record.offset,
            log_time=record.timestamp,
            headers=headers,
            payload=b64encode(payload).decode(),
        )
        self._out.append(Effect("dead_letters", self._partition, str(self._partition).encode(), encode(letter)))
