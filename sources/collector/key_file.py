"""The file of write keys, followed while the collector runs: a new source needs no restart, a lost key is shut out.

Laws:
- what is in force is a whole file that was understood. One that cannot be used changes nothing: log and metrics say so;
- a file is taken when it has lain still from one look to the next, or when somebody asks (SIGHUP). A half-written one
  would turn away senders whose SDKs throw away what was turned away;
- reading never holds up requests: it happens in a thread.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final, Literal

import structlog

from sources.collector.keys import KeyFileError, Source, load_keys
from sources.collector.metrics import Metrics

LOOK_SECONDS: Final = 2.0

Outcome = Literal["taken", "kept"]
_Print = tuple[int, int, int, int] | None
"""Tells one version of a file from another; None: there is no file."""

log = structlog.get_logger()


class KeyFile:
    """`problem`: why the file as it lies there is not in force; None when it is. Raises KeyFileError at the start."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read: _Print = _print_of(file)
        self._changed: _Print = self._read
        self._keys = load_keys(file)
        self._asked = asyncio.Event()
        self.problem: str | None = None

    def find(self, key: str) -> Source | None:
        return self._keys.find(key)

    def look(self) -> Outcome | None:
        """Reads the file if it has changed and lies still. None: nothing to do. Blocks for the reading."""
        found = _print_of(self._file)
        if found == self._read:
            self._changed = found
            return None
        if found != self._changed:
            self._changed = found
            return None
        return self.read()

    def read(self) -> Outcome:
        """Reads the file as it is. Blocks."""
        self._read = self._changed = _print_of(self._file)  # first: what is written from now on is another version
        try:
            self._keys, self.problem = load_keys(self._file), None
        except KeyFileError as error:
            self.problem = str(error)
            return "kept"
        return "taken"

    def read_again(self) -> None:
        """Asks `watch` to read now. For the loop that runs `watch`."""
        self._asked.set()

    async def watch(self, metrics: Metrics, look_seconds: float = LOOK_SECONDS) -> None:
        """Ends when cancelled."""
        metrics.write_keys.set(len(self._keys))
        metrics.write_keys_stale.set(0)
        while True:
            try:
                async with asyncio.timeout(look_seconds):
                    await self._asked.wait()
            except TimeoutError:
                outcome = await asyncio.to_thread(self.look)
            else:
                self._asked.clear()
                outcome = await asyncio.to_thread(self.read)
            if outcome is not None:
                self._tell(outcome, metrics)

    def _tell(self, outcome: Outcome, metrics: Metrics) -> None:
        metrics.write_key_readings.labels(outcome).inc()
        metrics.write_keys.set(len(self._keys))
        metrics.write_keys_stale.set(outcome == "kept")
        if outcome == "taken":
            log.info("write_keys_taken", keys=len(self._keys), sources=len(self._keys.sources))
        else:
            log.warning("write_keys_kept", problem=self.problem, keys=len(self._keys))


def _print_of(file: Path) -> _Print:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
