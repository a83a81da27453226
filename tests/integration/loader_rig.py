"""A loader against the real broker and the real ClickHouse: topics and a database of its own for each test."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Any

from clickhouse_connect.driver.client import Client
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic
from prometheus_client import CollectorRegistry
from pydantic import BaseModel

from deploy.embedded.clickhouse.launch import RunningClickHouse
from schemas.fast import encode
from schemas.settings import Address
from sinks.clickhouse.lane import Limits
from sinks.clickhouse.loader import TOPICS, Loader
from sinks.clickhouse.metrics import LoaderMetrics
from sinks.clickhouse.migrate import ClickHouseDatabase, migrate
from sinks.clickhouse.rows import COLUMNS
from sinks.clickhouse.statements import Target
from sinks.clickhouse.store import ClickHouseStore, Store, connect
from sinks.log_reader import KafkaLog, KafkaOptions
from tests.integration.patience import PATIENCE_SECONDS

FAST = Limits(linger_ms=50, linger_behind_ms=50)


def until(
    condition: Callable[[], bool],
    what: str,
    seconds: float = PATIENCE_SECONDS,
    work: Callable[[], None] = lambda: sleep(0.02),
) -> None:
    """Do `work` until the condition holds."""
    deadline = monotonic() + seconds
    while not condition():
        assert monotonic() < deadline, f"not within {seconds} s: {what}"
        work()


def make_topics(bootstrap: str, names: Iterable[str], partitions: int) -> None:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_topics([NewTopic(name, partitions, 1) for name in names])
    admin.close()


@dataclass
class Rig:
    bootstrap: str
    prefix: str
    address: Address
    client: Client
    partitions: int = 2
    loaders: list[Loader] = field(default_factory=list)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        make_topics(self.bootstrap, (self.prefix + topic for topic in TOPICS), self.partitions)
        migrate(ClickHouseDatabase(self.client, Target(self.address.database)), Target(self.address.database))
        # A merge would hide what was stored twice.
        for table in COLUMNS:
            self.client.command(f"SYSTEM STOP MERGES {self.address.database}.{table}")
        self._producer = KafkaProducer(bootstrap_servers=self.bootstrap, acks="all", linger_ms=20)

    def produce(self, topic: str, records: Iterable[BaseModel], partition: int = 0) -> None:
        sent = [self._producer.send(self.prefix + topic, encode(record), partition=partition) for record in records]
        self._producer.flush()
        for future in sent:
            future.get(timeout=PATIENCE_SECONDS)

    def loader(
        self,
        *,
        instance: str | None = "one",
        store: Store | None = None,
        failpoint: Callable[[str], None] = lambda _: None,
        limits: Limits = FAST,
    ) -> Loader:
        topics = tuple(self.prefix + topic for topic in TOPICS)
        kafka = KafkaLog(
            KafkaOptions(self.bootstrap, self.prefix + "loader", topics, instance, session_timeout_ms=6_000)
        )
        loader = Loader(
            kafka,
            store or ClickHouseStore(self.address),
            LoaderMetrics(CollectorRegistry()),
            prefix=self.prefix,
            limits=limits,
            failpoint=failpoint,
        )
        self.loaders.append(loader)
        return loader

    def abandon(self, loader: Loader) -> None:
        """What is left of a killed loader: its static membership, which the heir takes over."""
        self.loaders.remove(loader)

    def process(self, health_port: int = 0, **settings: str) -> subprocess.Popen[bytes]:
        address = self.address
        url = f"http://{address.user}:{address.password}@{address.host}:{address.port}/{address.database}"
        environment = os.environ | {
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
            "CLICKHOUSE_URL": url,
            "TOUCHLINE_TOPIC_PREFIX": self.prefix,
            "TOUCHLINE_INSTANCE": "one",
            "TOUCHLINE_LOADER_HEALTH_PORT": str(health_port),
            **settings,
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "sinks.clickhouse", "load"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.processes.append(process)
        return process

    def select(self, query: str) -> list[Any]:
        found: Any = self.client.query(query.replace("FROM ", f"FROM {self.address.database}.")).result_rows
        return list(found)

    def count(self, table: str, final: bool = False) -> int:
        return int(self.select(f"SELECT count() FROM {table}{' FINAL' if final else ''}")[0][0])

    def close(self) -> None:
        self._producer.close()
        for loader in self.loaders:
            loader.close()
        for process in self.processes:
            if process.poll() is None:  # A test that failed leaves none behind.
                process.kill()
                process.wait(PATIENCE_SECONDS)


def rigs(kafka: str, clickhouse: RunningClickHouse, prefix: str) -> Iterator[Rig]:
    database = "db_" + "".join(letter if letter.isalnum() else "_" for letter in prefix)[:80].strip("_").lower()
    address = Address("127.0.0.1", clickhouse.port, clickhouse.writer_user, clickhouse.writer_password, database)
    client = connect(address)
    rig = Rig(kafka, prefix, address, client)
    try:
        yield rig
    finally:
        rig.close()
        client.command(f"DROP DATABASE {database} SYNC")
        client.close()
