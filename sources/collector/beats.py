"""Beats: four times a second, as a rule, each partition of `touchpoints.raw` is told that log time has come this far.

An idle partition moves on by them, and without a front door time stands still instead of raising alarms. Each
partition beats on its own:
one that Kafka cannot take does not stop the others. A beat that cannot be written is not sent again; the next
one says more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from sources.collector.metrics import Metrics
from sources.collector.produce import RawLog, Record, Unavailable

BEAT_SECONDS_MAX: Final = 2.0
LATE_BEATS: Final = 12
"""So many intervals without a beat make the collector not ready."""

BeatRecord = Callable[[int, int], Record]
"""The beat for a partition at a time in ms, with its proof that it is ours."""


class Beats:
    def __init__(
        self,
        raw_log: RawLog,
        beat_record: BeatRecord,
        *,
        interval_ms: int,
        now: Callable[[], int],
        metrics: Metrics,
    ) -> None:
        self._raw_log = raw_log
        self._beat_record = beat_record
        self._interval_ms = interval_ms
        self._now = now
        self._metrics = metrics
        self._acknowledged_at = [0] * raw_log.partitions

    def problem(self) -> str | None:
        """The partition that has not beaten for too long, if there is one."""
        late_ms = LATE_BEATS * self._interval_ms
        oldest = self._now() - late_ms
        for partition, at in enumerate(self._acknowledged_at):
            if at < oldest:
                return f"no beat of partition {partition} was acknowledged in the last {late_ms} ms"
        return None

    async def run(self) -> None:
        """Ends when cancelled."""
        async with asyncio.TaskGroup() as group:
            for partition in range(len(self._acknowledged_at)):
                group.create_task(self._beat(partition))

    async def _beat(self, partition: int) -> None:
        while True:
            # All partitions wake at the same moment, so their beats share one request.
            await asyncio.sleep((self._interval_ms - self._now() % self._interval_ms) / 1_000)
            at = self._now()
            try:
                await self._raw_log.write([self._beat_record(partition, at)], BEAT_SECONDS_MAX)
            except Unavailable:
                continue
            self._acknowledged_at[partition] = at
            self._metrics.beats.inc()


def ready(raw_log: RawLog, beats: Beats | None) -> Sequence[str]:
    """Why the collector is not ready; nothing when it is."""
    found = (raw_log.problem(), beats.problem() if beats is not None else None)
    return [problem for problem in found if problem is not None]
