"""The stage `resolve`: one raw partition in; touchpoints with their customers, dead letters, what other owners must
hear, and progress out.

The rules are docs/identity.md; the pure functions that answer them are in `device`, `keys` and `contacts`. This file
tells records apart, keeps the counts, and turns answers into effects. Attribution is a function of the set of
on-time touchpoints: whatever order they arrive in, the last word on each is the same.

Controls are believed only with a right mac for this very partition. Our own records with a right mac that
cannot be read are a bug, not bad data: they raise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from schemas.control import HOPS, Unauthentic, read_control
from schemas.control_records import Beat, Decision, Evidence, Mark, Naming, Sighting
from schemas.decode import decode_received
from schemas.decoded import NO_HEADERS, Decoded, Invalid
from schemas.definition import Catalogue
from schemas.fast import fast_decoder
from schemas.identifiers import CONTACT_GRAPH, partition_of
from schemas.identity_reader import DEFAULT_READER, IdentityReader
from schemas.property_contracts import Demands, demands_of, fault_of
from schemas.records import Run
from schemas.sources import FORMS_KNOWN_MAX, NO_FORMS, SourceForms
from streams.identity.effects import NAME, Emission, Failure
from streams.identity.graph_owner import GraphOwner
from streams.identity.limits import Limits
from streams.identity.owner import Owner
from streams.identity.state import State
from streams.identity.totals import TooMuchBadData, Window
from streams.stage import Change, Effect, LogRecord

__all__ = ["NAME", "Resolve", "ResolveConfig", "TooMuchBadData"]

_decode_beat = fast_decoder(Beat)
_decode_mark = fast_decoder(Mark)
_decode_evidence = fast_decoder(Evidence)
_decode_sighting = fast_decoder(Sighting)
_decode_naming = fast_decoder(Naming)
_decode_decision = fast_decoder(Decision)

Headers = Mapping[str, bytes | None]
"""Of the record at work; the last one counts where a header occurs twice."""
FORWARDED_ELSEWHERE = "forwarded here under other identity rules than these. Replay it: touchline dead-letters replay"
CLOCKS_APART_MS = 30_000
"""So far the broker's clock may be ahead of the collector's; a beat is given up after two seconds."""
NO_LOG_TIME = "outside live runs the driver says when a touchpoint arrived: header log_time, ms since the epoch"


@dataclass(frozen=True, slots=True)
class ResolveConfig:
    """`facts`: the properties that definitions look at; `persons`: they look at who acted, too. `reader`: the
    deployment's rules for identifiers. `sources`: those that are watched.
    """

    catalogue: Catalogue
    control_secret: bytes
    facts: frozenset[str] = frozenset()
    persons: bool = False
    run: Run = "live"
    limits: Limits = field(default_factory=Limits)
    reader: IdentityReader = DEFAULT_READER
    sources: SourceForms = NO_FORMS


class Resolve:
    """`partition` of `partitions` of touchpoints.raw (touchpoints has as many)."""

    def __init__(self, partition: int, partitions: int, config: ResolveConfig) -> None:
        self._partition, self._partitions, self._config = partition, partitions, config
        self._live, self._reader = config.run == "live", config.reader
        self._ahead_ms = 0
        self._demands = demands_of(config.catalogue)
        self._listens, self._named = bool(config.sources), dict[bytes | None, str | None]()
        self._has_graph = partition_of(CONTACT_GRAPH, partitions) == partition
        self._adopt(State(config.limits, self._owns))

    def _owns(self, contact: str) -> bool:
        return partition_of(contact, self._partitions) == self._partition

    def _adopt(self, state: State) -> None:
        config = self._config
        self._state = state
        self._emission = Emission(self._partition, self._partitions, config.run, config.control_secret, state.totals)
        self._window = Window(self._partition, config.limits, state.totals)
        self._owner = Owner(state, self._emission, config.catalogue, config.facts, config.run, config.persons)
        self._graph = GraphOwner(state.heard, self._emission, config.limits) if self._has_graph else None

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
                self._touchpoint(record, value, headers, control.log_time, is_forwarded=True)
        elif control.name == "evidence":
            self._evidence(record.offset, value, out)
        elif control.name == "mark":
            self._mark(record.offset, value, out)
        elif control.name == "beat":
            self._beat(record, value, out)
        elif control.name == "sighting":
            self._sighting(record.offset, value, out)
        elif control.name == "naming":
            self._naming(record.offset, value, out)
        else:
            self._decision(record.offset, value, out)

    def flush(self, out: list[Effect]) -> None:
        """Nothing here coalesces."""

    def changes(self) -> list[Change]:
        self._window.store(self._state.totals)
        return self._state.changes()

    def restore(self, entries: Iterable[tuple[bytes, bytes]]) -> None:
        state = State(self._config.limits, self._owns)
        state.restore(entries)
        self._adopt(state)

    def quarantine(self, record: LogRecord, reason: str, out: list[Effect]) -> None:
        self._emission.begin(record.offset, 0, out)
        self._state.totals.read += 1
        self._state.totals.dead_letters += 1
        self._dead_letter(record, "quarantined", None, reason)

    def numbers(self) -> Mapping[str, int]:
        """Of each name that the catalogue ignores, how many were suppressed: `suppressed:NAME`."""
        counts, ignored = self._state.suppressed, [name for name, demands in self._demands.items() if demands.ignored]
        numbers = self._state.numbers() | {"broker_ahead_ms": self._ahead_ms}
        return numbers | {f"suppressed:{name}": counts.get(name, 0) for name in ignored}

    def _touchpoint(
        self, record: LogRecord, value: bytes, headers: Headers, log_time: int | None, is_forwarded: bool = False
    ) -> None:
        state, totals = self._state, self._state.totals
        totals.read += 1
        if self._listens and log_time is not None and not is_forwarded:
            self._hear(headers.get("source"), log_time)
        decoded = decode_received(value, headers, self._reader)
        if type(decoded) is Invalid:
            self._refuse(record, decoded.failure, decoded.field, decoded.detail)
            return
        if log_time is None:
            self._refuse(record, "contract_violation", "log_time", NO_LOG_TIME)
            return
        assert type(decoded) is Decoded
        demands = self._demands.get(decoded.name)
        if demands is not None and self._ends_here(record, decoded, demands, log_time):
            return
        routing = decoded.routing
        is_foreign = routing not in state.tails and partition_of(routing, self._partitions) != self._partition
        if is_foreign and is_forwarded:
            self._refuse(record, "contract_violation", None, FORWARDED_ELSEWHERE)
            return
        self._window.good()
        if is_foreign:
            self._emission.forward(record, routing, log_time)
            totals.forwarded += 1
        elif decoded.touchpoint_id in state.seen:
            totals.duplicates += 1
        else:
            totals.resolved += 1
            totals.too_late += self._owner.touchpoint(decoded, log_time, record.offset)

    def _hear(self, header: bytes | None, log_time: int) -> None:
        """Whatever it brought, it spoke. A forwarded record was heard where it arrived."""
        try:
            source = self._named[header]
        except KeyError:
            if len(self._named) >= FORMS_KNOWN_MAX:
                self._named.clear()
            text = (header or NO_HEADERS.source.encode()).decode("ascii", "replace")
            source = self._named[header] = text if self._config.sources.of(text) is not None else None
        if source is not None:
            self._state.totals.hears(source, log_time)

    def _ends_here(self, record: LogRecord, decoded: Decoded, demands: Demands, log_time: int) -> bool:
        """Whether the catalogue lets it go no further: it is ignored, or its properties break their contract. That is
        said where it arrives, so neither is ever forwarded.
        """
        if demands.ignored:
            self._state.suppress(decoded.name)
            self._window.good()
            return True
        fault = fault_of(demands.checks, decoded.properties)
        if fault is None:
            return False
        if demands.watched:
            self._state.totals.violated(decoded.name, log_time)
        self._refuse(record, "contract_violation", *fault)
        return True

    def _refuse(self, record: LogRecord, failure: Failure, field: str | None, detail: str) -> None:
        self._state.totals.dead_letters += 1
        self._dead_letter(record, failure, field, detail)
        self._window.bad()

    def _dead_letter(self, record: LogRecord, failure: Failure, field: str | None, detail: str) -> None:
        """Its bytes go on as far as they hold nothing personal in clear."""
        payload = self._reader.cleaned(record.value or b"")
        self._emission.dead_letter(record, payload, failure, field, detail)

    def _evidence(self, offset: int, value: bytes, out: list[Effect]) -> None:
        evidence = _decode_evidence(value)
        if self._state.upstream.is_new(evidence.at):
            self._emission.begin(offset, HOPS, out)
            self._owner.evidence(evidence)

    def _sighting(self, offset: int, value: bytes, out: list[Effect]) -> None:
        sighting = _decode_sighting(value)
        if self._state.upstream.is_new(sighting.at):
            assert self._graph is not None, "sightings go to the contact graph's partition"
            self._emission.begin(offset, HOPS - 2, out)
            self._graph.sighting(sighting)

    def _naming(self, offset: int, value: bytes, out: list[Effect]) -> None:
        naming = _decode_naming(value)
        if self._state.upstream.is_new(naming.at):
            self._emission.begin(offset, HOPS - 1, out)
            self._owner.named(naming.contact, naming.user_id)

    def _decision(self, offset: int, value: bytes, out: list[Effect]) -> None:
        decision = _decode_decision(value)
        if self._state.upstream.is_new(decision.at):
            self._emission.begin(offset, HOPS - 2, out)
            if self._graph is None:
                self._state.heard.decides(decision, offset)
            elif not self._graph.decided(decision, offset):
                self._state.totals.decisions_refused += 1
            self._owner.decided(decision.identifier)

    def _mark(self, offset: int, value: bytes, out: list[Effect]) -> None:
        mark = _decode_mark(value)
        if self._state.upstream.is_new(mark.at):
            self._state.evict(mark.log_time)
            self._emission.begin(offset, HOPS - 2, out)
            if self._graph is not None:
                self._graph.expire(mark.log_time)
            self._emission.progress((mark.log_time, mark.round))

    def _beat(self, record: LogRecord, value: bytes, out: list[Effect]) -> None:
        """The broker may give the next record the same millisecond, so a live beat covers what came before
        its own. And it comes no further than shortly after the time at which it was sent: when the broker's clock jumps
        ahead, time does not.
        """
        totals, sent_at = self._state.totals, _decode_beat(value).log_time
        log_time = min(record.timestamp - 1, sent_at + CLOCKS_APART_MS) if self._live else sent_at
        self._ahead_ms = record.timestamp - sent_at if self._live else 0
        totals.log_time = max(totals.log_time, log_time)
        self._emission.begin(record.offset, 0, out)
        self._emission.progress(None)


def _log_time(headers: Headers) -> int | None:
    text = headers.get("log_time") or b""
    return int(text) if text.isdigit() and len(text) <= 15 else None
