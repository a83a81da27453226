"""Kafka to ClickHouse, each record once (the protocol: `protocol.py`).

One round, for all partitions together:
1. form a range from each partition that is due;
2. announce the ranges: commit the old offsets with them;
3. insert the rows, one insert per table and range, under the range's token;
4. confirm: commit the new offsets.

A failure of a step leaves the partition in its phase, and the next round goes on from there. While ClickHouse
is down each partition holds one batch and at most one more in its buffer, and reading pauses. One thread owns
all state; inserts alone run on others.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from time import monotonic, time
from typing import Final

import structlog

from sinks.clickhouse import protocol
from sinks.clickhouse.batch import DECODERS, Unreadable
from sinks.clickhouse.errors import Rejected, Unavailable
from sinks.clickhouse.lane import Lane, Limits
from sinks.clickhouse.metrics import LoaderMetrics
from sinks.clickhouse.protocol import Phase, ProtocolError, State
from sinks.clickhouse.store import Store
from sinks.log_reader import Committed, Gained, Log, NotCommitted, Partition

TOPICS: Final = tuple(DECODERS)
POLL_MS: Final = 100
IDLE_COMMIT_MS: Final = 5_000
INSERT_THREADS: Final = 3

log = structlog.get_logger()


def _now_ms() -> int:
    return int(monotonic() * 1000)


class Loader:
    """Call `step` again and again. `failpoint` sees the name of each step before it is taken; tests die there."""

    def __init__(
        self,
        kafka: Log,
        store: Store,
        metrics: LoaderMetrics,
        *,
        prefix: str = "",
        limits: Limits | None = None,
        failpoint: Callable[[str], None] = lambda _: None,
        now_ms: Callable[[], int] = _now_ms,
        jitter: Callable[[], float] = lambda: random.uniform(0.5, 1.0),
    ) -> None:
        self._kafka = kafka
        self._store = store
        self.metrics = metrics
        self._prefix = prefix
        self._limits = limits or Limits()
        self._failpoint = failpoint
        self._now_ms = now_ms
        self._jitter = jitter
        self._lanes: dict[Partition, Lane] = {}
        self._paused: set[Partition] = set()
        self._idle_committed_at = 0
        self._available = True
        self._pool = ThreadPoolExecutor(INSERT_THREADS, thread_name_prefix="insert")
        self.last_step_at = time()

    @property
    def lanes(self) -> Mapping[Partition, Lane]:
        return self._lanes

    def unready(self) -> list[str]:
        """Why this loader is not doing its work; empty when it is."""
        reasons = [
            f"{where.topic}/{where.partition} stopped: {lane.stopped}"
            for where, lane in self._lanes.items()
            if lane.stopped
        ]
        if not self._lanes:
            reasons.append("no partition is assigned yet")
        if not self._available:
            reasons.append("the last insert into ClickHouse failed")
        return reasons

    def step(self) -> None:
        """One poll and one round. Blocks for a poll and the slowest insert. Raises kafka.errors.KafkaError
        when membership is lost for good."""
        self._read()
        now = self._now_ms()
        for where, lane in self._lanes.items():
            if lane.is_due(now, self._behind(where, lane)):
                self._guarded(where, lane, partial(lane.form, now))
        self._commit(Phase.ANNOUNCING, protocol.announced)
        self._insert()
        self._confirm()
        self._commit_idle()
        self._measure()
        self.last_step_at = time()

    def close(self) -> None:
        """Leave the group. A batch under way is announced; the next owner sends it again."""
        self._pool.shutdown(wait=True)
        self._kafka.close()

    # -- reading ----------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        self._balance_reading()
        polled = self._kafka.poll(self._poll_ms(), self._limits.poll_records)
        for lost in polled.lost:
            lane = self._lanes.pop(lost, None)
            self._paused.discard(lost)
            if lane is not None:
                self.metrics.stopped.labels(lane.topic, str(lane.where.partition)).set(0)
        for where, gained in polled.gained.items():
            self._paused.discard(where)
            self._lanes[where] = self._start(where, gained)
        now = self._now_ms()
        for where, records in polled.records.items():
            lane = self._lanes[where]
            if not lane.stopped and records[0].offset > lane.read_to and self._kafka.start_of(where) > lane.read_to:
                self._stop(
                    where,
                    lane,
                    f"offsets {lane.read_to} to {records[0].offset - 1} were deleted before they were stored",
                )
            if not lane.stopped:
                lane.take(records, now)

    def _start(self, where: Partition, gained: Gained) -> Lane:
        name = where.topic.removeprefix(self._prefix)
        stored = gained.committed or Committed(gained.start, "")
        lane = Lane(name, where, State(protocol.Checkpoint(stored.offset)), DECODERS[name], self._limits)
        if not gained.start <= stored.offset <= gained.end:
            self._stop(
                where,
                lane,
                f"offset {stored.offset} is committed, but the log has {gained.start} to {gained.end}: it was"
                " deleted or recreated; load the missing part by a replay, then set the group's offset",
            )
            return lane

        def resume() -> None:
            lane.state = State(protocol.decode_metadata(stored.offset, stored.metadata))

        self._guarded(where, lane, resume)
        return lane

    def _poll_ms(self) -> int:
        busy = any(lane.state.phase is not Phase.READING and not lane.stopped for lane in self._lanes.values())
        return POLL_MS // 4 if busy else POLL_MS

    def _balance_reading(self) -> None:
        """Bounded memory: a full partition pauses, and all but announced ranges pause when the whole is full."""
        crowded = sum(lane.bytes for lane in self._lanes.values()) >= self._limits.total_bytes
        wanted = {
            where
            for where, lane in self._lanes.items()
            if lane.stopped or lane.is_full or (crowded and lane.state.pending is None)
        }
        if wanted - self._paused:
            self._kafka.pause(wanted - self._paused)
        if self._paused - wanted:
            self._kafka.resume(self._paused - wanted)
        self._paused = wanted

    def _behind(self, where: Partition, lane: Lane) -> int:
        return max((self._kafka.end_of(where) or 0) - lane.read_to, 0)

    # -- a round ----------------------------------------------------------------------------------------------------

    def _commit(self, phase: Phase, then: Callable[[State], State]) -> list[Lane]:
        """Commit for every partition in the phase, in one request; those that made it move on."""
        waiting = {where: lane for where, lane in self._lanes.items() if lane.state.phase is phase and not lane.stopped}
        if not waiting:
            return []
        self._failpoint(phase.value)
        if not self._commit_all(waiting):
            return []
        for lane in waiting.values():
            lane.state = then(lane.state)
        return list(waiting.values())

    def _commit_all(self, lanes: Mapping[Partition, Lane]) -> bool:
        offsets = {}
        for where, lane in lanes.items():
            checkpoint = protocol.to_commit(lane.state)
            offsets[where] = Committed(checkpoint.offset, protocol.encode_metadata(checkpoint))
        try:
            self._kafka.commit(offsets)
        except NotCommitted as error:
            log.warning("commit failed, will poll and try again", error=str(error), partitions=len(offsets))
            return False
        return True

    def _insert(self) -> None:
        now = self._now_ms()
        ready = [(where, lane) for where, lane in self._lanes.items() if lane.may_insert(now)]
        if not ready:
            return
        self._failpoint("inserting")
        jobs = [
            (where, lane, table, self._pool.submit(self._insert_one, lane, table))
            for where, lane in ready
            for table in lane.missing()
        ]
        failed: set[Partition] = set()
        for where, lane, table, job in jobs:
            if self._settle(where, lane, table, job):
                lane.stored.add(table)
            elif where not in failed:
                failed.add(where)
                lane.failed(self._now_ms(), self._jitter())
        self._available = not failed
        self.metrics.available.set(int(self._available))
        for where, lane in ready:
            if where not in failed and not lane.stopped:
                lane.inserted()

    def _insert_one(self, lane: Lane, table: str) -> None:
        assert lane.batch is not None  # The phase says so.
        with self.metrics.insert_seconds.labels(table).time():
            self._store.insert(table, lane.batch.rows[table], lane.token(table))

    def _settle(self, where: Partition, lane: Lane, table: str, job: Future[None]) -> bool:
        try:
            job.result()
        except Unavailable as error:
            self.metrics.failures.labels(table).inc()
            log.warning("insert failed, will try again", topic=where.topic, partition=where.partition, error=str(error))
            return False
        except Rejected as error:
            found = lane.state.batch
            assert found is not None
            self._stop(where, lane, f"ClickHouse rejects offsets {found.first}-{found.last} for {table}: {error}")
            return False
        self.metrics.inserts.labels(table).inc()
        return True

    def _confirm(self) -> None:
        ready = [(lane, lane.batch) for lane in self._lanes.values() if lane.state.phase is Phase.CONFIRMING]
        done = self._commit(Phase.CONFIRMING, protocol.confirmed)
        for lane, batch in ready:
            if lane in done and batch is not None:
                self._count(lane)
                lane.batch = None
        if done:
            self._failpoint("confirmed")

    def _count(self, lane: Lane) -> None:
        assert lane.batch is not None
        for table, rows in lane.batch.rows.items():
            self.metrics.rows.labels(table).inc(len(rows))
        if lane.batch.repeated:
            self.metrics.repeated.labels(lane.topic).inc(lane.batch.repeated)
        self.metrics.seconds_to_stored.labels(lane.topic).observe(max(time() - lane.first_timestamp / 1000, 0))

    def _commit_idle(self) -> None:
        """Ranges without rows (ticks) move the position; Kafka hears of it now and then."""
        now = self._now_ms()
        if now - self._idle_committed_at < IDLE_COMMIT_MS:
            return
        self._idle_committed_at = now
        idle = {
            where: lane
            for where, lane in self._lanes.items()
            if lane.moved_idly and lane.state.phase is Phase.READING and not lane.stopped
        }
        if idle and self._commit_all(idle):
            for lane in idle.values():
                lane.moved_idly = False

    # -- trouble ----------------------------------------------------------------------------------------------------

    def _guarded(self, where: Partition, lane: Lane, action: Callable[[], None]) -> None:
        try:
            action()
        except (ProtocolError, Unreadable, ValueError) as error:
            self._stop(where, lane, str(error))

    def _stop(self, where: Partition, lane: Lane, reason: str) -> None:
        lane.stop(reason)
        self.metrics.stopped.labels(lane.topic, str(lane.where.partition)).set(1)
        log.error("partition stopped; the others go on", topic=where.topic, partition=where.partition, reason=reason)

    def _measure(self) -> None:
        lag: dict[str, int] = dict.fromkeys(TOPICS, 0)
        for where, lane in self._lanes.items():
            lag[lane.topic] += max((self._kafka.end_of(where) or lane.read_to) - lane.state.done.offset, 0)
        for topic, records in lag.items():
            self.metrics.lag.labels(topic).set(records)
        self.metrics.buffered_bytes.set(sum(lane.bytes for lane in self._lanes.values()))
        self.metrics.owned.set(len(self._lanes))
