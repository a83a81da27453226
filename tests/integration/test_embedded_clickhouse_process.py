"""The embedded ClickHouse is found again, keeps what it acknowledged, and is never left behind."""

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.embedded import process
from deploy.embedded.clickhouse.launch import (
    RunningClickHouse,
    find_running,
    kill_clickhouse,
    start_clickhouse,
    stop_clickhouse,
)
from deploy.embedded.process import EmbeddedError
from tests.integration.clickhouse_http import ask
from tests.integration.patience import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]
CREATE = (
    "CREATE TABLE kept (id UInt64) ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 100"
)


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "data"
    stop_clickhouse(tmp_path / "data")


def insert(running: RunningClickHouse, token: str) -> None:
    rows = "\n".join(f'{{"id":{number}}}' for number in range(1000))
    sql = {"query": "INSERT INTO kept FORMAT JSONEachRow", "insert_deduplication_token": token}
    assert ask(running, rows, sql).status == 200


def stored(running: RunningClickHouse) -> str:
    return ask(running, "SELECT count() FROM kept").text.strip()


def test_acknowledged_batches_and_their_tokens_survive_a_kill(data_dir: Path) -> None:
    running = start_clickhouse(data_dir)
    assert ask(running, CREATE).status == 200
    for token in ("a", "a", "b"):
        insert(running, token)
    assert stored(running) == "2000"
    assert kill_clickhouse(running)
    assert find_running(data_dir) is None
    again = start_clickhouse(data_dir)
    assert (again.port, again.writer_password) == (running.port, running.writer_password)
    assert again.pid != running.pid
    assert stored(again) == "2000"
    for token in ("a", "b", "c"):
        insert(again, token)
    assert stored(again) == "3000"


def test_a_second_start_finds_the_first_and_a_stop_ends_it_in_order(data_dir: Path) -> None:
    first = start_clickhouse(data_dir, detached=True, bi_password="chosen by the operator")
    assert start_clickhouse(data_dir).pid == first.pid
    assert find_running(data_dir) == first
    assert first.bi_password == "chosen by the operator"
    assert ask(first, "SELECT 1", user="bi", password=first.bi_password).text == "1\n"
    assert stat.S_IMODE((data_dir / "credentials.json").stat().st_mode) == 0o600
    assert first.writer_password not in repr(first)
    with pytest.raises(EmbeddedError, match="stop it first"):
        start_clickhouse(data_dir, port=first.port + 1)
    assert ask(first, CREATE).status == 200
    insert(first, "a")
    assert stop_clickhouse(data_dir)
    assert not (data_dir / "clickhouse" / "data" / "status").exists()  # the engine was closed
    assert not stop_clickhouse(data_dir)
    assert find_running(data_dir) is None
    again = start_clickhouse(data_dir)
    assert again.port == first.port
    assert stored(again) == "1000"


def test_it_listens_on_loopback_only_and_names_no_password(data_dir: Path) -> None:
    running = start_clickhouse(data_dir)
    command = subprocess.run(
        ["ps", "-o", "args=", "-p", str(running.pid)], check=True, capture_output=True, text=True
    ).stdout
    assert running.writer_password not in command + running.log_path.read_text()
    with socket.socket() as other:
        other.bind(("127.0.0.2", running.port))  # free: the server took 127.0.0.1, not every address


OWNER = """
import os, sys
from pathlib import Path
from deploy.embedded.clickhouse.launch import start_clickhouse
print(start_clickhouse(Path(sys.argv[1])).pid, flush=True)
sys.stdin.read()
"""


def test_it_never_outlives_its_owner(data_dir: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(data_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    assert owner.stdout is not None
    assert owner.stdin is not None
    with owner.stdout, owner.stdin:
        pid = int(owner.stdout.readline())
        assert process.start_time(pid) is not None
        os.kill(owner.pid, signal.SIGKILL)
        owner.wait()
        assert process.wait_until(lambda: process.start_time(pid) is None, PATIENCE_SECONDS)
    assert stored(start_and_create(data_dir)) == "0"


def start_and_create(data_dir: Path) -> RunningClickHouse:
    running = start_clickhouse(data_dir)
    assert ask(running, CREATE).status == 200
    return running


def test_a_taken_port_is_named(data_dir: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(EmbeddedError, match=rf"port {port} on 127\.0\.0\.1 is taken.*give another port"):
            start_clickhouse(data_dir, port=port)


def test_a_path_that_another_process_holds_is_named(data_dir: Path) -> None:
    running = start_clickhouse(data_dir)
    command = [sys.executable, "-m", "deploy.embedded.clickhouse", "--data-dir", str(data_dir)]
    second = subprocess.run(
        [*command, "--port", str(running.port + 1)], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )
    assert second.returncode == 3
    assert "another process has it open" in second.stderr.splitlines()[-1]
    assert ask(running, "SELECT 1").text == "1\n"


def test_a_start_that_fails_says_why(data_dir: Path) -> None:
    (data_dir / "clickhouse").mkdir(parents=True)
    (data_dir / "clickhouse" / "data").write_text("no directory")
    with pytest.raises(EmbeddedError, match="cannot be"):
        start_clickhouse(data_dir)


def test_a_data_directory_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedError, match="give another data directory"):
        start_clickhouse(tmp_path / "file")


def test_memory_is_capped(data_dir: Path) -> None:
    running = start_clickhouse(data_dir, memory_bytes=700 << 20)
    reply = ask(running, "SELECT length(groupArray(number)) FROM numbers(1000000000)")
    assert reply.code == "241"
    assert "higher memory limit" in reply.text
    assert ask(running, "SELECT 1").text == "1\n"
