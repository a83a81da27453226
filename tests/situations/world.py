"""The world in which situations happen: embedded Kafka and ClickHouse, real workers, the real loader. No collector: the
player is every client, and the only one who lets time pass.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from shutil import copy
from typing import Any, Final

import clickhouse_connect
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from deploy.demo.lag import Lag
from deploy.part import Surroundings, parts_of
from deploy.stack import Stack
from deploy.topics import ensure
from schemas.settings import DATABASE, read_settings
from tests.situations.script import SITUATIONS

REPOSITORY: Final = SITUATIONS.parents[1]
JOURNEYS: Final = ("checkout", "click_and_collect", "service_case")
"""Of the shipped definitions. What a touchpoint is worth says nothing about whose it is."""
FIRST: Final = "worker-1"
SECOND: Final = "worker-2"
LOADER: Final = "loader"
GROUP: Final = "touchline"
"""Of the workers, without the prefix."""
DRAIN_SECONDS: Final = 120.0
Say = Callable[[str], None]
Row = dict[str, Any]


class NotSettled(Exception):
    """What the run waited for did not come; says what is left."""


class World:
    """`join` and `back` block until the worker is ready; the player runs them beside the traffic."""

    def __init__(self, stack: Stack, say: Say) -> None:
        self.stack, self._say = stack, say

    def join(self) -> None:
        self.stack.revive(SECOND)

    def await_rebalance(self) -> None:
        """Returns when the workers' group is about to share its partitions anew, so that what is sent next meets it.
        Raises NotSettled.
        """
        give_up, group = time.monotonic() + DRAIN_SECONDS, self.topic(GROUP)
        admin = KafkaAdminClient(**self.stack.kafka_options())
        try:
            while time.monotonic() < give_up:
                found = admin.describe_groups([group])[group]
                if found["group_state"] != "Stable" or len(found["members"]) > 1:
                    self._say(f"the workers' group: {found['group_state']}, {len(found['members'])} members")
                    return
                time.sleep(0.01)
        finally:
            admin.close()
        raise NotSettled(f"the second worker did not join the group {group} within {DRAIN_SECONDS:.0f} s")

    def kill(self) -> None:
        self.stack.kill(FIRST)

    def back(self) -> None:
        self.stack.revive(FIRST)

    def topic(self, name: str) -> str:
        return self.stack.settings.topic_prefix + name

    @property
    def worker_environment(self) -> dict[str, str]:
        return dict(self.stack.parts[FIRST].env)

    def await_settled(self) -> None:
        """Workers and loader have nothing left to do. Raises NotSettled."""
        give_up, left = time.monotonic() + DRAIN_SECONDS, ["nobody answered"]
        with Lag(self.stack.kafka_options(), self.stack.settings.topic_prefix) as lag:
            while left:
                if time.monotonic() > give_up:
                    raise NotSettled(f"after {DRAIN_SECONDS:.0f} s: {', '.join(left)}; logs: {self.stack.home}/logs")
                time.sleep(0.1)
                try:
                    behind = lag.by_reader().items()
                except KafkaError:
                    continue
                left = [f"{reader} {count}" for reader, count in behind if count and not reader.startswith("notifier")]

    def select(self, query: str) -> list[Row]:
        """As the read-only user; `query` names its views without a database."""
        reader = self.stack.reader()
        assert reader is not None, "the embedded ClickHouse runs"
        port, user, password = reader
        client = clickhouse_connect.get_client(
            host="127.0.0.1", port=port, username=user, password=password, database=DATABASE, query_limit=0
        )
        try:
            return list(client.query(query).named_results())
        finally:
            client.close()


@contextmanager
def running(home: Path, say: Say) -> Iterator[World]:
    """Everything it starts ends with it. Raises EmbeddedError."""
    definitions = home / "journeys"
    definitions.mkdir(parents=True)
    for journey in JOURNEYS:
        copy(REPOSITORY / "journeys" / f"{journey}.yaml", definitions)
    settings = read_settings(
        data_dir=home,
        run="simulation",
        definitions_dir=definitions,
        catalogue_file=REPOSITORY / "touchpoints.yaml",
    )
    stack = Stack(settings, workers=2)
    try:
        with ThreadPoolExecutor(2) as pool:
            for started in [pool.submit(stack.start_kafka, say), pool.submit(stack.start_clickhouse, say)]:
                started.result()
        ensure(stack.kafka_options(), settings.topic_prefix)
        around = Surroundings(settings, stack.home, stack.bootstrap, stack.clickhouse_url, stack.secrets, "")
        stack.parts.update((part.name, part) for part in parts_of(around, 2) if part.name in (FIRST, SECOND, LOADER))
        for name in (FIRST, LOADER):
            stack.revive(name)
        say("worker and loader: ready")
        yield World(stack, say)
    finally:
        stack.stop(say)
