"""What must come of the logs of raw and of what people decided: read as docs/identity.md and the wire say, judged by
the oracle. Standard library only: it shares no code with what it judges.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any, Protocol
from zlib import crc32

from tests.oracle.attribution import Attribution, attribute
from tests.oracle.decode import Broken, Suppressed, Touchpoint, check_catalogue
from tests.oracle.links import Decided, decided_of
from tests.oracle.usable import Rules, cleaned, usable


class Raw(Protocol):
    @property
    def timestamp(self) -> int: ...
    @property
    def value(self) -> bytes: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


@dataclass
class Tally:
    """What one partition of raw must have counted. `heard`: log times by source, of what was read here first;
    `violations`: log times by touchpoint.
    """

    read: int = 0
    resolved: int = 0
    duplicates: int = 0
    dead_letters: int = 0
    forwarded: int = 0
    too_late: int = 0
    suppressed: int = 0
    heard: dict[str, list[int]] = field(default_factory=dict)
    violations: dict[str, list[int]] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        return {name: value for name, value in vars(self).items() if isinstance(value, int)}


@dataclass(frozen=True)
class Expected:
    """`keyed`: key -> its customer, and the touchpoints that carry it. `names`: contact -> user, or nobody."""

    attribution: Attribution
    decisions: tuple[Decided, ...]
    tallies: list[Tally]
    customers: dict[str, tuple[str | None, str]]
    keyed: dict[str, tuple[str | None, set[str]]]
    too_late: set[str]
    names: dict[str, str | None]


def expect(raw: Sequence[Iterable[Raw]], progress: Iterable[Raw], rules: Rules, today: int = 0) -> Expected:
    """`raw[p]` is the whole log of partition p; `progress` the log of the topic with the decisions. `today`: the day of
    the last tick.
    """
    arrivals: list[Touchpoint] = []
    tallies: list[Tally] = []
    homes: list[list[Touchpoint]] = []
    for partition, records in enumerate(raw):
        tally, resolved = _read(partition, len(raw), records, rules)
        tallies.append(tally)
        homes.append(resolved)
        arrivals += resolved
    decisions = tuple(decided_of(json.loads(record.value)) for record in progress if is_decision(record))
    found = attribute(arrivals, decisions, rules, today)
    for tally, home in zip(tallies, homes, strict=True):
        tally.too_late = sum(found.touchpoints[x.touchpoint_id].too_late for x in home)
    keyed: dict[str, tuple[str | None, set[str]]] = {}
    for one in found.touchpoints.values():
        for key in [
            (kind, one.touchpoint.identifiers[kind])
            for kind in rules.kinds.business
            if kind in one.touchpoint.identifiers
        ]:
            if not one.too_late:
                keyed.setdefault(f"{key[0]}:{key[1]}", (found.owners.get(key), set()))[1].add(
                    one.touchpoint.touchpoint_id
                )
    return Expected(
        found,
        decisions,
        tallies,
        customers={name: (one.customer, one.by) for name, one in found.touchpoints.items()},
        keyed=keyed,
        too_late={name for name, one in found.touchpoints.items() if one.too_late},
        names={f"{kind}:{value}": user for (kind, value), user in found.links.named.items()},
    )


def is_decision(record: Raw) -> bool:
    return dict(record.headers).get("control") == b"decision"


def _read(partition: int, partitions: int, records: Iterable[Raw], rules: Rules) -> tuple[Tally, list[Touchpoint]]:
    tally, here = Tally(), dict[str, Touchpoint]()
    highest: dict[int, tuple[int, int]] = {}
    for record in records:
        headers = dict(record.headers)
        log_time = int(headers.get("log_time", record.timestamp))
        if headers.get("control") == b"forwarded":
            _, source, offset, ordinal = json.loads(headers["at"])
            if (offset, ordinal) <= highest.get(source, (-1, -1)):
                continue
            highest[source] = (offset, ordinal)
        elif "control" in headers:
            continue
        tally.read += 1
        if "control" not in headers:
            tally.heard.setdefault(headers.get("source", b"kafka").decode(), []).append(log_time)
        body = _body(record.value)
        if body is None:
            tally.dead_letters += 1
            continue
        try:
            check_catalogue(body["name"], body.get("properties", {}), rules)
        except Broken:
            tally.dead_letters += 1
            tally.violations.setdefault(body["name"], []).append(log_time)
            continue
        except Suppressed:
            tally.suppressed += 1
            continue
        x = _touchpoint(record.value, body, headers, log_time, rules)
        if crc32(_routing(x).encode()) % partitions != partition:
            tally.forwarded += 1
        elif x.touchpoint_id in here:
            tally.duplicates += 1
        else:
            here[x.touchpoint_id] = x
            tally.resolved += 1
    return tally, list(here.values())


def _body(value: bytes) -> dict[str, Any] | None:
    try:
        body = json.loads(value)
    except ValueError:
        return None
    return body if isinstance(body, dict) and {"message_id", "name", "occurred_at"} <= body.keys() else None


def _touchpoint(
    value: bytes, body: dict[str, Any], headers: dict[str, bytes], log_time: int, rules: Rules
) -> Touchpoint:
    browser = headers.get("trust") == b"browser"
    said = {kind: value for kind, value in body.get("identifiers", {}).items() if kind in rules.kinds.all}
    identifiers, unproven = usable(said, body.get("context", {}), browser=browser, rules=rules)
    occurred_at = round(datetime.fromisoformat(body["occurred_at"]).timestamp() * 1000)
    subject = body.get("subject")
    both = "sent_at" in headers and "received_at" in headers
    source = headers.get("source", b"kafka")
    return Touchpoint(
        touchpoint_id=blake2b(
            b"\0".join((cleaned(value, rules), source, body["message_id"].encode())), digest_size=16
        ).hexdigest(),
        message_id=body["message_id"],
        source=source.decode(),
        place="",
        name=body["name"],
        channel=None,
        occurred_at_sent=occurred_at,
        occurred_at=occurred_at,
        sent_at=int(headers["sent_at"]) if both else None,
        received_at=int(headers["received_at"]) if both else None,
        log_time=log_time,
        sequence=body.get("sequence", 0),
        identifiers=identifiers,
        subject=(subject["kind"], subject["id"]) if subject else None,
        weak=browser,
        unproven=unproven,
    )


def _routing(x: Touchpoint) -> str:
    kind, value = x.routing or x.subject or ("message", x.message_id)
    return f"{kind}:{value}"
