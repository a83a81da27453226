"""A database on the real ClickHouse for each test, filled with records as the loader does it, without Kafka."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from deploy.embedded.clickhouse.launch import RunningClickHouse
from schemas.settings import Address
from sinks.clickhouse.migrate import ClickHouseDatabase, migrate
from sinks.clickhouse.rows import COLUMNS, LoadedRecord, Row, rows_of
from sinks.clickhouse.statements import Target
from sinks.clickhouse.store import ClickHouseStore, connect

_numbers: Final = count(1)


@dataclass
class Tables:
    address: Address
    client: Client
    store: ClickHouseStore

    def put(self, *records: LoadedRecord) -> None:
        """One insert per table, as of one range."""
        rows: dict[str, list[Row]] = {}
        for record in records:
            for table, row in rows_of(record):
                rows.setdefault(table, []).append(row)
        for table, found in rows.items():
            self.store.insert(table, found, f"range {next(_numbers)}")

    def select(self, query: str) -> list[tuple[Any, ...]]:
        """`DB.` stands for the database."""
        return [tuple(row) for row in self.client.query(query.replace("DB.", f"{self.address.database}.")).result_rows]

    def count(self, table: str) -> int:
        return int(self.select(f"SELECT count() FROM DB.{table}")[0][0])

    def owners(self) -> dict[str, tuple[str, str]]:
        """Customer and rule of each message id, as v_touchpoints shows them."""
        found = self.select("SELECT message_id, customer_id, attributed_by FROM DB.v_touchpoints")
        shown = {str(message): (str(customer), str(rule)) for message, customer, rule in found}
        assert len(shown) == len(found), "a touchpoint shows twice"
        return shown


def tables_of(clickhouse: RunningClickHouse) -> Iterator[Tables]:
    database = f"tables_{next(_numbers)}"
    address = Address("127.0.0.1", clickhouse.port, clickhouse.writer_user, clickhouse.writer_password, database)
    client, store = connect(address), ClickHouseStore(address)
    migrate(ClickHouseDatabase(client, Target(database)), Target(database))
    for table in COLUMNS:
        if table != "attributions":  # Deleting needs the merges of its table; elsewhere they would hide what is twice.
            client.command(f"SYSTEM STOP MERGES {database}.{table}")
    try:
        yield Tables(address, client, store)
    finally:
        store.close()
        client.command(f"DROP DATABASE {database} SYNC")
        client.close()
