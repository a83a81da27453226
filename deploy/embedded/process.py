"""Child programs of the embedded mode: start, find again, stop; shared by Kafka and ClickHouse.

An *owned* child never outlives the process that started it, however that dies (supervisor.py says how). A
*detached* child lives until someone stops it. Either way a record file names the process, so that another
`touchline` finds it. A record counts only while a process with that pid *and* that start time lives: pids are
reused.

POSIX only (Linux, macOS): file locks and sessions.
"""

import errno
import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

LOOPBACK: Final = "127.0.0.1"
SUPERVISOR: Final = Path(__file__).with_name("supervisor.py")
MAX_LOG_BYTES: Final = 8 * 1024 * 1024
SPAWN_SECONDS: Final = 10.0
POLL_SECONDS: Final = 0.05
# Below the range Linux takes source ports from (32768 up): a client that keeps knocking on a closed port
# there can end up connected to itself, and then holds the port against the very server it waits for.
PORT_RANGE: Final = range(20_000, 32_000)

# Supervisors of the children this process owns, by child pid; keep them: a closed pipe ends the child.
_supervisors: dict[int, "subprocess.Popen[bytes]"] = {}


class EmbeddedError(Exception):
    """An embedded part cannot be started or used. One sentence: what was wrong, where, what to do."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is known about a running child. `started` is the kernel's start time of it, to be compared."""

    pid: int
    started: str
    owner_pid: int | None
    ports: Mapping[str, int]
    log_path: str


def start_time(pid: int) -> str | None:
    """With the pid it identifies a process. None when there is no such process, or only its zombie."""
    if sys.platform == "linux":
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        state, started = fields[0], fields[19]  # ticks since boot: no step of the clock changes it
    else:
        command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
        shown = subprocess.run(command, check=False, capture_output=True, text=True)
        state, _, started = shown.stdout.strip().partition(" ")
    return started if state and state[0] not in "ZX" else None


def is_alive(record: Record) -> bool:
    return start_time(record.pid) == record.started


def owner_lives(record: Record) -> bool:
    """False once the process that owns the child is gone and the child therefore being stopped."""
    return record.owner_pid is None or start_time(record.owner_pid) is not None


def spawn(
    argv: Sequence[str],
    *,
    log_path: Path,
    ports: Mapping[str, int],
    detached: bool = False,
    grace_seconds: float = 5.0,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Record:
    """Starts `argv`, its output appended to `log_path`; returns once it runs, which is before it is ready.

    May block up to SPAWN_SECONDS. Raises EmbeddedError when the program cannot be started.
    """
    _rotate(log_path)
    mode = "detached" if detached else "owned"
    command = [sys.executable, "-I", "-S", str(SUPERVISOR), mode, str(os.getpid()), str(grace_seconds), *argv]
    with log_path.open("ab") as log:
        supervisor = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=env,
            cwd=cwd,
            start_new_session=True,  # Ctrl-C belongs to the owner, who stops the child in order
        )
    assert supervisor.stdout is not None
    with supervisor.stdout as output:
        ready, _, _ = select.select([output], [], [], SPAWN_SECONDS)
        answer = output.readline().decode().strip() if ready else ""
    if not answer.isdecimal():
        _close(supervisor)
        raise EmbeddedError(f"cannot start {answer.removeprefix('error: ') or argv[0]}; see {log_path}")
    pid = int(answer)
    if detached:
        _close(supervisor)
    else:
        _supervisors[pid] = supervisor
    # A child that is gone already gets a start time that equals nobody's: its record is never alive.
    return Record(pid, start_time(pid) or "", None if detached else os.getpid(), dict(ports), str(log_path))


def _close(supervisor: "subprocess.Popen[bytes]") -> None:
    assert supervisor.stdin is not None
    supervisor.stdin.close()
    supervisor.wait()


def _rotate(log_path: Path) -> None:
    if log_path.exists() and log_path.stat().st_size > MAX_LOG_BYTES:
        log_path.replace(log_path.with_suffix(log_path.suffix + ".1"))


def terminate(record: Record, *, grace_seconds: float = 10.0) -> bool:
    """SIGTERM, after the grace SIGKILL; waits for the child's end. False when it was not alive."""
    alive = _signal(record, signal.SIGTERM)
    if alive and not wait_until(lambda: not is_alive(record), grace_seconds):
        _signal(record, signal.SIGKILL)
        wait_until(lambda: not is_alive(record), grace_seconds)
    _reap(record.pid)
    return alive


def kill(record: Record) -> bool:
    """SIGKILL, and waits until the process is gone. For fault tests. False when it was not alive."""
    alive = _signal(record, signal.SIGKILL)
    wait_until(lambda: not is_alive(record), 10.0)
    _reap(record.pid)
    return alive


def _signal(record: Record, number: signal.Signals) -> bool:
    if not is_alive(record):
        return False
    try:
        os.kill(record.pid, number)
    except ProcessLookupError:
        return False
    return True


def _reap(pid: int) -> None:
    supervisor = _supervisors.pop(pid, None)
    if supervisor is not None:
        _close(supervisor)


def wait_until(condition: Callable[[], bool], timeout_seconds: float) -> bool:
    """Polls until the condition holds; False when it did not within the time."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def write_record(path: Path, record: Record) -> None:
    write_whole(path, json.dumps({**asdict(record), "ports": dict(record.ports)}))


def write_whole(path: Path, text: str) -> None:
    """Replaces the file in one step; only its user may read it. Nobody ever reads a half-written one."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    partial.replace(path)


def read_record(path: Path) -> Record | None:
    """The record of a child that lives, else None. A broken file is none: the next start replaces it.

    Raises EmbeddedError for a file that is not for us to read.
    """
    try:
        stored = json.loads(path.read_text())
        ports = {str(name): int(port) for name, port in stored["ports"].items()}
        owner = stored["owner_pid"]
        record = Record(
            int(stored["pid"]), str(stored["started"]), owner and int(owner), ports, str(stored["log_path"])
        )
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError, AttributeError):
        return None
    except PermissionError as error:
        raise EmbeddedError(
            f"{path} cannot be read: it is somebody else's; give another data directory (TOUCHLINE_DATA_DIR)"
        ) from error
    return record if is_alive(record) else None


@contextmanager
def locked(path: Path, *, timeout_seconds: float) -> Iterator[None]:
    """Holds the file lock: one process (and thread) at a time. Raises EmbeddedError when it stays taken."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        if not wait_until(lambda: _try_lock(file.fileno()), timeout_seconds):
            raise EmbeddedError(
                f"{path} stayed locked for {timeout_seconds:.0f} s: another touchline starts or stops here;"
                " wait for it or end it, then try again"
            )
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: TIME_WAIT is not "taken"
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port(key: str, *, avoid: frozenset[int] = frozenset()) -> int:
    """A free loopback port; the same key (a data directory, say) tends to get the same port again."""
    offset = zlib.crc32(key.encode()) % len(PORT_RANGE)
    for step in range(len(PORT_RANGE)):
        port = PORT_RANGE[(offset + step) % len(PORT_RANGE)]
        if port not in avoid and is_free(port):
            return port
    raise EmbeddedError(
        f"no port from {PORT_RANGE.start} to {PORT_RANGE.stop - 1} is free on {LOOPBACK}; end a program that holds one"
    )


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((LOOPBACK, port)) == 0
