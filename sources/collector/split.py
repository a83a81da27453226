"""Cutting a request body into touchpoints without changing a byte of them.

The envelope is parsed, its touchpoints are not: each is the exact run of bytes that the client sent, so what
is wrong in one cannot spoil its neighbours, and a dead letter shows what came. Pure; raises Refusal for an
envelope that cannot be read.

An envelope in which a member that is read stands twice is refused: parsers keep the last `batch`, and the touchpoints
of the first would be lost.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from sources.collector.refusal import Refusal, malformed
from sources.collector.repeated import repeated_member
from sources.collector.surrogates import hide_halves, show_halves

ITEMS_MAX: Final = 2_500
FIELD_NAME_MAX: Final = 60
BOM: Final = b"\xef\xbb\xbf"
NDJSON_TYPES: Final = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")


@dataclass(frozen=True, slots=True)
class Parcel:
    """`sent_at` and `write_key` as they came, of any JSON type; None when absent."""

    items: list[bytes]
    sent_at: Any = None
    write_key: Any = None


class _Single(msgspec.Struct):
    sent_at: Any = msgspec.field(default=None, name="sentAt")
    write_key: Any = msgspec.field(default=None, name="writeKey")
    type: Any = None


_SINGLE: Final = msgspec.json.Decoder(_Single)
_MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ELEMENTS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_TEXT: Final = msgspec.json.Decoder(str | None)
_ANY: Final = msgspec.json.Decoder(msgspec.Raw)
_VALUE: Final = msgspec.json.Decoder()
_BATCH_READS: Final = ("batch", "sentAt", "writeKey")
_NATIVE_READS: Final = ("touchpoints", "sent_at")


def split_segment_batch(body: bytes) -> Parcel:
    return _whatever_texts(body, _split_batch)


def _split_batch(body: bytes) -> Parcel:
    wanted = "an object with `batch`, a list of items"
    members = _decoded(_MEMBERS, body, wanted, "batch")
    if "batch" not in members:
        raise malformed(f"The body is not {wanted}.", "batch")
    _refuse_repeated(body, members, _BATCH_READS)
    items = _decoded(_ELEMENTS, bytes(members["batch"]), wanted, "batch")
    sent_at, write_key = (_decoded(_VALUE, bytes(members.get(name, b"null")), "", name) for name in _BATCH_READS[1:])
    return Parcel(_limited([bytes(item) for item in items], "batch"), sent_at, write_key)


def split_segment_single(body: bytes, kind: str) -> Parcel:
    """`kind`: the type that the route stands for. It goes in where the item does not say its type."""
    return _whatever_texts(body, lambda body: _split_single(body, kind))


def _split_single(body: bytes, kind: str) -> Parcel:
    single = _decoded(_SINGLE, body, "one JSON object", None)
    item = body.removeprefix(BOM).strip()
    if single.type is None:
        rest = item[1:].lstrip()
        item = b'{"type":"%s"%s%s' % (kind.encode(), b"" if rest == b"}" else b",", rest)
    return Parcel([item], single.sent_at, single.write_key)


def split_native(body: bytes, content_type: str) -> Parcel:
    """`{"touchpoints": [...], "sent_at": ...}`, one touchpoint, or one touchpoint per line."""
    if content_type in NDJSON_TYPES:
        return Parcel(_lines(body))
    return _whatever_texts(body, _split_native)


def _split_native(body: bytes) -> Parcel:
    try:
        members = _decoded(_MEMBERS, body, "one JSON object, or one per line", None)
    except Refusal:
        lines = _lines(body)
        if len(lines) < 2 or not _is_json(lines[0]):
            raise
        return Parcel(lines)
    if "touchpoints" not in members:
        return Parcel([body.removeprefix(BOM).strip()])
    _refuse_repeated(body, members, _NATIVE_READS)
    for name in members:
        if name not in _NATIVE_READS:
            raise malformed("There is an unknown field beside `touchpoints` and `sent_at`.", name[:FIELD_NAME_MAX])
    items = _decoded(_ELEMENTS, bytes(members["touchpoints"]), "a list", "touchpoints")
    sent_at = _decoded(_TEXT, bytes(members["sent_at"]), "a text", "sent_at") if "sent_at" in members else None
    return Parcel(_limited([bytes(item) for item in items], "touchpoints"), sent_at)


def _whatever_texts(body: bytes, split: Callable[[bytes], Parcel]) -> Parcel:
    """Texts that cannot be texts concern their touchpoint, not the envelope. Raises Refusal."""
    try:
        return split(body)
    except Refusal:
        hidden = hide_halves(body)
        if hidden is None:
            raise
    without, stand_in = hidden
    parcel = split(without)
    return replace(parcel, items=[show_halves(item, stand_in) for item in parcel.items])


def _refuse_repeated(body: bytes, members: Mapping[str, msgspec.Raw], read: Collection[str]) -> None:
    try:
        name = repeated_member(body.removeprefix(BOM), members, read)
    except ValueError:
        raise malformed("The body is not JSON in UTF-8.") from None
    except RecursionError:
        raise malformed("The body is nested too deep.") from None
    if name is not None:
        raise malformed(f"The body has `{name}` more than once. Send it once, with everything in it.", name)


def _lines(body: bytes) -> list[bytes]:
    return _limited([line for part in body.removeprefix(BOM).split(b"\n") if (line := part.strip())], "body")


def _limited(items: list[bytes], field: str) -> list[bytes]:
    if len(items) > ITEMS_MAX:
        raise Refusal(
            413, "too_many_items", f"The request has more than {ITEMS_MAX} items. Send smaller batches.", field=field
        )
    return items


def _is_json(line: bytes) -> bool:
    try:
        _ANY.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _decoded(decoder: msgspec.json.Decoder[Any], body: bytes, wanted: str, field: str | None) -> Any:
    try:
        return decoder.decode(body.removeprefix(BOM))
    except msgspec.ValidationError:
        raise malformed(f"The body is not {wanted}.", field) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise malformed("The body is not JSON in UTF-8.") from None
    except RecursionError:
        raise malformed("The body is nested too deep.") from None
