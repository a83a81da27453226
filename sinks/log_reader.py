"""Reading topics as a member of a consumer group, with metadata beside each committed offset. The one file that
knows kafka-python.

Rebalances happen inside `poll` only. Its answer says which partitions were lost and gained *before* the records
in it, so that a reader forgets what it no longer owns before it commits anything: the broker checks the
generation, not who owns a partition.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Any, NamedTuple, Protocol

from aiokafka.record.util import calc_crc32c
from kafka import KafkaConsumer
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    RebalanceInProgressError,
    RetriableError,
    UnknownMemberIdError,
)
from kafka.record import util as kafka_records
from kafka.structs import MemberState, OffsetAndMetadata, TopicPartition

from schemas.settings import heartbeat_ms

# kafka-python's own checksum is pure Python, ten times the cost of everything else it does with a record.
kafka_records.calc_crc32c.__defaults__ = (calc_crc32c,)

FETCH_BYTES = 16 << 20
PARTITION_FETCH_BYTES = 2 << 20
COMMIT_SECONDS = 10.0
JOIN_MS = 2_000
TOPIC_SECONDS = 30.0


class Partition(NamedTuple):
    """`topic` with the deployment's prefix, as Kafka knows it."""

    topic: str
    partition: int


class LogRecord(Protocol):
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def value(self) -> bytes | None: ...


class Committed(NamedTuple):
    offset: int
    metadata: str


@dataclass(frozen=True, slots=True)
class Gained:
    """A partition that is ours now. `committed` is None when the group never committed; offsets `start` to
    `end` exist."""

    committed: Committed | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Polled:
    lost: frozenset[Partition] = frozenset()
    gained: Mapping[Partition, Gained] = field(default_factory=dict)
    records: Mapping[Partition, Sequence[LogRecord]] = field(default_factory=dict)


class TopicsMissing(Exception):
    """Says which topics are not there."""


class NotCommitted(Exception):
    """The commit did not happen, or nobody knows; poll, and try again with what is still owned."""


class Log(Protocol):
    """What a sink needs of Kafka. Calls block for at most their timeout, or COMMIT_SECONDS; a poll that joins the group
    for up to JOIN_MS."""

    def poll(self, timeout_ms: int, max_records: int) -> Polled: ...
    def commit(self, offsets: Mapping[Partition, Committed]) -> None: ...
    def pause(self, partitions: Collection[Partition]) -> None: ...
    def resume(self, partitions: Collection[Partition]) -> None: ...
    def start_of(self, partition: Partition) -> int: ...
    def end_of(self, partition: Partition) -> int | None: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class KafkaOptions:
    """How to reach Kafka. `instance` makes the membership static: a restart takes its partitions back at once."""

    bootstrap: str
    group: str
    topics: tuple[str, ...]
    instance: str | None = None
    session_timeout_ms: int = 10_000
    security: Mapping[str, Any] = field(default_factory=dict)


class _Rebalances(ConsumerRebalanceListener):  # type: ignore[misc]  # Untyped base class.
    """Only takes notes; `KafkaLog.poll` acts on them when the client is done."""

    def __init__(self) -> None:
        self.lost: set[Partition] = set()
        self.gained: set[Partition] = set()

    def on_partitions_revoked(self, revoked: Collection[Any]) -> None:
        gone = {Partition(*found) for found in revoked}
        self.lost |= gone
        self.gained -= gone

    def on_partitions_lost(self, lost: Collection[Any]) -> None:
        self.on_partitions_revoked(lost)

    def on_partitions_assigned(self, assigned: Collection[Any]) -> None:
        self.gained |= {Partition(*found) for found in assigned}


class KafkaLog:
    """One consumer. Not thread-safe. Creating it raises KafkaConnectionError or KafkaTimeoutError when no
    broker answers."""

    def __init__(self, options: KafkaOptions) -> None:
        self._rebalances = _Rebalances()
        self._consumer = KafkaConsumer(
            bootstrap_servers=options.bootstrap.split(","),
            group_id=options.group,
            group_instance_id=options.instance,
            client_id=options.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
            session_timeout_ms=options.session_timeout_ms,
            heartbeat_interval_ms=heartbeat_ms(options.session_timeout_ms),
            fetch_max_wait_ms=100,
            fetch_max_bytes=FETCH_BYTES,
            max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
            metadata_max_age_ms=30_000,
            **options.security,
        )
        self._await_topics(options.topics)
        self._consumer.subscribe(topics=list(options.topics), listener=self._rebalances)

    def _await_topics(self, topics: Collection[str]) -> None:
        """Who joins a group before it knows the topics gets no partitions; a static member would keep none for ever."""
        deadline = monotonic() + TOPIC_SECONDS
        while missing := [topic for topic in topics if not self._consumer.partitions_for_topic(topic)]:
            if monotonic() > deadline:
                self._consumer.close(autocommit=False, timeout_ms=0)
                raise TopicsMissing(f"topics {', '.join(missing)} do not exist; create them first")
            sleep(0.1)

    def poll(self, timeout_ms: int, max_records: int) -> Polled:
        # The client throws a finished join away when the poll that waited for it ran out of time just before, and
        # joins anew. With short polls two members drive each other through rebalances without end.
        if self._consumer.group_metadata().state != MemberState.STABLE:
            timeout_ms = max(timeout_ms, JOIN_MS)
        found = self._consumer.poll(timeout_ms=timeout_ms, max_records=max_records)
        records = {Partition(*where): values for where, values in found.items()}
        if not self._rebalances.lost and not self._rebalances.gained:
            return Polled(records=records)
        lost = frozenset(self._rebalances.lost)
        gained = self._look_up(self._rebalances.gained)
        self._rebalances.lost, self._rebalances.gained = set(), set()
        # The client goes on from where it was in a partition that it had before; its reader forgot what it had read.
        for where, start in gained.items():
            self._consumer.seek(TopicPartition(*where), start.committed.offset if start.committed else start.start)
        return Polled(lost, gained, {where: values for where, values in records.items() if where not in gained})

    def _look_up(self, partitions: Collection[Partition]) -> dict[Partition, Gained]:
        native = [TopicPartition(*found) for found in partitions]
        if not native:
            return {}
        starts, ends = self._consumer.beginning_offsets(native), self._consumer.end_offsets(native)
        gained = {}
        for found in native:
            stored = self._consumer.committed(found, metadata=True)
            known = stored is not None and stored.offset >= 0
            committed = Committed(stored.offset, stored.metadata or "") if known else None
            gained[Partition(*found)] = Gained(committed, starts[found], ends[found])
        return gained

    def commit(self, offsets: Mapping[Partition, Committed]) -> None:
        """Raises NotCommitted; other Kafka errors (no permission, fenced by a process of the same name) are final."""
        native = {
            TopicPartition(*where): OffsetAndMetadata(found.offset, found.metadata, -1)
            for where, found in offsets.items()
        }
        try:
            self._consumer.commit(native, timeout_ms=int(COMMIT_SECONDS * 1000))
        except (
            RetriableError,
            CommitFailedError,
            RebalanceInProgressError,
            IllegalGenerationError,
            UnknownMemberIdError,
        ) as error:
            raise NotCommitted(type(error).__name__) from error

    def pause(self, partitions: Collection[Partition]) -> None:
        self._consumer.pause(*[TopicPartition(*found) for found in partitions])

    def resume(self, partitions: Collection[Partition]) -> None:
        self._consumer.resume(*[TopicPartition(*found) for found in partitions])

    def start_of(self, partition: Partition) -> int:
        found = TopicPartition(*partition)
        return int(self._consumer.beginning_offsets([found])[found])

    def end_of(self, partition: Partition) -> int | None:
        """The end of the partition as the last fetch saw it; None before the first fetch. Does not block."""
        end = self._consumer.highwater(TopicPartition(*partition))
        return None if end is None else int(end)

    def close(self) -> None:
        self._consumer.close(autocommit=False, timeout_ms=int(COMMIT_SECONDS * 1000))
