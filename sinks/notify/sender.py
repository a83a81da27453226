"""Outbox to receiver, for one route: a few at a time, in order for each key, again and again until it arrives, is
refused or too old. What is over the route's rate is put together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from threading import Event, Thread
from typing import Final, Protocol

import structlog

from sinks.notify.incident import IncidentNews
from sinks.notify.message import body_for
from sinks.notify.metrics import NotifierMetrics
from sinks.notify.outbox import EXPIRES_MS, Outbox
from sinks.notify.post import Again, Channel, Delivered, Outcome, Refused
from sinks.notify.rate import Parcel, allowance, newest_of_each, parcels
from sinks.notify.routing import Route
from sinks.notify.slack import slack_body, slack_text

AT_ONCE: Final = 8
PILE_MAX: Final = 200
IDLE_SECONDS: Final = 0.05
BACKOFF_FIRST_MS: Final = 500
BACKOFF_MAX_MS: Final = 300_000

log = structlog.get_logger()


def backoff_ms(attempts: int, jitter: float) -> int:
    """Half a second, doubling to five minutes, times `jitter` of 0.5 to 1."""
    return int(min(BACKOFF_FIRST_MS << min(attempts, 20), BACKOFF_MAX_MS) * jitter)


class Sends(Protocol):
    async def round(self) -> int:
        """Attempt what is due; returns how many."""


class Sender:
    """Of a webhook or Slack route. `now_ms` is the wall clock: what waits in the outbox outlives the process."""

    def __init__(
        self,
        outbox: Outbox,
        route: Route,
        channel: Channel,
        metrics: NotifierMetrics,
        *,
        now_ms: Callable[[], int],
        jitter: Callable[[], float],
    ) -> None:
        self._outbox = outbox
        self._route = route
        self._channel = channel
        self._metrics = metrics
        self._now_ms = now_ms
        self._jitter = jitter

    async def round(self) -> int:
        ready = self._ready(self._now_ms())
        outcomes = await asyncio.gather(*(self._send(parcel) for parcel in ready))
        for parcel, outcome in zip(ready, outcomes, strict=True):
            self._note(parcel, outcome)
        return len(ready)

    def _ready(self, now: int) -> list[Parcel]:
        route = self._route
        if route.per_minute is None:
            return [(found,) for found in self._outbox.due(route.key, now, AT_ONCE)]
        allowed = allowance(self._outbox.requests(route.key, now), now, route.per_minute)
        pile = self._outbox.pile(route.key, now, PILE_MAX) if allowed else []
        ready = parcels(pile, allowed, one_for_all=route.kind == "slack")[:AT_ONCE]
        if ready:
            self._outbox.claim(route.key, now, len(ready))
        return ready

    async def _send(self, parcel: Parcel) -> Outcome:
        newest = newest_of_each(parcel)
        if self._route.kind == "webhook":
            body = body_for(newest[-1].body, self._route.template, self._route.secret)
            return await self._channel.send(newest[-1].idempotency_key, body)
        news = [IncidentNews.model_validate_json(found.body) for found in newest]
        text = slack_text(news, self._route.template, self._route.runbook)
        return await self._channel.send(newest[-1].idempotency_key, slack_body(text))

    def _note(self, parcel: Parcel, outcome: Outcome) -> None:
        now = self._now_ms()
        name, attempts = self._route.name, max(found.attempts for found in parcel)
        say = log.bind(route=name, idempotency_key=parcel[-1].idempotency_key, notifications=len(parcel))
        seqs = [found.seq for found in parcel]
        match outcome:
            case Delivered():
                self._outbox.delivered(seqs)
                self._count("delivered")
                self._metrics.coalesced.labels(name).inc(len(parcel) - 1)
                for found in parcel:
                    self._metrics.seconds_to_told.observe(max(now - found.accepted_at, 0) / 1000)
            case Refused(cause):
                self._outbox.park(seqs, cause)
                self._count("refused")
                say.error("receiver refused a notification; parked", cause=cause)
            case Again(cause) if now - parcel[0].accepted_at >= EXPIRES_MS:
                old = [found.seq for found in parcel if now - found.accepted_at >= EXPIRES_MS]
                self._outbox.park(old, f"expired after {attempts + 1} attempts: {cause}")
                self._count("expired")
                say.error("a notification is a day old; parked", cause=cause)
            case Again(cause, after_ms):
                own = backoff_ms(attempts, self._jitter())
                self._outbox.again(seqs, now + max(own, after_ms or 0))
                self._count("again")
                say.warning("notification not delivered, will try again", cause=cause, attempts=attempts + 1)

    def _count(self, outcome: str) -> None:
        self._metrics.attempts.labels(self._route.name, outcome).inc()


async def send_until(stop: Event, sender: Sends) -> None:
    while not stop.is_set():
        if not await sender.round():
            await asyncio.sleep(IDLE_SECONDS)


async def send_all_until(stop: Event, senders: Iterable[Sends]) -> None:
    """Side by side: a slow receiver holds up no other."""
    async with asyncio.TaskGroup() as group:
        for sender in senders:
            group.create_task(send_until(stop, sender))


class SenderThread(Thread):
    """Runs the senders with an outbox of their own. `is_alive()` false before `stop`: one failed, the process should
    end."""

    def __init__(self, open_outbox: Callable[[], Outbox], run: Callable[[Outbox, Event], None]) -> None:
        super().__init__(name="sender", daemon=True)
        self._open_outbox = open_outbox
        self._run_sender = run
        self.stopping = Event()

    def run(self) -> None:
        outbox = self._open_outbox()
        try:
            self._run_sender(outbox, self.stopping)
        finally:
            outbox.close()

    def stop(self, timeout_seconds: float) -> None:
        self.stopping.set()
        self.join(timeout_seconds)
