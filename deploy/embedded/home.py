"""The directory of one embedded server: its lock, its record, its log. Kafka and ClickHouse keep theirs alike.

Laws: one server per directory, whoever asks; a server whose owner is dead is being stopped and is not found. What
the server is and when it serves, its own module knows.
"""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from deploy.embedded import process
from deploy.embedded.process import EmbeddedError, Record

RECORD: Final = "running.json"
LOCK: Final = "lock"
LOG_BEGIN: Final = "log.begin"


def make(home: Path) -> None:
    """Raises EmbeddedError."""
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EmbeddedError(
            f"{error.filename or home} cannot be made ({error.strerror}): give another data directory"
            " (TOUCHLINE_DATA_DIR)"
        ) from error


def find_served(home: Path) -> Record | None:
    """The server that lives and will stay, else None. Does not wait for a start or a stop."""
    record = process.read_record(home / RECORD)
    return record if record is not None and process.owner_lives(record) else None


def find_or_clear(home: Path, *, grace_seconds: float) -> Record | None:
    """The live server of this directory. One whose owner is dead is being stopped: sees to it that it is.

    The caller holds the lock.
    """
    record = process.read_record(home / RECORD)
    if record is None or process.owner_lives(record):
        return record
    process.terminate(record, grace_seconds=grace_seconds)
    return None


def stop(home: Path, *, lock_seconds: float, grace_seconds: float) -> bool:
    """Stops the server in order, whoever started it. False when none ran. Leaves nothing where nothing was."""
    if not home.exists():
        return False
    with process.locked(home / LOCK, timeout_seconds=lock_seconds):
        record = process.read_record(home / RECORD)
        stopped = record is not None and process.terminate(record, grace_seconds=grace_seconds)
        (home / RECORD).unlink(missing_ok=True)
        return stopped


def has_fallen(home: Path) -> bool:
    """A server was started here, nobody stopped it, and it is gone."""
    return (home / RECORD).exists() and process.read_record(home / RECORD) is None


def begin_log(home: Path, log: Path) -> int:
    """The size of the log before a start, kept for `log_of_run`."""
    since = log_size(log)
    process.write_whole(home / LOG_BEGIN, str(since))
    return since


def log_of_run(home: Path, log: Path, *, tail_bytes: int) -> str:
    """What the server of the last start has said."""
    try:
        since = int((home / LOG_BEGIN).read_text())
    except (OSError, ValueError):
        since = 0
    return log_since(log, since, tail_bytes=tail_bytes) if log.exists() else ""


def log_size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def log_since(path: Path, offset: int, *, tail_bytes: int) -> str:
    """What was written after `offset`, at most its last `tail_bytes`."""
    size = log_size(path)
    with path.open("rb") as file:
        file.seek(max(0 if size < offset else offset, size - tail_bytes))  # smaller than before: it was rotated
        return file.read().decode(errors="replace")


@contextmanager
def disk_errors(home: Path, full: Callable[[Path], EmbeddedError]) -> Iterator[None]:
    """Errors of the disk under `home` as sentences. `full` says that there is no room left."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise full(home) from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
            raise EmbeddedError(
                f"{error.filename or home} cannot be written ({error.strerror}): give another data directory"
                " (TOUCHLINE_DATA_DIR)"
            ) from error
        raise
