"""A rig for the loss tests: topics, load, toy workers as processes, and an oracle of the effects they owe."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streams.checkpoint import POSITION_KEY, Mark
from tests.integration.patience import PATIENCE_SECONDS
from tests.integration.shell_app import POISON, Toy

PARTITIONS = 4
COMPACTED = {"cleanup.policy": "compact"}
TOPICS = {"in": PARTITIONS, "out": PARTITIONS, "toy.state": PARTITIONS, "quarantine": 1}
POLL_MS = 200


def owed(inputs: list[list[tuple[bytes, bytes]]], given_up: Iterable[tuple[int, int]] = ()) -> set[bytes]:
    """Every effect, byte for byte, from the inputs alone: a record's effect names its position and its key's count."""
    effects, skipped = set(), set(given_up)
    for partition, records in enumerate(inputs):
        counts: Counter[bytes] = Counter()
        for offset, (key, _) in enumerate(records):
            if (partition, offset) in skipped:
                effects.add(b"%d %d given up: test" % (partition, offset))
                continue
            counts[key] += 1
            effects.add(b"%d %d %s %d" % (partition, offset, key, counts[key]))
    return effects


class Rig:
    def __init__(self, kafka: str, prefix: str, logs: Path) -> None:
        self.kafka, self.prefix, self._logs = kafka, prefix, logs
        self.inputs: list[list[tuple[bytes, bytes]]] = [[] for _ in range(PARTITIONS)]
        self.seen: Counter[bytes] = Counter()
        self._children: list[subprocess.Popen[bytes]] = []

    @contextlib.asynccontextmanager
    async def running(self, without: str = "") -> AsyncIterator[Rig]:
        await self.make_topics([name for name in TOPICS if name != without])
        self._out = AIOKafkaConsumer(bootstrap_servers=self.kafka, auto_offset_reset="earliest")
        await self._out.start()
        self._out.assign([TopicPartition(f"{self.prefix}out", number) for number in range(PARTITIONS)])
        try:
            yield self
        finally:
            for child in self._children:
                child.kill()
                child.wait()
            await self._out.stop()

    async def make_topics(self, names: Iterable[str]) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka)
        await admin.start()
        try:
            await admin.create_topics(
                [
                    NewTopic(self.prefix + name, TOPICS[name], 1, topic_configs=COMPACTED if TOPICS[name] == 1 else {})
                    for name in names
                ]
            )
        finally:
            await admin.close()

    async def load(self, records: int, *, codec: str | None = None, poison: int | None = None) -> None:
        """`poison`: this offset of partition 0 meets the toy's bug."""
        producer = AIOKafkaProducer(bootstrap_servers=self.kafka, compression_type=codec, linger_ms=5)
        await producer.start()
        try:
            for number in range(records):
                log = self.inputs[number % PARTITIONS]
                value = POISON if number % PARTITIONS == 0 and len(log) == poison else b"value %d" % number
                log.append((b"key %d" % (number % 97), value))
                await producer.send(f"{self.prefix}in", log[-1][1], log[-1][0], partition=number % PARTITIONS)
            await producer.flush()
        finally:
            await producer.stop()

    def start(self, instance: str, **options: object) -> subprocess.Popen[bytes]:
        base = {"app_id": f"{self.prefix}app", "instance": instance, "bootstrap": self.kafka, "prefix": self.prefix}
        toy = msgspec.convert({**base, "partitions": PARTITIONS, **options}, Toy)
        with (self._logs / f"{instance}.log").open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.shell_app", msgspec.json.encode(toy).decode()],
                stderr=log,
                stdout=log,
            )
        self._children.append(child)
        return child

    def log(self, instance: str) -> str:
        return (self._logs / f"{instance}.log").read_text()

    async def stop(self, child: subprocess.Popen[bytes], seconds: float = PATIENCE_SECONDS) -> int:
        child.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(child.wait, seconds)

    async def collect(self) -> None:
        for records in (await self._out.getmany(timeout_ms=POLL_MS)).values():
            self.seen.update(record.value for record in records)

    async def until(self, goal: int, seconds: float = PATIENCE_SECONDS) -> None:
        """Read effects until so many different ones are there."""
        deadline = time.monotonic() + seconds
        while len(self.seen) < goal:
            assert time.monotonic() < deadline, f"{len(self.seen)} of {goal} effects after {seconds} s"
            await self.collect()

    async def until_log(self, instance: str, text: str, seconds: float = PATIENCE_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while text not in self.log(instance):
            assert time.monotonic() < deadline, f"{text!r} not in the log of {instance}:\n{self.log(instance)[-3000:]}"
            await self.collect()

    async def all_owed(self, given_up: Iterable[tuple[int, int]] = (), seconds: float = PATIENCE_SECONDS) -> None:
        """Nothing lost, nothing else; so duplicates are the same bytes. And nothing committed beyond a checkpoint."""
        wanted = owed(self.inputs, given_up)
        await self.until(len(wanted), seconds)
        await self.collect()
        assert set(self.seen) == wanted
        await self.commits_follow_checkpoints()

    async def commits_follow_checkpoints(self) -> None:
        committed = await self.committed()  # first: the worker goes on, and checkpoints only grow
        marks = await self.marks()
        for partition, offset in committed.items():
            assert offset <= marks[partition].position

    async def committed(self) -> dict[int, int]:
        consumer = AIOKafkaConsumer(bootstrap_servers=self.kafka, group_id=f"{self.prefix}app")
        await consumer.start()
        try:
            found = {n: await consumer.committed(TopicPartition(f"{self.prefix}in", n)) for n in range(PARTITIONS)}
        finally:
            await consumer.stop()
        return {partition: offset for partition, offset in found.items() if offset is not None}

    async def marks(self) -> dict[int, Mark]:
        """The newest position record of each partition."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.kafka, auto_offset_reset="earliest", isolation_level="read_committed"
        )
        await consumer.start()
        marks = {}
        try:
            tps = [TopicPartition(f"{self.prefix}toy.state", number) for number in range(PARTITIONS)]
            consumer.assign(tps)
            for tp, end in (await consumer.end_offsets(tps)).items():
                while await consumer.position(tp) < end:
                    for record in (await consumer.getmany(tp, timeout_ms=POLL_MS)).get(tp, ()):
                        if record.key == POSITION_KEY:
                            marks[tp.partition] = msgspec.json.decode(record.value, type=Mark)
        finally:
            await consumer.stop()
        return marks
