"""What a touchpoint is once it is decoded, whatever format it came in; and why it could not be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Final, Literal

import msgspec

from schemas.fast import fast_type
from schemas.identifiers import BUILT_IN_KINDS, IdentifierKinds, touchpoint_id_of
from schemas.identity_reader import USER_PROOF, IdentityReader
from schemas.placeholders import PLAIN_STARTS, is_placeholder
from schemas.records import StoredIdentifiers
from schemas.touchpoint import Identifiers, Subject

Failure = Literal["malformed", "contract_violation", "size_violation", "unsupported_format"]

NO_IDENTIFIERS: Final = fast_type(Identifiers)()
SOURCE_MAX: Final = 100
CHANNEL_MAX: Final = 40
TIME_DIGITS_MAX: Final = 15
_stored = fast_type(StoredIdentifiers)
_FIELD_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
_PLACE: Final = re.compile(r"(?P<what>.*) - at `(?:key in )?\$\.?(?P<path>[A-Za-z0-9_.\[\]]*)`", re.DOTALL)


class Invalid(msgspec.Struct, frozen=True, gc=False):
    """Bad data. `field` and `detail` hold names and limits, never a value."""

    failure: Failure
    field: str | None
    detail: str


class Decoded(msgspec.Struct, frozen=True, gc=False):
    """Times are ms. `identifiers` is what is stored: as sent, personal ones hashed, others normalised. `usable`: those
    that count, as the text that counts; `keys` the business keys among them.

    `routing` is `kind:value` of the first usable identifier (in the reader's order), else the subject's
    `kind:id`, else `message:<message_id>`. `device` is `kind:value`, `contacts` are the usable
    ones in the same form. `weak`: from a browser. `channel` None: ask the catalogue.

    `timed_here`: the client said no time, so `occurred_at_sent` and `sent_at` are our `received_at`. Its clock has no
    part in them: the offset of its identifier is not added, and learns nothing.
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
    contacts: tuple[str, ...]
    weak: bool
    subject: Subject | None
    properties: dict[str, Any]
    context: dict[str, Any]
    timed_here: bool = False


class Hints(msgspec.Struct, frozen=True, gc=False):
    """What the record's headers say about the touchpoint."""

    format: str
    source: str
    channel: str | None
    browser: bool
    sent_at: int | None
    received_at: int | None


NO_HEADERS: Final = Hints("touchline", "kafka", None, False, None, None)


def read_hints(headers: Mapping[str, bytes | None]) -> Hints | Invalid:
    """A null header counts as absent."""
    if not headers:
        return NO_HEADERS
    get = headers.get
    origin = _origin(get("format"), get("source"), get("channel"), get("trust"))
    if isinstance(origin, Invalid):
        return origin
    sent, received = get("sent_at"), get("received_at")
    if sent is not None and not (sent.isdigit() and len(sent) <= TIME_DIGITS_MAX):
        return Invalid("contract_violation", "header sent_at", "not milliseconds since the epoch")
    if received is not None and not (received.isdigit() and len(received) <= TIME_DIGITS_MAX):
        return Invalid("contract_violation", "header received_at", "not milliseconds since the epoch")
    form, source, channel, browser = origin
    return Hints(
        form, source, channel, browser, None if sent is None else int(sent), None if received is None else int(received)
    )


@lru_cache(1_024)
def _origin(
    kind: bytes | None, source: bytes | None, channel: bytes | None, trust: bytes | None
) -> tuple[str, str, str | None, bool] | Invalid:
    """Format, source, channel, whether a browser sent it. The same few in almost every record."""
    for name, value, longest in (("header source", source, SOURCE_MAX), ("header channel", channel, CHANNEL_MAX)):
        if value is not None and not (0 < len(value) <= longest and value.isascii()):
            return Invalid("contract_violation", name, f"not ASCII of 1 to {longest} characters")
    if kind is not None and kind not in (b"touchline", b"segment"):
        return Invalid("unsupported_format", "header format", "the formats are touchline and segment")
    if trust is not None and trust not in (b"browser", b"server"):
        return Invalid("contract_violation", "header trust", "neither browser nor server")
    return (
        (kind or b"touchline").decode(),
        (source or b"kafka").decode(),
        None if channel is None else channel.decode(),
        trust == b"browser",
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
    reader: IdentityReader,
    timed_here: bool = False,
) -> Decoded:
    """The last step of every format. `content` is what makes a duplicate: the bytes as received, as a rule."""
    counting = usable = usable_of(identifiers, reader)
    if hints.browser and usable:
        usable = _of_browser(usable, identifiers, context, reader)
    user_id = device = None
    if usable:
        user_id = usable.get("user_id")
        if reader.reordered:
            first = next(iter(usable))
            routing = f"{first}:{usable[first]}"
            device = routing if first in reader.kinds.devices else None
        elif (value := usable.get("anonymous_id")) is not None:
            routing = device = "anonymous_id:" + value
        elif (value := usable.get("device_id")) is not None:
            routing = device = "device_id:" + value
        else:  # Apart from the devices, `usable` has the order of the routing.
            first = next(iter(usable))
            routing = f"{first}:{usable[first]}"
    elif subject is not None:
        routing = f"{subject.kind}:{subject.id}"
    else:
        routing = f"message:{message_id}"
    if USER_PROOF in context:
        context = {name: value for name, value in context.items() if name != USER_PROOF}
    respelt = _respelt(identifiers, counting, reader.respelt) if reader.respelt else identifiers
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
        stored_of(respelt, reader) if reader.own else respelt,
        usable,
        routing,
        device,
        user_id,
        {} if reader.keys.isdisjoint(usable) else {kind: usable[kind] for kind in reader.kinds.keys if kind in usable},
        () if reader.contacts.isdisjoint(usable) else _named(usable, reader),
        hints.browser,
        subject,
        properties,
        context,
        timed_here,
    )


def _respelt(identifiers: Identifiers, counting: dict[str, str], kinds: tuple[str, ...]) -> Identifiers:
    """What counts is stored in the spelling that counts, whether or not its source may assert it."""
    changed = {
        kind: counting[kind] for kind in kinds if kind in counting and counting[kind] != getattr(identifiers, kind)
    }
    return msgspec.structs.replace(identifiers, **changed) if changed else identifiers  # type: ignore[type-var]


def _named(usable: dict[str, str], reader: IdentityReader) -> tuple[str, ...]:
    return tuple(f"{kind}:{usable[kind]}" for kind in reader.kinds.contacts if kind in usable)


def stored_of(identifiers: Identifiers, reader: IdentityReader) -> Identifiers:
    """The form without a field for the kinds of the deployment's own."""
    sent: dict[str, str] = msgspec.to_builtins(identifiers)
    other = {kind: sent.pop(kind) for kind in reader.own if kind in sent}
    return _stored(**sent, other=other) if other else _stored(**sent)  # type: ignore[arg-type]


def usable_of(identifiers: Identifiers, reader: IdentityReader) -> dict[str, str]:
    """Those that count, in the order of the declaration; of a reader with an order of its own, in that."""
    if identifiers is NO_IDENTIFIERS:
        return {}
    sent: dict[str, str] = msgspec.to_builtins(identifiers)  # Only those that are there (`omits_absent`).
    if reader.careful.isdisjoint(sent):
        return {kind: value for kind, value in sent.items() if value[0] in PLAIN_STARTS or not is_placeholder(value)}
    return reader.usable_of(sent)


def _of_browser(
    usable: dict[str, str], identifiers: Identifiers, context: dict[str, Any], reader: IdentityReader
) -> dict[str, str]:
    """What a browser may assert: devices, business keys, and a user_id that the shop's server vouches for. The proof is
    over the user_id as it was sent.
    """
    user_id = identifiers.user_id if "user_id" in usable else None
    proven = user_id is not None and reader.proves(user_id, context)
    refused = reader.contacts if proven else reader.contacts | {"user_id"}
    return {kind: value for kind, value in usable.items() if kind not in refused}


def violation_of(error: msgspec.ValidationError, kinds: IdentifierKinds = BUILT_IN_KINDS) -> Invalid:
    """The place and the rule. msgspec's text may quote the data (enum values, unknown fields), so little of it
    is kept. `kinds`: what an unknown one may have been meant to be.
    """
    place = _PLACE.fullmatch(str(error))
    what, path = (place["what"], place["path"].replace("[...]", "")) if place else (str(error), "")
    for start, rule in (
        ("Object missing required field `", "missing"),
        ("Object contains unknown field `", "unknown field"),
    ):
        if what.startswith(start):
            name = what[len(start) : -1]
            known = _FIELD_NAME.fullmatch(name) is not None
            if known and path == "identifiers" and (near := get_close_matches(name, kinds.all, 1, 0.6)):
                rule = f"{rule}, perhaps {near[0]} is meant"
            return Invalid("contract_violation", ".".join(filter(None, (path, name))) if known else path or None, rule)
    if path == "format_version" and what.startswith("Expected `int` "):
        return Invalid("unsupported_format", path, "the only format version is 1")
    detail = what if what.startswith(("Expected ", "not ")) else "not one of the allowed values"
    return Invalid("contract_violation", path or None, detail)
