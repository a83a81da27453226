"""Outbox to receiver: a few at a time, in order for each dedup key, again and again until it arrives, is
refused or too old."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import Final

import structlog

from sinks.notify.metrics import NotifierMetrics
from sinks.notify.outbox import Outbox, Waiting
from sinks.notify.webhook import Again, Channel, Delivered, Outcome, Refused

AT_ONCE: Final = 8
IDLE_SECONDS: Final = 0.05
BACKOFF_FIRST_MS: Final = 500
BACKOFF_MAX_MS: Final = 300_000
EXPIRES_MS: Final = 86_400_000

log = structlog.get_logger()


def backoff_ms(attempts: int, jitter: float) -> int:
    """Half a second, doubling to five minutes, times `jitter` of 0.5 to 1."""
    return int(min(BACKOFF_FIRST_MS << min(attempts, 20), BACKOFF_MAX_MS) * jitter)


class Sender:
    """`now_ms` is the wall clock: what waits in the outbox outlives the process."""

    def __init__(
        self,
        outbox: Outbox,
        channel: Channel,
        metrics: NotifierMetrics,
        *,
        now_ms: Callable[[], int],
        jitter: Callable[[], float],
    ) -> None:
        self._outbox = outbox
        self._channel = channel
        self._metrics = metrics
        self._now_ms = now_ms
        self._jitter = jitter

    async def round(self) -> int:
        """Attempt what is due; returns how many."""
        due = self._outbox.due(self._now_ms(), AT_ONCE)
        outcomes = await asyncio.gather(*(self._channel.send(found.idempotency_key, found.body) for found in due))
        for found, outcome in zip(due, outcomes, strict=True):
            self._note(found, outcome)
        return len(due)

    def _note(self, found: Waiting, outcome: Outcome) -> None:
        now = self._now_ms()
        match outcome:
            case Delivered():
                self._outbox.delivered(found.seq)
                self._metrics.attempts.labels("delivered").inc()
                self._metrics.seconds_to_told.observe(max(now - found.accepted_at, 0) / 1000)
            case Refused(cause):
                self._outbox.park(found.seq, cause)
                self._metrics.attempts.labels("refused").inc()
                log.error("receiver refused a notification; parked", cause=cause, idempotency_key=found.idempotency_key)
            case Again(cause) if now - found.accepted_at >= EXPIRES_MS:
                self._outbox.park(found.seq, f"expired after {found.attempts + 1} attempts: {cause}")
                self._metrics.attempts.labels("expired").inc()
                log.error("a notification is a day old; parked", cause=cause, idempotency_key=found.idempotency_key)
            case Again(cause, after_ms):
                own = backoff_ms(found.attempts, self._jitter())
                self._outbox.again(found.seq, now + max(own, after_ms or 0))
                self._metrics.attempts.labels("again").inc()
                log.warning("notification not delivered, will try again", cause=cause, attempts=found.attempts + 1)


async def send_until(stop: Event, sender: Sender) -> None:
    while not stop.is_set():
        if not await sender.round():
            await asyncio.sleep(IDLE_SECONDS)


class SenderThread(Thread):
    """Runs a sender with an outbox of its own. `is_alive()` false before `stop`: it failed, the process should end."""

    def __init__(self, path: Path, run: Callable[[Outbox, Event], None]) -> None:
        super().__init__(name="sender", daemon=True)
        self._path = path
        self._run_sender = run
        self.stopping = Event()

    def run(self) -> None:
        outbox = Outbox(self._path)
        try:
            self._run_sender(outbox, self.stopping)
        finally:
            outbox.close()

    def stop(self, timeout_seconds: float) -> None:
        self.stopping.set()
        self.join(timeout_seconds)
