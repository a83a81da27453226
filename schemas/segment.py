"""Segment's tracking API (RudderStack's too): the contract of one item, and what it means as a touchpoint.

Unknown fields are allowed, because SDKs add some; nulls count as absent. Decisions:
- The act is timed by the client's clock: `originalTimestamp`, else `timestamp`, else the time it was sent. An item
without any of these is timed by ours, the header `received_at`, for sending too, and marked so (`timed_here`): what
we know of the client's clock neither corrects it nor follows from it.
- Without messageId the id follows from the content, and from the time of receipt if the item has no time of
its own. Segment's API would make one up; we keep the bytes as they came.
- A repeated request may differ in `sentAt`, `_metadata` and `writeKey` only (browser SDKs), so these do not
make another touchpoint.
- groupId, else context.groupId, is the account_id: the company that the person acts for.
- Traits of `identify`, else `context.traits`, give email, phone and loyalty_card; those of `group` are the group's.
- Kinds of a deployment's own are looked for in snake and in camel case: contacts in the traits, business keys in the
properties, devices in the context.
- Numbers are accepted as userId, groupId, previousId and as business keys, and become text.
- `alias` joins nobody: previousId is kept as a property.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Annotated, Any, Final, Literal

import msgspec
from pydantic import Field

from schemas.decoded import Decoded, Hints, Invalid, decoded
from schemas.identity_reader import IdentityReader
from schemas.snake_case import snake_case
from schemas.times import to_ms
from schemas.touchpoint import Identifiers, OpenContract, Time
from schemas.wire import Members, Wire

Id = Annotated[str, Field(max_length=200)] | int | None
Text100 = Annotated[str, Field(max_length=100)] | None


class SegmentItem(OpenContract):
    """One item of a batch, or the body of a single call."""

    type: Literal["track", "identify", "page", "screen", "group", "alias"]
    message_id: Annotated[Text100, Field(alias="messageId")] = None
    user_id: Annotated[Id, Field(alias="userId")] = None
    anonymous_id: Annotated[Id, Field(alias="anonymousId")] = None
    previous_id: Annotated[Id, Field(alias="previousId")] = None
    group_id: Annotated[Id, Field(alias="groupId")] = None
    event: Text100 = None
    name: Annotated[str, Field(max_length=1000)] | None = None
    properties: dict[str, Any] | None = None
    traits: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    timestamp: Time | None = None
    original_timestamp: Annotated[Time | None, Field(alias="originalTimestamp")] = None
    sent_at: Annotated[Time | None, Field(alias="sentAt")] = None
    channel: Text100 = None
    metadata: Annotated[Any, Field(alias="_metadata")] = None
    write_key: Annotated[Any, Field(alias="writeKey")] = None


NAMES: Final = {
    "identify": "identified",
    "page": "page_viewed",
    "screen": "screen_viewed",
    "group": "grouped",
    "alias": "aliased",
}
CHANNELS: Final = {"browser": "web", "mobile": "app"}
_VOLATILE: Final = ("sentAt", "_metadata", "writeKey")


class _Fault(Exception):
    """Carries the Invalid to the one place that returns it."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.invalid = Invalid("contract_violation", field, detail)


def from_segment(item: SegmentItem, value: bytes, hints: Hints, reader: IdentityReader) -> Decoded | Invalid:
    try:
        occurred_at, sent_at, timed_here = _times(item, hints)
        properties = item.properties or {}
        context = item.context or {}
        content = _content(item, value)
        traits = item.traits if item.type == "identify" else context.get("traits")
        return decoded(
            hints,
            content,
            item.message_id or _message_id(item, content, hints),
            _name(item),
            occurred_at,
            sent_at,
            0,
            _channel(item, properties),
            _identified(item, properties, context, traits if isinstance(traits, dict) else {}, reader.wire),
            None,
            _properties(item, properties, reader.wire.contacts),
            context,
            reader,
            timed_here,
        )
    except _Fault as fault:
        return fault.invalid


def _time(field: str, text: str | None) -> int | None:
    try:
        return None if text is None else to_ms(text)
    except ValueError as error:
        raise _Fault(field, str(error)) from None


def _times(item: SegmentItem, hints: Hints) -> tuple[int, int | None, bool]:
    """When it happened and when it was sent, both by one clock; and whether that is ours. The header says the time of
    sending for the whole request.
    """
    original, given = _time("originalTimestamp", item.original_timestamp), _time("timestamp", item.timestamp)
    own = _time("sentAt", item.sent_at)
    sent_at = own if hints.sent_at is None else hints.sent_at
    for moment in (original, given, sent_at):
        if moment is not None:
            return moment, sent_at, False
    if hints.received_at is None:
        raise _Fault("timestamp", "missing, and neither sentAt nor the record's header received_at is there instead")
    return hints.received_at, hints.received_at, True


def _name(item: SegmentItem) -> str:
    if item.type != "track":
        return NAMES[item.type]
    name = snake_case(item.event or "")
    if not 0 < len(name) <= 100:
        raise _Fault("event", "a track item needs an event of 1 to 100 characters, with a letter or digit")
    return name


def _message_id(item: SegmentItem, content: bytes, hints: Hints) -> str:
    digest = blake2b(content, digest_size=16)
    if item.timestamp is None and item.original_timestamp is None:
        digest.update(b"\x00%d" % (hints.received_at or 0))
    return f"content-{digest.hexdigest()}"


def _content(item: SegmentItem, value: bytes) -> bytes:
    """The bytes, or without what changes when a request is repeated."""
    if item.sent_at is None and item.metadata is None and item.write_key is None:
        return value
    fields = msgspec.json.decode(value)
    for name in _VOLATILE:
        fields.pop(name, None)
    return msgspec.json.encode(fields)


def _channel(item: SegmentItem, properties: dict[str, Any]) -> str | None:
    channel = properties.get("channel")
    if isinstance(channel, str) and 0 < len(channel) <= 40:
        return channel
    return CHANNELS.get(item.channel or "")


def _identified(
    item: SegmentItem, properties: dict[str, Any], context: dict[str, Any], traits: dict[str, Any], wire: Wire
) -> Identifiers:
    device = context.get("device")
    found = {
        "user_id": _text("userId", item.user_id),
        "anonymous_id": _text("anonymousId", item.anonymous_id),
        "device_id": _text("context.device.id", device.get("id")) if isinstance(device, dict) else None,
    }
    if item.group_id is not None or "groupId" in context:
        found["account_id"] = _account(item, context)
    _find(found, "context", context, wire.devices)
    _find(found, "traits", traits, wire.contacts)
    _find(found, "properties", properties, wire.keys)
    return wire.identifiers(**found)


def _account(item: SegmentItem, context: dict[str, Any]) -> str | None:
    """Of a group call its groupId, of any other the one that SDKs keep in the context."""
    own = _text("groupId", item.group_id)
    return own if own is not None else _text("context.groupId", context.get("groupId"))


def _find(found: dict[str, str | None], where: str, fields: dict[str, Any], members: Members) -> None:
    if fields and not members.names.isdisjoint(fields):
        for kind, camel in members.camel.items():
            found[kind] = _either(where, fields, kind, camel)


def _either(where: str, fields: dict[str, Any], snake: str, camel: str) -> str | None:
    value = _text(f"{where}.{snake}", fields.get(snake))
    return value if value is not None else _text(f"{where}.{camel}", fields.get(camel))


def _text(field: str, value: object) -> str | None:
    """Text and whole numbers name something; anything else, also the empty text, does not."""
    if type(value) is int:
        return str(value)
    if type(value) is not str or not value:
        return None
    if len(value) > 200:
        raise _Fault(field, "an identifier has at most 200 characters")
    return value


def _properties(item: SegmentItem, properties: dict[str, Any], contacts: Members) -> dict[str, Any]:
    match item.type:
        case "page" | "screen" if item.name is not None and "name" not in properties:
            return {"name": item.name} | properties
        case "identify" | "group" if item.traits:
            lifted = contacts.names if item.type == "identify" else ()
            properties = properties | {key: value for key, value in item.traits.items() if key not in lifted}
    if item.type == "group" and item.group_id is not None:
        return properties | {"group_id": str(item.group_id)}
    if item.type == "alias" and item.previous_id is not None:
        return properties | {"previous_id": str(item.previous_id)}
    return properties
