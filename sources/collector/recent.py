"""What was just taken or refused, for `tail`: the newest few hundred lines, and a bounded queue for each
client that watches.

A line says what somebody needs who asks "I got 200, where is it?": name, source, channel, verdict and why,
never an identifier or a property. A client that is too slow loses lines and is told how many.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec

KEPT_MAX: Final = 500
QUEUE_MAX: Final = 1_000
CLIENTS_MAX: Final = 32


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One touchpoint at the door. `failure` and `field` for a refused one."""

    received_at: int
    verdict: Literal["accepted", "refused"]
    source: str
    message_id: str | None = None
    touchpoint_id: str | None = None
    name: str | None = None
    channel: str | None = None
    failure: str | None = None
    field: str | None = None


class TooManyClients(Exception):
    """No more than CLIENTS_MAX may watch."""


@dataclass(slots=True, eq=False)
class Watcher:
    """`source` None: all sources. `dropped`: lines lost since the client was last told. None in the queue: wake up."""

    source: str | None
    queue: asyncio.Queue[Line | None] = field(default_factory=lambda: asyncio.Queue(QUEUE_MAX))
    dropped: int = 0


class Recent:
    def __init__(self) -> None:
        self._kept: deque[Line] = deque(maxlen=KEPT_MAX)
        self._watchers: set[Watcher] = set()

    @property
    def watchers(self) -> int:
        return len(self._watchers)

    def kept(self, source: str | None, count: int) -> list[Line]:
        fitting = [line for line in self._kept if source in (None, line.source)]
        return fitting[-count:] if count else []

    def add(self, lines: Iterable[Line]) -> int:
        """How many lines were dropped, over all clients."""
        if not self._watchers:
            self._kept.extend(lines)
            return 0
        dropped = 0
        for line in lines:
            self._kept.append(line)
            for watcher in self._watchers:
                if watcher.source not in (None, line.source):
                    continue
                if watcher.queue.full():
                    watcher.dropped += 1
                    dropped += 1
                else:
                    watcher.queue.put_nowait(line)
        return dropped

    def wake(self) -> None:
        """All who wait for a line look up: the collector stops."""
        for watcher in self._watchers:
            if not watcher.queue.full():
                watcher.queue.put_nowait(None)

    @contextmanager
    def watching(self, source: str | None) -> Iterator[Watcher]:
        """Raises TooManyClients."""
        if len(self._watchers) >= CLIENTS_MAX:
            raise TooManyClients
        watcher = Watcher(source)
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)
