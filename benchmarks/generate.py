"""The input of the benchmark: a seeded day of touchpoints as bytes, and the true answer, in one cache file.

About two thirds looking around, the rest logins, checkouts and click-and-collect orders of journeys/*.yaml; one in a
hundred is delivered twice, one in a hundred ten minutes late; tills and the payment provider know the order only.
The same arguments give the same bytes. All of it fits into less than a day of log time, so that no journey expires.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Final

import msgspec

from benchmarks.truth import Point, Truth, truth_of
from schemas.identifiers import ROUTING_ORDER, partition_of
from schemas.times import from_ms
from schemas.topics import PARTITIONS

VERSION: Final = 3
"""Grows when the same arguments give other bytes."""
START: Final = 1_772_424_000_000  # 2026-03-02 04:00 UTC
SECOND: Final = 1_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
LAST_PLAN: Final = START + 10 * HOUR
END: Final = START + 22 * HOUR

BROWSING: Final = ("page_viewed", "product_viewed", "search_performed", "cart_updated")
AGENT: Final = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"


class Record(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One record of touchpoints.raw."""

    partition: int
    key: str
    value: bytes
    source: str
    log_time: int
    again: bool


class Workload(msgspec.Struct, frozen=True):
    """`records` by log time. `truth` is the answer once log time has passed END."""

    records: list[Record]
    truth: Truth


class _Day:
    """One customer after the other; `points` are all that happened."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.points: list[Point] = []
        self._orders = 0
        self._last_device = ""

    def plan(self, number: int) -> None:
        random, begin = self.random, len(self.points)
        known = random.random() < 0.66
        shared = known and number > 0 and random.random() < 0.02
        device = self._last_device if shared else f"d-{number:06x}-{self._hex(32)}"
        user = f"u-{random.randrange(number + 1) if random.random() < 0.1 else number:07d}"
        who = {"anonymous_id" if number % 3 or shared else "device_id": device}
        self._last_device = device
        at = random.randrange(START + MINUTE, LAST_PLAN)
        at = self._browse(at, who, random.randrange(3, 7))
        if known:
            at = self._shop(at, who, user)
        self._browse(at, who, random.randrange(1, 6))
        assert len(self.points) > begin

    def _browse(self, at: int, who: dict[str, str], times: int) -> int:
        for _ in range(times):
            at = self._gap(at, 4, 90)
            name = self.random.choices(BROWSING, (50, 30, 12, 8))[0]
            self._add(at, name, "app" if "device_id" in who else "web", who, {"product_id": f"p-{self._hex(20)}"})
        return at

    def _shop(self, at: int, who: dict[str, str], user: str) -> int:
        random, login = self.random, who | {"user_id": user}
        channel = "app" if "device_id" in who else "web"
        late_login = random.random() < 0.2
        if not late_login:
            at = self._gap(at, 2, 40)
            self._add(at, "identified", channel, login, {})
        kind = random.choices(("looks", "abandons", "orders"), (33, 17, 50))[0]
        if kind != "looks":
            at = self._checkout(at, who, channel)
        if late_login:
            at = self._gap(at, 2, 40)
            self._add(at, "identified", channel, login, {})
        if kind == "orders":
            return self._order(at, who, user, channel)
        if random.random() < 0.1:
            at = self._gap(at, 30, 300)
            self._add(at, "signed_out", channel, who, {})
        return at

    def _checkout(self, at: int, who: dict[str, str], channel: str) -> int:
        times = self.random.choices((1, 2, 6), (80, 16, 4))[0]
        for _ in range(times):
            at = self._gap(at, 20, 120)
            self._add(at, "checkout_started", channel, who, {"cart_value": self.random.randrange(500, 30_000)})
        if self.random.random() < 0.8:
            at = self._gap(at, 10, 60)
            self._add(at, "delivery_chosen", channel, who, {"fulfilment": "pickup"})
        return at

    def _order(self, at: int, who: dict[str, str], user: str, channel: str) -> int:
        random = self.random
        self._orders += 1
        order = {"order_id": f"o-{self._orders:07d}"}
        at = placed = self._gap(at, 10, 90)
        pickup = "pickup" if random.random() < 0.9 else "home"
        self._add(at, "order_placed", channel, who | order, {"order_id": order["order_id"], "fulfilment": pickup})
        for _ in range(random.choices((0, 1, 4), (88, 8, 4))[0]):
            at = self._gap(at, 20, 70)
            self._add(at, "payment_declined", channel, who | order, {"reason": "insufficient_funds"})
        self._backstage(placed, at, user, order)
        return at

    def _backstage(self, placed: int, at: int, user: str, order: dict[str, str]) -> None:
        """What follows while the customer looks at something else. Some orders stop on the way."""
        random = self.random
        self._add(self._gap(placed, 1, 5), "order_approved", "backoffice", order, {})
        if random.random() < 0.03:
            service = {"user_id": user} | order
            return self._add(self._gap(at, 200, 4_000), "order_cancelled", "phone", service, {})
        if random.random() < 0.02:
            return None
        at = self._gap(at, 5, 60) if random.random() < 0.96 else self._gap(at, 700, 3_000)
        self._add(at, "payment_captured", "payments", order, {"amount": random.randrange(500, 30_000)})
        if random.random() < 0.02:
            return None
        at = self._gap(at, 1_200, 18_000) if random.random() < 0.97 else self._gap(at, 29_500, 36_000)
        self._add(at, "ready_for_pickup", "store", order, {"store_id": f"s-{random.randrange(60):03d}"})
        at = self._gap(at, 600, 7_200)
        if at > END - HOUR or random.random() < 0.1:
            return None
        self._add(at, "picked_up", "store", order, {"order_id": order["order_id"], "store_id": "s-017"})
        at = self._gap(at, 300, 1_800)
        if at > END - HOUR:
            return None
        self._add(at, "feedback_requested", "email", {"user_id": user} | order, {})
        at = self._gap(at, 60, 1_800)
        if at < END - HOUR and random.random() < 0.4:
            csat = random.choices((1, 2, 3, 4, 5), (3, 5, 12, 40, 40))[0]
            self._add(at, "feedback_given", "email", {"user_id": user} | order, {"csat": csat, "comment": "ok"})
        return None

    def _gap(self, at: int, low_s: int, high_s: int) -> int:
        return at + self.random.randrange(low_s * SECOND, high_s * SECOND)

    def _hex(self, bits: int) -> str:
        return f"{self.random.getrandbits(bits):0{bits // 4}x}"

    def _add(self, at: int, name: str, channel: str, who: dict[str, str], properties: dict[str, object]) -> None:
        self.points.append(Point(at, f"m-{len(self.points):07x}-{self._hex(48)}", name, channel, dict(who), properties))


def bytes_of(point: Point, random: Random) -> bytes:
    """Native format, 400 to 600 bytes, as a web or app client would write it."""
    path = f"/{point.name.replace('_', '-')}/{random.getrandbits(40):010x}"
    context = {
        "page": {"url": f"https://shop.example{path}?ref={random.getrandbits(32):08x}", "path": path},
        "locale": random.choice(("de-DE", "en-GB", "fr-FR")),
        "user_agent": AGENT,
        "screen": {"width": random.choice((390, 1280, 1920)), "height": 1080},
    }
    body = {
        "format_version": 1,
        "message_id": point.message_id,
        "name": point.name,
        "occurred_at": from_ms(point.occurred_at),
        "channel": point.channel,
        "identifiers": point.identifiers,
        "properties": point.properties,
        "context": context,
    }
    return json.dumps(body, separators=(",", ":")).encode()


def _records(points: Sequence[Point], random: Random) -> Iterator[Record]:
    for point in points:
        kind = next(kind for kind in ROUTING_ORDER if kind in point.identifiers)
        key = f"{kind}:{point.identifiers[kind]}"
        arrives = point.occurred_at + random.randrange(150, 2_500)
        if random.random() < 0.01:
            arrives += random.randrange(10 * MINUTE)
        source = point.channel if point.channel in ("web", "app", "store", "payments") else "crm"
        value = bytes_of(point, random)
        yield Record(partition_of(key, PARTITIONS), key, value, source, arrives, False)
        if random.random() < 0.01:
            yield Record(partition_of(key, PARTITIONS), key, value, source, arrives + random.randrange(MINUTE), True)


def generate(touchpoints: int, seed: int) -> Workload:
    day, number = _Day(seed), 0
    while len(day.points) < touchpoints:
        day.plan(number)
        number += 1
    records = sorted(_records(day.points, Random(seed + 1)), key=lambda record: record.log_time)
    assert records[-1].log_time < END
    return Workload(records, truth_of(day.points, END))


def cached(folder: Path, touchpoints: int, seed: int) -> Workload:
    """From the cache file, which is made when it is missing: about a minute for 200,000."""
    file = folder / f"touchpoints-v{VERSION}-{touchpoints}-{seed}.msgpack"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        half = file.with_suffix(".half")
        half.write_bytes(msgspec.msgpack.encode(generate(touchpoints, seed)))
        half.rename(file)
    return msgspec.msgpack.decode(file.read_bytes(), type=Workload)
