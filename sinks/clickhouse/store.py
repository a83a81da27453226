"""Inserts into ClickHouse over HTTP, in columns, each under a deduplication token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error

from schemas.settings import Address
from sinks.clickhouse.errors import loader_error
from sinks.clickhouse.rows import COLUMNS, Row

CONNECT_SECONDS: Final = 5
INSERT_SECONDS: Final = 60


class Store(Protocol):
    """Takes the rows of one range for one table, all or none, once per token. Raises LoaderError; blocks
    INSERT_SECONDS at most."""

    def insert(self, table: str, rows: Sequence[Row], token: str) -> None: ...


def connect(address: Address, answer_seconds: int = INSERT_SECONDS) -> Client:
    """Connects at once. Raises LoaderError. The database need not exist yet: statements name it."""
    try:
        return clickhouse_connect.get_client(
            host=address.host,
            port=address.port,
            username=address.user,
            password=address.password,
            secure=address.secure,
            connect_timeout=CONNECT_SECONDS,
            send_receive_timeout=answer_seconds,
            autogenerate_session_id=False,  # Several threads use one client.
            compress="lz4",
        )
    except Error as error:
        raise loader_error(f"cannot connect to {address}", error.code, error.name) from error


class ClickHouseStore:
    """Thread-safe. Connects at the first insert, so that a loader can start while ClickHouse is down."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._client: Client | None = None
        self._types: dict[str, list[Any]] = {}

    def insert(self, table: str, rows: Sequence[Row], token: str) -> None:
        columns = COLUMNS[table]
        try:
            client = self._connected()
            client.insert(
                context=client.create_insert_context(
                    table=table,
                    database=self._address.database,
                    column_names=list(columns),
                    column_types=self._types_of(client, table),
                    data=list(zip(*rows, strict=True)),
                    column_oriented=True,
                    settings=_settings(token),
                )
            )
        except Error as error:
            raise loader_error(f"{len(rows)} rows for {table} at {self._address}", error.code, error.name) from error

    def _connected(self) -> Client:
        if self._client is None:
            self._client = connect(self._address)
        return self._client

    def _types_of(self, client: Client, table: str) -> list[Any]:
        """Asked once: otherwise every insert begins with a DESCRIBE."""
        if table not in self._types:
            context = client.create_insert_context(
                table=table, database=self._address.database, column_names=list(COLUMNS[table])
            )
            self._types[table] = list(context.column_types)
        return self._types[table]

    def close(self) -> None:
        if self._client is not None:
            self._client.close()


def _settings(token: str) -> dict[str, Any]:
    return {
        "insert_deduplicate": 1,
        "insert_deduplication_token": token,
        "async_insert": 0,
        "wait_end_of_query": 1,
        # A range is one block, so that its token names all of it; months of old touchpoints may come at once.
        "max_insert_block_size": 1_048_576,
        "max_partitions_per_insert_block": 500,
    }
