"""All partitions of one worker: follows assignments, and is the transport's `Gate`.

At an assignment every partition gets a task of its own, which opens itself beside the others; at a revocation and at
a stop all of them are asked to finish, and given up after `drain_timeout_ms`. An error that leaves a task ends the
process: nothing of its batch was acknowledged.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic, time_ns

from streams.checkpoint import Checkpoint
from streams.emit import Emitter
from streams.metrics import WorkerMetrics
from streams.partition import State, Surroundings
from streams.quarantine import QuarantineList, QuarantineReader
from streams.runner import PartitionRunner
from streams.settings import Place, StageSpec, WorkerSettings
from streams.stage import LogRecord
from streams.topics import TopicFacts, check_topics
from streams.transport import Delivery, SourceLog

log = logging.getLogger(__name__)

GIVE_UP_SECONDS = 6.0
Key = tuple[str, int]


class Shell:
    """`start` before the Faust app, `stop` after it."""

    def __init__(
        self, settings: WorkerSettings, stages: Sequence[StageSpec], metrics: WorkerMetrics | None = None
    ) -> None:
        self.settings, self.stages = settings, stages
        self.metrics = metrics or WorkerMetrics()
        self.joined = False
        self._specs = {settings.physical(spec.source): spec for spec in stages}
        self._known = QuarantineList()
        self._emitters = {spec.name: Emitter(settings, self.metrics) for spec in stages}
        self._reader = QuarantineReader(settings, self._known)
        self._runners: dict[Key, PartitionRunner] = {}
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._background: list[asyncio.Task[None]] = []
        self._room = asyncio.Event()
        self._topic_ids: dict[str, str] = {}
        self._opening = asyncio.Semaphore(settings.opening_at_once)
        self.fail: Callable[[BaseException], Awaitable[None]] | None = None

    async def start(self, facts: dict[str, TopicFacts]) -> None:
        """`facts`: what the broker says about the topics (`describe_topics`). Raises Refused, KafkaError."""
        check_topics(self.settings, self.stages, facts)
        self._topic_ids = {name: fact.topic_id for name, fact in facts.items()}
        for emitter in self._emitters.values():
            await emitter.start()
        await self._reader.start(facts[self.settings.physical(self.settings.quarantine_topic)].partitions)
        self._background = [self._watched(self._reader.follow(), "quarantine")]
        self._background += [
            self._watched(self._beat(spec), f"beat {spec.name}") for spec in self.stages if spec.beat is not None
        ]

    async def stop(self) -> None:
        await self.drain()
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._reader.stop()
        for emitter in self._emitters.values():
            await emitter.stop()

    # --- Gate
    # ----------------------------------------------------------------------------------------------------------------

    def seeks(self) -> dict[Key, int]:
        return {key: offset for key, runner in self._runners.items() if (offset := runner.intake.seek_to) is not None}

    def sought(self, topic: str, partition: int, offset: int) -> None:
        if (runner := self._runners.get((topic, partition))) is not None:
            runner.intake.sought(offset)

    def wanted(self) -> tuple[set[Key], bool]:
        wanted = {key for key, runner in self._runners.items() if runner.intake.fetchable}
        return wanted, len(wanted) < len(self._runners)

    async def wait_for_room(self, seconds: float) -> None:
        self._room.clear()
        if self.wanted()[0] or self.seeks():
            return
        waiting = asyncio.get_running_loop().call_later(seconds, self._room.set)
        await self._room.wait()
        waiting.cancel()

    def admit(self, topic: str, partition: int, records: Sequence[LogRecord]) -> Delivery | None:
        runner = self._runners.get((topic, partition))
        return None if runner is None else runner.intake.admit(records)

    def positions(self) -> dict[Key, int]:
        return {key: runner.position for key, runner in self._runners.items() if runner.position is not None}

    def _store(self, place: Place, changelog: str) -> Checkpoint:
        return Checkpoint(place, self.settings.physical(changelog), self.settings)

    def assigned(self, source: SourceLog, partitions: set[Key]) -> None:
        self.metrics.rebalances.inc()
        self.joined = True
        around = {spec.name: self._around(spec) for spec in self.stages}
        self._runners = {}
        for topic, partition in sorted(partitions):
            spec = self._specs[topic]
            runner = PartitionRunner(spec, Place(spec.name, topic, partition), source, around[spec.name])
            self._runners[topic, partition] = runner
            self._tasks[topic, partition] = self._watched(runner.run(), str(runner.place))
        self._room.set()

    def _around(self, spec: StageSpec) -> Surroundings:
        return Surroundings(
            self.settings,
            self._emitters[spec.name],
            self._known,
            self.metrics,
            self._topic_ids,
            self._store,
            self._opening,
            self._room.set,
        )

    async def drain(self) -> None:
        """Afterwards no task here touches a partition. Last positions stay known until the next assignment."""
        for key, runner in self._runners.items():
            runner.finish()
            if runner.state is State.RESTORING and key in self._tasks:
                self._tasks[key].cancel()
        tasks, self._tasks = list(self._tasks.values()), {}
        if not tasks:
            return
        begun = monotonic()
        _, late = await asyncio.wait(tasks, timeout=self.settings.drain_timeout_ms / 1000)
        for task in late:
            log.warning(
                "%s did not finish in time and is given up; its records are redone by the next owner", task.get_name()
            )
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=GIVE_UP_SECONDS)
        log.info("%d partitions let go in %.2f s", len(tasks), monotonic() - begun)

    # --- health
    # --------------------------------------------------------------------------------------------------------------

    def states(self) -> dict[Place, State]:
        return {runner.place: runner.state for runner in self._runners.values()}

    # --- background
    # ----------------------------------------------------------------------------------------------------------

    def _watched(self, work: Awaitable[None], name: str) -> asyncio.Task[None]:
        async def watched() -> None:
            await work

        task = asyncio.create_task(watched(), name=name)
        task.add_done_callback(self._on_done)
        return task

    def _on_done(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or (error := task.exception()) is None:
            return
        log.critical(
            "%s failed (%s: %s); the process ends, nothing of the batch is acknowledged",
            task.get_name(),
            type(error).__name__,
            error,
        )
        if self.fail is not None:
            self._failing = asyncio.ensure_future(self.fail(error))

    async def _beat(self, spec: StageSpec) -> None:
        assert spec.beat is not None
        topic = self.settings.physical(spec.source)
        while True:
            await asyncio.sleep(self.settings.beat_interval_ms / 1000)
            owned = [
                key[1] for key, runner in self._runners.items() if key[0] == topic and runner.state is State.RUNNING
            ]
            if owned:
                now_ms = time_ns() // 1_000_000
                await self._emitters[spec.name].send([spec.beat(partition, now_ms) for partition in owned])
                self.metrics.beats.labels(spec.name).inc(len(owned))
