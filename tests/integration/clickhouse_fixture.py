"""A real ClickHouse for the integration tests: one embedded server for the whole run, gone with it."""

from collections.abc import Iterator

import pytest

from deploy.embedded.clickhouse.launch import RunningClickHouse, start_clickhouse, stop_clickhouse


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningClickHouse]:
    """Shared by all tests: each names tables or databases of its own."""
    data_dir = tmp_path_factory.mktemp("touchline-clickhouse")
    yield start_clickhouse(data_dir)
    stop_clickhouse(data_dir)
