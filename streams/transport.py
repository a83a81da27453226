"""The batch transport: one Faust message per topic and fetch, holding a list of records for each of its partitions.

The only file that touches private attributes of Faust and of its aiokafka driver (versions are pinned). What it
changes, and why:

- stock Faust wraps, queues and acknowledges every record by itself: 57-102 us each. Here the agent receives lists of
  lists: at a low rate a fetch brings a record or two for each partition, so a message per partition costs the same;
- stock Faust commits what its streams acknowledged, past holes and before effects are safe. Here the offsets to
  commit come from the `Gate`, which names a position only after its checkpoint;
- reading starts where the checkpoint says: the gate names it, Faust's own seek to the committed offset is switched
  off;
- which partitions are fetched is the gate's decision alone, so that one full partition pauses and the others go on;
- a refused commit is a warning: the committed offset is a report for lag displays, the checkpoint is the truth.
"""

# ruff: noqa: SLF001 (this file exists to do that)

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar, cast

import aiokafka
import faust
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import ConsumerStoppedError, IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, TopicT
from faust.types.tuples import ConsumerMessage
from yarl import URL

from schemas.settings import heartbeat_ms
from streams.settings import WorkerSettings
from streams.stage import LogRecord

log = logging.getLogger(__name__)
T = TypeVar("T")

IDLE_POLL_SECONDS = 1.0
BUSY_POLL_SECONDS = 0.02
"""How long a fetch may wait while some partition is left out of it: its turn must not depend on the others' traffic."""
COMMIT_SECONDS = 15.0
"""A commit may wait for a coordinator that went away; the next one makes up for it."""
FETCH_WAIT_MS = 20
FETCH_MIN_BYTES = 64 * 1024
"""The broker answers a fetch when it has so much, or after so long. At a low rate this gathers what came for all
partitions: an answer, a batch and an append for each record cost all sides more CPU than the records."""
PREFETCH_BACKOFF_SECONDS = 0.01
"""aiokafka lets a partition with unread data delay the fetches of all others on its node by 0.1 s."""
NEVER_MS = 24 * 60 * 60 * 1000


class Taker(Protocol):
    def take(self, delivery: Delivery) -> None: ...


class Delivery(NamedTuple):
    """Records of one partition in offset order. `number` counts within one `life` of the partition's task."""

    runner: Taker
    life: object
    number: int
    size: int
    records: Sequence[LogRecord]


class SourceLog(Protocol):
    """What a partition's task asks of the consumer. May raise KafkaError."""

    async def committed(self, topic: str, partition: int) -> int | None: ...

    async def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """Offset of the first record kept, and the next offset to be written."""


class Gate(Protocol):
    """The shell, as the transport sees it. All calls come from the main loop."""

    def wanted(self) -> tuple[set[tuple[str, int]], bool]:
        """Partitions to fetch now, and whether an owned one is left out for the moment."""

    def seeks(self) -> dict[tuple[str, int], int]:
        """Partitions that have to be sought before they are fetched."""

    def sought(self, topic: str, partition: int, offset: int) -> None: ...

    async def wait_for_room(self, seconds: float) -> None:
        """Until `wanted` may answer differently, at most `seconds`."""

    def admit(self, topic: str, partition: int, records: Sequence[LogRecord]) -> Delivery | None: ...

    def positions(self) -> dict[tuple[str, int], int]:
        """Per owned partition the next offset after its last checkpoint."""

    def assigned(self, source: SourceLog, partitions: set[tuple[str, int]]) -> None: ...

    async def drain(self) -> None:
        """Finish or give up what is in flight in every partition, checkpoint, and let go of all of them. Bounded."""


class BatchSchema(faust.Schema[Any, Any]):
    """Hands the records through untouched; decoding is the stage's business."""

    def loads_key(self, app: Any, message: Any, **options: Any) -> Any:
        return None

    def loads_value(self, app: Any, message: Any, **options: Any) -> Any:
        return message.value


class Fetched(OrderedDict[TopicPartition, Any]):
    """aiokafka's store of what was fetched and not yet read. Records leave it as they were parsed: they have all that a
    `LogRecord` has, and wrapping each in a ConsumerRecord would be work for nothing.
    """

    def __setitem__(self, partition: TopicPartition, result: Any) -> None:
        if type(result) is FetchResult:
            result._partition_records._consumer_record = _as_parsed
        super().__setitem__(partition, result)


def _as_parsed(partition: TopicPartition, record: Any) -> Any:
    return record


class BatchConsumerThread(driver.AIOKafkaConsumerThread):
    """Builds the aiokafka consumer with our options: Faust fixes the fetch wait at 1.5 s, and its assignor."""

    async def on_start(self) -> None:
        await super().on_start()
        fetcher = self._ensure_consumer()._fetcher
        fetcher._prefetch_backoff = PREFETCH_BACKOFF_SECONDS
        fetcher._records = Fetched(fetcher._records)

    def _create_worker_consumer(self, transport: driver.Transport) -> aiokafka.AIOKafkaConsumer:
        settings = cast(BatchTransport, transport).settings
        self._assignor = (
            RoundRobinPartitionAssignor  # stateless, so a cached assignment of a static member cannot disagree with it
        )
        return aiokafka.AIOKafkaConsumer(
            bootstrap_servers=settings.bootstrap,
            client_id=f"{settings.app_id}-{settings.instance}",
            group_id=settings.app_id,
            group_instance_id=settings.instance,
            partition_assignment_strategy=[self._assignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_interval_ms=NEVER_MS,  # a worker whose partitions all wait for a person must stay in the group
            max_partition_fetch_bytes=settings.fetch_bytes,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            fetch_min_bytes=FETCH_MIN_BYTES,
            session_timeout_ms=settings.session_timeout_ms,
            heartbeat_interval_ms=heartbeat_ms(settings.session_timeout_ms),
            rebalance_timeout_ms=settings.drain_timeout_ms + settings.session_timeout_ms,
            **settings.kafka,
        )


class BatchConsumer(driver.Consumer):
    """See the module. Of Faust's bookkeeping only `_committed_offset` is used: what was committed last."""

    @property
    def gate(self) -> Gate:
        return cast(BatchTransport, self.transport).gate

    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (self._stopped.is_set() or fetcher._stopped.is_set()):
                if not self.flow_active:
                    await self.wait(cast(Any, self.can_resume_flow))
                    continue
                # Seeks and fetches take turns in this one loop, so what a fetch returns always lies behind the last
                # seek.
                for (topic, partition), offset in self.gate.seeks().items():
                    await self._seek_first(topic, partition, offset)
                wanted, left_out = self.gate.wanted()
                if not wanted:
                    await self.gate.wait_for_room(IDLE_POLL_SECONDS)
                    continue
                generation = self.app.consumer_generation_id
                active = {TP(*each) for each in wanted}
                records = await self._thread.getmany(active, BUSY_POLL_SECONDS if left_out else IDLE_POLL_SECONDS)
                await self._deliver(records or {}, generation)
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise

    async def _deliver(self, fetched: Mapping[TP, Sequence[Any]], generation: int) -> None:
        if not self.flow_active or generation != self.app.consumer_generation_id:
            return  # a rebalance: every partition that stays is opened and sought again
        by_topic: dict[str, list[Delivery]] = {}
        carriers: dict[str, TP] = {}
        for tp, records in fetched.items():
            delivery = self.gate.admit(tp.topic, tp.partition, records)
            if delivery is not None:
                by_topic.setdefault(tp.topic, []).append(delivery)
                carriers[tp.topic] = tp
        for topic, tp in carriers.items():
            last = fetched[tp][-1]
            message = ConsumerMessage(
                topic, tp.partition, last.offset, last.timestamp / 1000.0, last.timestamp_type,
                None, None, cast(Any, by_topic[topic]), None, 0, 0, tp, generation_id=generation,
            )  # fmt: skip
            # Cannot block: the flow is active, the queue holds more than all partitions' batches. So no race with a
            # suspension.
            await self.callback(message)

    async def perform_seek(self) -> None:
        """The tasks of the partitions seek to their checkpoints."""

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's livelock detector counts single records; our metrics and readiness replace it."""

    async def wait_empty(self) -> None:
        """Called by Faust before partitions are given up, at a rebalance and at a stop."""
        await self.gate.drain()
        await self.force_commit()

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        self._acked.clear()  # filled by Faust's streams, read by nobody here
        self._acked_index.clear()
        offsets = {}
        for (topic, partition), position in self.gate.positions().items():
            tp = TP(topic, partition)
            if position != self._committed_offset.get(tp):
                offsets[tp] = position
        if not offsets or not await self._commit(offsets):
            return False
        self._committed_offset.update(offsets)
        return True

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        try:
            return await self._in_thread(self._commit_in_thread(dict(offsets)))
        except ConsumerStoppedError:
            return False

    async def _in_thread(self, call: Coroutine[Any, Any, T]) -> T:
        """Run on the consumer's own loop, beside a fetch that waits (Faust's call queue has two places)."""
        future = asyncio.run_coroutine_threadsafe(call, self._thread.thread_loop)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            raise ConsumerStoppedError("the consumer's thread is stopping") from None

    async def _commit_in_thread(self, offsets: Mapping[TP, int]) -> bool:
        consumer = self._thread._ensure_consumer()
        try:
            owned = consumer.assignment()
            known = {TopicPartition(*tp): OffsetAndMetadata(offset, "") for tp, offset in offsets.items()}
            known = {tp: offset for tp, offset in known.items() if tp in owned}
            if known:
                async with asyncio.timeout(COMMIT_SECONDS):
                    await consumer.commit(known)
        except (KafkaError, IllegalStateError, TimeoutError) as error:
            log.warning(
                "offsets were not committed (%s); nothing is lost, the checkpoints hold the positions",
                type(error).__name__,
            )
            return False
        return bool(known)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        await super().on_partitions_revoked(revoked)  # stops the flow, then wait_empty
        await self.gate.drain()  # Faust skips wait_empty while it is stopping

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        await super().on_partitions_assigned(assigned, generation_id)
        if not self.app.should_stop:
            self.gate.assigned(self, {(tp.topic, tp.partition) for tp in assigned})

    async def committed(self, topic: str, partition: int) -> int | None:
        consumer = self._thread._ensure_consumer()
        offset: int | None = await self._in_thread(consumer.committed(TopicPartition(topic, partition)))
        return offset

    async def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        consumer, tp = self._thread._ensure_consumer(), TopicPartition(topic, partition)
        first = await self._in_thread(consumer.beginning_offsets([tp]))
        end = await self._in_thread(consumer.end_offsets([tp]))
        return first[tp], end[tp]

    async def _seek_first(self, topic: str, partition: int, offset: int) -> None:
        try:
            await self._in_thread(self._seek_in_thread(TopicPartition(topic, partition), offset))
        except IllegalStateError:
            return  # a rebalance takes the partition away just now
        self.gate.sought(topic, partition, offset)

    async def _seek_in_thread(self, tp: TopicPartition, offset: int) -> None:
        self._thread._ensure_consumer().seek(tp, offset)


class BatchTransport(driver.Transport):
    """Set as `app.transport` before the app starts."""

    Consumer = BatchConsumer

    def __init__(self, app: faust.App, gate: Gate, settings: WorkerSettings) -> None:
        self.gate, self.settings = gate, settings
        super().__init__([URL(f"kafka://{server}") for server in settings.bootstrap.split(",")], app)


def subscribed(topics: Iterable[str], app: faust.App) -> list[TopicT]:
    """Faust topics that carry deliveries; the broker's topics are made elsewhere (`topic_allow_declare` is off)."""
    return [app.topic(topic, schema=BatchSchema()) for topic in topics]
