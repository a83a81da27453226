"""Real Apache Kafka on this machine: one KRaft node, loopback only, its data below `<data dir>/kafka`.

For trying out, demonstrating and testing Touchline; production names its own brokers. Laws:
- one broker per data directory: a second start finds the first (file lock and record file);
- an owned broker never outlives the process that started it; a detached one lives until `stop_kafka`;
- the same data directory keeps its cluster id and, while they are free, its ports, so that clients reconnect;
- acknowledged records survive a kill -9 of the broker; with `durable` also a power cut.

Everything here blocks; all waits are bounded.
"""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.embedded import home as homes
from deploy.embedded import kafka_node as node
from deploy.embedded import process
from deploy.embedded.jars import ensure_jars
from deploy.embedded.java import find_java
from deploy.embedded.process import EmbeddedError, Record

START_SECONDS: Final = 60.0
RECOVERY_SECONDS: Final = 600.0  # whatever it says
STOP_SECONDS: Final = 15.0
OWNER_DEATH_SECONDS: Final = 5.0  # grace the supervisor gives a broker whose owner died
MIN_FREE_BYTES: Final = 256 * 1024 * 1024
TAIL_BYTES: Final = 64 * 1024

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class RunningKafka:
    bootstrap: str
    port: int
    pid: int
    log_path: Path
    data_dir: Path
    record: Record


@dataclass(frozen=True, slots=True)
class _Wish:
    port: int | None
    durable: bool
    detached: bool
    short_lived: bool
    progress: Progress
    jars_dir: Path | None
    timeout_seconds: float


def start_kafka(
    data_dir: Path,
    *,
    port: int | None = None,
    durable: bool = False,
    detached: bool = False,
    short_lived: bool = False,
    progress: Progress = lambda _: None,
    jars_dir: Path | None = None,
    timeout_seconds: float = START_SECONDS,
) -> RunningKafka:
    """Returns once the broker serves: about 3 s, 6 s after a kill -9. Finds the one that runs here already.

    `detached`: it lives on after this process. `short_lived`: for tests; a start costs 2 s of CPU less, the peak is
    lower. `jars_dir`: instead of the user's cache. `timeout_seconds`: for the broker, not for fetching jars.
    Raises EmbeddedError.
    """
    wish = _Wish(port, durable, detached, short_lived, progress, jars_dir, timeout_seconds)
    home = _home(data_dir)
    with homes.disk_errors(home, node.disk_full):
        homes.make(home)
        with process.locked(home / homes.LOCK, timeout_seconds=timeout_seconds + STOP_SECONDS):
            found = homes.find_or_clear(home, grace_seconds=OWNER_DEATH_SECONDS)
            if found is None:
                return _running(data_dir, _start(home, wish))
            _check_same(found, home, wish)
            _await_ready(found, home, since=homes.log_size(Path(found.log_path)), timeout_seconds=timeout_seconds)
            return _running(data_dir, found)


def find_running(data_dir: Path) -> RunningKafka | None:
    """The broker of this data directory if it is up, else None. Does not wait for a start or a stop."""
    record = homes.find_served(_home(data_dir))
    if record is None or not process.is_listening(record.ports["kafka"]):
        return None
    return _running(data_dir, record)


def why_ended(data_dir: Path) -> str | None:
    """Why a broker that nobody stopped is gone, as far as its log says; None when there is none such."""
    home = _home(data_dir)
    if not homes.has_fallen(home):
        return None
    log = homes.log_of_run(home, home / "broker.log", tail_bytes=TAIL_BYTES)
    last = log.rstrip().rpartition("\n")[2][:200] or "none"
    return str(node.cause_of(log, home, 0) or f"its last words: {last} (all of them: {home / 'broker.log'})")


def stop_kafka(data_dir: Path) -> bool:
    """Stops the broker in order, whoever started it. False when none ran."""
    return homes.stop(_home(data_dir), lock_seconds=START_SECONDS + STOP_SECONDS, grace_seconds=STOP_SECONDS)


def kill_kafka(running: RunningKafka) -> bool:
    """SIGKILL, for fault tests and the demo; returns when it is gone. Start again with the same port."""
    return process.kill(running.record)


def _home(data_dir: Path) -> Path:
    return data_dir.absolute() / "kafka"


def _running(data_dir: Path, record: Record) -> RunningKafka:
    port = record.ports["kafka"]
    return RunningKafka(
        f"{process.LOOPBACK}:{port}", port, record.pid, Path(record.log_path), data_dir.absolute(), record
    )


def _start(home: Path, wish: _Wish) -> Record:
    if shutil.disk_usage(home).free < MIN_FREE_BYTES:
        raise node.disk_full(home)
    java = find_java()
    class_path = ensure_jars(wish.jars_dir, wish.progress)
    cluster = node.open_cluster(home, wish.port)
    shutil.rmtree(home / "tmp", ignore_errors=True)
    (home / "tmp").mkdir()
    if not (home / "data").exists():
        wish.progress("Kafka: preparing its data directory")
        node.format_data(home, cluster, java, class_path)
    properties = node.render_properties(cluster, log_dir="data", durable=wish.durable)
    process.write_whole(home / "server.properties", properties)
    wish.progress(f"Kafka: starting on port {cluster.port}")
    begun, since = time.monotonic(), homes.begin_log(home, home / "broker.log")
    record = process.spawn(
        node.java_command(java, class_path, "kafka.Kafka", "server.properties", short_lived=wish.short_lived),
        log_path=home / "broker.log",
        ports={"kafka": cluster.port, "controller": cluster.controller_port},
        detached=wish.detached,
        grace_seconds=OWNER_DEATH_SECONDS,
        cwd=home,
    )
    process.write_record(home / homes.RECORD, record)
    _await_ready(record, home, since=since, timeout_seconds=wish.timeout_seconds)
    wish.progress(f"Kafka: ready after {time.monotonic() - begun:.1f} s")
    return record


def _check_same(found: Record, home: Path, wish: _Wish) -> None:
    """A running broker is taken as it is; one that does less than was asked for is an error."""
    port = found.ports["kafka"]
    if wish.port not in (None, port):
        raise EmbeddedError(
            f"Kafka runs on {home} already, on port {port}, not {wish.port}: stop it first, or take its port"
        )
    if wish.detached and found.owner_pid is not None:
        raise EmbeddedError(f"Kafka runs on {home} already and ends with process {found.owner_pid}: end that one first")
    if wish.durable and node.DURABLE_LINE not in (home / "server.properties").read_text().splitlines():
        raise EmbeddedError(f"Kafka runs on {home} already, but not with durable writes: stop it first")


def _serves_or_ends(record: Record, timeout_seconds: float) -> bool:
    """False when it has done neither, and for so long has said nothing more. While it says something it is at work:
    after a kill or a full disk it reads its log anew, and one that is killed for being slow has to begin again.
    """
    log, port, give_up = Path(record.log_path), record.ports["kafka"], time.monotonic() + RECOVERY_SECONDS
    while True:
        said = homes.log_size(log)
        if process.wait_until(lambda: node.serves(port) or not process.is_alive(record), timeout_seconds):
            return True
        if homes.log_size(log) == said or time.monotonic() > give_up:
            return False


def _await_ready(record: Record, home: Path, *, since: int, timeout_seconds: float) -> None:
    port, log_path = record.ports["kafka"], Path(record.log_path)
    if _serves_or_ends(record, timeout_seconds):
        if process.is_alive(record):
            return
        what = "ended while it started"
    else:
        what = f"did not come up within {timeout_seconds:.0f} s"
    process.terminate(record, grace_seconds=1.0)
    log = homes.log_since(log_path, since, tail_bytes=TAIL_BYTES)
    last = log.rstrip().rpartition("\n")[2][:200] or "nothing"
    raise node.cause_of(log, home, port) or EmbeddedError(
        f"Kafka {what} (last line of its log: {last}): read {record.log_path}, then try again"
    )
