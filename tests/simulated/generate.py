"""Random histories: few identifiers, so that everything collides; times on a coarse grid, so that the order
has ties.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any
from zlib import crc32

HOUR_MS = 3_600_000
START = 1_790_000_000_000
ENDS_SESSION = ("signed_out",)
NAMES = (
    "page_viewed",
    "order_placed",
    "payment_captured",
    "ready_for_pickup",
    "picked_up",
    "order_cancelled",
    "signed_out",
)
ROUTING = ("anonymous_id", "device_id", "user_id", "email", "order_id", "receipt_id", "ticket_id")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A client appends this `after_ms` after the one before."""

    after_ms: int
    partition: int
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Shape:
    """What kind of history: how long, how crowded, how late, how foreign."""

    touchpoints: int
    span_ms: int
    late_ms: int
    users: int
    devices: int
    duplicates: float
    foreign: float
    bad: float
    skewed: float


def shape(rng: Random) -> Shape:
    span = rng.choice((2 * HOUR_MS, 24 * HOUR_MS, 96 * HOUR_MS, 288 * HOUR_MS))
    return Shape(
        touchpoints=rng.randint(4, 28),
        span_ms=span,
        late_ms=rng.choice((0, HOUR_MS, 20 * HOUR_MS, 80 * HOUR_MS)),
        users=rng.choice((1, 2, 2, 7)),
        devices=rng.choice((1, 2, 3)),
        duplicates=rng.choice((0.0, 0.2)),
        foreign=rng.choice((0.0, 0.2, 0.5)),
        bad=rng.choice((0.0, 0.1)),
        skewed=rng.choice((0.0, 0.0, 0.3)),
    )


def history(rng: Random, partitions: int, of: Shape | None = None) -> list[Arrival]:
    of = of or shape(rng)
    now, last = START, START
    moments = sorted(rng.randrange(of.span_ms + 1) for _ in range(of.touchpoints))
    moments = [moments[max(0, index - (rng.random() < 0.3))] for index in range(len(moments))]
    arrivals: list[Arrival] = []
    for number, moment in enumerate(moments):
        now = START + moment
        recent = [arrival for arrival in arrivals[-6:] if now - last < 24 * HOUR_MS]
        if recent and rng.random() < of.duplicates:
            again = rng.choice(recent)
            partition = rng.randrange(partitions) if rng.random() < of.foreign else again.partition
            arrivals.append(Arrival(now - last, partition, again.value, again.headers))
        elif rng.random() < of.bad:
            bad = rng.choice(
                (b"{", b"[]", b'{"message_id": 7}', b'{"format_version": 1, "message_id": "m", "name": "x"}')
            )
            arrivals.append(Arrival(now - last, rng.randrange(partitions), bad))
        else:
            arrivals.append(_touchpoint(rng, number, now, now - last, partitions, of))
        last = now
    return arrivals


def _touchpoint(rng: Random, number: int, now: int, after_ms: int, partitions: int, of: Shape) -> Arrival:
    ids = _identifiers(rng, of)
    body: dict[str, Any] = {
        "format_version": 1,
        "message_id": f"m{number}",
        "name": rng.choices(NAMES, (8, 3, 3, 2, 2, 1, 2))[0],
        "sequence": rng.choice((0, 0, 0, 1, 2)),
        "identifiers": ids,
        "properties": {"fulfilment": rng.choice(("pickup", "delivery"))} if rng.random() < 0.5 else {},
    }
    if not ids and rng.random() < 0.7:
        body["subject"] = {"kind": "store", "id": str(rng.randrange(2))}
    occurred_at = (now - rng.randrange(of.late_ms + 1)) // HOUR_MS * HOUR_MS
    headers: tuple[tuple[str, bytes], ...] = (("format", b"touchline"), ("source", b"web"))
    if rng.random() < of.skewed:
        skew = rng.choice((0, 120_000, 3_600_000, -7_200_000, 5_430_000))
        occurred_at -= skew
        headers += (("sent_at", str(now - skew).encode()), ("received_at", str(now).encode()))
    body["occurred_at"] = rfc3339(occurred_at)
    routing = routing_of(ids, body.get("subject"), body["message_id"])
    partition = rng.randrange(partitions) if rng.random() < of.foreign else crc32(routing.encode()) % partitions
    return Arrival(after_ms, partition, json.dumps(body).encode(), headers)


def _identifiers(rng: Random, of: Shape) -> dict[str, str]:
    ids: dict[str, str] = {}
    kind = rng.random()
    if kind < 0.7:
        ids["anonymous_id" if rng.random() < 0.9 else "device_id"] = f"d{rng.randrange(of.devices)}"
    if (kind < 0.7 and rng.random() < 0.35) or 0.7 <= kind < 0.76:
        ids["user_id"] = rng.choice((f"u{rng.randrange(of.users)}", f"u{rng.randrange(of.users)}", " null "))
    if 0.76 <= kind < 0.8 or rng.random() < 0.05:
        ids["email"] = f"e{rng.randrange(2)}"
    if kind < 0.96 and (kind >= 0.8 or rng.random() < 0.4):
        ids["order_id"] = f"o{rng.randrange(2)}"
    if rng.random() < 0.15:
        ids["ticket_id"] = f"t{rng.randrange(2)}"
    return ids


def routing_of(ids: dict[str, str], subject: dict[str, str] | None, message_id: str) -> str:
    for kind in ROUTING:
        if kind in ids and ids[kind] != " null ":
            return f"{kind}:{ids[kind]}"
    return f"{subject['kind']}:{subject['id']}" if subject else f"message:{message_id}"


def rfc3339(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
