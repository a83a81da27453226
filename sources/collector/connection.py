"""The producer on Kafka: idempotent, acks=all, one at a time, replaced when it is beyond repair.

aiokafka sends an idempotent batch again for as long as the error passes, so an outage needs nothing from us.
An error that does not pass leaves a gap in the producer's sequence numbers, after which the broker refuses
everything: then the producer is thrown away, all that it held fails, and a new one starts. aiokafka has no
public way to let go of what it holds; `_let_go` is the only place that reaches inside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from sources.collector.metrics import Metrics

BATCH_BYTES_MAX: Final = 900_000
"""Below the topic's max.message.bytes, which counts a whole batch."""
REQUEST_MS: Final = 5_000
CONNECT_SECONDS: Final = 15.0
CLOSE_SECONDS: Final = 8.0
RETRY_SECONDS: Final = 0.5

log = structlog.get_logger()


class NotConnected(KafkaError):  # type: ignore[misc]  # aiokafka ships no types
    """There is no producer now. `str()` says why."""


class Connection:
    """`options`: what else aiokafka's producer is to know, such as TLS and SASL."""

    def __init__(
        self, bootstrap: str, topic: str, partitions: int, metrics: Metrics, options: Mapping[str, Any] | None = None
    ) -> None:
        self.topic = topic
        self._bootstrap = bootstrap
        self._partitions = partitions
        self._metrics = metrics
        self._options = dict(options or {})
        self._producer: Any = None
        self._broken = asyncio.Event()
        self.problem = f"not yet connected to Kafka at {bootstrap}"

    @property
    def ready(self) -> bool:
        return self._producer is not None and not self._broken.is_set()

    def new_batch(self) -> Any:
        """An empty aiokafka BatchBuilder. Raises NotConnected."""
        if not self.ready:
            raise NotConnected(self.problem)
        return self._producer.create_batch()

    async def send(self, batch: Any, partition: int) -> None:
        """Returns when Kafka has the batch, after an outage of any length. Raises KafkaError when it refuses."""
        producer = self._producer
        if producer is None:
            raise NotConnected(self.problem)
        try:
            await (await producer.send_batch(batch, self.topic, partition=partition))
        except KafkaError as error:
            if producer is self._producer and not self._broken.is_set():
                self.problem = (
                    f"Kafka refused a batch for partition {partition} of {self.topic}: {type(error).__name__}"
                )
                log.warning("producer_broken", topic=self.topic, partition=partition, error=type(error).__name__)
                self._broken.set()
            raise

    async def run(self) -> None:
        """Connects, and connects again whenever the producer broke. Ends when cancelled."""
        try:
            while True:
                producer = await self._connected()
                if producer is None:
                    await asyncio.sleep(RETRY_SECONDS)
                    continue
                self._broken.clear()
                self._producer = producer
                self._metrics.producers.inc()
                self._metrics.kafka_ready.set(1)
                log.info("producer_started", topic=self.topic, bootstrap=self._bootstrap)
                await self._broken.wait()
                await self._discard()
        finally:
            await self._discard()

    async def _connected(self) -> Any:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_batch_size=BATCH_BYTES_MAX,
            max_request_size=16 * BATCH_BYTES_MAX,
            request_timeout_ms=REQUEST_MS,
            client_id="touchline-collector",
            **self._options,
        )
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await producer.start()
                partitions = await producer.partitions_for(self.topic)
        except (KafkaError, OSError, TimeoutError) as error:
            self.problem = f"no connection to {self.topic} on Kafka at {self._bootstrap}: {type(error).__name__}"
        except asyncio.CancelledError:
            await _let_go(producer, "the collector stops")
            raise
        else:
            if len(partitions) == self._partitions:
                return producer
            self.problem = f"{self.topic} has {len(partitions)} partitions, not {self._partitions}: create it anew"
        log.warning("producer_not_started", problem=self.problem)
        await _let_go(producer, self.problem)
        return None

    async def _discard(self) -> None:
        producer, self._producer = self._producer, None
        self._metrics.kafka_ready.set(0)
        if producer is not None:
            await _let_go(producer, self.problem)


async def _let_go(producer: Any, problem: str) -> None:
    """Fails what the producer holds, then stops it. An outage would make `stop` alone wait for ever."""
    producer._message_accumulator.fail_all(NotConnected(problem))  # noqa: SLF001  # there is no public way
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await producer.stop()
    except (KafkaError, OSError, TimeoutError) as error:
        log.warning("producer_not_stopped", error=type(error).__name__)
