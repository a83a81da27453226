"""What a touchpoint is once it is decoded, whatever format it came in; and why it could not be."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, Literal, NamedTuple

import msgspec

from schemas.checked import TooDeep, check_tree
from schemas.fast import fast_type
from schemas.identifiers import BUSINESS_KINDS, touchpoint_id_of
from schemas.placeholders import is_placeholder
from schemas.touchpoint import Identifiers, Subject

Failure = Literal["malformed", "contract_violation", "size_violation", "unsupported_format"]

KINDS: Final = tuple(Identifiers.model_fields)
NO_IDENTIFIERS: Final = fast_type(Identifiers)()
SOURCE_MAX: Final = 100
_TIME_HEADER: Final = re.compile(rb"[0-9]{1,15}")
_FIELD_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
_PLACE: Final = re.compile(r"(?P<what>.*) - at `(?:key in )?\$\.?(?P<path>[A-Za-z0-9_.\[\]]*)`", re.DOTALL)


class Invalid(msgspec.Struct, frozen=True, gc=False):
    """Bad data. `field` and `detail` hold names and limits, never a value."""

    failure: Failure
    field: str | None
    detail: str


class Decoded(msgspec.Struct, frozen=True, gc=False):
    """Times are ms. `identifiers` as sent; `usable` without placeholders; `keys` the business keys among them.

    `routing` is `kind:value` of the first usable identifier (schemas.identifiers.ROUTING_ORDER), else the subject's
    `kind:id`, else `message:<message_id>`. `device` is `kind:value`. `channel` None: ask the catalogue.
    """

    touchpoint_id: str
    message_id: str
    name: str
    occurred_at_sent: int
    sent_at: int | None
    received_at: int | None
    sequence: int
    channel: str | None
    source: str
    identifiers: Identifiers
    usable: dict[str, str]
    routing: str
    device: str | None
    user_id: str | None
    keys: dict[str, str]
    subject: Subject | None
    properties: dict[str, Any]
    context: dict[str, Any]


class Hints(NamedTuple):
    """What the record's headers say about the touchpoint."""

    format: str
    source: str
    channel: str | None
    sent_at: int | None
    received_at: int | None


NO_HEADERS: Final = Hints("touchline", "kafka", None, None, None)


def read_hints(headers: Iterable[tuple[str, bytes | None]]) -> Hints | Invalid:
    """The last one counts where a header occurs twice. A null header counts as absent."""
    given = dict(headers)
    if not given:
        return NO_HEADERS
    kind, channel, sent, received = map(given.get, ("format", "channel", "sent_at", "received_at"))
    try:
        source = (given.get("source") or b"kafka").decode("ascii")
        label = None if channel is None else channel.decode("ascii")
    except UnicodeDecodeError:
        return Invalid("contract_violation", "header source or channel", "not ASCII")
    if len(source) > SOURCE_MAX or (label is not None and not 0 < len(label) <= 40):
        return Invalid("contract_violation", "header source or channel", "empty or too long")
    for name, value in (("header sent_at", sent), ("header received_at", received)):
        if value is not None and _TIME_HEADER.fullmatch(value) is None:
            return Invalid("contract_violation", name, "not milliseconds since the epoch")
    if kind is not None and kind not in (b"touchline", b"segment"):
        return Invalid("unsupported_format", "header format", "the formats are touchline and segment")
    return Hints(
        "touchline" if kind is None else kind.decode(),
        source,
        label,
        None if sent is None else int(sent),
        None if received is None else int(received),
    )


def decoded(
    hints: Hints,
    content: bytes,
    message_id: str,
    name: str,
    occurred_at: int,
    sent_at: int | None,
    sequence: int,
    channel: str | None,
    identifiers: Identifiers,
    subject: Subject | None,
    properties: dict[str, Any],
    context: dict[str, Any],
) -> Decoded | Invalid:
    """The last step of every format. `content` is what makes a duplicate: the bytes as received, as a rule."""
    try:
        if properties:
            check_tree(properties)
        if context:
            check_tree(context)
    except ValueError as error:
        failure: Failure = "size_violation" if isinstance(error, TooDeep) else "contract_violation"
        return Invalid(failure, "properties or context", str(error))
    usable = usable_of(identifiers)
    user_id = device = None
    if usable:
        user_id = usable.get("user_id")
        kind = "anonymous_id" if "anonymous_id" in usable else "device_id" if "device_id" in usable else None
        if kind is not None:
            routing = device = f"{kind}:{usable[kind]}"
        else:  # Apart from the devices, `usable` has the order of the routing.
            first = next(iter(usable))
            routing = f"{first}:{usable[first]}"
    elif subject is not None:
        routing = f"{subject.kind}:{subject.id}"
    else:
        routing = f"message:{message_id}"
    return Decoded(
        touchpoint_id_of(hints.source, message_id, content),
        message_id,
        name,
        occurred_at,
        sent_at if hints.sent_at is None else hints.sent_at,
        hints.received_at,
        sequence,
        channel or hints.channel,
        hints.source,
        identifiers,
        usable,
        routing,
        device,
        user_id,
        {kind: usable[kind] for kind in BUSINESS_KINDS if kind in usable} if usable else {},
        subject,
        properties,
        context,
    )


def usable_of(identifiers: Identifiers) -> dict[str, str]:
    """Without placeholders, in the order of the declaration."""
    if identifiers is NO_IDENTIFIERS:
        return {}
    values = msgspec.structs.astuple(identifiers)  # type: ignore[arg-type]  # a Struct that is typed as its model
    return {kind: value for kind, value in zip(KINDS, values) if value is not None and not is_placeholder(value)}


def violation_of(error: msgspec.ValidationError, prefix: str = "") -> Invalid:
    """The place and the rule. msgspec's text may quote the data (enum values, unknown fields), so little of it
    is kept.
    """
    place = _PLACE.fullmatch(str(error))
    what, path = (place["what"], place["path"]) if place else (str(error), "")
    for start, rule in (
        ("Object missing required field `", "missing"),
        ("Object contains unknown field `", "unknown field"),
    ):
        if what.startswith(start):
            name = what[len(start) : -1]
            known = _FIELD_NAME.fullmatch(name) is not None
            return Invalid("contract_violation", ".".join(filter(None, (path, name))) if known else path or None, rule)
    if path == "format_version" and what.startswith("Expected `int` "):
        return Invalid("unsupported_format", path, "the only format version is 1")
    detail = what if what.startswith(("Expected ", "not ")) else "not one of the allowed values"
    return Invalid("contract_violation", path or None, detail)
