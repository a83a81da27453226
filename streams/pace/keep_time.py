"""The stage `keep_time`: from the progress of all raw partitions to ticks, which are the only clock of
`track`.

tick(W) must lie behind every effect of what arrived by W. The least progress alone does not give that: a
touchpoint in a foreign partition is re-produced (hop 1), and its evidence travels on (hop 2). So W is flushed
through raw in rounds: mark(W, k) goes to every raw partition, and when all have reported it, whatever was k
hops from its arrival lies in the log behind them, because a report lies behind the effects of all that was
read before it. After `hops` rounds come the ticks.

One round at a time. A partition that never reported holds time back: its backlog may hold anything. A redone
report is dropped by its position, and a redo of this stage gives the same marks and ticks under the same
positions.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from schemas.control import control_headers
from schemas.fast import encode, fast_decoder, fast_type
from schemas.records import At, Mark, Progress, Tick
from streams.stage import Change, Effect, LogRecord, Upstream

HOPS = 2
_KEY = b"s"

_mark = fast_type(Mark)
_tick = fast_type(Tick)
_decode_progress = fast_decoder(Progress)


class Stored(msgspec.Struct, array_like=True):
    """`round_log_time` -1: no round is under way; `ticked` -1: no tick yet."""

    format_version: int = 1
    progress: dict[int, int] = {}
    ticked: int = -1
    round_log_time: int = -1
    round_hop: int = 0
    reported: list[int] = []
    upstream: list[tuple[str, int, int, int]] = []


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Stored).decode


class KeepTime:
    """`partitions` of touchpoints.raw, `downstream` of touchpoints."""

    def __init__(self, partitions: int, downstream: int, control_secret: bytes, hops: int = HOPS) -> None:
        self._partitions, self._downstream, self._hops = partitions, downstream, hops
        self._secret = control_secret
        self._state = Stored()
        self._upstream = Upstream()
        self._changed = False

    def apply(self, record: LogRecord, out: list[Effect]) -> None:
        progress = _decode_progress(record.value or b"")
        if not self._upstream.is_new(progress.at):
            return
        self._changed = True
        state, partition = self._state, progress.at[1]
        state.progress[partition] = max(progress.log_time, state.progress.get(partition, -1))
        emit = _Emission(record.offset, self._secret, out)
        if state.round_log_time >= 0 and progress.mark == (state.round_log_time, state.round_hop):
            self._report(partition, emit)
        if state.round_log_time < 0 and len(state.progress) == self._partitions:
            log_time = min(state.progress.values())
            if log_time > state.ticked:
                self._advance(log_time, 1, emit)

    def flush(self, out: list[Effect]) -> None:
        """Nothing here coalesces."""

    def changes(self) -> list[Change]:
        if not self._changed:
            return []
        self._changed = False
        self._state.upstream = self._upstream.dump()
        return [(_KEY, _encode(self._state))]

    def restore(self, entries: Iterable[tuple[bytes, bytes]]) -> None:
        for key, value in entries:
            if key != _KEY:
                raise ValueError(f"the changelog of keep_time has a key {key!r}: written by another version?")
            self._state = _decode(value)
            self._upstream.load(self._state.upstream)

    def quarantine(self, record: LogRecord, reason: str, out: list[Effect]) -> None:
        """A report of progress holds no touchpoint: it is skipped, and a later one makes up for it."""

    def _report(self, partition: int, emit: _Emission) -> None:
        state = self._state
        if partition not in state.reported:
            state.reported.append(partition)
        if len(state.reported) == self._partitions:
            self._advance(state.round_log_time, state.round_hop + 1, emit)

    def _advance(self, log_time: int, hop: int, emit: _Emission) -> None:
        """Begin round `hop`, or give the ticks when there are no more rounds."""
        state = self._state
        state.reported = []
        if hop <= self._hops:
            state.round_log_time, state.round_hop = log_time, hop
            for partition in range(self._partitions):
                emit.mark(partition, log_time, hop)
        else:
            state.round_log_time, state.ticked = -1, log_time
            for downstream in range(self._downstream):
                emit.tick(downstream, log_time)


class _Emission:
    """The effects of one record, numbered."""

    def __init__(self, offset: int, secret: bytes, out: list[Effect]) -> None:
        self._offset, self._secret, self._out = offset, secret, out
        self._ordinal = 0

    def _at(self) -> At:
        at = ("keep_time", 0, self._offset, self._ordinal)
        self._ordinal += 1
        return at

    def mark(self, partition: int, log_time: int, hop: int) -> None:
        value = encode(_mark(at=self._at(), log_time=log_time, hop=hop))
        headers = control_headers("mark", partition, value, self._secret)
        self._out.append(Effect("touchpoints.raw", partition, None, value, headers))

    def tick(self, partition: int, log_time: int) -> None:
        self._out.append(Effect("touchpoints", partition, None, encode(_tick(at=self._at(), log_time=log_time))))
