"""A collector as its own process on a free port, and the topic it writes, read with another client than its own."""

from __future__ import annotations

import base64
import itertools
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from deploy.embedded.process import free_port
from schemas.topics import TOPICS
from tests.integration.patience import PATIENCE_SECONDS

WEB_KEY, SHOP_KEY, TILL_KEY = "web-key-1", "shop-key-1", "till-key-1"
ADMIN_TOKEN, SECRET = "admin-token-1", "control-secret-of-the-tests"
KEYS = f"""\
write_keys:
  {WEB_KEY}: {{source: web_shop, trust: browser, channel: web}}
  {SHOP_KEY}: {{source: web_shop, trust: server, channel: web}}
  {TILL_KEY}: {{source: tills, trust: server}}
"""
PERSONAL_KEY, PROOF_SECRET = "personal-key-of-the-tests", "proof-secret-of-the-tests"
PARTITIONS = 12
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Rig:
    port: int
    bootstrap: str
    topic: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self,
        path: str,
        body: bytes | None = None,
        key: str | None = WEB_KEY,
        *,
        method: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = PATIENCE_SECONDS,
    ) -> Answer:
        sent = dict(headers or {})
        if key is not None:
            sent["Authorization"] = "Basic " + base64.b64encode(f"{key}:".encode()).decode()
        request = urllib.request.Request(self.url + path, body, sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                return Answer(response.status, response.headers, response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

    def records(self) -> list[Any]:
        """All touchpoint records of the topic, by partition and offset; control records left out."""
        return [record for record in read_topic(self.bootstrap, self.topic) if "control" not in dict(record.headers)]


def read_topic(bootstrap: str, topic: str) -> list[Any]:
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    try:
        places = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        ends = consumer.end_offsets(places)
        found: list[Any] = []
        deadline = time.monotonic() + PATIENCE_SECONDS
        while any(consumer.position(place) < ends[place] for place in places):
            assert time.monotonic() < deadline, f"{topic} could not be read to its end"
            for part in consumer.poll(timeout_ms=200).values():
                found.extend(part)
        return sorted(found, key=lambda record: (record.partition, record.offset))
    finally:
        consumer.close()


def create_topic(bootstrap: str, topic: str, partitions: int = PARTITIONS) -> None:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        config = TOPICS["touchpoints.raw"].config
        admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=config)])
    finally:
        admin.close()


def eventually(condition: Callable[[], bool], what: str, timeout_seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_seconds:g} s: {what}"
        time.sleep(0.05)


@contextmanager
def running_collector(
    bootstrap: str, prefix: str, directory: Path, *, environment: Mapping[str, str] | None = None, wait: bool = True
) -> Iterator[Rig]:
    keys = directory / "write_keys.yaml"
    keys.write_text(KEYS)
    port = free_port(f"{directory} {next(_numbers)}")
    settings = {
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "TOUCHLINE_TOPIC_PREFIX": prefix,
        "TOUCHLINE_WRITE_KEYS_FILE": str(keys),
        "TOUCHLINE_COLLECTOR_PORT": str(port),
        "TOUCHLINE_CONTROL_SECRET": SECRET,
        "TOUCHLINE_PERSONAL_KEY": PERSONAL_KEY,
        "TOUCHLINE_PROOF_SECRET": PROOF_SECRET,
        "TOUCHLINE_ADMIN_TOKEN": ADMIN_TOKEN,
    }
    path = directory / f"collector-{port}.log"
    with path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "sources.collector"],
            env=os.environ | settings | dict(environment or {}),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    rig = Rig(port, bootstrap, f"{prefix}touchpoints.raw", process, path)
    try:
        eventually(lambda: answers(rig, "/readyz" if wait else "/healthz"), "the collector is ready")
        yield rig
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE_SECONDS)
        finally:
            process.kill()


def answers(rig: Rig, path: str) -> bool:
    assert rig.process.poll() is None, "the collector ended"
    try:
        return rig.ask(path, key=None).status == 200
    except OSError:
        return False
