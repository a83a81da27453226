"""Real Apache Kafka on this machine: one KRaft node, loopback only, its data below `<data dir>/kafka`.

For trying out, demonstrating and testing Touchline; production names its own brokers and never comes here. Laws:
- one broker per data directory: a second start finds the first (file lock and record file);
- an owned broker never outlives the process that started it, a detached one lives until `stop_kafka` (process.py);
- the same data directory keeps its cluster id and, while they are free, its ports, so that clients reconnect;
- acknowledged records survive a kill -9 of the broker; with `durable` also a power cut.

Formatting happens in a directory of its own that is renamed when complete, so that a start cut short leaves nothing half
made. Everything here blocks; all waits are bounded.
"""

import base64
import errno
import json
import re
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Final

from deploy.embedded import process
from deploy.embedded.jars import Progress, ensure_jars
from deploy.embedded.java import Java, find_java
from deploy.embedded.process import EmbeddedError, Record

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 15.0
OWNER_DEATH_SECONDS: Final = 5.0  # grace the supervisor gives a broker whose owner died
MIN_FREE_BYTES: Final = 256 * 1024 * 1024
MAX_HEAP: Final = "512m"
TEMPLATE: Final = Path(__file__).with_name("server.properties")


@dataclass(frozen=True, slots=True)
class RunningKafka:
    bootstrap: str
    port: int
    pid: int
    log_path: Path
    data_dir: Path
    record: Record


def start_kafka(
    data_dir: Path,
    *,
    port: int | None = None,
    durable: bool = False,
    detached: bool = False,
    progress: Progress = lambda _: None,
    jars_dir: Path | None = None,
    timeout_seconds: float = START_SECONDS,
) -> RunningKafka:
    """Returns once the broker serves: about 3 s, 6 s after a kill -9. Finds the one that runs here already.

    `detached`: lives on after this process. `jars_dir`: instead of the user's cache. Raises EmbeddedError.
    """
    home = _home(data_dir)
    with _disk_errors(home):
        home.mkdir(parents=True, exist_ok=True)
        with process.locked(home / "lock", timeout_seconds=timeout_seconds + STOP_SECONDS):
            found = _await_owner_death(home)
            if found is not None:
                _check_same(found, home, port=port, durable=durable)
                _await_ready(found, timeout_seconds)
                return _running(data_dir, found)
            return _start(data_dir, port, durable, detached, progress, jars_dir, timeout_seconds)


def find_running(data_dir: Path) -> RunningKafka | None:
    """The broker of this data directory if it is up, else None. Does not wait for one that starts or stops."""
    record = process.read_record(_home(data_dir) / "running.json")
    if record is None or not process.owner_lives(record) or not process.is_listening(record.ports["kafka"]):
        return None
    return _running(data_dir, record)


def stop_kafka(data_dir: Path) -> bool:
    """Stops the broker in order (about 2.5 s), whoever started it. False when none ran."""
    home = _home(data_dir)
    if not home.exists():
        return False
    with process.locked(home / "lock", timeout_seconds=START_SECONDS + STOP_SECONDS):
        record = process.read_record(home / "running.json")
        stopped = record is not None and process.terminate(record, grace_seconds=STOP_SECONDS)
        (home / "running.json").unlink(missing_ok=True)
        return stopped


def kill_kafka(running: RunningKafka) -> bool:
    """SIGKILL, for fault tests and the demo; returns when the process is gone. Start again with the same port."""
    return process.kill(running.record)


def _home(data_dir: Path) -> Path:
    return data_dir.absolute() / "kafka"


def _running(data_dir: Path, record: Record) -> RunningKafka:
    port = record.ports["kafka"]
    return RunningKafka(
        f"{process.LOOPBACK}:{port}", port, record.pid, Path(record.log_path), data_dir.absolute(), record
    )


def _start(
    data_dir: Path,
    port: int | None,
    durable: bool,
    detached: bool,
    progress: Progress,
    jars_dir: Path | None,
    timeout_seconds: float,
) -> RunningKafka:
    home = _home(data_dir)
    _check_space(home)
    java = find_java()
    class_path = ensure_jars(jars_dir, progress)
    cluster = node.open_cluster(home, port)
    shutil.rmtree(home / "tmp", ignore_errors=True)
    (home / "tmp").mkdir()
    if not (home / "data").exists():
        progress("Kafka: preparing its data directory")
        node.format_data(home, cluster, java, class_path)
    properties = node.render_properties(cluster, log_dir="data", durable=durable)
    process.write_whole(home / "server.properties", properties)
    progress(f"Kafka: starting on port {cluster.port}")
    begun = time.monotonic()
    record = process.spawn(
        node.java_command(java, class_path, "kafka.Kafka", "server.properties"),
        log_path=home / "broker.log",
        ports={"kafka": cluster.port, "controller": cluster.controller_port},
        detached=detached,
        grace_seconds=OWNER_DEATH_SECONDS,
        cwd=home,
    )
    process.write_record(home / "running.json", record)
    _await_ready(record, timeout_seconds)
    progress(f"Kafka: ready after {time.monotonic() - begun:.1f} s")
    return _running(data_dir, record)


def _await_owner_death(home: Path) -> Record | None:
    """The live broker of this directory. One whose owner just died is on its way out: waits for that."""
    record = process.read_record(home / "running.json")
    if record is None or process.owner_lives(record):
        return record
    process.terminate(record, grace_seconds=OWNER_DEATH_SECONDS)
    return None


def _check_same(found: Record, home: Path, *, port: int | None, durable: bool) -> None:
    """A running broker is taken as it is; one that would do less than was asked for is an error."""
    if port not in (None, found.ports["kafka"]):
        raise EmbeddedError(
            f"Kafka runs on {home} already, on port {found.ports['kafka']} and not {port}: stop it first, or take its port"
        )
    if durable and "log.flush.interval.messages=1" not in (home / "server.properties").read_text().splitlines():
        raise EmbeddedError(f"Kafka runs on {home} already, and not durable: stop it first")



