"""From the records of a range to the rows of its tables. Pure.

What was stored before is dropped here: a redo upstream sends the same effects again, with the same positions.
Ticks leave nothing behind, not even a position.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from schemas.control_records import Decision, Naming
from schemas.fast import DECODE_ERRORS, fast_decoder, fast_union_decoder
from schemas.records import Acknowledged, Alert, Attach, DeadLetter, Detach, Journey, Resolved, Switched, Tick
from sinks.clickhouse.protocol import Seen
from sinks.clickhouse.rows import LoadedRecord, Row, rows_of
from sinks.log_reader import LogRecord

Decode = Callable[[bytes], LoadedRecord]

DECODERS: Final[Mapping[str, Decode]] = {
    "touchpoints": fast_union_decoder(Resolved, Attach, Detach, Tick, Switched, Acknowledged),
    "journeys": fast_decoder(Journey),
    "alerts": fast_decoder(Alert),
    "dead_letters": fast_decoder(DeadLetter),
    "identities": fast_union_decoder(Naming, Decision),
}


class Unreadable(Exception):
    """A record that our own stages wrote and that cannot be read: a bug or a newer version, never bad data."""


@dataclass(frozen=True, slots=True)
class Batch:
    """New rows by table, the positions after them, and how many records were dropped as repeated."""

    rows: Mapping[str, list[Row]]
    seen_after: Seen
    repeated: int

    @property
    def count(self) -> int:
        return sum(map(len, self.rows.values()))


def build(decode: Decode, records: Iterable[LogRecord], seen: Seen) -> Batch:
    """Raises Unreadable with the offset of the record."""
    highest = dict(seen)
    rows: dict[str, list[Row]] = {}
    repeated = 0
    for record in records:
        found = _decoded(decode, record)
        if found.type == "tick":
            continue
        stage, partition, offset, ordinal = found.at
        order = (offset, ordinal)
        if order <= highest.get((stage, partition), (-1, -1)):
            repeated += 1
            continue
        highest[stage, partition] = order
        for table, row in rows_of(found):
            rows.setdefault(table, []).append(row)
    return Batch(rows, MappingProxyType(highest), repeated)


def _decoded(decode: Decode, record: LogRecord) -> LoadedRecord:
    if record.value is None:
        raise Unreadable(f"the record at offset {record.offset} has no value; nothing of ours writes that")
    try:
        return decode(record.value)
    except DECODE_ERRORS as error:
        cause = (
            f"{type(error).__name__}: {error}" if type(error).__name__ == "ValidationError" else type(error).__name__
        )
        raise Unreadable(
            f"the record at offset {record.offset} is not of this version ({cause});"
            " start the loader of the version that wrote it"
        ) from error
