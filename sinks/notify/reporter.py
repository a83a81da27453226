"""Open incidents to one Alertmanager, again and again until they end.

What it is to hear is state, not a queue: each request says how the incidents stand, so a lost one is made good by
the next and nothing needs to be parked. News goes at once, the rest before Alertmanager would end it by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog

from sinks.notify.alertmanager import Pace, alertmanager_body
from sinks.notify.incidents import Due
from sinks.notify.metrics import NotifierMetrics
from sinks.notify.outbox import Outbox
from sinks.notify.post import Again, Channel, Delivered, Refused
from sinks.notify.rate import allowance
from sinks.notify.routing import Route
from sinks.notify.sender import backoff_ms

BATCH_MAX: Final = 100

log = structlog.get_logger()


class Reporter:
    """Of an Alertmanager route. `now_ms` is the wall clock."""

    def __init__(
        self,
        outbox: Outbox,
        route: Route,
        channel: Channel,
        metrics: NotifierMetrics,
        *,
        pace: Pace,
        generator_url: str | None,
        now_ms: Callable[[], int],
        jitter: Callable[[], float],
    ) -> None:
        self._outbox = outbox
        self._route = route
        self._channel = channel
        self._metrics = metrics
        self._pace = pace
        self._generator_url = generator_url
        self._now_ms = now_ms
        self._jitter = jitter
        self._failures = 0
        self._next_at = 0
        self._batch = BATCH_MAX
        self._held = False

    async def round(self) -> int:
        """One request, if something is due; returns how many incidents it told of."""
        now = self._now_ms()
        if now < self._next_at <= now + self._pace.refresh_ms:
            return 0
        due = self._outbox.to_report(self._route, now, self._pace, self._batch)
        if not due or not self._may_send(now):
            return 0
        reports = [found.report for found in due]
        body = alertmanager_body(reports, self._route.template, now, self._pace, self._generator_url)
        outcome = await self._channel.send("", body)
        match outcome:
            case Delivered():
                self._delivered(due)
            case Refused(cause):
                self._refused(due, cause)
            case Again(cause, after_ms):
                wait = min(max(backoff_ms(self._failures, self._jitter()), after_ms or 0), self._pace.refresh_ms)
                self._next_at = self._now_ms() + wait
                self._failures += 1
                self._count("again")
                log.warning("Alertmanager not reached, will try again", route=self._route.name, cause=cause)
        return len(due)

    def _may_send(self, now: int) -> bool:
        if self._route.per_minute is None:
            return True
        if not allowance(self._outbox.requests(self._route.key, now), now, self._route.per_minute):
            self._held = True
            return False
        self._outbox.claim(self._route.key, now, 1)
        return True

    def _delivered(self, due: list[Due]) -> None:
        self._outbox.reported(self._route, due, self._now_ms(), self._pace)
        self._failures, self._batch = 0, BATCH_MAX
        self._count("delivered")
        if self._held:
            self._metrics.coalesced.labels(self._route.name).inc(sum(found.is_news for found in due) - 1)
            self._held = False

    def _refused(self, due: list[Due], cause: str) -> None:
        """One bad incident spoils a request: the next ones go alone. What is refused alone waits for its refresh."""
        self._count("refused")
        if len(due) > 1:
            self._batch = 1
            return
        self._outbox.reported(self._route, due, self._now_ms(), self._pace)
        labels = due[0].report.incident.labels
        log.error(
            "Alertmanager refused an incident", route=self._route.name, cause=cause, journey=labels.journey,
            break_name=labels.break_name,
        )  # fmt: skip

    def _count(self, outcome: str) -> None:
        self._metrics.attempts.labels(self._route.name, outcome).inc()
