"""Runs the squash now and then beside the loader, in a thread of its own: a pass may take minutes.

Of several loaders one does it, the one that owns the first partition of `touchpoints`. Two at once, at a takeover, do
no harm. What fails is tried again at the next round; the loader does not hear of it, only the metrics do.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread
from time import monotonic
from typing import Final

import structlog

from sinks.clickhouse.errors import LoaderError
from sinks.clickhouse.metrics import LoaderMetrics
from sinks.clickhouse.squash import Squash

FIRST_SECONDS: Final = 300.0
"""Not before a loader has caught up, as a rule; and soon enough for one that is restarted every hour."""
AGAIN_SECONDS: Final = 60.0
"""After a pass that reached its bound."""

log = structlog.get_logger()


class SquashRounds:
    """`mine`: whether it is ours to do. `stop` ends it, between two statements at the latest."""

    def __init__(
        self, squash: Squash, metrics: LoaderMetrics, mine: Callable[[], bool], interval_seconds: float, stop: Event
    ) -> None:
        self._squash, self._metrics, self._mine, self._stop = squash, metrics, mine, stop
        self._interval = interval_seconds
        self._thread = Thread(target=self._run, name="squash", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wait(self, seconds: float) -> None:
        """For the statement under way; what it does is whole or undone, so nobody has to wait longer."""
        self._thread.join(seconds)

    def _run(self) -> None:
        pause = min(self._interval, FIRST_SECONDS)
        while not self._stop.wait(pause):
            pause = self.once() if self._mine() else self._interval

    def once(self) -> float:
        """One pass. Returns after how many seconds the next is due."""
        begun_at = monotonic()
        try:
            done = self._squash.run()
        except LoaderError as error:
            self._metrics.squash_failures.inc()
            log.warning("squash failed, will try again", error=str(error))
            return self._interval
        self._metrics.squash_seconds.observe(monotonic() - begun_at)
        self._metrics.squashed.labels("written").inc(done.written)
        self._metrics.squashed.labels("removed").inc(done.removed)
        if done.written or done.removed:
            log.info("attributions squashed", written=done.written, removed=done.removed, more=done.more)
        return min(self._interval, AGAIN_SECONDS) if done.more else self._interval
