"""Start, find and stop the embedded ClickHouse from another process.

One engine per data directory: a second start finds the first. The same directory keeps its port while it is
free, so that clients reconnect after a restart. Its life follows the rules of `process`: an owned server never
outlives its owner, a detached one lives until `stop_clickhouse`. Everything here blocks; all waits are bounded.
"""

import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from deploy.embedded import home as homes
from deploy.embedded import process
from deploy.embedded.clickhouse.credentials import READER, WRITER, Credentials, credentials
from deploy.embedded.process import EmbeddedError, Record

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 40.0  # a reader's statement may run for its whole time limit
OWNER_DEATH_SECONDS: Final = 10.0
MIN_FREE_BYTES: Final = 256 * 1024 * 1024
LOG_TAIL_BYTES: Final = 16 * 1024
_SOURCE: Final = Path(__file__).parents[3]

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class RunningClickHouse:
    """`url` has no credentials in it. Passwords stay out of `repr`."""

    url: str
    port: int
    pid: int
    data_dir: Path
    log_path: Path
    record: Record = field(repr=False)
    writer_user: str
    writer_password: str = field(repr=False)
    bi_user: str
    bi_password: str = field(repr=False)


def start_clickhouse(
    data_dir: Path,
    *,
    port: int | None = None,
    detached: bool = False,
    progress: Progress = lambda _: None,
    writer_password: str | None = None,
    bi_password: str | None = None,
    memory_bytes: int | None = None,
    timeout_seconds: float = START_SECONDS,
) -> RunningClickHouse:
    """Returns once it answers queries, after about a second. Finds the one that runs here already.

    Passwords and memory given to a start that finds a running server do not reach it. Raises EmbeddedError.
    """
    home = _home(data_dir)
    with homes.disk_errors(home, _disk_full):
        homes.make(home)
        with process.locked(home / homes.LOCK, timeout_seconds=timeout_seconds + STOP_SECONDS):
            found = homes.find_or_clear(home, grace_seconds=OWNER_DEATH_SECONDS)
            if found is not None:
                if port not in (None, found.ports["http"]):
                    raise EmbeddedError(
                        f"ClickHouse runs on {home} already, on port {found.ports['http']}, not {port}:"
                        " stop it first, or take its port"
                    )
                _await_ready(found, 0, timeout_seconds)
                return _running(data_dir, found, credentials(data_dir))
            users = credentials(data_dir, writer_password=writer_password, reader_password=bi_password)
            if shutil.disk_usage(home).free < MIN_FREE_BYTES:
                raise _disk_full(home)
            chosen = _choose_port(home, port)
            progress(f"ClickHouse: starting on port {chosen}")
            record, since = _spawn(data_dir, chosen, detached=detached, memory_bytes=memory_bytes)
            _await_ready(record, since, timeout_seconds)
            progress("ClickHouse: ready")
            return _running(data_dir, record, users)


def find_running(data_dir: Path) -> RunningClickHouse | None:
    """The server of this data directory if it answers, else None. Does not wait for a start or a stop."""
    record = homes.find_served(_home(data_dir))
    if record is None or not _answers(record.ports["http"]):
        return None
    return _running(data_dir, record, credentials(data_dir))


def why_ended(data_dir: Path) -> str | None:
    """Why a server that nobody stopped is gone, as far as its log says; None when there is none such."""
    home = _home(data_dir)
    if not homes.has_fallen(home):
        return None
    last = homes.log_of_run(home, home / "server.log", tail_bytes=LOG_TAIL_BYTES).rstrip().rpartition("\n")[2]
    return f"its last words: {last or 'none'} (all of them: {home / 'server.log'})"


def stop_clickhouse(data_dir: Path) -> bool:
    """Stops it in order, whoever started it; flushes and closes the engine. False when none ran."""
    return homes.stop(_home(data_dir), lock_seconds=START_SECONDS + STOP_SECONDS, grace_seconds=STOP_SECONDS)


def kill_clickhouse(running: RunningClickHouse) -> bool:
    """SIGKILL, for fault tests; returns when it is gone. Start again with the same port."""
    return process.kill(running.record)


def _home(data_dir: Path) -> Path:
    return data_dir.absolute() / "clickhouse"


def _running(data_dir: Path, record: Record, users: Credentials) -> RunningClickHouse:
    port = record.ports["http"]
    return RunningClickHouse(
        url=f"http://{process.LOOPBACK}:{port}",
        port=port,
        pid=record.pid,
        data_dir=data_dir.absolute(),
        log_path=Path(record.log_path),
        record=record,
        writer_user=WRITER,
        writer_password=users.writer_password,
        bi_user=READER,
        bi_password=users.reader_password,
    )


def _choose_port(home: Path, wanted: int | None) -> int:
    if wanted is None:
        kept = _kept_port(home)
        return kept if kept is not None and process.is_free(kept) else process.free_port(str(home))
    if not process.is_free(wanted):
        raise EmbeddedError(
            f"port {wanted} on {process.LOOPBACK} is taken: end the program that holds it, or give another port"
        )
    return wanted


def _kept_port(home: Path) -> int | None:
    try:
        return int((home / "port").read_text())
    except (FileNotFoundError, ValueError):
        return None


def _spawn(data_dir: Path, port: int, *, detached: bool, memory_bytes: int | None) -> tuple[Record, int]:
    """Also the size that the log had before, since it is appended to."""
    home = _home(data_dir)
    log_path = home / "server.log"
    since = homes.begin_log(home, log_path)
    argv = [sys.executable, "-m", "deploy.embedded.clickhouse", "--data-dir", str(data_dir.absolute())]
    argv += ["--port", str(port)]
    if memory_bytes is not None:
        argv += ["--memory-bytes", str(memory_bytes)]
    process.write_whole(home / "port", str(port))
    record = process.spawn(
        argv,
        log_path=log_path,
        ports={"http": port},
        detached=detached,
        grace_seconds=OWNER_DEATH_SECONDS,
        cwd=_SOURCE,
    )
    process.write_record(home / homes.RECORD, record)
    return record, since


def _await_ready(record: Record, since: int, timeout_seconds: float) -> None:
    port = record.ports["http"]
    if process.wait_until(lambda: _answers(port) or not process.is_alive(record), timeout_seconds):
        if process.is_alive(record):
            return
        what = "ended while it started"
    else:
        what = f"did not answer within {timeout_seconds:.0f} s"
    process.terminate(record, grace_seconds=1.0)
    last = _last_line(Path(record.log_path), since)
    if last.startswith("error: "):
        raise EmbeddedError(f"ClickHouse: {last.removeprefix('error: ')}")
    raise EmbeddedError(f"ClickHouse {what} (last line of its log: {last}): read {record.log_path}, then try again")


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{process.LOOPBACK}:{port}/ping", timeout=2.0) as reply:
            return bool(reply.read() == b"Ok.\n")
    except (urllib.error.URLError, OSError):
        return False


def _last_line(log_path: Path, since: int) -> str:
    log = homes.log_since(log_path, since, tail_bytes=LOG_TAIL_BYTES)
    return log.rstrip().rpartition("\n")[2] or "nothing"


def _disk_full(home: Path) -> EmbeddedError:
    return EmbeddedError(
        f"{home} has less than {MIN_FREE_BYTES >> 20} MB free: free space, or give another data directory"
        " (TOUCHLINE_DATA_DIR)"
    )
