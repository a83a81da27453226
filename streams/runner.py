"""One task per partition: queue of batches -> apply -> flush -> emit -> checkpoint -> position.

The order is the law (effects, fenced checkpoint, ack), each awaited. A checkpoint runs beside the next batch: it
holds what was emitted before it began, and one is in flight at a time. It is due `checkpoint_interval_ms` after the
last, also when nothing arrives.

Life of a partition: RESTORING (fence, restore, seek) -> RUNNING -> CLOSED. On the way it can be
- FENCED: somebody else owns it. Quiet; only if the group still calls it ours a session timeout later, it opens again;
- STOPPED: by `Refused`; waits for a person and a restart;
- HALTED: by a bug at one offset. The partition's memory is thrown away, it opens again and redoes up to that offset
  (a fetch repeats the records, so none are kept), checkpoints *clean* there, so that a build with a fix may take
  over, and waits for the quarantine.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Sequence
from time import monotonic
from typing import TypeVar

from aiokafka.errors import ConsumerStoppedError, IllegalStateError, KafkaError

from streams.checkpoint import CLOSE_SECONDS, Fenced, Found, Mark, Refused, start_at
from streams.guard import Guarded, StageBug
from streams.intake import Intake, split_at
from streams.partition import State, Store, Surroundings
from streams.quarantine import Entry
from streams.settings import Place, StageSpec
from streams.stage import Change, Effect, LogRecord
from streams.transport import Delivery, SourceLog

log = logging.getLogger(__name__)
T = TypeVar("T")

RETRY_SECONDS = 1.0
PHASES = 12
RECORDS_PER_TURN = 256
"""After so many records the loop gets a turn: heartbeats of the producers, other partitions, health."""


class NotNow(Exception):
    """The partition cannot be opened at the moment: an outage, or a rebalance has begun."""


class PartitionRunner:
    """Owned by the shell; every method is called on the main loop."""

    def __init__(self, spec: StageSpec, place: Place, source: SourceLog, around: Surroundings) -> None:
        self.place, self.state = place, State.RESTORING
        self.position: int | None = None
        """Next offset after the last checkpoint: what may be committed."""
        self.intake = Intake(self)
        self._spec, self._source, self._around = spec, source, around
        self._labels = (place.stage, str(place.partition))
        metrics = around.metrics
        self._records, self._batches = metrics.records.labels(*self._labels), metrics.batches.labels(*self._labels)
        self._log_time = metrics.log_time.labels(*self._labels)
        self._wake = asyncio.Event()
        self._finishing = False
        self._hold: int | None = None
        """The record with a known bug: the partition stops before it."""
        self._gave_up: int | None = None
        self._begin_anew()

    def _begin_anew(self) -> None:
        self.intake.close()
        self._next = 0
        self._dirty = False
        self._listed: dict[int, str] = {}
        self._saving: asyncio.Task[None] | None = None
        # Each has its own phase, so that not all partitions open a transaction at the same moment.
        interval = self._around.settings.checkpoint_interval_ms / 1000
        self._saved_at = monotonic() - interval * (self.place.partition % PHASES) / PHASES

    def take(self, delivery: Delivery) -> None:
        """From the agent."""
        self.intake.put(delivery)
        self._wake.set()

    def finish(self) -> None:
        """Ask for a clean end: the batch at work is finished, what waits is left to the next owner."""
        self._finishing = True
        self.intake.stop_fetching()
        self._wake.set()

    # --- life

    async def run(self) -> None:
        """Until a clean finish, a cancellation, or an error that must end the process."""
        try:
            while not self._finishing:
                try:
                    await self._live()
                except StageBug as bug:
                    await self._on_bug(bug)
                except Refused as refusal:
                    await self._stop(str(refusal), "refused")
                except Fenced as fenced:
                    await self._on_fenced(fenced)
                except NotNow as reason:
                    log.warning("%s: cannot open it now (%s); trying again", self.place, reason)
                    await self._pause(RETRY_SECONDS)
        finally:
            self._become(State.CLOSED)

    async def _live(self) -> None:
        self._become(State.RESTORING)
        self._begin_anew()
        async with contextlib.AsyncExitStack() as stack:
            async with self._around.opening:
                store = await _opening(stack.enter_async_context(self._around.store(self.place, self._spec.changelog)))
                await _opening(self._open(store))
            self._become(State.RUNNING)
            self._around.room()
            try:
                await self._work(store)
            finally:
                await self._end_saving()

    async def _open(self, store: Store) -> None:
        """Restore and seek. The mark loses its `clean` before any effect can leave."""
        begun, around, place = monotonic(), self._around, self.place
        saved = await store.restore()
        first, end = await self._source.bounds(place.topic, place.partition)
        committed = await self._source.committed(place.topic, place.partition)
        found = Found(committed, first, end, around.topic_ids[place.topic])
        start = start_at(place, saved, found, around.settings.fingerprint, around.settings.accept_unclean)
        self._stage = Guarded(self._spec.factory(place.partition), place)
        self._stage.restore(saved.entries.items())
        if saved.mark is None or saved.mark != self._mark(start, clean=False):
            await store.save([], self._mark(start, clean=False))
        self._listed = around.quarantined.listed(place.topic, place.partition, start)
        self._next = self.position = start
        self.intake.open(start)
        around.metrics.restore_seconds.labels(*self._labels).set(monotonic() - begun)
        around.metrics.position.labels(*self._labels).set(start)
        log.info("%s: opened at offset %d with %d entries", place, start, len(saved.entries))

    def _mark(self, position: int, *, clean: bool) -> Mark:
        return Mark(position, self._around.topic_ids[self.place.topic], self._around.settings.fingerprint, clean)

    async def _work(self, store: Store) -> None:
        interval = self._around.settings.checkpoint_interval_ms / 1000
        while not self._finishing:
            await self._wait(interval)
            if self.intake.waiting and not self._finishing:
                await self._advance(store, self.intake.pop())
                self.intake.done()
                self._around.room()
            if self._saving is not None and self._saving.done():
                self._saving.result()
                self._saving = None
            if self._dirty and self._saving is None and monotonic() - self._saved_at >= interval:
                self._saving = asyncio.create_task(self._save(store, *self._due(clean=False)))
                self._saving.add_done_callback(lambda _: self._wake.set())
        await self._checkpoint(store, clean=True)

    async def _wait(self, interval: float) -> None:
        """Until there is a batch, the end of a checkpoint, a wish to finish, or a checkpoint is due."""
        self._wake.clear()
        if self.intake.waiting or self._finishing or (self._saving is not None and self._saving.done()):
            return
        timer = None
        if self._dirty and self._saving is None:
            due = self._saved_at + interval - monotonic()
            timer = asyncio.get_running_loop().call_later(max(due, 0.0), self._wake.set)
        await self._wake.wait()
        if timer is not None:
            timer.cancel()

    # --- one batch

    async def _advance(self, store: Store, records: Sequence[LogRecord]) -> None:
        if records[0].offset != self._next:
            await self._check_gap()
        special = frozenset(self._listed) if self._hold is None else frozenset((*self._listed, self._hold))
        for part, stop in split_at(records, special):
            if part:
                await self._apply(part)
            if stop is not None and not await self._give_up(store, stop):
                return
        self._records.inc(len(records))
        self._batches.inc()
        self._log_time.set(records[-1].timestamp / 1000)

    async def _check_gap(self) -> None:
        """Transaction markers make holes; so does retention, which loses records. The log's start tells which."""
        first, _ = await self._source.bounds(self.place.topic, self.place.partition)
        if first > self._next:
            raise Refused(
                f"{self.place}: offsets {self._next} to {first - 1} are gone (retention passed this worker by). "
                "Recover them from a copy, or start with a new application id."
            )

    async def _apply(self, records: Sequence[LogRecord]) -> None:
        out: list[Effect] = []
        for start in range(0, len(records), RECORDS_PER_TURN):
            self._stage.apply(records[start : start + RECORDS_PER_TURN], out)
            if start + RECORDS_PER_TURN < len(records):
                await asyncio.sleep(0)
        self._stage.flush(out)
        if out:
            await self._around.emitter.send(out)
        self._next = records[-1].offset + 1
        self._dirty = True

    async def _give_up(self, store: Store, record: LogRecord) -> bool:
        """A record with a bug: wait for a person if need be, then its dead letter, and a checkpoint before the next."""
        reason = self._listed.get(record.offset)
        if reason is None:
            reason = await self._halt(store, record.offset)
            if reason is None:
                return False
        self._hold, self._gave_up = None, record.offset
        out: list[Effect] = []
        self._stage.quarantine(record, reason, out)
        await self._around.emitter.send(out)
        self._next = record.offset + 1
        await self._checkpoint(store, clean=False)
        self._around.metrics.quarantined.labels(*self._labels).inc()
        log.warning("%s, offset %d: given up by a person, its dead letter is out", self.place, record.offset)
        return True

    async def _halt(self, store: Store, offset: int) -> str | None:
        """Clean until the quarantine lists the offset; None when the partition is asked to finish first."""
        await self._checkpoint(store, clean=True)
        self._become(State.HALTED)
        entry = Entry(self.place.topic, self.place.partition, offset)
        listed = asyncio.create_task(self._around.quarantined.wait_for(entry))
        listed.add_done_callback(lambda _: self._wake.set())
        try:
            while not listed.done() and not self._finishing:
                self._wake.clear()
                await self._wake.wait()
        finally:
            listed.cancel()
        if not listed.done() or listed.cancelled():
            return None
        await self._checkpoint(store, clean=False)
        self._become(State.RUNNING)
        return listed.result()

    # --- checkpoints

    def _due(self, *, clean: bool) -> tuple[list[Change], Mark]:
        """What a checkpoint begun now has to hold. No await between this and the last record's effects."""
        self._saved_at, self._dirty = monotonic(), False
        for name, number in self._stage.numbers().items():
            self._around.metrics.numbers.labels(*self._labels, name).set(number)
        return self._stage.changes(), self._mark(self._next, clean=clean)

    async def _save(self, store: Store, changes: list[Change], mark: Mark) -> None:
        begun, metrics = monotonic(), self._around.metrics
        await store.save(changes, mark)
        self.position = mark.position
        metrics.checkpoints.labels(*self._labels).inc()
        metrics.changes.labels(*self._labels).inc(len(changes))
        metrics.checkpoint_seconds.labels(self.place.stage).observe(monotonic() - begun)
        metrics.position.labels(*self._labels).set(mark.position)

    async def _checkpoint(self, store: Store, *, clean: bool) -> None:
        """Now, and awaited."""
        saving, self._saving = self._saving, None
        if saving is not None:
            await saving
        await self._save(store, *self._due(clean=clean))

    async def _end_saving(self) -> None:
        """Whatever ended the work: the next life must not meet a transaction of this one."""
        saving, self._saving = self._saving, None
        if saving is not None and not saving.done():
            await asyncio.wait([saving], timeout=CLOSE_SECONDS)
            saving.cancel()

    # --- ends

    async def _on_bug(self, bug: StageBug) -> None:
        self._around.metrics.bugs.labels(*self._labels).inc()
        if bug.offset is None or bug.offset == self._gave_up:
            await self._stop(f"{bug}. A build without this bug is needed.", "bug")
            return
        self._hold = bug.offset
        log.error(
            "%s. The partition stops before this record and nothing is lost; the others go on. "
            "Start a build without the bug, or give the record up: touchline quarantine %s %d %d",
            bug,
            *self.place[1:],
            bug.offset,
        )

    async def _on_fenced(self, fenced: Fenced) -> None:
        """Quiet: a rebalance that takes the partition away is coming. If none is, a transaction had timed out."""
        self.position = None
        self._become(State.FENCED)
        self._around.metrics.fenced.labels(*self._labels).inc()
        log.warning("%s; this worker lets go of it", fenced)
        await self._pause(self._around.settings.session_timeout_ms / 1000)

    async def _stop(self, why: str, reason: str) -> None:
        self._become(State.STOPPED, reason)
        log.error("%s The partition is stopped, nothing of it is acknowledged; the others go on.", why)
        await self._until_finish()

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._until_finish()

    async def _until_finish(self) -> None:
        while not self._finishing:
            self._wake.clear()
            await self._wake.wait()

    def _become(self, state: State, reason: str = "bug") -> None:
        self.state = state
        metrics = self._around.metrics
        metrics.running.labels(*self._labels).set(state is State.RUNNING)
        metrics.stopped.labels(*self._labels, "bug").set(
            state is State.HALTED or (state is State.STOPPED and reason == "bug")
        )
        metrics.stopped.labels(*self._labels, "refused").set(state is State.STOPPED and reason == "refused")


async def _opening(step: Awaitable[T]) -> T:
    """While nothing is read or sent yet, what may pass by is tried again."""
    try:
        return await step
    except (ConsumerStoppedError, IllegalStateError) as error:
        raise NotNow(type(error).__name__) from error
    except KafkaError as error:
        if not error.retriable:
            raise
        raise NotNow(type(error).__name__) from error
