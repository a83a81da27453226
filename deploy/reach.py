"""Do Kafka and ClickHouse of yours answer? Asked before anything is started: a wrong setting costs seconds only.

Each failure is one sentence: which address, what came back, which setting to look at. No password is in it. Blocks;
all waits are bounded.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from deploy.embedded.process import EmbeddedError
from schemas.settings import Address
from sinks.clickhouse.errors import LoaderError
from sinks.clickhouse.store import connect

CONNECT_SECONDS: Final = 5.0
BOOTSTRAP_MS: Final = 8_000
KAFKA_PORT: Final = 9092
AUTHENTICATION_CODES: Final = (192, 193, 194, 516)
"""UNKNOWN_USER, WRONG_PASSWORD, REQUIRED_PASSWORD, AUTHENTICATION_FAILED."""


def reach_kafka(options: Mapping[str, Any], *, bootstrap_ms: int = BOOTSTRAP_MS) -> None:
    """`options`: for a client, `bootstrap_servers` among them. Raises EmbeddedError."""
    servers = str(options["bootstrap_servers"])
    problems = [_refusal(server.strip()) for server in servers.split(",")]
    if all(problems):
        raise EmbeddedError(
            f"Kafka at {servers} does not answer ({problems[0]}): start it, or correct KAFKA_BOOTSTRAP_SERVERS"
        )
    try:
        KafkaAdminClient(**options, bootstrap_timeout_ms=bootstrap_ms).close()
    except KafkaError as error:
        raise EmbeddedError(
            f"Kafka at {servers} takes the connection but does not answer as {options['security_protocol']}"
            f" ({type(error).__name__}): is it Kafka? Correct KAFKA_SECURITY_PROTOCOL, KAFKA_SASL_*, KAFKA_SSL_CAFILE"
        ) from error


def _refusal(server: str) -> str | None:
    """Why no connection to `host:port` can be made; None when one can."""
    try:
        parts = urlsplit(f"//{server}")
        with socket.create_connection((parts.hostname or "", parts.port or KAFKA_PORT), CONNECT_SECONDS):
            return None
    except ValueError:
        return "not host:port"
    except TimeoutError:
        return f"no answer within {CONNECT_SECONDS:.0f} s"
    except socket.gaierror:
        return "unknown host"
    except OSError as error:
        return os.strerror(error.errno).lower() if error.errno else "no connection"


def reach_clickhouse(address: Address) -> None:
    """Raises EmbeddedError."""
    if (problem := _refusal(f"{address.host}:{address.port}")) is not None:
        raise EmbeddedError(f"ClickHouse at {address} does not answer ({problem}): start it, or correct CLICKHOUSE_URL")
    try:
        connect(address).close()
    except LoaderError as error:
        if error.code in AUTHENTICATION_CODES:
            raise EmbeddedError(
                f"ClickHouse at {address} refuses user {address.user}: correct user and password in CLICKHOUSE_URL"
            ) from error
        raise EmbeddedError(
            f"{error}: is it ClickHouse's HTTP port? Look at its log, or correct CLICKHOUSE_URL"
        ) from error
