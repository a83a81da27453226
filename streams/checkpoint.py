"""The fenced checkpoint: the state of one partition, kept in a compacted changelog topic.

One transactional producer per stage and partition writes it; its `transactional.id` belongs to the partition, so
starting it fences every earlier owner (a zombie gets `Fenced` and can write nothing more). One transaction holds the
changed keys and the position, so state and position cannot disagree. A new owner starts the producer first, reads the
end offset after that, and restores `read_committed` up to it: nothing can be appended behind its back. (A check of
epochs while reading would not do: compaction may have dropped the good record.)

The position record lies under a key of its own. It also says which topic (by id) and which build the position belongs
to, and whether the last stop was clean; `start_at` judges all that, and is pure.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import NamedTuple

import aiokafka
import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, ProducerFenced

from streams.settings import Place, WorkerSettings
from streams.stage import Change

POSITION_KEY = b"\x00position"
FORMAT = 1
CLOSE_SECONDS = 5.0
RESTORE_POLL_MS = 500


class Fenced(Exception):
    """Another owner of the partition has started: this one must stop, and must not acknowledge anything."""


class Refused(Exception):
    """The partition must not start. One sentence: what is wrong, where, what to do."""


class Mark(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The position record: `position` is the offset of the first record that the state does not hold."""

    position: int
    topic_id: str
    fingerprint: str
    clean: bool
    format: int = FORMAT


class Saved(NamedTuple):
    mark: Mark | None
    entries: dict[bytes, bytes]


class Found(NamedTuple):
    """What the log and the group say about a partition, next to its checkpoint."""

    committed: int | None
    first: int
    end: int
    topic_id: str


_decoder = msgspec.json.Decoder(Mark)


def read_mark(value: bytes, place: Place) -> Mark:
    try:
        mark = _decoder.decode(value)
    except msgspec.DecodeError as error:
        raise Refused(
            f"{place}: the position record cannot be read ({error}). It was written by another version; start that one."
        ) from error
    if mark.format != FORMAT:
        raise Refused(
            f"{place}: the position record has format {mark.format}, this build reads {FORMAT}. Start its writer."
        )
    return mark


def start_at(place: Place, saved: Saved, found: Found, fingerprint: str, accept_unclean: bool = False) -> int:
    """The offset to read first. Raises Refused when starting could lose records or give other effects than before."""
    mark = saved.mark
    if mark is None:
        if found.committed is not None or saved.entries:
            raise Refused(
                f"{place}: the group has committed offset {found.committed} and the changelog {len(saved.entries)} "
                "entries, but no position. The changelog was lost in part. Restore it, or start with a new application "
                "id (this reads the topic from its start)."
            )
        return found.first
    if mark.topic_id != found.topic_id:
        raise Refused(
            f"{place}: the state belongs to topic id {mark.topic_id}, the topic has {found.topic_id}: it was deleted "
            "and made again, and offsets mean something else now. Start with a new application id."
        )
    if found.committed is not None and found.committed > mark.position:
        raise Refused(
            f"{place}: the group has committed offset {found.committed}, beyond the checkpoint's position "
            f"{mark.position}: the changelog lost records. Restore it, or set the group's offset back to the position."
        )
    if found.first > mark.position:
        raise Refused(
            f"{place}: the checkpoint's position is {mark.position}, the topic begins at {found.first}: "
            f"{found.first - mark.position} offsets are gone (retention). Recover them from a copy, or start "
            "with a new application id."
        )
    if found.end < mark.position:
        raise Refused(
            f"{place}: the checkpoint's position is {mark.position}, the topic ends at {found.end}: "
            "its last records were lost (unclean leader election?). Recover them, or start with a new application id."
        )
    if mark.fingerprint != fingerprint and not mark.clean and not accept_unclean:
        raise Refused(
            f"{place}: build and configuration {mark.fingerprint} did not stop cleanly at position {mark.position},"
            f" and {fingerprint} may answer otherwise than what was sent. Start the former, stop it with SIGTERM, "
            "then start this one."
        )
    return mark.position


class Checkpoint:
    """One partition's changelog, opened by its owner. `async with` starts the producer, which fences whoever had it."""

    def __init__(self, place: Place, changelog: str, settings: WorkerSettings) -> None:
        self._place, self._settings = place, settings
        self._tp = TopicPartition(changelog, place.partition)
        self._producer = AIOKafkaProducer(
            bootstrap_servers=settings.bootstrap,
            transactional_id=f"{settings.app_id}-{place.stage}-{place.partition}",
            transaction_timeout_ms=settings.transaction_timeout_ms,
            max_batch_size=settings.effect_batch_bytes,
            max_request_size=8 * settings.effect_batch_bytes,
            retry_backoff_ms=20,
            **settings.kafka,
        )

    async def __aenter__(self) -> Checkpoint:
        try:
            await self._producer.start()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        try:
            await asyncio.wait_for(self._producer.stop(), CLOSE_SECONDS)
        except (KafkaError, TimeoutError):
            pass  # fenced, or no broker: an open transaction is aborted by the next owner, or by its timeout

    async def restore(self) -> Saved:
        """The latest value of each key. May take seconds for a large state. The end is read after the fencing."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._settings.bootstrap,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=4 * 1024 * 1024,
            **self._settings.kafka,
        )
        await consumer.start()
        try:
            return await self._read(consumer)
        finally:
            await consumer.stop()

    async def _read(self, consumer: AIOKafkaConsumer) -> Saved:
        tp, entries = self._tp, dict[bytes, bytes]()
        consumer.assign([tp])
        await consumer.seek_to_beginning(tp)
        end = (await consumer.end_offsets([tp]))[tp]
        while await consumer.position(tp) < end:  # by position: compaction and transaction markers leave gaps
            for record in (await consumer.getmany(tp, timeout_ms=RESTORE_POLL_MS)).get(tp, ()):
                if record.value is None:
                    entries.pop(record.key, None)
                else:
                    entries[record.key] = record.value
        mark = entries.pop(POSITION_KEY, None)
        return Saved(None if mark is None else read_mark(mark, self._place), entries)

    async def save(self, changes: Sequence[Change], mark: Mark) -> None:
        """One transaction: the changes and the position. Raises Fenced; other Kafka errors end the process."""
        producer = self._producer
        try:
            await producer.begin_transaction()
            for batch in self._batches([*changes, (POSITION_KEY, msgspec.json.encode(mark))]):
                await (await producer.send_batch(batch, self._tp.topic, partition=self._tp.partition))
            await producer.commit_transaction()
        except ProducerFenced as error:
            raise Fenced(f"{self._place}: another owner has taken over") from error

    def _batches(self, changes: Iterable[Change]) -> Iterable[aiokafka.producer.message_accumulator.BatchBuilder]:
        batch = self._producer.create_batch()
        for key, value in changes:
            if batch.append(key=key, value=value, timestamp=None) is not None:
                continue
            yield batch
            batch = self._producer.create_batch()
            if batch.append(key=key, value=value, timestamp=None) is None:
                raise Refused(f"{self._place}: one piece of state exceeds {self._settings.effect_batch_bytes} bytes.")
        yield batch
