"""Bytes as sent -> touchpoints, or the reason why they are none.

A JSON object of the contract (JSON route, Kafka records), or an item of a Segment batch. Everything is decided here
from the bytes, the request's log time and the client's `sent_at`; nothing is taken from the product.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from tests.oracle.rules import Declared
from tests.oracle.usable import Identifier, Rules, cleaned, usable

SHIPPED: Final = Rules()
SEGMENT: Final = ("web", "app")
CHANNEL_OF_EMITTER: Final = {"web": "web", "app": "app", "till": "store"}
"""A till says which one it is: till-store-07."""
TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
SEGMENT_TIMES: Final = ("originalTimestamp", "timestamp", "sentAt")
"""The first that is there says when it happened."""
SEGMENT_NAMES: Final = {"page": "page_viewed", "screen": "screen_viewed", "identify": "identified"}


class Bad(Exception):
    """These bytes are no touchpoint."""


class Broken(Bad):
    """It breaks the contract of its properties. `name`: of the touchpoint; `flaws`: the properties, any of which may be
    named.
    """

    def __init__(self, name: str, flaws: list[str]) -> None:
        super().__init__(name)
        self.name, self.flaws = name, flaws


class Suppressed(Exception):
    """The catalogue ignores touchpoints of this name."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One item of one request. `place` is for people: request number and index within it."""

    place: str
    emitter: str
    log_time: int
    sent_at: int | None
    accepted: bool
    content: bytes
    browser: bool = False


@dataclass(frozen=True, slots=True)
class Touchpoint:
    """`occurred_at` is the client's until `attribution` corrects it. `identifiers` are the usable ones, in the
    order of routing. `weak`: from a
    browser. `unproven`: its user_id is not usable because nothing proves it. `untimed`: it is timed by our clock.
    """

    touchpoint_id: str
    message_id: str
    source: str
    place: str
    name: str
    channel: str | None
    occurred_at_sent: int
    occurred_at: int
    sent_at: int | None
    received_at: int | None
    log_time: int
    sequence: int
    identifiers: dict[str, str]
    subject: tuple[str, str] | None
    properties: dict[str, Any] = field(default_factory=dict)
    weak: bool = False
    unproven: bool = False
    untimed: bool = False

    @property
    def order(self) -> tuple[int, int, str]:
        return (self.occurred_at, self.sequence, self.touchpoint_id)

    @property
    def routing(self) -> Identifier | None:
        return next(iter(self.identifiers.items()), None)

    @property
    def user(self) -> str | None:
        return self.identifiers.get("user_id")


def read_sent(directory: Path, browsers: Collection[str] = ()) -> Iterator[Sent]:
    """`browsers`: emitters whose write key is a browser's. Raises ValueError, KeyError, OSError."""
    with (directory / "sent.jsonl").open() as lines:
        for line in lines:
            request = json.loads(line)
            for index, item in enumerate(request["items"]):
                yield Sent(
                    place=f"request {request['request']} item {index}",
                    emitter=request["emitter"],
                    log_time=request["log_time"],
                    sent_at=request["sent_at"],
                    accepted=_accepted(request, index),
                    content=base64.b64decode(item),
                    browser=request["emitter"] in browsers,
                )


def _accepted(request: dict[str, Any], index: int) -> bool:
    """The JSON route answers item by item, the others all or nothing."""
    answer = request["answer"]
    if request["status"] not in (200, 207):
        return False
    if isinstance(answer, dict) and "verdicts" in answer:
        return bool(answer["verdicts"][index]["verdict"] == "accepted")
    return True


def decode(sent: Sent, rules: Rules = SHIPPED) -> Touchpoint:
    """Raises Bad, Broken, Suppressed."""
    sent = replace(sent, content=cleaned(sent.content, rules))
    item = _object(sent.content)
    found = _segment(sent, item, rules) if sent.emitter in SEGMENT else _native(sent, item, rules)
    check_catalogue(found.name, found.properties, rules)
    return found


def check_catalogue(name: str, properties: dict[str, Any], rules: Rules) -> None:
    """Raises Broken, Suppressed."""
    declared = rules.known.get(name, Declared())
    if declared.mode == "ignore":
        raise Suppressed(name)
    flaws = [word for word, rule in declared.contract.items() if not _fits(properties.get(word), *rule)]
    if flaws:
        raise Broken(name, flaws)


def _fits(value: object, wanted: str, required: bool) -> bool:
    if value is None:
        return not required
    if isinstance(value, bool):
        return wanted == "boolean"
    if isinstance(value, int | float):
        return wanted == "number" or (wanted == "integer" and value == int(value))
    return wanted == "string" and isinstance(value, str)


def touchpoint_id_of(source: str, message_id: str, content: bytes) -> str:
    return blake2b(content + b"\0" + source.encode() + b"\0" + message_id.encode(), digest_size=16).hexdigest()


# -- the two shapes ---------------------------------------------------------------------------------------------------


def _native(sent: Sent, item: dict[str, Any], rules: Rules) -> Touchpoint:
    known = "format_version message_id name occurred_at sent_at sequence channel identifiers subject properties context"
    _closed(item, known.split())
    if type(item.get("format_version", 1)) is not int or item.get("format_version", 1) != 1:
        raise Bad("format_version")
    identifiers = _map(item, "identifiers")
    _closed(identifiers, (*rules.kinds.all, "account_id"))
    named = {kind: _text(value, kind, 200) for kind, value in identifiers.items() if value is not None}
    subject = item.get("subject")
    if subject is not None:
        subject = _subject(subject)
    sequence = item.get("sequence", 0)
    if type(sequence) is not int or not 0 <= sequence < 2**31:
        raise Bad("sequence")
    channel = item.get("channel")
    own_sent_at = None if item.get("sent_at") is None else _time(item["sent_at"], "sent_at")
    return _touchpoint(
        sent,
        rules,
        message_id=_text(item.get("message_id"), "message_id", 100),
        name=_text(item.get("name"), "name", 100),
        channel=None if channel is None else _text(channel, "channel", 40),
        occurred_at=_time(item.get("occurred_at"), "occurred_at"),
        own_sent_at=own_sent_at,
        sequence=sequence,
        named=named,
        subject=subject,
        properties=_map(item, "properties"),
        context=_map(item, "context"),
    )


def _segment(sent: Sent, item: dict[str, Any], rules: Rules) -> Touchpoint:
    kind = item.get("type")
    if kind == "track":
        name = re.sub(r"[^a-z0-9]+", "_", _text(item.get("event"), "event", 100).strip().lower()).strip("_")
    elif kind in SEGMENT_NAMES:
        name = SEGMENT_NAMES[kind]
    else:
        raise Bad("type")
    properties = _map(item, "traits" if kind == "identify" else "properties", none_too=True)
    context = _map(item, "context", none_too=True)
    device = context.get("device")
    raw = {
        "anonymous_id": item.get("anonymousId"),
        "user_id": item.get("userId"),
        "device_id": device.get("id") if isinstance(device, dict) else None,
    }
    named = {kind: _text(value, kind, 200) for kind, value in raw.items() if value is not None and value != ""}
    if kind == "identify":
        named |= {kind: properties[kind] for kind in rules.kinds.contacts if isinstance(properties.get(kind), str)}
    named |= {
        kind: properties[kind]
        for kind in rules.kinds.business
        if isinstance(properties.get(kind), str) and properties[kind]
    }
    said = {field: _time(item[field], field) for field in SEGMENT_TIMES if item.get(field) is not None}
    own_sent_at = said.get("sentAt")
    if sent.sent_at is not None:
        said["sentAt"] = sent.sent_at
    occurred_at = next((said[field] for field in SEGMENT_TIMES if field in said), None)
    untimed = occurred_at is None
    if occurred_at is None:
        occurred_at = own_sent_at = sent.log_time
    return _touchpoint(
        sent,
        rules,
        message_id=_text(item.get("messageId"), "messageId", 100),
        name=_text(name, "event", 100),
        channel=None,
        occurred_at=occurred_at,
        own_sent_at=own_sent_at,
        sequence=0,
        named=named,
        subject=None,
        properties=properties,
        context=context,
        untimed=untimed,
    )


def _touchpoint(
    sent: Sent,
    rules: Rules,
    *,
    message_id: str,
    name: str,
    channel: str | None,
    occurred_at: int,
    own_sent_at: int | None,
    sequence: int,
    named: dict[str, str],
    subject: tuple[str, str] | None,
    properties: dict[str, Any],
    context: dict[str, Any],
    untimed: bool = False,
) -> Touchpoint:
    identifiers, unproven = usable(named, context, browser=sent.browser, rules=rules)
    return Touchpoint(
        touchpoint_id=touchpoint_id_of(sent.emitter, message_id, sent.content),
        message_id=message_id,
        source=sent.emitter,
        place=sent.place,
        name=name,
        channel=channel
        or CHANNEL_OF_EMITTER.get(sent.emitter.partition("-")[0])
        or rules.known.get(name, Declared()).channel,
        occurred_at_sent=occurred_at,
        occurred_at=occurred_at,
        sent_at=sent.sent_at if sent.sent_at is not None else own_sent_at,
        # A record that a team wrote to Kafka itself was received by nobody.
        received_at=None if sent.emitter == "crm" else sent.log_time,
        log_time=sent.log_time,
        sequence=sequence,
        identifiers=identifiers,
        subject=subject,
        properties=properties,
        weak=sent.browser,
        unproven=unproven,
        untimed=untimed,
    )


# -- small parts ------------------------------------------------------------------------------------------------------


def _object(content: bytes) -> dict[str, Any]:
    try:
        item = _JSON.decode(content.decode("utf-8"))
        if b"\\u" in content:
            # Half a character is no text: this raises.
            json.dumps(item, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Bad("not JSON") from error
    if not isinstance(item, dict):
        raise Bad("not an object")
    return item


def _no_constant(name: str) -> float:
    raise ValueError(name)


_JSON: Final = json.JSONDecoder(parse_constant=_no_constant)


def _closed(item: dict[str, Any], known: tuple[str, ...] | list[str]) -> None:
    if unknown := item.keys() - set(known):
        raise Bad(f"unknown field {min(unknown)}")


def _map(item: dict[str, Any], name: str, *, none_too: bool = False) -> dict[str, Any]:
    value = item.get(name, {})
    if value is None and none_too:
        return {}
    if not isinstance(value, dict):
        raise Bad(name)
    return value


def _text(value: Any, name: str, longest: int) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= longest:
        raise Bad(name)
    return value


def _subject(value: Any) -> tuple[str, str]:
    if not isinstance(value, dict):
        raise Bad("subject")
    _closed(value, ("kind", "id"))
    if value.get("kind") not in ("store", "product", "brand"):
        raise Bad("subject.kind")
    return value["kind"], _text(value.get("id"), "subject.id", 200)


def _time(value: Any, name: str) -> int:
    """RFC 3339 with an offset, kept to the millisecond."""
    if not isinstance(value, str) or TIME.fullmatch(value) is None:
        raise Bad(name)
    whole, _, rest = value.partition(".") if "." in value else (value[:19], "", value[19:])
    digits = re.match(r"\d*", rest)
    fraction = digits.group() if digits else ""
    zone = rest[len(fraction) :]
    try:
        at = datetime.fromisoformat(whole + ("+00:00" if zone == "Z" else zone))
    except ValueError as error:
        raise Bad(name) from error
    return (at - EPOCH) // timedelta(milliseconds=1) + int((fraction + "000")[:3])
