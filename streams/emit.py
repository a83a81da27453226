"""Effects go out through an idempotent producer per stage, in batches per target partition, in order; `last` ones last.

`send` returns when every effect is acknowledged by all replicas. It retries through an outage for as long as it lasts
(the caller's queue is bounded, so memory is too); an error that a retry cannot mend is raised, and must end the
process: nothing of the batch may be acknowledged.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaTimeoutError, ProducerClosed, RecordTooLargeError

from streams.metrics import WorkerMetrics
from streams.settings import WorkerSettings
from streams.stage import Effect

log = logging.getLogger(__name__)

Target = tuple[str, int]


def by_target(effects: Iterable[Effect]) -> dict[Target, list[Effect]]:
    """Grouped by topic and partition, in the order given: it holds where it can be seen, within one log."""
    groups: dict[Target, list[Effect]] = {}
    for effect in effects:
        group = groups.get((effect.topic, effect.partition))
        if group is None:
            groups[effect.topic, effect.partition] = [effect]
        else:
            group.append(effect)
    return groups


@dataclass
class _Lane:
    """One target. aiokafka lets one batch per target wait, so twelve senders would cost twelve round trips."""

    waiting: list[tuple[list[Effect], asyncio.Future[None]]] = field(default_factory=list)
    moving: list[tuple[list[Effect], asyncio.Future[None]]] = field(default_factory=list)
    pump: asyncio.Task[None] | None = None

    def ended(self, pump: asyncio.Task[None]) -> None:
        """A pump that failed: nobody may wait for ever. One that ran dry has said so itself."""
        error = ProducerClosed() if pump.cancelled() else pump.exception()
        if error is None:
            return
        failed, self.moving, self.waiting, self.pump = [*self.moving, *self.waiting], [], [], None
        for _, done in failed:
            if not done.done():
                done.set_exception(error)


class Emitter:
    """Shared by all partitions of a stage. Each has one call in flight, so one batch per partition is on its way.

    A producer has one request in flight: stages that shared it would wait for each other's records, and log time for
    all of them.
    """

    def __init__(self, settings: WorkerSettings, metrics: WorkerMetrics) -> None:
        self._settings, self._metrics = settings, metrics
        self._lanes: dict[Target, _Lane] = {}
        self._producer = AIOKafkaProducer(
            bootstrap_servers=settings.bootstrap,
            enable_idempotence=True,
            acks="all",
            max_batch_size=settings.effect_batch_bytes,
            max_request_size=8 * settings.effect_batch_bytes,
            retry_backoff_ms=50,
            request_timeout_ms=settings.request_timeout_ms,
            **settings.kafka,
        )

    async def start(self) -> None:
        await self._producer.start()

    async def stop(self) -> None:
        await self._producer.stop()

    async def send(self, effects: Sequence[Effect]) -> None:
        last = [effect for effect in effects if effect.last]
        first = [effect for effect in effects if not effect.last] if last else effects
        if first:
            await self._send_groups(by_target(first))
        if last:
            await self._send_groups(by_target(last))

    async def _send_groups(self, groups: dict[Target, list[Effect]]) -> None:
        sent = [self._join(target, effects) for target, effects in groups.items()]
        await (sent[0] if len(sent) == 1 else asyncio.gather(*sent))

    def _join(self, target: Target, effects: list[Effect]) -> asyncio.Future[None]:
        """Into the target's lane; what all partitions put there while a batch is on its way makes the next one."""
        lane = self._lanes.setdefault(target, _Lane())
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        lane.waiting.append((effects, done))
        if lane.pump is None:
            lane.pump = asyncio.create_task(self._pump(target, lane))
            lane.pump.add_done_callback(lane.ended)
        return done

    async def _pump(self, target: Target, lane: _Lane) -> None:
        while lane.waiting:
            lane.moving, lane.waiting = lane.waiting, []
            await self._send_batch(target, [effect for effects, _ in lane.moving for effect in effects])
            for _, done in lane.moving:
                if not done.done():
                    done.set_result(None)
        lane.moving, lane.pump = [], None

    async def _send_batch(self, target: Target, effects: list[Effect]) -> None:
        topic, partition = self._settings.physical(target[0]), target[1]
        batch, futures = self._producer.create_batch(), []
        for effect in effects:
            headers = list(effect.headers)
            if batch.append(timestamp=None, key=effect.key, value=effect.value, headers=headers) is not None:
                continue
            futures.append(await self._enqueue(batch, topic, partition))
            batch = self._producer.create_batch()
            if batch.append(timestamp=None, key=effect.key, value=effect.value, headers=headers) is None:
                raise RecordTooLargeError(
                    f"an effect for topic {topic}, partition {partition} has {len(effect.value)} bytes, "
                    f"the limit is {self._settings.effect_batch_bytes}: raise it, or refuse such input"
                )
        futures.append(await self._enqueue(batch, topic, partition))
        for future in futures:
            await future
        self._metrics.effects.labels(target[0]).inc(len(effects))

    async def _enqueue(self, batch: object, topic: str, partition: int) -> asyncio.Future[object]:
        while True:
            try:
                future: asyncio.Future[object] = await self._producer.send_batch(batch, topic, partition=partition)
                return future
            except KafkaTimeoutError:  # not enqueued: the batch before it waits for the broker
                self._metrics.outage_retries.inc()
                log.warning(
                    "topic %s, partition %d: Kafka takes no records; the batch is kept and tried again",
                    topic,
                    partition,
                )
