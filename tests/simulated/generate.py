"""Random histories: few identifiers, so that everything collides; times on a coarse grid, so that the order
has ties.

A history has touchpoints of devices, users and keys, touchpoints of contacts that join into chains and crowds, browsers
with and without proofs, and people who decide. All of its identifiers begin with its `world`, so that many histories
can share one deployment and still know nothing of each other.

No history with contacts or decisions is longer than what the owner of an identifier remembers (7 days): later it would
rightly leave touchpoints where they are.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import Random
from typing import Any, Final
from zlib import crc32

from tests.oracle.usable import CONTACTS, Rules, proof_of, usable
from tests.simulated.decide import deciding
from tests.simulated.own_kinds import with_own

HOUR_MS: Final = 3_600_000
REMEMBERED_MS: Final = 144 * HOUR_MS
"""A duplicate that comes much later would rightly be a new touchpoint."""
START: Final = 1_790_000_000_000
ENDS_SESSION: Final = ("signed_out",)
NAMES: Final = (
    "page_viewed",
    "order_placed",
    "payment_captured",
    "ready_for_pickup",
    "picked_up",
    "order_cancelled",
    "signed_out",
    "heartbeat",
    "surveyed",
)
IGNORED: Final = "heartbeat"
SURVEY: Final = "surveyed"
"""It must carry an integer `grade`; that is its contract."""
SOURCES: Final = (b"web", b"web", b"crm", b"till-1", b"till-2")
AHEAD: Final = (HOUR_MS // 2, HOUR_MS, HOUR_MS + 1, 2 * HOUR_MS, 960 * HOUR_MS, 69_000_000 * HOUR_MS)
"""How far in the future a clock may be: up to an hour it is believed, and in the year 9897 it is not."""
RAW: Final = "touchpoints.raw"
BAD: Final = (b"{", b"[]", b'{"message_id": 7}', b'{"format_version": 1, "message_id": "m", "name": "x"}')
Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody appends this `after_ms` after the one before."""

    after_ms: int
    partition: int
    value: bytes
    headers: Headers = ()
    topic: str = RAW


@dataclass(frozen=True, slots=True)
class Shape:
    """What kind of history: how long, how crowded, how late, how foreign.

    `contacts`: how many of the touchpoints are about contacts, of which there are `pool` of each kind. `browser`: how
    many come from one. `decisions`: by hand, at random moments. `hub`: all touchpoints share one phone number.
    `busy`: all of them carry one order. `future`: how many say that they are yet to occur. Where some are `skewed`,
    others do not say when they were sent.
    """

    touchpoints: int
    span_ms: int
    late_ms: int
    users: int
    devices: int
    duplicates: float
    foreign: float
    bad: float
    skewed: float
    contacts: float = 0.0
    pool: int = 2
    browser: float = 0.0
    decisions: int = 0
    hub: bool = False
    future: float = 0.0
    busy: bool = False


def shape(rng: Random) -> Shape:
    plain = Shape(
        touchpoints=rng.randint(4, 28),
        span_ms=rng.choice((2 * HOUR_MS, 24 * HOUR_MS, 96 * HOUR_MS, 150 * HOUR_MS)),
        late_ms=rng.choice((0, HOUR_MS, 20 * HOUR_MS, 80 * HOUR_MS)),
        users=rng.choice((1, 2, 2, 7)),
        devices=rng.choice((1, 2, 3)),
        duplicates=rng.choice((0.0, 0.2)),
        foreign=rng.choice((0.0, 0.2, 0.5)),
        bad=rng.choice((0.0, 0.1)),
        skewed=rng.choice((0.0, 0.0, 0.3)),
        future=rng.choice((0.0, 0.0, 0.15)),
        busy=rng.random() < 0.06,
    )
    if rng.random() < 0.15:
        return replace(plain, span_ms=288 * HOUR_MS)
    if rng.random() < 0.15:
        plain = replace(plain, touchpoints=28, users=7, devices=1, span_ms=2 * HOUR_MS, late_ms=0)
    return replace(
        plain,
        hub=rng.random() < 0.1,
        contacts=rng.choice((0.2, 0.5, 0.9)),
        pool=rng.choice((1, 2, 2, 3, 5)),
        browser=rng.choice((0.0, 0.0, 0.3, 0.7)),
        decisions=rng.choice((0, 0, 1, 3, 6)),
    )


def history(rng: Random, partitions: int, of: Shape, rules: Rules, secret: bytes, world: str = "") -> list[Arrival]:
    """`secret`: the deployment's control secret; people's decisions carry its mac."""
    now, last = START, START
    moments = [(rng.randrange(of.span_ms + 1), False) for _ in range(of.touchpoints)]
    moments += [(rng.randrange(of.span_ms + 1), True) for _ in range(of.decisions)]
    moments.sort()
    moments = [(moments[max(0, index - (rng.random() < 0.3))][0], moments[index][1]) for index in range(len(moments))]
    arrivals: list[Arrival] = []
    first: dict[bytes, int] = {}
    people = deciding(rng, of.users, of.devices, of.pool, world, rules, secret)
    for number, (moment, decision) in enumerate(moments):
        now = START + moment
        recent = [one for one in arrivals[-6:] if one.topic == RAW and now - first.get(one.value, now) < REMEMBERED_MS]
        if decision:
            value, headers = people(number, now)
            arrivals.append(Arrival(now - last, 0, value, headers, "progress"))
        elif recent and rng.random() < of.duplicates:
            again = rng.choice(recent)
            partition = rng.randrange(partitions) if rng.random() < of.foreign else again.partition
            arrivals.append(Arrival(now - last, partition, again.value, again.headers))
        elif rng.random() < of.bad:
            arrivals.append(Arrival(now - last, rng.randrange(partitions), rng.choice(BAD)))
        else:
            value, headers, routing = _touchpoint(rng, number, now, of, rules, world)
            home = crc32(routing.encode()) % partitions
            partition = rng.randrange(partitions) if rng.random() < of.foreign else home
            arrivals.append(Arrival(now - last, partition, value, headers))
            first[value] = now
        last = now
    return arrivals


def _touchpoint(rng: Random, number: int, now: int, of: Shape, rules: Rules, world: str) -> tuple[bytes, Headers, str]:
    """Value, headers, and what routes it."""
    about_contacts = rng.random() < of.contacts
    ids = _with_contacts(rng, of, world) if about_contacts else _with_devices(rng, of, world)
    if of.busy:
        ids["order_id"] = f"{world}o0"
    ids = with_own(rng, ids, rules)
    body: dict[str, Any] = {
        "format_version": 1,
        "message_id": f"{world}m{number}",
        "name": rng.choices(NAMES, (8, 3, 3, 2, 2, 1, 2, 1, 1))[0],
        "sequence": rng.choice((0, 0, 0, 1, 2)),
        "identifiers": ids,
        "properties": {"fulfilment": rng.choice(("pickup", "delivery"))} if rng.random() < 0.5 else {},
    }
    if body["name"] == SURVEY and rng.random() < 0.8:
        body["properties"]["grade"] = rng.choice((3, 3.0, 3.5, "3", True, None))
    if not ids and rng.random() < 0.7:
        body["subject"] = {"kind": "store", "id": f"{world}{rng.randrange(2)}"}
    occurred_at = (now - rng.randrange(of.late_ms + 1)) // HOUR_MS * HOUR_MS
    if rng.random() < of.future:
        occurred_at = now + rng.choice(AHEAD)
    headers: Headers = (("format", b"touchline"), ("source", rng.choice(SOURCES)))
    if of.skewed:
        skew, clocks = _clocks(rng, now, of)
        occurred_at, headers = occurred_at - skew, headers + clocks
    body["occurred_at"] = rfc3339(occurred_at)
    browser = rng.random() < of.browser
    if browser:
        headers += (("trust", b"browser"),)
        if rules.proof_secret is not None and rng.random() < 0.7:
            proven = ids.get("user_id", "nobody") if rng.random() < 0.8 else f"{world}u0"
            body["context"] = {"user_proof": proof_of(proven, rules.proof_secret)}
    counts, _ = usable(ids, body.get("context", {}), browser=browser, rules=rules)
    return json.dumps(body).encode(), headers, routing_of(counts, body.get("subject"), body["message_id"])


def _clocks(rng: Random, now: int, of: Shape) -> tuple[int, Headers]:
    """How slow the client's clock is, and what the headers say of it: both times, one of them or none."""
    received: Headers = (("received_at", str(now).encode()),)
    if rng.random() < of.skewed:
        skew = rng.choice((0, 120_000, 3_600_000, -7_200_000, 5_430_000))
        return skew, (("sent_at", str(now - skew).encode()), *received)
    return 0, rng.choice(((), (), received, (("sent_at", str(now - 10_000_000).encode()),)))


def _with_devices(rng: Random, of: Shape, world: str) -> dict[str, str]:
    ids: dict[str, str] = {}
    kind = rng.random()
    if kind < 0.7:
        ids["anonymous_id" if rng.random() < 0.9 else "device_id"] = f"{world}d{rng.randrange(of.devices)}"
    if (kind < 0.7 and rng.random() < 0.35) or 0.7 <= kind < 0.76:
        ids["user_id"] = rng.choice((_user(rng, of, world), _user(rng, of, world), " null "))
    if 0.76 <= kind < 0.8 or (of.contacts and rng.random() < 0.05):
        ids["email"] = email(rng, 0, world)
    if kind < 0.96 and (kind >= 0.8 or rng.random() < 0.4):
        ids["order_id"] = f"{world}o{rng.randrange(2)}"
    if rng.random() < 0.15:
        ids["ticket_id"] = f"{world}t{rng.randrange(2)}"
    return ids


def _with_contacts(rng: Random, of: Shape, world: str) -> dict[str, str]:
    ids: dict[str, str] = {}
    kinds = rng.sample(CONTACTS, rng.choices((1, 2, 3), (5, 6, 1))[0])
    for kind in dict.fromkeys((*kinds, "phone")) if of.hub else kinds:
        ids[kind] = contact(rng, kind, 0 if of.hub and kind == "phone" else rng.randrange(of.pool), world)
    if rng.random() < 0.35:
        ids["user_id"] = _user(rng, of, world)
    if rng.random() < 0.25:
        ids["anonymous_id"] = f"{world}d{rng.randrange(of.devices)}"
    if rng.random() < 0.25:
        ids["order_id"] = f"{world}o{rng.randrange(2)}"
    return ids


def _user(rng: Random, of: Shape, world: str) -> str:
    return f"{world}u{rng.randrange(of.users)}"


def contact(rng: Random, kind: str, number: int, world: str) -> str:
    if kind == "loyalty_card":
        return rng.choice((f"{world}c{number}",) * 12 + (" none ",))
    return email(rng, number, world) if kind == "email" else phone(rng, number, world)


def email(rng: Random, number: int, world: str) -> str:
    """One address in several spellings; now and then something that is none."""
    plain = f"{world}e{number}@example.org"
    return rng.choice((plain,) * 6 + (plain.upper(), plain.title(), f"{world}e{number} at home"))


def phone(rng: Random, number: int, world: str) -> str:
    subscriber = f"2{crc32(world.encode()) % 100_000:05d}{number}"
    spelled = (
        f"+49 30 {subscriber}",
        f"030 / {subscriber}",
        f"+49 (30) {subscriber[:3]}-{subscriber[3:]}",
        f"0{number}",
    )
    return rng.choices(spelled, (6, 3, 3, 1))[0]


def routing_of(counts: dict[str, str], subject: dict[str, str] | None, message_id: str) -> str:
    for kind, value in counts.items():  # In the order of routing.
        return f"{kind}:{value}"
    return f"{subject['kind']}:{subject['id']}" if subject else f"message:{message_id}"


def rfc3339(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
