"""What the workers' shell must be told: the group, the broker, bounds. Values only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from streams.stage import Effect, Stage

BATCHES_PER_PARTITION = 2
"""Fetched batches that one partition's task may hold: one is at work and one is ready."""
SMALL_BYTES = 128 * 1024
"""Batches that are smaller than this together do not count: at a low rate a fetch holds a record or two."""


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """`instance` must be the same in every life of this worker (static membership), and unique within the group."""

    app_id: str
    instance: str
    bootstrap: str
    fingerprint: str
    topic_prefix: str = ""
    kafka: Mapping[str, object] = field(default_factory=dict)
    """Extra options for every aiokafka and kafka-python client: security_protocol, sasl_*, ssl_context."""
    accept_unclean: bool = False
    """A person's word that another build may redo what a crashed one may have sent already."""
    checkpoint_interval_ms: int = 1_000
    commit_interval_ms: int = 1_000
    session_timeout_ms: int = 10_000
    drain_timeout_ms: int = 15_000
    stop_timeout_ms: int = 30_000
    beat_interval_ms: int = 250
    fetch_bytes: int = 512 * 1024
    effect_batch_bytes: int = 1024 * 1024
    transaction_timeout_ms: int = 30_000
    request_timeout_ms: int = 40_000
    """After so long without the effect topic or its leader the process gives up, and is started again."""
    opening_at_once: int = 4
    """Partitions that restore their state at the same time."""
    quarantine_topic: str = "quarantine"
    health_host: str = "127.0.0.1"
    health_port: int | None = None
    """None: no health server; 0: any free port."""

    def physical(self, topic: str) -> str:
        """A catalogue name as the broker knows it."""
        return self.topic_prefix + topic


@dataclass(frozen=True, slots=True)
class StageSpec:
    """One stage: its name (agent, transactional ids, metrics), its topics by catalogue name, its maker."""

    name: str
    source: str
    changelog: str
    partitions: int
    factory: Callable[[int], Stage]
    beat: Callable[[int, int], Effect] | None = None
    """Makes the beat record of an owned partition at a time (ms), for deployments in which no collector beats."""


class Place(NamedTuple):
    """Where something happens. `topic` is the physical name."""

    stage: str
    topic: str
    partition: int

    def __str__(self) -> str:
        return f"stage {self.stage}, topic {self.topic}, partition {self.partition}"
