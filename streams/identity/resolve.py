"""The stage `resolve`: one raw partition in; touchpoints with their customers, dead letters, evidence and
progress out.

The rules are docs/identity.md; the pure functions that answer them are in `device` and `keys`. This file
tells records apart, keeps the counts, and turns answers into effects. Attribution is a function of the set of
on-time touchpoints: whatever order they arrive in, the last word on each is the same.

Controls are believed only with a right mac for this very partition. Our own records with a right mac that
cannot be read are a bug, not bad data: they raise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from schemas.control import Unauthentic, read_control
from schemas.decode import decode_received
from schemas.decoded import Decoded, Invalid
from schemas.definition import Catalogue
from schemas.fast import fast_decoder
from schemas.identifiers import partition_of
from schemas.records import Beat, Evidence, Mark, Run
from streams.identity.effects import HOPS, NAME, Emission, Failure
from streams.identity.limits import Limits
from streams.identity.owner import Owner
from streams.identity.state import State
from streams.identity.totals import TooMuchBadData, Window
from streams.stage import Change, Effect, LogRecord

__all__ = ["NAME", "Resolve", "ResolveConfig", "TooMuchBadData"]

_decode_beat = fast_decoder(Beat)
_decode_mark = fast_decoder(Mark)
_decode_evidence = fast_decoder(Evidence)

Headers = Mapping[str, bytes | None]
"""Of the record at work; the last one counts where a header occurs twice."""
NO_LOG_TIME = "outside live runs the driver says when a touchpoint arrived: header log_time, ms since the epoch"


@dataclass(frozen=True, slots=True)
class ResolveConfig:
    """`facts`: the properties that definitions look at."""

    catalogue: Catalogue
    control_secret: bytes
    facts: frozenset[str] = frozenset()
    run: Run = "live"
    limits: Limits = field(default_factory=Limits)


class Resolve:
    """`partition` of `partitions` of touchpoints.raw (touchpoints has as many)."""

    def __init__(self, partition: int, partitions: int, config: ResolveConfig) -> None:
        self._partition, self._partitions, self._config = partition, partitions, config
        self._live = config.run == "live"
        self._emission = Emission(partition, partitions, config.run, config.control_secret)
        self._adopt(State(config.limits))

    def _adopt(self, state: State) -> None:
        config = self._config
        self._state = state
        self._window = Window(self._partition, config.limits, state.totals)
        self._owner = Owner(state, self._emission, config.catalogue, config.facts, config.run)

    def apply(self, record: LogRecord, out: list[Effect]) -> None:
        """Raises TooMuchBadData; anything else that it raises is a bug."""
        value, headers = record.value or b"", dict(record.headers)
        if "control" not in headers:
            self._emission.begin(record.offset, 0, out)
            self._touchpoint(record, value, headers, record.timestamp if self._live else _log_time(headers))
        else:
            self._control(record, value, headers, out)

    def _control(self, record: LogRecord, value: bytes, headers: Headers, out: list[Effect]) -> None:
        control = read_control(record.headers, self._partition, value, self._config.control_secret)
        assert control is not None, "there is a header control"
        if isinstance(control, Unauthentic):
            self._emission.begin(record.offset, 0, out)
            self._state.totals.read += 1
            self._refuse(record, "unauthentic_control", control.field, control.detail)
        elif control.name == "forwarded":
            if control.at is not None and self._state.upstream.is_new(control.at):
                self._emission.begin(record.offset, 1, out)
                self._touchpoint(record, value, headers, control.log_time)
        elif control.name == "evidence":
            self._evidence(record.offset, value, out)
        elif control.name == "mark":
            self._mark(record.offset, value, out)
        else:
            self._beat(record, value, out)

    def flush(self, out: list[Effect]) -> None:
        """Nothing here coalesces."""

    def changes(self) -> list[Change]:
        self._window.store(self._state.totals)
        return self._state.changes()

    def restore(self, entries: Iterable[tuple[bytes, bytes]]) -> None:
        state = State(self._config.limits)
        state.restore(entries)
        self._adopt(state)

    def quarantine(self, record: LogRecord, reason: str, out: list[Effect]) -> None:
        self._emission.begin(record.offset, 0, out)
        self._state.totals.read += 1
        self._state.totals.dead_letters += 1
        self._emission.dead_letter(record, "quarantined", None, reason, record.timestamp)

    def _touchpoint(self, record: LogRecord, value: bytes, headers: Headers, log_time: int | None) -> None:
        state, totals = self._state, self._state.totals
        totals.read += 1
        decoded = decode_received(value, headers)
        if type(decoded) is Invalid:
            self._refuse(record, decoded.failure, decoded.field, decoded.detail)
            return
        if log_time is None:
            self._refuse(record, "contract_violation", "log_time", NO_LOG_TIME)
            return
        assert type(decoded) is Decoded
        self._window.good()
        routing = decoded.routing
        if routing not in state.tails and partition_of(routing, self._partitions) != self._partition:
            self._emission.forward(record, routing, log_time)
            totals.forwarded += 1
        elif decoded.touchpoint_id in state.seen:
            totals.duplicates += 1
        else:
            totals.resolved += 1
            totals.too_late += self._owner.touchpoint(decoded, log_time, record.offset)

    def _refuse(self, record: LogRecord, failure: Failure, field: str | None, detail: str) -> None:
        self._state.totals.dead_letters += 1
        self._emission.dead_letter(record, failure, field, detail, record.timestamp)
        self._window.bad()

    def _evidence(self, offset: int, value: bytes, out: list[Effect]) -> None:
        evidence = _decode_evidence(value)
        if self._state.upstream.is_new(evidence.at):
            self._emission.begin(offset, HOPS, out)
            self._owner.evidence(evidence)

    def _mark(self, offset: int, value: bytes, out: list[Effect]) -> None:
        mark = _decode_mark(value)
        if self._state.upstream.is_new(mark.at):
            self._state.evict(mark.log_time)
            self._emission.begin(offset, 0, out)
            self._emission.progress(self._state.totals, (mark.log_time, mark.hop))

    def _beat(self, record: LogRecord, value: bytes, out: list[Effect]) -> None:
        """The broker may give the next record the same millisecond, so a live beat covers what came before
        its own.
        """
        totals = self._state.totals
        log_time = record.timestamp - 1 if self._live else _decode_beat(value).log_time
        totals.log_time = max(totals.log_time, log_time)
        self._emission.begin(record.offset, 0, out)
        self._emission.progress(totals, None)


def _log_time(headers: Headers) -> int | None:
    text = headers.get("log_time") or b""
    return int(text) if text.isdigit() and len(text) <= 15 else None
