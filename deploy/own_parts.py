"""Our own processes of one data directory: started, found again, watched, ended.

Each has a log and, while it runs, a record below the data directory. One of a name at a time, whoever starts it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Final

from deploy.embedded import process
from deploy.embedded.process import EmbeddedError, Record
from deploy.part import Part, is_ready, last_line

READY_SECONDS: Final = 120.0  # a worker opens 25 partitions, over TLS on a busy machine in a minute
STOP_SECONDS: Final = 40.0
SPAWN_SECONDS: Final = 30.0
PORT_SECONDS: Final = 2.0
Progress = Callable[[str], None]


class OwnParts:
    """`parts`: by name, what can be started. Not thread-safe, but for `start`."""

    def __init__(self, home: Path, detached: bool) -> None:
        self.parts: dict[str, Part] = {}
        self._home, self._detached = home, detached
        self._records: dict[str, Record] = {}
        self._spawning = threading.Lock()

    def start(self, name: str) -> bool:
        """False when it runs already, and then it stays as it is. Two threads or processes may want the same one."""
        with self._spawning, process.locked(self._home / "run" / "lock", timeout_seconds=SPAWN_SECONDS):
            return self._spawn(self.parts[name])

    def _spawn(self, part: Part) -> bool:
        found = process.read_record(self._record_file(part.name))
        if found is not None:
            self.parts[part.name] = replace(part, health_port=found.ports["health"])
            self._records[part.name] = found
            return False
        # The one that was killed a moment ago may still be closing its sockets.
        if not process.wait_until(lambda: process.is_free(part.health_port), PORT_SECONDS):
            raise EmbeddedError(
                f"{part.name}: port {part.health_port} on {process.LOOPBACK} is taken by another program: end that"
                " program, or set another port (docs/settings.md)"
            )
        for folder in ("logs", "run"):
            (self._home / folder).mkdir(parents=True, exist_ok=True)
        record = process.spawn(
            [sys.executable, *part.argv],
            log_path=self._log(part.name),
            ports={"health": part.health_port},
            detached=self._detached,
            grace_seconds=STOP_SECONDS,
            env=part.env,
        )
        process.write_record(self._record_file(part.name), record)
        self._records[part.name] = record
        return True

    def await_ready(self, name: str) -> None:
        """Raises EmbeddedError when it ends before, or takes longer than READY_SECONDS."""

        def over() -> bool:
            return is_ready(self.parts[name].health_port) or not process.is_alive(self._records[name])

        process.wait_until(over, READY_SECONDS)
        if not is_ready(self.parts[name].health_port):
            alive = process.is_alive(self._records[name])
            state = f"is not ready after {READY_SECONDS:.0f} s" if alive else "has ended"
            raise EmbeddedError(
                f"{name} {state}; {self._words(name)}. When that is mended, `touchline up` goes on from here"
            )

    def attach(self) -> list[str]:
        """Find those that run already. Returns their names."""
        for file in self._record_files():
            record = process.read_record(file)
            if record is not None:
                self._records[file.stem] = record
                self.parts[file.stem] = Part(file.stem, (), record.ports["health"])
        return sorted(self._records)

    def fallen(self) -> dict[str, str]:
        """What ended though nobody stopped it, and its last words."""
        return {file.stem: self._words(file.stem) for file in self._record_files() if process.read_record(file) is None}

    def kill(self, name: str) -> None:
        """SIGKILL, with whatever is under way."""
        process.kill(self._records[name])

    def revive_fallen(self) -> list[str]:
        """Start again what has ended by itself. Returns names and last words."""
        fallen = [name for name, record in self._records.items() if not process.is_alive(record)]
        words = [f"{name} ({last_line(self._log(name))})" for name in fallen]
        for name in fallen:
            self.start(name)
        return words

    def stop(self, progress: Progress) -> None:
        """All at once. Safe to call twice."""
        records, self._records = self._records, {}
        if records:
            progress(f"{', '.join(records)}: stopping")
            with ThreadPoolExecutor(len(records)) as pool:
                list(pool.map(lambda record: process.terminate(record, grace_seconds=STOP_SECONDS), records.values()))
        for name in (*records, *self.fallen()):
            self._record_file(name).unlink(missing_ok=True)

    def _words(self, name: str) -> str:
        return f"its last words: {last_line(self._log(name))} (all of them: {self._log(name)})"

    def _log(self, name: str) -> Path:
        return self._home / "logs" / f"{name}.log"

    def _record_file(self, name: str) -> Path:
        return self._home / "run" / f"{name}.json"

    def _record_files(self) -> list[Path]:
        return sorted((self._home / "run").glob("*.json"))
