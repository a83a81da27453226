"""The border: from the bytes of one record of touchpoints.raw to a touchpoint, or to the reason why not.

Pure, and never raises for what others may send. Collector and resolve call the same function, so nobody hears
"accepted" and finds a dead letter. Limits: TOUCHPOINT_BYTES_MAX, checked.DEPTH_MAX (both a `size_violation`),
integers of 64 bits with sign.

The contract is schemas.touchpoint (format `touchline`) or schemas.segment (format `segment`); an input that
pydantic refuses is refused here too and the other way round (tests/contract). Keys that occur twice: see
schemas.fast. Before the contract comes the reader: personal values in clear are replaced in the bytes, so all that
follows from the bytes, the touchpoint id too, follows from the cleaned ones. Who has cleaned them already says so in
the header `cleaned` (`IdentityReader.mark`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from schemas.checked import DEPTH_MAX, TooDeep, check_tree, is_checked
from schemas.decoded import Decoded, Failure, Hints, Invalid, decoded, read_hints, violation_of
from schemas.fast import DepthError, fast_shape_decoder
from schemas.identity_reader import DEFAULT_READER, IdentityReader
from schemas.segment import SegmentItem, from_segment
from schemas.times import to_ms
from schemas.touchpoint import Touchpoint

__all__ = [
    "TOUCHPOINT_BYTES_MAX",
    "Decoded",
    "Failure",
    "Invalid",
    "decode_received",
    "decode_touchpoint",
]

TOUCHPOINT_BYTES_MAX: Final = 32 * 1024

_decode_segment = fast_shape_decoder(SegmentItem)


def decode_touchpoint(
    value: bytes | None, headers: Iterable[tuple[str, bytes | None]] = (), reader: IdentityReader = DEFAULT_READER
) -> Decoded | Invalid:
    """The last one counts where a header occurs twice."""
    return decode_received(value, dict(headers), reader)


def decode_received(
    value: bytes | None, headers: Mapping[str, bytes | None], reader: IdentityReader = DEFAULT_READER
) -> Decoded | Invalid:
    """The same for a caller that has looked at the headers anyway."""
    if value is None or len(value) > TOUCHPOINT_BYTES_MAX:
        return _refuse_size(value)
    if reader.mark is not None and headers.get("cleaned") != reader.mark:
        value = reader.cleaned(value)
        if len(value) > TOUCHPOINT_BYTES_MAX:
            return _refuse_size(value)
    hints = read_hints(headers)
    if type(hints) is Invalid:
        return hints
    assert type(hints) is Hints
    try:
        if hints.format == "segment":
            return from_segment(_decode_segment(value), value, hints, reader)
        return _from_touchline(reader.wire.decode(value), value, hints, reader)
    except DepthError as error:
        return Invalid("size_violation", None, str(error))
    except msgspec.ValidationError as error:
        return violation_of(error, reader.kinds)
    except msgspec.DecodeError as error:
        return Invalid("malformed", None, str(error))
    except UnicodeDecodeError:
        return Invalid("malformed", None, "not UTF-8")
    except RecursionError:
        return Invalid("size_violation", None, f"nested deeper than {DEPTH_MAX} levels")


def _from_touchline(item: Touchpoint, value: bytes, hints: Hints, reader: IdentityReader) -> Decoded | Invalid:
    field = "occurred_at"
    try:
        occurred_at, sent_at = to_ms(item.occurred_at), None
        if item.sent_at is not None:
            field = "sent_at"
            sent_at = to_ms(item.sent_at)
        if not is_checked(value):
            field = "properties"
            check_tree(item.properties)
            field = "context"
            check_tree(item.context)
    except ValueError as error:
        return Invalid("size_violation" if isinstance(error, TooDeep) else "contract_violation", field, str(error))
    return decoded(
        hints,
        value,
        item.message_id,
        item.name,
        occurred_at,
        sent_at,
        item.sequence,
        item.channel,
        item.identifiers,
        item.subject,
        item.properties,
        item.context,
        reader,
    )


def _refuse_size(value: bytes | None) -> Invalid:
    if value is None:
        return Invalid("malformed", None, "a record without a value")
    return Invalid("size_violation", None, f"{len(value)} bytes; a touchpoint has at most {TOUCHPOINT_BYTES_MAX}")
