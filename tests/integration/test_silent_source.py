"""A till dies while two thousand customers wait, a worker is killed in the silence, the till comes back: on real Kafka
with three workers, one alert about the till, and only those are told of who truly did not come.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from schemas.identifiers import partition_of
from schemas.topics import PARTITIONS
from tests.integration.histories_rig import Histories
from tests.simulated.generate import START, Arrival
from tests.simulated.laws import new_records

MINUTE: Final = 60_000
STEP: Final = 15_000
"""Between two words of a till, and between two beats."""
STORES: Final = ("1", "2", "3", "4", "5")
DEAD: Final = "3"
WAITING: Final = 2_000
"""Customers of the dead store; of each other a tenth."""
DIES, KILLED, BACK, END = 3 * MINUTE, 15 * MINUTE, 25 * MINUTE, 30 * MINUTE
NEVER_COME: Final = 97
WAIT_FOR_TICK: Final = 20
"""Steps between two looks at how far the workers are: so W comes along."""


@pytest.fixture
def rig(kafka: str, topic_prefix: str, tmp_path: Path) -> Iterator[Histories]:
    found = Histories(kafka, topic_prefix, tmp_path, "tests.integration.silence_worker")
    try:
        yield found
    finally:
        found.close()


class Shop:
    """Who orders, who comes, and what the tills send: by log time from the start."""

    def __init__(self, rng: Random) -> None:
        self.feed: list[tuple[int, Arrival]] = []
        self.absent: dict[str, set[str]] = {store: set() for store in STORES}
        for store in STORES:
            self._open(store, rng)
        self.feed.sort(key=lambda one: one[0])

    def _open(self, store: str, rng: Random) -> None:
        for at in range(0, END, STEP):
            if store != DEAD or not DIES <= at < BACK:
                self._add(
                    at, f"alive-{store}-{at}", "drawer_opened", at, {"subject": {"kind": "store", "id": store}}, store
                )
        for number in range(WAITING if store == DEAD else WAITING // 10):
            order = f"{store}-{number}"
            ordered = rng.randrange(2 * MINUTE)
            web = {"identifiers": {"user_id": f"u-{order}", "order_id": order}, "properties": {"store": store}}
            self._add(ordered, f"o-{order}", "ordered", ordered, web, None)
            comes = number >= NEVER_COME if store == DEAD else number % 2 == 0
            if not comes:
                self.absent[store].add(order)
                continue
            at = ordered + rng.randrange(MINUTE, 9 * MINUTE)
            sent = at if store != DEAD or at < DIES else BACK + rng.randrange(MINUTE)
            self._add(sent, f"p-{order}", "picked_up", at, {"identifiers": {"order_id": order}}, store)

    def _add(self, sent: int, key: str, name: str, at: int, more: dict[str, Any], store: str | None) -> None:
        occurred_at = datetime.fromtimestamp((START + at) / 1000, UTC).isoformat(timespec="milliseconds")
        item = {"message_id": key, "name": name, "occurred_at": occurred_at.replace("+00:00", "Z")} | more
        routing = [f"{kind}:{value}" for kind, value in more.get("identifiers", {}).items()] or [f"store:{store}"]
        headers = [("source", f"till-{store}".encode() if store is not None else b"web")]
        partition = partition_of(routing[0], PARTITIONS)
        if sent % 7 == 0:
            partition = (partition + 1) % PARTITIONS  # a foreign partitioner: it is heard where it arrives
        self.feed.append((START + sent, Arrival(0, partition, json.dumps(item).encode(), tuple(headers))))

    def last_word(self, store: str, before: int) -> int:
        source = ("source", f"till-{store}".encode())
        return max(at for at, arrival in self.feed if at < START + before and source in arrival.headers)

    def between(self, since: int, until: int) -> list[tuple[int, Arrival]]:
        return [one for one in self.feed if START + since <= one[0] < START + until]


def advance(rig: Histories, shop: Shop, since: int, until: int) -> None:
    """Everything of this time, with a beat after each step; not far ahead of the workers."""
    for count, at in enumerate(range(since, until, STEP)):
        some = shop.between(at, at + STEP)
        if some:
            rig.send(some)
        rig.beat(START + at + STEP - 1)
        if count % WAIT_FOR_TICK == WAIT_FOR_TICK - 1:
            rig.until_ticked(START + at - STEP * WAIT_FOR_TICK // 2)


def alerts(rig: Histories) -> list[Any]:
    logs = rig.read(("alerts",))
    records = [body for partition in range(PARTITIONS) for _, body in new_records(logs.read("alerts", partition))]
    return sorted(records, key=lambda body: (body["changed_at"], body["anchor"]))


def orders(found: list[Any], store: str) -> dict[str, list[str]]:
    """By order: the states of its alert."""
    states: dict[str, list[str]] = {}
    for body in found:
        order = body["anchor"].removeprefix("order_id:")
        if body["scope"] == "journey" and order.startswith(f"{store}-"):
            states.setdefault(order, []).append(body["state"])
    return states


@pytest.mark.timeout(900)
def test_a_dead_till_is_one_alert_and_none_about_its_customers(rig: Histories) -> None:
    shop, begun = Shop(Random(4)), time.monotonic()
    for worker in ("one", "two", "three"):
        rig.start(worker)
    advance(rig, shop, 0, KILLED)
    rig.until_working("two")
    rig.kill("two")
    advance(rig, shop, KILLED, BACK)
    rig.until_ticked(START + BACK - 1)
    rig.until_drained()
    silent = time.monotonic()

    found = alerts(rig)
    (told,) = [body for body in found if body["scope"] == "source"]
    assert (told["anchor"], told["state"], told["notify"]) == (f"source:till-{DEAD}", "firing", True)
    assert told["cause_at"] == shop.last_word(DEAD, DIES) + 5 * MINUTE
    assert orders(found, DEAD) == {}
    for store in set(STORES) - {DEAD}:
        assert orders(found, store) == {order: ["firing"] for order in shop.absent[store]}

    rig.start("two")
    advance(rig, shop, BACK, END)
    rig.until_ticked(START + END - 1)
    rig.until_drained()
    found = alerts(rig)
    ours = [body for body in found if body["scope"] == "source"]
    assert [(body["state"], body["notify"], body["cleared_at"]) for body in ours] == [
        ("firing", True, None),
        ("resolved", True, START + BACK),
    ]
    assert orders(found, DEAD) == {order: ["firing"] for order in shop.absent[DEAD]}
    first = min(body["changed_at"] for body in found if body["anchor"].startswith(f"order_id:{DEAD}-"))
    assert first >= START + BACK + 2 * MINUTE
    print(
        f"{len(shop.feed)} touchpoints, {WAITING} customers wait for the dead till, {len(found)} alerts;"
        f" {silent - begun:.0f} s to the end of the silence, {time.monotonic() - begun:.0f} s in all"
    )
