"""Kafka to outbox: read changes of alerts, decide, store, and only then tell Kafka that we have them.

When the outbox is full (the receiver is down for long) reading pauses: alerts wait on Kafka, memory and disk
stay bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from time import time
from typing import Final

import structlog

from schemas.fast import DECODE_ERRORS, fast_decoder
from schemas.records import Alert
from sinks.log_reader import Committed, Log, LogRecord, NotCommitted, Partition
from sinks.notify.incidents import Told
from sinks.notify.metrics import NotifierMetrics
from sinks.notify.outbox import TOLD_KEPT_MS, Arrived, Outbox
from sinks.notify.quiet import HOLD_REASONS

TOPIC: Final = "alerts"
POLL_MS: Final = 100
POLL_RECORDS: Final = 500
OUTBOX_MAX: Final = 10_000
FORGET_EVERY_MS: Final = 600_000
RELEASE_EVERY_MS: Final = 500

log = structlog.get_logger()
_decode = fast_decoder(Alert)


class Notifier:
    """Call `step` again and again."""

    def __init__(
        self,
        kafka: Log,
        outbox: Outbox,
        metrics: NotifierMetrics,
        *,
        now_ms: Callable[[], int],
        failpoint: Callable[[str], None] = lambda _: None,
        outbox_max: int = OUTBOX_MAX,
    ) -> None:
        self._kafka = kafka
        self._outbox = outbox
        self._metrics = metrics
        self._now_ms = now_ms
        self._failpoint = failpoint
        self._outbox_max = outbox_max
        self._owned: set[Partition] = set()
        self._paused: set[Partition] = set()
        self._stopped: dict[Partition, str] = {}
        self._positions: dict[Partition, int] = {}
        self._waiting = 0
        self._forgot_at = self._released_at = 0
        self._newest_log_time = 0
        self.last_step_at = time()

    def unready(self) -> list[str]:
        reasons = [f"{where.topic}/{where.partition} stopped: {reason}" for where, reason in self._stopped.items()]
        if not self._owned:
            reasons.append("no partition is assigned yet")
        if self._outbox_is_full():
            reasons.append(f"{self._outbox_max} notifications wait: the receiver does not take them")
        return reasons

    def step(self) -> None:
        """One poll. Raises kafka.errors.KafkaError when membership is lost for good, sqlite3.Error when the
        disk fails."""
        self._balance_reading()
        polled = self._kafka.poll(POLL_MS, POLL_RECORDS)
        for lost in polled.lost:
            self._owned.discard(lost)
            self._paused.discard(lost)
            self._positions.pop(lost, None)
            if self._stopped.pop(lost, None) is not None:
                self._metrics.stopped.labels(str(lost.partition)).set(0)
        for where, gained in polled.gained.items():
            self._owned.add(where)
            self._paused.discard(where)
            self._positions[where] = gained.committed.offset if gained.committed else gained.start
        taken = {
            where: self._take(where, records) for where, records in polled.records.items() if where not in self._stopped
        }
        self._commit({where: end for where, end in taken.items() if end is not None})
        self._release()
        self._forget()
        self._measure()
        self.last_step_at = time()

    def _take(self, where: Partition, records: Sequence[LogRecord]) -> int | None:
        """Store the alerts; returns the offset behind them. What cannot be read stops the partition there."""
        arrived = []
        end = None
        for record in records:
            alert = self._alert(where, record)
            if alert is None:
                break
            arrived.append(Arrived(where.partition, alert))
            end = record.offset + 1
        self._failpoint("accepting")
        accepted = self._outbox.accept(arrived, self._now_ms())
        self._count_incidents(accepted.incidents)
        for found, decision in zip(arrived, accepted.decisions, strict=True):
            self._newest_log_time = max(self._newest_log_time, found.alert.changed_at)
            if decision is None:
                self._metrics.repeated.inc()
            else:
                self._metrics.decisions.labels(decision.reason).inc()
        return end

    def _alert(self, where: Partition, record: LogRecord) -> Alert | None:
        try:
            return _decode(record.value or b"")
        except DECODE_ERRORS as error:
            reason = f"the record at offset {record.offset} is no alert of this version ({type(error).__name__})"
            self._stopped[where] = f"{reason}; start the notifier of the version that wrote it"
            self._metrics.stopped.labels(str(where.partition)).set(1)
            log.error(
                "partition stopped; the others go on", topic=where.topic, partition=where.partition, reason=reason
            )
            return None

    def _commit(self, ends: dict[Partition, int]) -> None:
        if not ends:
            return
        self._failpoint("committing")
        self._positions |= ends
        try:
            self._kafka.commit({where: Committed(end, "") for where, end in ends.items()})
        except NotCommitted as error:
            # The alerts come again, and the outbox knows them.
            log.warning("commit failed", error=str(error))

    def _outbox_is_full(self) -> bool:
        return self._waiting >= self._outbox_max

    def _balance_reading(self) -> None:
        self._waiting = self._outbox.waiting()
        wanted = set(self._owned) if self._outbox_is_full() else set(self._stopped)
        if wanted - self._paused:
            self._kafka.pause(wanted - self._paused)
        if self._paused - wanted:
            self._kafka.resume(self._paused - wanted)
        self._paused = wanted

    def _release(self) -> None:
        """What was held back until now. Not while the outbox is full."""
        now = self._now_ms()
        if self._outbox_is_full() or 0 <= now - self._released_at < RELEASE_EVERY_MS:
            return
        released = self._outbox.release(now, POLL_RECORDS)
        if len(released.decisions) < POLL_RECORDS:
            self._released_at = now
        self._count_incidents(released.incidents)
        for decision in released.decisions:
            self._metrics.decisions.labels(decision.reason).inc()

    def _count_incidents(self, all_told: Iterable[Told]) -> None:
        for told in all_told:
            self._metrics.incident_decisions.labels(told.route.name, told.reason).inc()

    def _forget(self) -> None:
        now = self._now_ms()
        if now - self._forgot_at >= FORGET_EVERY_MS:
            self._forgot_at = now
            self._outbox.forget(self._newest_log_time - TOLD_KEPT_MS, now)

    def _measure(self) -> None:
        self._metrics.waiting.set(self._waiting)
        self._metrics.parked.set(self._outbox.parked())
        held = self._outbox.board.held()
        for reason in HOLD_REASONS:
            self._metrics.held.labels(reason).set(held.get(reason, 0))
        self._metrics.open_incidents.set(self._outbox.open_incidents())
        ends = {where: self._kafka.end_of(where) for where in self._owned}
        self._metrics.lag.set(sum(max((end or 0) - self._positions[where], 0) for where, end in ends.items()))

    def close(self) -> None:
        self._kafka.close()
