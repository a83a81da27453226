"""Engines that do not answer: one sentence with the address and the setting, in seconds, and never a password."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from deploy.embedded.process import EmbeddedError
from deploy.reach import reach_clickhouse, reach_kafka
from schemas.settings import address_of


@contextmanager
def stranger(answer: bytes) -> Iterator[int]:
    """Takes every connection, says one thing whatever it is asked, and hangs up."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(2.0)
                try:
                    connection.recv(65_536)
                    connection.sendall(answer)
                except OSError:
                    pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def kafka(servers: str) -> dict[str, Any]:
    return {"bootstrap_servers": servers, "security_protocol": "PLAINTEXT"}


@pytest.mark.parametrize(
    ("servers", "why"),
    [
        ("127.0.0.1:1", "connection refused"),
        ("127.0.0.1:1,127.0.0.1:2", "connection refused"),
        ("no-such-host.invalid:9092", "unknown host"),
        ("127.0.0.1:kafka", "not host:port"),
        ("127.0.0.1:99999", "not host:port"),
    ],
)
def test_a_kafka_that_does_not_answer_is_named(servers: str, why: str) -> None:
    with pytest.raises(EmbeddedError) as caught:
        reach_kafka(kafka(servers))
    assert str(caught.value) == (
        f"Kafka at {servers} does not answer ({why}): start it, or correct KAFKA_BOOTSTRAP_SERVERS"
    )


def test_what_is_no_kafka_is_told_from_one_that_is_down() -> None:
    with stranger(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port, pytest.raises(EmbeddedError) as caught:
        reach_kafka(kafka(f"127.0.0.1:{port}"), bootstrap_ms=500)
    assert "is it Kafka? Correct KAFKA_SECURITY_PROTOCOL" in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "does not answer (connection refused): start it, or correct CLICKHOUSE_URL"),
        (b"not http\r\n\r\n", "is it ClickHouse's HTTP port?"),
        (
            b"HTTP/1.1 403 Forbidden\r\nX-ClickHouse-Exception-Code: 516\r\nContent-Length: 0\r\n\r\n",
            "refuses user u: correct user and password in CLICKHOUSE_URL",
        ),
    ],
)
def test_a_clickhouse_that_does_not_take_us_is_named(answer: bytes | None, words: str) -> None:
    with stranger(answer or b"") as port, pytest.raises(EmbeddedError) as caught:
        reach_clickhouse(address_of(f"http://u:secret-word@127.0.0.1:{1 if answer is None else port}/touchline"))
    assert words in str(caught.value)
    assert "secret-word" not in str(caught.value)
