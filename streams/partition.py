"""What one partition's task has around it: its states, the store, the emitter, what a worker's partitions share."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from streams.checkpoint import Mark, Saved
from streams.metrics import WorkerMetrics
from streams.quarantine import QuarantineList
from streams.settings import Place, WorkerSettings
from streams.stage import Change, Effect


class State(enum.Enum):
    RESTORING = "restoring"
    RUNNING = "running"
    HALTED = "halted"
    STOPPED = "stopped"
    FENCED = "fenced"
    CLOSED = "closed"


class Emits(Protocol):
    async def send(self, effects: Sequence[Effect]) -> None: ...


class Store(Protocol):
    """What a partition keeps its state in; `Checkpoint` is the one."""

    async def restore(self) -> Saved: ...

    async def save(self, changes: Sequence[Change], mark: Mark) -> None: ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all partitions of a stage share."""

    settings: WorkerSettings
    emitter: Emits
    quarantined: QuarantineList
    metrics: WorkerMetrics
    topic_ids: dict[str, str]
    store: Callable[[Place, str], AbstractAsyncContextManager[Store]]
    """Opens what a partition keeps its state in: the place, and the changelog's catalogue name."""
    opening: asyncio.Semaphore
    room: Callable[[], None]
    """Called when a partition may be fetched again."""
