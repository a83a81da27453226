"""A real broker for the integration tests: one for the whole run, gone with it."""

import itertools
import re
from collections.abc import Iterator
from typing import Final

import pytest

from deploy.embedded.kafka import start_kafka, stop_kafka

_numbers: Final = itertools.count(1)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Bootstrap servers of an embedded broker that is stopped after the last test."""
    data_dir = tmp_path_factory.mktemp("touchline")
    running = start_kafka(data_dir, short_lived=True)
    yield running.bootstrap
    stop_kafka(data_dir)


@pytest.fixture
def topic_prefix(request: pytest.FixtureRequest) -> str:
    """Begins the names of topics, groups and transactions, so that tests on the one broker do not meet."""
    return f"{re.sub(r'[^a-z0-9]+', '-', request.node.name.lower())[:60]}-{next(_numbers)}-"
