"""ClickHouse for the commands: as the read-only user of the embedded one, or as the user of CLICKHOUSE_URL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final, Self

import clickhouse_connect
from clickhouse_connect.driver.exceptions import ClickHouseError

from deploy.embedded.process import EmbeddedError
from deploy.stack import Stack
from schemas.settings import DATABASE, address_of

ANSWER_SECONDS: Final = 60
Row = dict[str, Any]


class Rows:
    """Raises EmbeddedError, in one sentence, for whatever ClickHouse cannot do."""

    def __init__(self, stack: Stack) -> None:
        host, port, user, password, secure, self._database = _where(stack)
        try:
            self._client = clickhouse_connect.get_client(
                host=host,
                port=port,
                username=user,
                password=password,
                secure=secure,
                connect_timeout=5,
                send_receive_timeout=ANSWER_SECONDS,
            )
        except ClickHouseError as error:
            raise EmbeddedError(f"ClickHouse at {host}:{port} does not let us in: {first_line(error)}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    @contextmanager
    def stream(self, query: str, parameters: Mapping[str, Any]) -> Iterator[Iterator[Sequence[Sequence[Any]]]]:
        """The answer block by block, each as rows; otherwise as `ask`."""
        text = query.replace("DB.", f"{self._database}.")
        try:
            with self._client.query_row_block_stream(text, parameters=dict(parameters)) as blocks:
                yield iter(blocks)
        except ClickHouseError as error:
            raise EmbeddedError(f"ClickHouse could not answer: {first_line(error)}") from error

    def ask(self, query: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """`DB.` in the query stands for the database; parameters as `{name:Type}`."""
        text = query.replace("DB.", f"{self._database}.")
        try:
            found = self._client.query(text, parameters=dict(parameters or {}))
        except ClickHouseError as error:
            raise EmbeddedError(f"ClickHouse could not answer: {first_line(error)}") from error
        return [dict(zip(found.column_names, values)) for values in found.result_rows]


def first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


def _where(stack: Stack) -> tuple[str, int, str, str, bool, str]:
    if stack.settings.clickhouse_url is not None:
        found = address_of(stack.settings.clickhouse_url.get_secret_value())
        return found.host, found.port, found.user, found.password, found.secure, found.database
    reader = stack.reader()
    if reader is None:
        raise EmbeddedError(
            f"ClickHouse does not run in {stack.home}: `touchline up` starts it; for a deployment elsewhere set "
            "TOUCHLINE_DATA_DIR or CLICKHOUSE_URL"
        )
    port, user, password = reader
    return "127.0.0.1", port, user, password, False, DATABASE
