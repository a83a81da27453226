"""How one partition of Kafka gets into ClickHouse exactly once: a pure state machine over what is committed.

```
          form (rows)            announced               inserted             confirmed
  READING ----------> ANNOUNCING ---------> INSERTING -----------> CONFIRMING ----------> READING
     |  form (no rows): stays READING, position moves     ^
     +------- form (a range announced before) ------------+
```
Kafka's offset metadata is the only memory. ANNOUNCING commits the *old* offset with the range about to be written
and the highest upstream positions *before* it; CONFIRMING commits the new offset. Whoever takes over in between
reads the announcement, forms exactly that range again, filters it with the same positions and so sends the same rows
under the same token, which ClickHouse drops if it has them. Other bounds under another token would store rows twice.

A commit without an announcement, or an insert outside of it, cannot be expressed: a wrong move is a ProtocolError.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType
from typing import Annotated, Final

import msgspec

METADATA_BYTES_MAX: Final = 4096
"""Kafka's default `offset.metadata.max.bytes`. 12 source partitions of one stage take about 300."""

Seen = Mapping[tuple[str, int], tuple[int, int]]
"""(stage, source partition) -> highest (source offset, ordinal) stored."""


class ProtocolError(Exception):
    """The log or the metadata contradicts the protocol, or a caller made an illegal move. The partition must stop."""


class Phase(Enum):
    READING = "reading"
    ANNOUNCING = "announcing"
    INSERTING = "inserting"
    CONFIRMING = "confirming"


@dataclass(frozen=True, slots=True)
class Range:
    """Offsets of the first and the last record of a batch, both included."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What Kafka keeps for a partition: the next offset, what was seen before it, and the announced range."""

    offset: int
    seen: Seen = field(default_factory=dict)
    pending: Range | None = None


@dataclass(frozen=True, slots=True)
class State:
    """`done` is true once its effects are stored; `batch` and `seen_after` belong to the batch under way."""

    done: Checkpoint
    phase: Phase = Phase.READING
    batch: Range | None = None
    seen_after: Seen = field(default_factory=dict)

    @property
    def pending(self) -> Range | None:
        """The range that an earlier owner announced and that must be formed again, exactly."""
        return self.done.pending if self.phase is Phase.READING else None


def form(state: State, batch: Range, seen_after: Seen, *, rows: int) -> State:
    """A batch was read and filtered. Without rows there is nothing to announce: the position just moves."""
    _expect(state, Phase.READING)
    pending = state.done.pending
    if pending is not None and batch != pending:
        raise ProtocolError(
            f"offsets {pending.first}-{pending.last} are announced, but {batch.first}-{batch.last} were read:"
            " the log changed"
        )
    if batch.first < state.done.offset or batch.last < batch.first:
        raise ProtocolError(f"offsets {batch.first}-{batch.last} do not follow {state.done.offset}")
    if rows == 0:
        return State(Checkpoint(batch.last + 1, seen_after))
    return replace(state, phase=Phase.INSERTING if pending else Phase.ANNOUNCING, batch=batch, seen_after=seen_after)


def announced(state: State) -> State:
    _expect(state, Phase.ANNOUNCING)
    return replace(state, phase=Phase.INSERTING, done=replace(state.done, pending=state.batch))


def inserted(state: State) -> State:
    _expect(state, Phase.INSERTING)
    return replace(state, phase=Phase.CONFIRMING)


def confirmed(state: State) -> State:
    _expect(state, Phase.CONFIRMING)
    return State(to_commit(state))


def to_commit(state: State) -> Checkpoint:
    """What Kafka has to hold before the next move."""
    if state.phase is Phase.ANNOUNCING:
        return replace(state.done, pending=state.batch)
    if state.phase is Phase.CONFIRMING and state.batch is not None:
        return Checkpoint(state.batch.last + 1, state.seen_after)
    return state.done


def token(table: str, topic: str, partition: int, batch: Range, first_timestamp: int) -> str:
    """The insert's deduplication token. It names the table, since one range may feed several, and the time on
    Kafka of the
    range's first record, since a topic that was created anew begins at offset 0 again."""
    return f"{table}:{topic}:{partition}:{batch.first}-{batch.last}:{first_timestamp}"


def _expect(state: State, phase: Phase) -> None:
    if state.phase is not phase:
        raise ProtocolError(f"this move needs the phase {phase.value}, the partition is {state.phase.value}")


# -- the metadata beside the committed offset ---------------------------------------------------------------------

_Natural = Annotated[int, msgspec.Meta(ge=0)]


class _Metadata(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    v: int
    seen: dict[str, list[tuple[_Natural, _Natural, _Natural]]] = {}
    pending: tuple[_Natural, _Natural] | None = None


_decode = msgspec.json.Decoder(_Metadata).decode


def encode_metadata(checkpoint: Checkpoint) -> str:
    """Raises ProtocolError when Kafka would refuse it as too long."""
    seen: dict[str, list[tuple[int, int, int]]] = {}
    for (stage, partition), (offset, ordinal) in sorted(checkpoint.seen.items()):
        seen.setdefault(stage, []).append((partition, offset, ordinal))
    pending = (checkpoint.pending.first, checkpoint.pending.last) if checkpoint.pending else None
    encoded = msgspec.json.encode(_Metadata(1, seen, pending))
    if len(encoded) > METADATA_BYTES_MAX:
        raise ProtocolError(
            f"the positions of {len(checkpoint.seen)} source partitions take {len(encoded)} bytes of metadata,"
            f" Kafka stores {METADATA_BYTES_MAX}; use fewer partitions"
        )
    return encoded.decode()


def decode_metadata(offset: int, metadata: str) -> Checkpoint:
    """No metadata: an offset set by hand (or a first start). Raises ProtocolError for metadata we did not write."""
    if not metadata:
        return Checkpoint(offset)
    try:
        found = _decode(metadata.encode())
    except msgspec.DecodeError as error:
        raise ProtocolError(f"the metadata of committed offset {offset} is not the loader's: {error}") from error
    if found.v != 1:
        raise ProtocolError(f"the metadata of committed offset {offset} has format {found.v}; start a newer loader")
    seen = {(stage, p): (o, n) for stage, rows in found.seen.items() for p, o, n in rows}
    return Checkpoint(offset, MappingProxyType(seen), Range(*found.pending) if found.pending else None)
