"""Where no collector beats, the owners of the raw partitions do: deadlines fire on real Kafka with deployed workers and
nothing else. None fires while an owner is stopped, because nobody knows what lies unread in its partitions.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec

from schemas.topics import PARTITIONS
from tests.integration.histories_rig import Histories
from tests.integration.test_run import CATALOGUE, DEFINITION, NO_SOURCES
from tests.simulated.laws import new_records

DUE_MS: Final = 5_000
"""`within` and `grace` of the definition."""
ORDERS: Final = 240
"""So many that each worker has some of them to itself. The first half is paid."""
KEPT_SECONDS: Final = 90
"""So long a stopped worker keeps its partitions: then the other would read them, and time would rightly go on."""
Told = dict[str, list[str]]


class Workers(Histories):
    """Deployed workers that beat, a producer beside them, and no collector."""

    def __init__(self, kafka: str, prefix: str, home: Path) -> None:
        super().__init__(kafka, prefix, home, "streams.main")
        self._admin = KafkaAdminClient(**self.kafka)
        self._direct = KafkaProducer(**self.kafka, acks="all")
        (home / "journeys").mkdir()
        (home / "journeys" / "purchase.yaml").write_text(DEFINITION)
        (home / "touchpoints.yaml").write_text(CATALOGUE)
        (home / "sources.yaml").write_text(NO_SOURCES)
        self._env = {
            "KAFKA_BOOTSTRAP_SERVERS": kafka,
            "TOUCHLINE_TOPIC_PREFIX": prefix,
            "TOUCHLINE_BEATS": "worker",
            "TOUCHLINE_CONTROL_SECRET": "0123456789abcdef",
            "TOUCHLINE_PERSONAL_KEY": "0123456789abcdef",
            "TOUCHLINE_DEFINITIONS_DIR": str(home / "journeys"),
            "TOUCHLINE_CATALOGUE_FILE": str(home / "touchpoints.yaml"),
            "TOUCHLINE_SOURCES_FILE": str(home / "sources.yaml"),
            "TOUCHLINE_HEALTH_PORT": "0",
            "TOUCHLINE_SESSION_TIMEOUT_MS": str(KEPT_SECONDS * 1_000),
        }

    def close(self) -> None:
        self._admin.close()
        self._direct.close()
        super().close()

    def begin(self, instance: str) -> None:
        self.start(instance, self._env | {"TOUCHLINE_WORKER_ID": instance})

    def signal(self, instance: str, number: int) -> None:
        os.kill(self._children[instance].pid, number)

    def owned(self) -> dict[str, dict[str, set[int]]]:
        """By worker and topic, as the broker says."""
        group = self.prefix + "touchline"
        return {
            member["group_instance_id"]: {
                one["topic"].removeprefix(self.prefix): set(one["partitions"])
                for one in member["member_assignment"]["assigned_partitions"]
            }
            for member in self._admin.describe_groups([group])[group]["members"]
            if member["member_assignment"]
        }

    def produce(self, name: str, order: int, at: int, partition: int) -> None:
        """As a team that writes to Kafka itself; `at` is when it occurred. Acknowledged when this returns.

        The device is not called like its order: CRC-32 would put all such pairs the same distance apart.
        """
        identifiers = {"order_id": str(order)} | ({"anonymous_id": f"a-{order * 7}"} if name == "ordered" else {})
        item = {
            "message_id": f"{name}-{order}",
            "name": name,
            "occurred_at": datetime.fromtimestamp(at / 1_000, UTC).isoformat(timespec="milliseconds"),
            "identifiers": identifiers,
        }
        topic = self.prefix + "touchpoints.raw"
        self._direct.send(topic, json.dumps(item).encode(), partition=partition).get(timeout=60)

    def until_worked_off(self, topic: str, partitions: set[int]) -> None:
        """What lies there now is behind a checkpoint."""
        group = self.prefix + "touchline"
        places = [TopicPartition(self.prefix + topic, number) for number in partitions]
        ends = self._admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.LATEST))

        def is_done() -> bool:
            done = self._admin.list_group_offsets([group])[group]
            return all(place in done and done[place].offset >= ends[place].offset for place in places)

        self.until(is_done, f"{topic} is worked off")

    def bodies(self, topic: str, partitions: int = PARTITIONS) -> list[Any]:
        logs = self.read((topic,))
        return [body for number in range(partitions) for _, body in new_records(logs.read(topic, number))]

    def told(self) -> Told:
        """By order: the states of its alert."""
        states: Told = {}
        for body in self.bodies("alerts"):
            states.setdefault(body["anchor"].removeprefix("order_id:"), []).append(body["state"])
        return states

    def waiting(self) -> set[str]:
        """Orders of which a journey is open."""
        open_ones = (body for body in self.bodies("journeys") if body["status"] == "open")
        return {body["anchor"].removeprefix("order_id:") for body in open_ones}

    def reported(self) -> dict[int, int]:
        """By raw partition: how far it says that it is processed."""
        return {body["at"][1]: body["log_time"] for body in self.bodies("progress", 1)}


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def workers(kafka: str, topic_prefix: str, tmp_path: Path) -> Iterator[Workers]:
    found = Workers(kafka, topic_prefix, tmp_path)
    try:
        yield found
    finally:
        found.close()


def test_a_deadline_fires_where_no_collector_beats(workers: Workers) -> None:
    workers.begin("one")
    ordered_at = now_ms()
    workers.produce("ordered", 7788, ordered_at, 3)
    workers.until(lambda: bool(workers.told()), "an alert")
    (alert,) = workers.bodies("alerts")
    assert (alert["state"], alert["break_name"], alert["anchor"]) == ("firing", "paid", "order_id:7788")
    assert alert["notify"]
    assert ordered_at + DUE_MS <= alert["changed_at"] <= now_ms()


@pytest.mark.parametrize("how", ["suspended", "killed"])
def test_nothing_fires_while_an_owner_is_stopped(workers: Workers, how: str) -> None:
    """Orders wait with the other worker, past their deadline, and payments lie unread with the stopped one."""
    names = ("one", "two")
    for name in names:
        workers.begin(name)
        workers.until_working(name)
    workers.until(lambda: set(workers.owned()) == set(names), "two members")
    workers.until_ticked(now_ms())
    owned = workers.owned()
    (stopped,) = (name for name in names if "progress" not in owned[name])
    (other,) = set(names) - {stopped}
    unread = sorted(owned[stopped]["touchpoints.raw"])
    assert len(unread) == PARTITIONS // 2

    if how == "suspended":
        workers.signal(stopped, signal.SIGSTOP)
    else:
        workers.kill(stopped)
    at = now_ms()
    for order in range(ORDERS):
        workers.produce("ordered", order, at, order % PARTITIONS)
    paid = {str(order) for order in range(ORDERS // 2)}
    for order in range(ORDERS // 2):
        workers.produce("paid", order, at + 1, unread[order % len(unread)])
    well_past_due = now_ms() + DUE_MS + 2_000
    alive = owned[other]["touchpoints.raw"]
    workers.until(lambda: min(workers.reported()[number] for number in alive) > well_past_due, "time passes elsewhere")
    workers.until_worked_off("progress", {0})
    workers.until_worked_off("touchpoints", owned[other]["touchpoints"])

    assert workers.told() == {}
    ticks = [body["log_time"] for body in workers.bodies("touchpoints") if body["type"] == "tick"]
    assert max(ticks) <= min(workers.reported()[number] for number in unread) < at + DUE_MS
    waiting = workers.waiting()
    assert waiting & paid, "no order that would be told of wrongly"
    assert waiting - paid, "no order that would be told of too early"
    assert workers.owned() == owned, f"after {KEPT_SECONDS} s the partitions went to the other: nothing is shown"

    if how == "suspended":
        workers.signal(stopped, signal.SIGCONT)
    else:
        workers.begin(stopped)
    workers.until_ticked(well_past_due)
    workers.until_worked_off("touchpoints", set(range(PARTITIONS)))
    assert workers.told() == {str(order): ["firing"] for order in range(ORDERS // 2, ORDERS)}
