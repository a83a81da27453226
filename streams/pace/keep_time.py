"""The stage `keep_time`: from the progress of all raw partitions to ticks, which are the only clock of `track`.

tick(W) must lie behind every effect of what arrived by W. The least progress alone does not give that: a touchpoint
in a foreign partition is re-produced (hop 1), and what its owner tells others travels on (schemas.control.HOPS). So W
is flushed through raw in rounds: a mark goes to every raw partition, and when all have reported it, whatever was one
hop further from its arrival lies in the log behind them, because a report lies behind the effects of all that was read
before it. After `hops` rounds come the ticks.

Mostly sooner. When a round is over, what still lies unread of what follows from W was written since the round before
it, by a record that itself was caused; after n rounds of W it is at least n + 1 hops from its arrival. So each report
says how far from their arrivals the records were that its partition wrote in that time (`Progress.hops`), and where
all are nearer, nothing of W is under way any more.

One round at a time, and each is the first for what has arrived meanwhile: round n is the first for its own W and
the second for that of round n - 1. So a tick waits for its rounds, never for those of the tick before. A
partition that never reported holds time back: its backlog may hold anything. A redone report is dropped by its
position, and a redo of this stage gives the same marks and ticks under the same positions.

What people decide comes here too and goes on in one order: about identifiers (docs/identity.md, "By hand") to every
raw partition, about definitions to every partition of `touchpoints`, about one alert to its customer's. An alert that
is about no customer is this stage's own: it writes it, before the tick at which it judged.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping

import msgspec
from msgspec.structs import replace

from schemas.control import HOPS, Control, control_headers, read_control
from schemas.control_records import Acknowledgement, Decision, Mark, Switch
from schemas.fast import encode, fast_decoder, fast_type
from schemas.identifiers import partition_of
from schemas.records import Acknowledged, At, DeadLetter, Progress, SourceState, Switched, Tick
from schemas.records import Run as RunKind
from streams.pace import contracts, own_alerts
from streams.pace.silence import Watch
from streams.pace.sources import KEY as SOURCE_KEY
from streams.pace.sources import Silences
from streams.stage import Change, Effect, LogRecord, Upstream

NAME = "keep_time"
_KEY = b"s"

_mark = fast_type(Mark)
_tick = fast_type(Tick)
_dead_letter = fast_type(DeadLetter)
_switched = fast_type(Switched)
_acknowledged = fast_type(Acknowledged)
_decode_decision = fast_decoder(Decision)
_decode_switch = fast_decoder(Switch)
_decode_acknowledgement = fast_decoder(Acknowledgement)
_decode_progress = fast_decoder(Progress)


class Stored(msgspec.Struct, array_like=True):
    """`rounds`: the log times of the last rounds, the latest last; `round`: its number, 0 before the first.
    `is_under_way`: not all have reported it, and `hops` is the most that one said. `ticked` -1: no tick yet.
    """

    format_version: int = 2
    progress: dict[int, int] = {}
    ticked: int = -1
    rounds: list[int] = []
    round: int = 0
    is_under_way: bool = False
    reported: list[int] = []
    upstream: list[tuple[str, int, int, int]] = []
    broken: contracts.Broken = {}
    hops: int = 0


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Stored).decode


class KeepTime:
    """`partitions` of touchpoints.raw, `downstream` of touchpoints."""

    def __init__(
        self,
        partitions: int,
        downstream: int,
        control_secret: bytes,
        hops: int = HOPS,
        run: RunKind = "live",
        watched_contracts: Mapping[str, own_alerts.About] | None = None,
        watched_sources: Mapping[str, Watch] | None = None,
    ) -> None:
        self._silences = Silences(watched_sources or {})
        self._contracts = watched_contracts or {}
        self._partitions, self._downstream, self._hops, self._run = partitions, downstream, hops, run
        self._secret = control_secret
        self._state = Stored()
        self._upstream = Upstream()
        self._changed = False

    def apply(self, record: LogRecord, out: list[Effect]) -> None:
        emit = _Emission(record.offset, self._secret, out)
        value = record.value or b""
        if record.headers:
            self._word(record, value, emit)
            return
        progress = _decode_progress(value)
        if not self._upstream.is_new(progress.at):
            return
        self._changed = True
        state, partition = self._state, progress.at[1]
        contracts.heard(state.broken, progress.violations, self._contracts)
        if progress.heard:
            self._silences.hear(progress.heard)
        state.progress[partition] = max(progress.log_time, state.progress.get(partition, -1))
        if state.is_under_way and progress.mark == (state.rounds[-1], state.round):
            self._report(partition, self._hops if progress.hops is None else progress.hops, emit)
        if not state.is_under_way:
            self._begin(emit)

    def flush(self, out: list[Effect]) -> None:
        """Nothing here coalesces."""

    def changes(self) -> list[Change]:
        found = self._silences.changes()
        if self._changed:
            self._changed = False
            self._state.upstream = self._upstream.dump()
            found.append((_KEY, _encode(self._state)))
        return found

    def restore(self, entries: Iterable[tuple[bytes, bytes]]) -> None:
        for key, value in entries:
            if key.startswith(SOURCE_KEY):
                self._silences.restore(key, value)
                continue
            if key != _KEY:
                raise ValueError(f"the changelog of keep_time has a key {key!r}: written by another version?")
            self._state = _decode(value)
            self._upstream.load(self._state.upstream)

    def quarantine(self, record: LogRecord, reason: str, out: list[Effect]) -> None:
        """A report of progress holds no touchpoint: it is skipped, and a later one makes up for it."""

    def numbers(self) -> Mapping[str, int]:
        return {"rounds": self._state.round} | self._silences.numbers()

    def _word(self, record: LogRecord, value: bytes, emit: _Emission) -> None:
        """A person's word, if it is authentic; whoever may write here may write anything."""
        control = read_control(record.headers, 0, value, self._secret)
        if isinstance(control, Control) and control.name == "decision":
            decision = _decode_decision(value)
            for partition in range(self._partitions):
                emit.decision(partition, decision)
        elif isinstance(control, Control) and control.name == "switch":
            self._switch(_decode_switch(value), emit)
        elif isinstance(control, Control) and control.name == "acknowledgement":
            said = _decode_acknowledgement(value)
            if said.customer_id is not None:
                emit.acknowledged(partition_of(said.customer_id, self._downstream), said, said.customer_id)
            else:
                self._own_alert(said, emit)
        else:
            emit.dead_letter(record, self._run)

    def _own_alert(self, said: Acknowledgement, emit: _Emission) -> None:
        log_time = max(self._state.ticked, 0)
        for change in contracts.acknowledge(self._state.broken, said, log_time):
            self._changed = True
            emit.alert(change, self._run, log_time)
        of_source = self._silences.said(said, log_time)
        if of_source is not None:
            emit.alert(of_source, self._run, log_time)

    def _switch(self, switch: Switch, emit: _Emission) -> None:
        from_at = max(switch.from_at, *self._state.progress.values(), 0)
        for partition in range(self._downstream):
            emit.switched(partition, switch, from_at)

    def _report(self, partition: int, hops: int, emit: _Emission) -> None:
        state = self._state
        state.hops = max(state.hops, hops)
        if partition not in state.reported:
            state.reported.append(partition)
        if len(state.reported) == self._partitions:
            state.is_under_way = False
            for rounds, log_time in enumerate(reversed(state.rounds), 1):
                if rounds == self._hops or state.hops <= rounds:
                    self._give_ticks(log_time, emit)
                    return

    def _begin(self, emit: _Emission) -> None:
        """The next round, if there is a log time that no tick has given."""
        state = self._state
        if len(state.progress) < self._partitions:
            return
        log_time = min(state.progress.values())
        if log_time <= state.ticked:
            return
        if self._hops == 0:
            self._give_ticks(log_time, emit)
            return
        state.rounds = [*state.rounds, log_time][-self._hops :]
        state.round, state.is_under_way, state.reported, state.hops = state.round + 1, True, [], 0
        for partition in range(self._partitions):
            emit.mark(partition, log_time, state.round)

    def _give_ticks(self, log_time: int, emit: _Emission) -> None:
        if log_time > self._state.ticked:
            self._state.ticked = log_time
            for change in contracts.judge(self._state.broken, self._contracts, log_time):
                emit.alert(change, self._run, log_time)
            states, alerts = self._silences.judge(log_time)
            for change in alerts:
                emit.alert(change, self._run, log_time)
            for downstream in range(self._downstream):
                emit.tick(downstream, log_time, states)


class _Emission:
    """The effects of one record, numbered."""

    def __init__(self, offset: int, secret: bytes, out: list[Effect]) -> None:
        self._offset, self._secret, self._out = offset, secret, out
        self._ordinal = 0

    def _at(self) -> At:
        at = (NAME, 0, self._offset, self._ordinal)
        self._ordinal += 1
        return at

    def mark(self, partition: int, log_time: int, number: int) -> None:
        value = encode(_mark(at=self._at(), log_time=log_time, round=number))
        headers = control_headers("mark", partition, value, self._secret)
        self._out.append(Effect("touchpoints.raw", partition, None, value, headers))

    def tick(self, partition: int, log_time: int, sources: list[SourceState]) -> None:
        value = encode(_tick(at=self._at(), log_time=log_time, sources=sources))
        self._out.append(Effect("touchpoints", partition, None, value))

    def alert(self, change: own_alerts.Change, run: RunKind, log_time: int) -> None:
        self._out.append(own_alerts.effect(change, self._at(), run, log_time))

    def decision(self, partition: int, decision: Decision) -> None:
        record = replace(decision, at=self._at())  # type: ignore[type-var]  # a struct, typed as its contract
        value = encode(record)
        headers = control_headers("decision", partition, value, self._secret)
        self._out.append(Effect("touchpoints.raw", partition, None, value, headers))

    def switched(self, partition: int, switch: Switch, from_at: int) -> None:
        told = _switched(
            at=self._at(),
            definition=switch.definition,
            version=switch.version,
            mode=switch.mode,
            from_at=from_at,
            reason=switch.reason,
            decided_by=switch.decided_by,
            decided_at=switch.decided_at,
        )
        self._out.append(Effect("touchpoints", partition, None, encode(told)))

    def acknowledged(self, partition: int, said: Acknowledgement, customer_id: str) -> None:
        told = _acknowledged(
            at=self._at(),
            alert_id=said.alert_id,
            customer_id=customer_id,
            definition=said.definition,
            version=said.version,
            anchor=said.anchor,
            break_name=said.break_name,
            occurrence=said.occurrence,
            closes=said.closes,
            acknowledged_by=said.acknowledged_by,
            acknowledged_at=said.acknowledged_at,
        )
        self._out.append(Effect("touchpoints", partition, None, encode(told)))

    def dead_letter(self, record: LogRecord, run: RunKind) -> None:
        letter = _dead_letter(
            at=self._at(),
            run=run,
            failure="unauthentic_control",
            field="control",
            detail="on progress only what people decide carries headers: wrong secret, or written by somebody else",
            source=NAME,
            topic="progress",
            partition=0,
            offset=self._offset,
            log_time=record.timestamp,
            headers={name: (value or b"").decode("ascii", "backslashreplace") for name, value in record.headers},
            payload=b64encode(record.value or b"").decode(),
        )
        self._out.append(Effect("dead_letters", 0, b"0", encode(letter)))
