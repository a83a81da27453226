"""Attribution by brute force, straight from docs/identity.md. Standard library only: it shares no code with
what it judges.

Slow on purpose: every question is answered by looking at the whole set.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any, Protocol
from uuid import UUID, uuid5
from zlib import crc32

NAMESPACE = UUID("6f1d4c1e-7f0b-5d0e-9a55-6c1b7d3f4a10")
HOUR = 3_600_000
DAY = 24 * HOUR
DEVICES = ("anonymous_id", "device_id")
CONTACTS = ("email", "phone", "loyalty_card")
KEYS = ("order_id", "receipt_id", "ticket_id", "claim_id")
PLACEHOLDERS = {
    *(
        "anonymous",
        "guest",
        "distinctid",
        "distinct_id",
        "id",
        "not_authenticated",
        "email",
        "undefined",
        "true",
    ),
    *(
        "false",
        "null",
        "none",
        "nan",
        "nil",
        "n/a",
        "na",
        "anon",
        "unknown",
        "invalid",
        "<nil>",
        "[object object]",
    ),
    *("[]", "{}", "0", "-1"),
}


class Raw(Protocol):
    @property
    def timestamp(self) -> int: ...
    @property
    def value(self) -> bytes: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


@dataclass
class Seen:
    """A touchpoint as its owner saw it first."""

    id: str
    name: str
    at: int
    sequence: int
    log_time: int
    ids: dict[str, str]
    routing: str

    @property
    def order(self) -> tuple[int, int, str]:
        return (self.at, self.sequence, self.id)

    @property
    def user(self) -> str | None:
        return self.ids.get("user_id")

    @property
    def device(self) -> str | None:
        return next((f"{kind}:{self.ids[kind]}" for kind in DEVICES if kind in self.ids), None)

    @property
    def contact(self) -> str | None:
        return next((f"{kind}:{self.ids[kind]}" for kind in CONTACTS if kind in self.ids), None)

    @property
    def keys(self) -> list[str]:
        return [f"{kind}:{self.ids[kind]}" for kind in KEYS if kind in self.ids]


@dataclass
class Tally:
    """What one partition of raw must have counted."""

    read: int = 0
    resolved: int = 0
    duplicates: int = 0
    dead_letters: int = 0
    forwarded: int = 0
    too_late: int = 0


@dataclass
class Expected:
    customers: dict[str, tuple[str | None, str]] = field(default_factory=dict)
    keyed: dict[str, tuple[str | None, set[str]]] = field(default_factory=dict)
    too_late: set[str] = field(default_factory=set)
    tallies: list[Tally] = field(default_factory=list)


@dataclass(frozen=True)
class Rules:
    horizon: int = 72 * HOUR
    login: int = 72 * HOUR
    kiosk_users: int = 4
    kiosk_touchpoints: int = 1000
    ends_session: tuple[str, ...] = ("signed_out",)


def expect(raw: Sequence[Iterable[Raw]], rules: Rules) -> Expected:
    """`raw[p]` is the whole log of partition p."""
    result = Expected()
    touchpoints: list[Seen] = []
    for partition, records in enumerate(raw):
        tally, resolved = _read(partition, len(raw), records, rules)
        result.tallies.append(tally)
        touchpoints += resolved
    on_time = [seen for seen in touchpoints if seen.log_time - seen.at <= rules.horizon]
    result.too_late = {seen.id for seen in touchpoints} - {seen.id for seen in on_time}
    owners = {key: _key_owner(key, on_time, rules) for key in {key for seen in on_time for key in seen.keys}}
    result.customers = {seen.id: _customer(seen, on_time, owners, rules) for seen in touchpoints}
    for key, owner in owners.items():
        result.keyed[key] = (owner, {seen.id for seen in on_time if key in seen.keys})
    return result


def customer(identifier: str) -> str:
    return str(uuid5(NAMESPACE, identifier))


def _read(partition: int, partitions: int, records: Iterable[Raw], rules: Rules) -> tuple[Tally, list[Seen]]:
    tally, seen_here = Tally(), dict[str, Seen]()
    highest: dict[int, tuple[int, int]] = {}
    offsets: dict[str, int] = {}
    for record in records:
        headers = dict(record.headers)
        log_time = record.timestamp
        if headers.get("control") == b"forwarded":
            _, source, offset, ordinal = json.loads(headers["at"])
            if (offset, ordinal) <= highest.get(source, (-1, -1)):
                continue
            highest[source] = (offset, ordinal)
            log_time = int(headers["log_time"])
        elif "control" in headers:
            continue
        tally.read += 1
        body = _body(record.value)
        if body is None:
            tally.dead_letters += 1
            continue
        ids = {kind: value for kind, value in body.get("identifiers", {}).items() if not _is_placeholder(value)}
        routing = _routing(ids, body)
        if crc32(routing.encode()) % partitions != partition:
            tally.forwarded += 1
            continue
        seen = Seen(
            id=_id(record.value, body, headers),
            name=body["name"],
            at=_time(body["occurred_at"]),
            sequence=body.get("sequence", 0),
            log_time=log_time,
            ids=ids,
            routing=routing,
        )
        if seen.id in seen_here:
            tally.duplicates += 1
            continue
        seen_here[seen.id] = seen
        if "sent_at" in headers and "received_at" in headers:
            skew = int(headers["received_at"]) - int(headers["sent_at"])
            if abs(skew - offsets.get(routing, 0)) > 600_000:
                offsets[routing] = (skew + 30_000) // 60_000 * 60_000
        seen.at += offsets.get(routing, 0)
        tally.resolved += 1
        tally.too_late += seen.log_time - seen.at > rules.horizon
    return tally, list(seen_here.values())


def _body(value: bytes) -> dict[str, Any] | None:
    try:
        body = json.loads(value)
    except ValueError:
        return None
    return body if isinstance(body, dict) and {"message_id", "name", "occurred_at"} <= body.keys() else None


def _id(value: bytes, body: dict[str, Any], headers: dict[str, bytes]) -> str:
    digest = blake2b(value, digest_size=16)
    digest.update(b"\0" + headers.get("source", b"kafka") + b"\0" + body["message_id"].encode())
    return digest.hexdigest()


def _time(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def _is_placeholder(value: str) -> bool:
    text = value.strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1].strip()
    return text.lower() in PLACEHOLDERS or not text.strip("0-")


def _routing(ids: dict[str, str], body: dict[str, Any]) -> str:
    for kind in (*DEVICES, "user_id", *CONTACTS, *KEYS):
        if kind in ids:
            return f"{kind}:{ids[kind]}"
    subject = body.get("subject")
    return f"{subject['kind']}:{subject['id']}" if subject else f"message:{body['message_id']}"


def _customer(x: Seen, on_time: list[Seen], owners: dict[str, str | None], rules: Rules) -> tuple[str | None, str]:
    late = x.log_time - x.at > rules.horizon
    if x.user:
        return customer(f"user_id:{x.user}"), "user_id"
    if x.device:
        user = None if late else _named_user(x, on_time, rules)
        return (customer(f"user_id:{user}"), "login") if user else (customer(x.device), "device")
    if x.contact:
        return customer(x.contact), "contact"
    if x.keys:
        owner = None if late else owners[x.keys[0]]
        return (owner, "business_key") if owner else (None, "waiting")
    return None, "subject"


def _named_user(x: Seen, on_time: list[Seen], rules: Rules) -> str | None:
    same = [seen for seen in on_time if seen.device == x.device]
    kiosk = {day for day in {seen.at // DAY for seen in same} if _is_kiosk(day, same, rules)}
    if x.at // DAY in kiosk:
        return None
    markers = sorted(
        (s for s in same if s.name in rules.ends_session or (s.user and s.at // DAY not in kiosk)),
        key=lambda s: s.order,
    )
    before = [marker for marker in markers if marker.order < x.order]
    after = [marker for marker in markers if marker.order > x.order]
    named: set[str] = set()
    if before and before[-1].name not in rules.ends_session and x.at - before[-1].at <= rules.login:
        named.add(before[-1].user or "")
    if after and after[0].name not in rules.ends_session and after[0].at - x.at <= rules.horizon:
        named.add(after[0].user or "")
    return named.pop() if len(named) == 1 else None


def _is_kiosk(day: int, same: list[Seen], rules: Rules) -> bool:
    inside = [seen for seen in same if seen.at // DAY == day]
    return len({seen.user for seen in inside if seen.user}) > rules.kiosk_users or len(inside) > rules.kiosk_touchpoints


def _key_owner(key: str, on_time: list[Seen], rules: Rules) -> str | None:
    claims = [seen for seen in on_time if key in seen.keys and (seen.user or seen.device or seen.contact)]
    if not claims:
        return None
    return _customer(min(claims, key=lambda seen: seen.order), on_time, {}, rules)[0]
