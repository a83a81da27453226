"""What a stage is: a deterministic function of (state, log) for one partition of one input log.

A stage does no I/O, reads no clock and never looks at batch boundaries. The shell (`streams.runner`) feeds it records
in offset order and carries out what it returns:

1. `apply` once per record; `flush` once per batch, for effects that may coalesce (snapshots).
2. the effects are sent and acknowledged by Kafka, `last` ones after all others;
3. `changes` go to the stage's changelog in one fenced transaction, together with the position;
4. the input is acknowledged.

A crash anywhere redoes records after the last checkpoint. The redo gives the same effects, byte for byte, and each
effect carries its position, so that the receiver drops what it has seen (`Upstream`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from schemas.records import At


class LogRecord(Protocol):
    """What a stage may look at. aiokafka's records have this shape, and so have those of the simulated log."""

    @property
    def offset(self) -> int: ...

    @property
    def timestamp(self) -> int:
        """The broker's time at the append, ms."""

    @property
    def key(self) -> bytes | None: ...

    @property
    def value(self) -> bytes | None: ...

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class Effect(NamedTuple):
    """A record to append to `topic` (its name in the catalogue, without a deployment's prefix).

    `last` effects are sent only after all other effects of the batch are acknowledged: a report of progress must lie
    behind what it covers.
    """

    topic: str
    partition: int
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
    last: bool = False


Change = tuple[bytes, bytes | None]
"""One changed piece of state: a changelog key and its new value; None removes it."""


class Stage(Protocol):
    """The state of one partition. Not thread-safe; owned by one task."""

    def apply(self, record: LogRecord, out: list[Effect]) -> None:
        """Take one record. Bad data becomes a dead letter in `out`; an exception is a bug and stops the partition."""

    def flush(self, out: list[Effect]) -> None:
        """End of a batch: append what may coalesce, in position order."""

    def changes(self) -> list[Change]:
        """What changed since the last call, each key once."""

    def restore(self, entries: Iterable[tuple[bytes, bytes]]) -> None:
        """Rebuild the state from the latest value of each changelog key. Called once, before the first record."""

    def quarantine(self, record: LogRecord, reason: str, out: list[Effect]) -> None:
        """A person gave this record up: append its dead letter and touch nothing else."""

    def numbers(self) -> Mapping[str, int]:
        """Counts and sizes of the state, for a dashboard: a few names, always the same ones."""


class Upstream:
    """The highest position received from each source partition; what is not above it was seen before."""

    __slots__ = ("_highest", "changed")

    def __init__(self) -> None:
        self._highest: dict[tuple[str, int], tuple[int, int]] = {}
        self.changed = False

    def is_new(self, at: At) -> bool:
        """Remember the position; False when this or a later effect of that source partition was seen already."""
        source, order = at[:2], at[2:]
        highest = self._highest.get(source)
        if highest is not None and order <= highest:
            return False
        self._highest[source] = order
        self.changed = True
        return True

    def dump(self) -> list[tuple[str, int, int, int]]:
        return [(source, partition, *order) for (source, partition), order in sorted(self._highest.items())]

    def load(self, rows: Iterable[Sequence[object]]) -> None:
        for source, partition, offset, ordinal in rows:
            if (
                not isinstance(source, str)
                or not isinstance(partition, int)
                or not isinstance(offset, int)
                or not isinstance(ordinal, int)
            ):
                raise TypeError(f"a stored position has the wrong shape: {(source, partition, offset, ordinal)!r}")
            self._highest[source, partition] = (offset, ordinal)
