"""The verdict on one touchpoint: by resolve's own validation, so nobody hears "accepted" and finds a dead letter.

The record for `touchpoints.raw` carries the bytes as they came, but that hashes stand in place of personal values
(`schemas.identity_reader`); the verdict is on these bytes, because resolve sees no others. Its key is the routing
identifier and its partition follows from the key; what cannot be read has no key, and its partition follows from its
bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple
from zlib import crc32

import msgspec

from schemas.decode import Invalid, decode_touchpoint
from schemas.identifiers import partition_of
from schemas.identity_reader import IdentityReader
from schemas.times import to_ms
from sources.collector.keys import Source
from sources.collector.produce import Headers, Record
from sources.collector.recent import Line

Format = Literal["touchline", "segment"]

LABEL_MAX: Final = 100
"""Characters of a name or message id that a verdict repeats."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What all touchpoints of one request have in common."""

    source: Source
    received_at: int
    partitions: int
    headers: Headers
    reader: IdentityReader

    @classmethod
    def of(
        cls,
        format_: Format,
        source: Source,
        reader: IdentityReader,
        *,
        received_at: int,
        sent_at: int | None,
        log_time: int | None,
        partitions: int,
    ) -> Stamp:
        headers = [("format", format_.encode()), ("source", source.name.encode()), ("trust", source.trust.encode())]
        if reader.mark is not None:
            headers.append(("cleaned", reader.mark))
        if source.channel is not None:
            headers.append(("channel", source.channel.encode()))
        if sent_at is not None:
            headers.append(("sent_at", b"%d" % sent_at))
        headers.append(("received_at", b"%d" % received_at))
        if log_time is not None:
            headers.append(("log_time", b"%d" % log_time))
        return cls(source, received_at, partitions, headers, reader)


class Judged(NamedTuple):
    """`detail`: what is wrong, in words; None for an accepted one."""

    record: Record
    line: Line
    detail: str | None = None


class _Label(msgspec.Struct):
    """What a refused touchpoint calls itself, as far as that can be read."""

    message_id: Any = None
    segment_id: Any = msgspec.field(default=None, name="messageId")
    name: Any = None
    event: Any = None


_LABEL: Final = msgspec.json.Decoder(_Label)


def judge(item: bytes, stamp: Stamp) -> Judged:
    item = stamp.reader.cleaned(item)
    decoded = decode_touchpoint(item, stamp.headers, stamp.reader)
    if isinstance(decoded, Invalid):
        return _refused(item, stamp, decoded)
    key = decoded.routing
    record = Record(partition_of(key, stamp.partitions), key.encode(), item, stamp.headers, stamp.received_at)
    line = Line(
        received_at=stamp.received_at,
        verdict="accepted",
        source=stamp.source.name,
        message_id=decoded.message_id,
        touchpoint_id=decoded.touchpoint_id,
        name=decoded.name,
        channel=decoded.channel,
    )
    return Judged(record, line)


def _refused(item: bytes, stamp: Stamp, invalid: Invalid) -> Judged:
    try:
        label = _LABEL.decode(item)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        label = _Label()
    record = Record(crc32(item) % stamp.partitions, None, item, stamp.headers, stamp.received_at)
    line = Line(
        received_at=stamp.received_at,
        verdict="refused",
        source=stamp.source.name,
        message_id=_text(label.message_id) or _text(label.segment_id),
        name=_text(label.name) or _text(label.event),
        channel=stamp.source.channel,
        failure=invalid.failure,
        field=invalid.field,
    )
    return Judged(record, line, invalid.detail)


def _text(value: Any) -> str | None:
    return value[:LABEL_MAX] if isinstance(value, str) and value else None


def time_or_none(value: Any) -> int | None:
    """Milliseconds since the epoch of an RFC 3339 text with an offset, from 1970 on; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        at = to_ms(value)
    except ValueError:
        return None
    return at if at >= 0 else None
