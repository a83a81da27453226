"""The demo's world without Kafka: its script through the real stages over a log in memory, into a real ClickHouse.

Log time passes in beats of TICK_MS, all of them, as live; so a backtest can be held to the same ticks.
Each touchpoint is worked off before the next one arrives: of two partitions neither runs ahead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from schemas.control import control_headers
from schemas.control_records import Beat
from schemas.definition_files import load_catalogue, load_definitions
from schemas.fast import encode, fast_type
from schemas.identifiers import partition_of
from schemas.identity_files import load_identity_rules
from schemas.identity_reader import IdentityReader, IdentitySecrets
from schemas.sources_files import load_sources
from schemas.topics import PARTITIONS
from sinks.clickhouse.batch import DECODERS, build
from sinks.clickhouse.store import ClickHouseStore
from sources.simulation.plan import HOUR, MINUTE, Plan
from sources.simulation.script import Script
from sources.simulation.wire import PERSONAL_KEY, PROOF_SECRET, bytes_of
from streams.product import Product
from tests.simulated.in_turn import InTurn, stages_of
from tests.simulated.log import Logs

SECRET: Final = b"in one process secret"
TICK_MS: Final = 10 * MINUTE
CATALOGUE: Final = load_catalogue(Path("touchpoints.yaml"))
READER: Final = IdentityReader(
    load_identity_rules(Path("identity.yaml")), IdentitySecrets(PERSONAL_KEY.encode(), PROOF_SECRET.encode())
)
SOURCES: Final = load_sources(Path("sources.yaml"), CATALOGUE)
BROWSERS: Final = ("web", "app")
_beat = fast_type(Beat)


def product() -> Product:
    found = load_definitions(Path("journeys"), CATALOGUE)
    return Product(found, CATALOGUE, SECRET, "simulation", 72 * HOUR, reader=READER, sources=SOURCES)


class Deployment:
    def __init__(self, product: Product) -> None:
        self.logs = Logs(0)
        self._stages = InTurn(self.logs, stages_of(product))

    def play(self, script: Script) -> None:
        """Everything arrives, and time passes to the end of the script."""
        by_tick = groupby(script.plans, key=lambda plan: -(-plan.arrives_at // TICK_MS))
        tick = script.start // TICK_MS
        for number, plans in by_tick:
            while tick < number - 1:
                tick += 1
                self.beat(tick * TICK_MS)
            for plan in plans:
                self.arrive(plan)
            tick = number
            self.beat(tick * TICK_MS)
        while tick < script.end // TICK_MS:
            tick += 1
            self.beat(tick * TICK_MS)

    def store(self, into: ClickHouseStore) -> None:
        for topic, decode in DECODERS.items():
            for partition in range(PARTITIONS):
                records = self.logs.read(topic, partition)
                for table, rows in build(decode, records, {}).rows.items():
                    into.insert(table, rows, f"{topic}-{partition}-{table}")

    def arrive(self, plan: Plan) -> None:
        browser = plan.emitter in BROWSERS
        headers = (
            ("format", b"segment" if browser else b"touchline"),
            ("source", plan.emitter.encode()),
            ("trust", b"browser" if browser else b"server"),
            ("sent_at", b"%d" % (plan.arrives_at + plan.skew_ms)),
            ("received_at", b"%d" % plan.arrives_at),
            ("log_time", b"%d" % plan.arrives_at),
        )
        partition = partition_of(f"message:{plan.message_id}", PARTITIONS)
        self.logs.append("touchpoints.raw", partition, None, bytes_of(plan), headers)
        self._stages.work_off()

    def beat(self, log_time: int) -> None:
        self.logs.now = log_time
        for partition in range(PARTITIONS):
            value = encode(_beat(log_time=log_time))
            headers = control_headers("beat", partition, value, SECRET)
            self.logs.append("touchpoints.raw", partition, None, value, headers)
        self._stages.work_off()


class Questions:
    """What `touchline backtest` asks, of one database."""

    def __init__(self, client: Client, database: str) -> None:
        self._client, self._database = client, database

    def ask(self, query: str, parameters: Any) -> list[dict[str, Any]]:
        found = self._client.query(query.replace("DB.", f"{self._database}."), parameters=dict(parameters))
        return [dict(zip(found.column_names, values)) for values in found.result_rows]

    @contextmanager
    def stream(self, query: str, parameters: Any) -> Iterator[Iterator[Sequence[Sequence[Any]]]]:
        text = query.replace("DB.", f"{self._database}.")
        with self._client.query_row_block_stream(text, parameters=dict(parameters)) as blocks:
            yield iter(blocks)
