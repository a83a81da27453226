"""Bad and hostile input over HTTP: each has its own clear answer, memory is bounded, the collector goes on."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.integration.collector_rig import WEB_KEY, Rig, create_topic, eventually, running_collector
from tests.integration.patience import PATIENCE_SECONDS

GOOD = b'{"batch":[{"type":"track","event":"Seen","messageId":"m-1","anonymousId":"b-1"}]}'
PEAK_BYTES_MAX = 400 << 20


@pytest.fixture(scope="module")
def rig(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """For tests that do not look at the whole topic."""
    create_topic(kafka, "collector-shared-touchpoints.raw")
    with running_collector(kafka, "collector-shared-", tmp_path_factory.mktemp("collector")) as running:
        yield running


@pytest.mark.parametrize(
    ("path", "body", "headers", "status", "code"),
    [
        ("/v1/batch", b"{", {}, 400, "malformed"),
        ("/v1/batch", b"{}", {}, 400, "malformed"),
        ("/v1/track", b"[1]", {}, 400, "malformed"),
        ("/v1/batch", b"[" * 200_000, {}, 400, "malformed"),
        ("/v1/batch", '{"batch":[]}'.encode("utf-16"), {}, 400, "malformed"),
        ("/v1/batch", gzip.compress(b'{"batch":[]}')[:-9], {"Content-Encoding": "gzip"}, 400, "malformed"),
        ("/v1/batch", b'{"batch":[]}', {"Content-Encoding": "gzip"}, 400, "malformed"),
        ("/v1/batch", b'{"batch":[]}', {"Content-Encoding": "br"}, 415, "unsupported_encoding"),
        ("/v1/batch", gzip.compress(b"\0" * (200 << 20)), {"Content-Encoding": "gzip"}, 413, "too_large"),
        ("/v1/touchpoints", gzip.compress(b"\0" * (200 << 20)), {"Content-Encoding": "gzip"}, 413, "too_large"),
        ("/v1/batch", b'{"batch":[' + b"1," * 2_500 + b"1]}", {}, 413, "too_many_items"),
        ("/v1/batch", b'{"batch":["' + b"x" * 520_000 + b'"]}', {}, 413, "too_large"),
        ("/v1/touchpoints", b'{"touchpoints":[],"sent_at":"soon"}', {}, 400, "malformed"),
        ("/v1/batch", b'{"batch":[]}', {"Authorization": "Basic bm9ib2R5Og=="}, 401, "unknown_write_key"),
        ("/v1/batch", b'{"batch":[],"writeKey":"nobody"}', {"Authorization": ""}, 401, "unknown_write_key"),
        ("/v1/touchpoints", b"{}", {"Authorization": "Basic !"}, 401, "unknown_write_key"),
    ],
)
def test_what_cannot_be_taken_is_told_as_json(
    rig: Rig, path: str, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    key = None if "Authorization" in headers else WEB_KEY
    answer = rig.ask(path, body, key, headers=headers)
    assert (answer.status, answer.json["code"]) == (status, code)
    assert answer.json["message"]
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_http_abuse_leaves_the_collector_at_work(rig: Rig) -> None:
    many = {f"X-{number}": "1" for number in range(1_000)}
    assert rig.ask("/v1/batch", b"{}", headers=many).status == 400
    assert rig.ask("/v1/batch", b"{}", headers={"X-Long": "x" * 100_000}).status == 400
    slow = http.client.HTTPConnection("127.0.0.1", rig.port, timeout=PATIENCE_SECONDS)
    slow.putrequest("POST", "/v1/batch")
    slow.putheader("Content-Length", "100")
    slow.putheader("Authorization", "Bearer " + WEB_KEY)
    slow.endheaders(b'{"batch"')
    cut = http.client.HTTPConnection("127.0.0.1", rig.port, timeout=PATIENCE_SECONDS)
    cut.putrequest("POST", "/v1/batch")
    cut.putheader("Content-Length", "100")
    cut.endheaders(b'{"batch"')
    cut.close()
    garbled = http.client.HTTPConnection("127.0.0.1", rig.port, timeout=PATIENCE_SECONDS)
    garbled.putrequest("POST", "/v1/batch")
    garbled.putheader("Transfer-Encoding", "chunked")
    garbled.endheaders(b'5\r\n{"bat\r\nno length\r\n')
    assert garbled.getresponse().status == 400
    garbled.close()
    assert rig.ask("/v1/batch", GOOD).status == 200
    response = slow.getresponse()
    assert (response.status, json.loads(response.read())["code"]) == (408, "slow_body")
    slow.close()
    assert rig.ask("/readyz", key=None).status == 200
    log = rig.log.read_text()
    assert "xxxx" not in log, "nothing of a request goes to the log"
    assert "Traceback" not in log


def half_sent(rig: Rig, length: int, sent: bytes) -> socket.socket:
    """A request that never ends."""
    connection = socket.create_connection(("127.0.0.1", rig.port), timeout=PATIENCE_SECONDS)
    head = f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {WEB_KEY}\r\nContent-Length: {length}\r\n\r\n"
    connection.sendall(head.encode() + sent)
    return connection


def in_flight_bytes(rig: Rig) -> float:
    text = rig.ask("/metrics", key=None).body.decode()
    [line] = [line for line in text.splitlines() if line.startswith("touchline_collector_in_flight_bytes ")]
    return float(line.split()[1])


def peak_bytes(rig: Rig) -> int:
    """The most memory that the collector ever had."""
    text = Path(f"/proc/{rig.process.pid}/status").read_text()
    [line] = [line for line in text.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) << 10


def test_memory_for_bodies_is_a_budget_that_is_given_back(rig: Rig) -> None:
    size = 4_000_000
    held = [half_sent(rig, size + 1, b" " * size) for _ in range(16)]
    try:
        eventually(lambda: in_flight_bytes(rig) > 60_000_000, "the bodies are held")
        answer = rig.ask("/v1/batch", b" " * size)
        assert (answer.status, answer.json["code"], answer.headers["Retry-After"]) == (429, "busy", "1")
        assert rig.ask("/v1/batch", GOOD).status == 200
    finally:
        for connection in held:
            connection.close()
    eventually(lambda: in_flight_bytes(rig) == 0, "the budget is given back")


def test_bombs_strangers_and_slow_connections_at_once(rig: Rig) -> None:
    bomb = gzip.compress(b"\0" * (100 << 20))
    slow = [socket.create_connection(("127.0.0.1", rig.port), timeout=PATIENCE_SECONDS) for _ in range(200)]
    for connection in slow:
        connection.sendall(b"POST /v1/batch HTTP/1.1\r\nHost: x\r\nX-")

    def attack(number: int) -> int:
        if number % 3 == 0:
            return rig.ask("/v1/touchpoints", bomb, headers={"Content-Encoding": "gzip"}).status
        if number % 3 == 1:
            return rig.ask("/v1/batch", GOOD, f"stranger-{number}").status
        return rig.ask("/v1/batch", GOOD).status

    with ThreadPoolExecutor(16) as pool:
        answers = Counter(pool.map(attack, range(300)))
    for connection in slow:
        connection.close()
    assert answers.keys() <= {413, 401, 200, 429}
    assert (answers[401], answers[200]) == (100, 100)
    assert answers[413] > 0
    assert peak_bytes(rig) < PEAK_BYTES_MAX
