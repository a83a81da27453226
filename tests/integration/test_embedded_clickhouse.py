"""The embedded ClickHouse serves real clients in parallel, in bounded memory, and bounds what waits."""

import datetime as dt
import gzip
import http.client
import json
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from urllib.parse import urlencode

import clickhouse_connect
import lz4.frame
import pytest
import zstandard
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from deploy.embedded import process
from deploy.embedded.clickhouse import framing
from deploy.embedded.clickhouse.launch import RunningClickHouse
from tests.integration import clickhouse_fixture
from tests.integration.clickhouse_http import ask
from tests.integration.patience import PATIENCE_SECONDS

clickhouse = clickhouse_fixture.clickhouse
_numbers = count(1)
ENDLESS = "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1"


@pytest.fixture
def table(clickhouse: RunningClickHouse) -> Iterator[str]:
    name = f"tour_{next(_numbers)}"
    created = ask(
        clickhouse,
        f"CREATE TABLE {name} (id UInt64, customer String, at DateTime64(3, 'UTC'), source LowCardinality(String),"
        " props JSON) ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 100",
    )
    assert created.status == 200, created
    yield name
    ask(clickhouse, f"DROP TABLE {name}")


@pytest.fixture
def client(clickhouse: RunningClickHouse) -> Iterator[Client]:
    made = clickhouse_connect.get_client(
        host="127.0.0.1",
        port=clickhouse.port,
        username=clickhouse.writer_user,
        password=clickhouse.writer_password,
    )
    yield made
    made.close()


def columns(rows: int) -> list[list[object]]:
    at = dt.datetime(2026, 1, 1, 12, 0, 0, 123_000, tzinfo=dt.UTC)
    return [
        list(range(rows)),
        [f"customer {row % 50}" for row in range(rows)],
        [at] * rows,
        ["web"] * rows,
        [{"page": row, "tags": ["a", "b"]} for row in range(rows)],
    ]


def json_rows(rows: range) -> bytes:
    made = (
        {"id": i, "customer": "c", "at": "2026-01-01 00:00:00.123", "source": "app", "props": {"n": i}} for i in rows
    )
    return "\n".join(map(json.dumps, made)).encode()


NAMES = ["id", "customer", "at", "source", "props"]


def test_clickhouse_connect_full_tour(client: Client, table: str) -> None:
    assert client.ping()
    for token in ("a", "a", "b"):
        settings = {"insert_deduplication_token": token}
        inserted = client.insert(table, columns(1000), column_names=NAMES, column_oriented=True, settings=settings)
        assert inserted.written_rows == 1000
    for token in ("c", "c", "d"):
        settings = {"insert_deduplication_token": token}
        client.raw_insert(table, NAMES, json_rows(range(500)), fmt="JSONEachRow", settings=settings)
    assert client.query(f"SELECT count(), uniqExact(id) FROM {table}").result_rows == [(3000, 1000)]
    stored = client.query(
        f"SELECT id, at, props FROM {table} WHERE customer = {{c:String}} AND id = {{i:UInt64}} LIMIT 1",
        parameters={"c": "customer 7", "i": 57},
    )
    at = dt.datetime(2026, 1, 1, 12, 0, 0, 123_000, tzinfo=dt.UTC)
    (row,) = stored.result_rows
    assert (row[0], row[1].replace(tzinfo=dt.UTC), row[2]) == (57, at, {"page": 57, "tags": ["a", "b"]})
    with client.query_row_block_stream("SELECT number, toString(number) FROM numbers(300000)") as blocks:
        assert sum(len(block) for block in blocks) == 300_000
    assert client.query("SELECT 1 AS a LIMIT 0").column_names == ("a",)
    assert client.query("SELECT 1 WHERE 0").result_rows == []
    assert client.command(f"EXISTS TABLE {table}") == 1
    assert client.raw_query("SELECT 1 AS a FORMAT JSONEachRow") == b'{"a":1}\n'
    with pytest.raises(DatabaseError, match="UNKNOWN_IDENTIFIER"):
        client.query(f"SELECT nope FROM {table}")


def test_the_reader_works_with_clickhouse_connect(clickhouse: RunningClickHouse, table: str) -> None:
    reader = clickhouse_connect.get_client(
        host="127.0.0.1", port=clickhouse.port, username=clickhouse.bi_user, password=clickhouse.bi_password
    )
    assert reader.query(f"SELECT count() FROM {table}").result_rows == [(0,)]
    with pytest.raises(DatabaseError, match="only reads"):
        reader.command(f"DROP TABLE {table}")
    with pytest.raises(DatabaseError, match="only reads"):
        reader.insert(table, [[1]], column_names=["id"])
    reader.close()


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("lz4", lz4.frame.compress), ("zstd", zstandard.compress), ("identity", bytes)],
)
def test_packed_bodies_are_stored(
    clickhouse: RunningClickHouse, table: str, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    sql = {"query": f"INSERT INTO {table} FORMAT JSONEachRow", "async_insert": "0"}
    reply = ask(clickhouse, pack(json_rows(range(100))), sql, headers={"Content-Encoding": encoding})
    assert reply.status == 200, reply
    framed = sql | {"decompress": "1"}
    assert ask(clickhouse, framing.frame(json_rows(range(100, 150))), framed).status == 200
    assert ask(clickhouse, f"SELECT count(), max(id) FROM {table}").text == "150\t149\n"


def exchange(running: RunningClickHouse, sql: str, **parameters: str) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
    login = {"X-ClickHouse-User": running.writer_user, "X-ClickHouse-Key": running.writer_password}
    connection.request("POST", f"/?{urlencode(parameters)}", sql, login | {"Accept-Encoding": "gzip"})
    reply = connection.getresponse()
    body = reply.read()
    connection.close()
    return reply, body


def test_replies_carry_what_clients_look_for(clickhouse: RunningClickHouse, table: str) -> None:
    ask(clickhouse, json_rows(range(100)), {"query": f"INSERT INTO {table} FORMAT JSONEachRow"})
    sql = f"SELECT id FROM {table} WHERE id % 2 = 0"
    reply, body = exchange(clickhouse, sql, query_id="mine", default_format="JSONEachRow")
    assert reply.headers["X-ClickHouse-Query-Id"] == "mine"
    assert reply.headers["X-ClickHouse-Format"] == "JSONEachRow"
    assert reply.headers["X-ClickHouse-Timezone"]
    summary = json.loads(reply.headers["X-ClickHouse-Summary"])
    assert (summary["read_rows"], summary["result_rows"], summary["result_bytes"]) == (
        "100",
        "50",
        str(len(body)),
    )
    reply, body = exchange(clickhouse, "SELECT 1 AS a FORMAT JSON", compress="1")
    assert json.loads(framing.unframe(body, max_bytes=10_000))["data"] == [{"a": 1}]
    reply, body = exchange(clickhouse, "SELECT 'x'", enable_http_compression="1")
    assert (reply.headers["Content-Encoding"], gzip.decompress(body)) == ("gzip", b"x\n")


@pytest.mark.parametrize(
    ("sql", "status", "code"),
    [
        ("SELECT nope", 404, "47"),
        ("SELECT 1 FROM nope", 404, "60"),
        ("SELEC 1", 400, "62"),
        ("SELECT 1; SELECT 2", 400, "62"),
        (f"SELECT {'(' * 2000}1{')' * 2000}", 400, "306"),
        ("SELECT 1 SETTINGS nope = 1", 404, "115"),
        ("SELECT 1 FORMAT Nope", 404, "73"),
        ("SELECT 1 FORMAT DataFrame", 404, "73"),
        ("SELECT 1 FORMAT ArrowTable", 404, "73"),
        ("INSERT INTO nope FORMAT CSV\n1\n", 404, "60"),
        ("SELECT throwIf(1)", 500, "395"),
        ("SELECT {a:UInt8}", 400, "456"),
        ("SELECT length(groupArray(number)) FROM numbers(10000000000)", 500, "241"),
    ],
)
def test_errors_have_a_status_a_code_and_a_text(
    clickhouse: RunningClickHouse, sql: str, status: int, code: str
) -> None:
    reply = ask(clickhouse, sql)
    assert (reply.status, reply.code) == (status, code), reply
    assert reply.text.startswith(f"Code: {code}. DB::Exception: ")
    assert reply.text.count("DB::Exception") == 1
    assert "formatQuerySingleLine" not in reply.text


def test_a_bad_row_stores_nothing_of_its_batch(clickhouse: RunningClickHouse, table: str) -> None:
    reply = ask(clickhouse, f'INSERT INTO {table} FORMAT JSONEachRow\n{{"id":1}}\n{{"id":"x"}}')
    assert (reply.status, reply.code) == (400, "27")
    assert ask(clickhouse, f"SELECT count() FROM {table}").text == "0\n"


def test_an_error_in_the_middle_of_a_stream_cuts_the_reply(clickhouse: RunningClickHouse) -> None:
    with pytest.raises(http.client.IncompleteRead) as cut:
        ask(clickhouse, "SELECT throwIf(number = 900000) FROM numbers(1000000) SETTINGS max_threads = 1")
    assert b"Code: 395." in cut.value.partial[-2000:]


def resident_bytes(pid: int) -> int:
    shown = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], check=True, capture_output=True, text=True)
    return int(shown.stdout) * 1024


def test_a_large_reply_streams_in_bounded_memory(clickhouse: RunningClickHouse) -> None:
    before = resident_bytes(clickhouse.pid)
    connection = http.client.HTTPConnection("127.0.0.1", clickhouse.port, timeout=60)
    login = {"X-ClickHouse-User": clickhouse.writer_user, "X-ClickHouse-Key": clickhouse.writer_password}
    sql = "SELECT number, repeat('x', 200) FROM numbers(5000000) FORMAT JSONEachRow"
    connection.request("POST", "/", sql, login)
    reply = connection.getresponse()
    size = peak = 0
    while chunk := reply.read(4 << 20):
        size += len(chunk)
        peak = max(peak, resident_bytes(clickhouse.pid) - before)
    connection.close()
    assert size > 1_000 << 20
    assert peak < 500 << 20, "less than half of the reply is ever held, however slowly it is read"


def test_a_large_reply_that_cannot_stream_is_refused_with_advice(clickhouse: RunningClickHouse) -> None:
    for sql in (
        "SELECT repeat(toString(number), 200) FROM numbers(1000000)",
        "SELECT 1 FROM numbers(10000000)",
    ):
        reply = ask(clickhouse, f"{sql} FORMAT JSON")
        assert reply.code == "396"
        assert "use a format that streams" in reply.text


def running_endless(clickhouse: RunningClickHouse) -> int:
    listed = ask(clickhouse, "SELECT count() FROM system.processes WHERE query LIKE '%sipHash64(number)%'")
    return int(listed.text) - 1  # without the question itself


def send_endless(running: RunningClickHouse) -> socket.socket:
    """A request whose reply nobody waits for yet. Closing the socket is how a client goes away."""
    sending = socket.create_connection(("127.0.0.1", running.port))
    head = f"POST / HTTP/1.1\r\nHost: x\r\nX-ClickHouse-User: bi\r\nX-ClickHouse-Key: {running.bi_password}\r\n"
    sending.sendall(f"{head}Content-Length: {len(ENDLESS)}\r\n\r\n{ENDLESS}".encode())
    return sending


def test_long_reads_hold_up_neither_inserts_nor_other_reads(clickhouse: RunningClickHouse, table: str) -> None:
    with ExitStack() as stack:
        readers = [stack.enter_context(send_endless(clickhouse)) for _ in range(3)]
        assert process.wait_until(lambda: running_endless(clickhouse) == 3, PATIENCE_SECONDS)
        for batch in range(5):
            sql = {
                "query": f"INSERT INTO {table} FORMAT JSONEachRow",
                "insert_deduplication_token": str(batch),
            }
            assert ask(clickhouse, json_rows(range(100)), sql).status == 200
        assert ask(clickhouse, f"SELECT count() FROM {table}").text == "500\n"
        for reader in readers:  # the inserts are done, and these still wait for their answer
            reader.setblocking(False)
            with pytest.raises(BlockingIOError):
                reader.recv(1)
    # A client that goes away ends its query, long before the time limit would.
    assert process.wait_until(lambda: running_endless(clickhouse) == 0, 20)


def test_writers_in_parallel_store_every_row_once(clickhouse: RunningClickHouse, table: str) -> None:
    def write(writer: int) -> None:
        for batch in range(5):
            sql = {"query": f"INSERT INTO {table} FORMAT JSONEachRow"}
            sql["insert_deduplication_token"] = f"{writer}-{batch}"
            first = writer * 500 + batch * 100
            ask(clickhouse, json_rows(range(first, first + 100)), sql)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    assert ask(clickhouse, f"SELECT count(), uniqExact(id) FROM {table}").text == "3000\t3000\n"


def test_a_full_queue_says_try_again(clickhouse: RunningClickHouse) -> None:
    with ExitStack() as stack:
        for _ in range(37):  # four run, one place is the writer's, 32 wait
            stack.enter_context(send_endless(clickhouse))
        assert process.wait_until(lambda: ask(clickhouse, "SELECT 1").status == 503, PATIENCE_SECONDS)
        assert ask(clickhouse, "SELECT 1").code == "202"
    assert process.wait_until(lambda: ask(clickhouse, "SELECT 1").text == "1\n", PATIENCE_SECONDS)


def test_statements_stand_alone(clickhouse: RunningClickHouse, table: str) -> None:
    assert ask(clickhouse, "SELECT getSetting('max_threads')", {"max_threads": "1"}).text == "1\n"
    assert ask(clickhouse, "SELECT getSetting('max_threads')").text != "1\n"
    created = ask(clickhouse, "CREATE DATABASE IF NOT EXISTS elsewhere")
    assert created.status == 200, created
    assert ask(clickhouse, "SELECT currentDatabase()", {"database": "elsewhere"}).text == "elsewhere\n"
    assert ask(clickhouse, "SELECT currentDatabase()").text == "default\n"
    assert ask(clickhouse, "SELECT 1", {"database": "nowhere"}).code == "81"
    assert ask(clickhouse, "SET max_threads = 1").code == "497"


def test_rows_of_statements_that_select_are_counted(clickhouse: RunningClickHouse, table: str) -> None:
    reply, _ = exchange(clickhouse, f"INSERT INTO {table} (id) SELECT number FROM numbers(10)")
    assert json.loads(reply.headers["X-ClickHouse-Summary"])["written_rows"] == "10"
    assert ask(clickhouse, f"INSERT INTO {table} (id, customer) VALUES (1, 'a'), (2, concat('b', 'c'))").status == 200
    assert ask(clickhouse, f"ALTER TABLE {table} DELETE WHERE id > 5", {"mutations_sync": "2"}).status == 200
    assert ask(clickhouse, f"SELECT count() FROM {table}").text == "8\n"
