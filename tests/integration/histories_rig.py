"""Many simulated histories on a real broker, with real workers: fed in the order of their times, read back as the logs
that the laws judge.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Final

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from deploy.demo.lag import Lag
from deploy.topics import ensure
from schemas.control import control_headers
from schemas.control_records import Beat
from schemas.fast import encode, fast_type
from schemas.topics import PARTITIONS, TOPICS
from tests.integration.patience import PATIENCE_SECONDS
from tests.simulated.generate import RAW, START, Arrival, history, shape
from tests.simulated.log import Logs
from tests.simulated.scheduler import SECRET
from tests.simulated.worlds import RULES

JUDGED: Final = (RAW, "progress", "touchpoints", "identities", "journeys", "alerts", "dead_letters")
_beat = fast_type(Beat)


def worlds(count: int) -> list[tuple[int, Arrival]]:
    """The arrivals of so many histories that share no identifier, with the moment of each, in the order of time. No
    clock is wrong: their journeys are compared with those of another order of arrival.
    """
    merged: list[tuple[int, Arrival]] = []
    for world in range(count):
        rng, now = Random(world), START
        of = replace(shape(rng), skewed=0.0)
        for arrival in history(rng, PARTITIONS, of, RULES, SECRET, f"w{world}-"):
            now += arrival.after_ms
            merged.append((now, arrival))
    return sorted(merged, key=lambda one: one[0])


def slices(arrivals: list[tuple[int, Arrival]], count: int) -> Iterator[list[tuple[int, Arrival]]]:
    size = -(-len(arrivals) // count)
    yield from (arrivals[start : start + size] for start in range(0, len(arrivals), size))


class Histories:
    """A feed and some workers on topics of their own."""

    def __init__(self, kafka: str, prefix: str, logs: Path, worker: str = "tests.integration.history_worker") -> None:
        """`worker`: the module that is run as one."""
        self._worker = worker
        self.kafka, self.prefix, self._logs = {"bootstrap_servers": kafka}, prefix, logs
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._opened: dict[str, int] = {}
        ensure(self.kafka, prefix)
        self._producer = KafkaProducer(**self.kafka, acks="all", linger_ms=5)
        self._lag = Lag(self.kafka, prefix)

    def close(self) -> None:
        for child in self._children.values():
            child.kill()
            child.wait()
        self._producer.close()
        self._lag.__exit__(None, None, None)

    # -- workers

    def start(self, instance: str, env: Mapping[str, str] | None = None) -> None:
        """`env`: beside what is in the environment of the tests."""
        self._opened[instance] = self._opens(instance)
        with (self._logs / f"{instance}.log").open("ab") as log:
            self._children[instance] = subprocess.Popen(
                [
                    *(sys.executable, "-m", self._worker),
                    *(self.kafka["bootstrap_servers"], self.prefix, instance),
                ],
                stderr=log,
                stdout=log,
                env={**os.environ, **(env or {})},
            )

    def kill(self, instance: str) -> None:
        """SIGKILL. A worker that has ended before is a failure of its own."""
        child = self._children.pop(instance)
        assert child.poll() is None, f"worker {instance} ended by itself:\n{self.log(instance)[-3000:]}"
        child.kill()
        child.wait()

    def stop(self, instance: str, seconds: float = PATIENCE_SECONDS) -> int:
        child = self._children.pop(instance)
        child.terminate()
        return child.wait(seconds)

    def log(self, instance: str) -> str:
        return (self._logs / f"{instance}.log").read_text()

    def _opens(self, instance: str) -> int:
        """How often it took over a partition, in all of its lives."""
        return self.log(instance).count("opened at") if (self._logs / f"{instance}.log").exists() else 0

    def _last_words(self) -> str:
        return "\n".join(f"{name}: {self.log(name)[-2000:]}" for name in self._children)

    # -- feed

    def send(self, some: list[tuple[int, Arrival]]) -> int:
        """Acknowledged when this returns; then log time is just before the last of them. Returns it."""
        sent = []
        for now, arrival in some:
            headers = list(arrival.headers)
            if arrival.topic == RAW:
                headers.append(("log_time", str(now).encode()))
            topic = self.prefix + arrival.topic
            sent.append(self._producer.send(topic, arrival.value, partition=arrival.partition, headers=headers))
        self._producer.flush()
        for one in sent:
            one.get(timeout=PATIENCE_SECONDS)
        return self.beat(some[-1][0] - 1)

    def beat(self, log_time: int) -> int:
        """In every partition: what arrives from now on is later."""
        value = encode(_beat(log_time=log_time))
        for partition in range(PARTITIONS):
            headers = list(control_headers("beat", partition, value, SECRET))
            self._producer.send(self.prefix + RAW, value, partition=partition, headers=headers)
        self._producer.flush()
        return log_time

    # -- the end

    def until(self, condition: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            ended = {name: child.poll() for name, child in self._children.items() if child.poll() is not None}
            assert not ended, f"workers ended: {ended}\n{self._last_words()}"
            assert time.monotonic() < deadline, f"after {seconds} s not yet: {what}\n{self._last_words()}"
            time.sleep(0.05)

    def until_working(self, instance: str) -> None:
        """It has partitions in this life."""
        self.until(lambda: self._opens(instance) > self._opened[instance], f"worker {instance} at work")

    def until_ticked(self, log_time: int, seconds: float = PATIENCE_SECONDS) -> None:
        self.until(lambda: self._lag.ticked() >= log_time, f"a tick of {log_time}", seconds)

    def until_drained(self) -> None:
        def is_drained() -> bool:
            return not any(lag for name, lag in self._lag.by_reader().items() if name.startswith("touchline "))

        self.until(is_drained, "every record is worked off")

    def read(self, names: Sequence[str] = JUDGED) -> Logs:
        """What lies on the topics, with log time for the broker's time where a record carries it."""
        logs = Logs(START)
        # The client computes checksums in Python: they would take most of the time.
        consumer = KafkaConsumer(**self.kafka, group_id=None, enable_auto_commit=False, check_crcs=False)
        try:
            places = [
                TopicPartition(self.prefix + name, number)
                for name in names
                for number in range(TOPICS[name].partitions)
            ]
            consumer.assign(places)
            consumer.seek_to_beginning(*places)
            ends = consumer.end_offsets(places)
            give_up = time.monotonic() + PATIENCE_SECONDS
            while any(consumer.position(place) < end for place, end in ends.items()):
                assert time.monotonic() < give_up, "the topics cannot be read to their end"
                for place, records in consumer.poll(timeout_ms=500, max_records=5_000).items():
                    give_up = time.monotonic() + PATIENCE_SECONDS
                    name = place.topic.removeprefix(self.prefix)
                    for record in records:
                        assert record.offset == len(logs.read(name, place.partition)), "an offset is missing"
                        headers = tuple(record.headers)
                        logs.now = int(dict(headers).get("log_time", START))
                        logs.append(name, place.partition, record.key, record.value, headers)
        finally:
            consumer.close()
        return logs
