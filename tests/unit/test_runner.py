"""The law of a partition's task, its store in memory: effects, then checkpoint, then position; a redo says the same."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from streams.checkpoint import Fenced, Mark, Saved
from streams.metrics import WorkerMetrics
from streams.partition import State, Surroundings
from streams.quarantine import Entry, QuarantineList, entry_key
from streams.runner import PartitionRunner
from streams.settings import Place, StageSpec, WorkerSettings
from streams.stage import Change, Effect
from tests.integration.shell_app import POISON, CountStage, Toy

PLACE = Place("toy", "in", 0)
TOY = Toy("app", "one", "nowhere", "", partitions=1)


@dataclass(frozen=True)
class Record:
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = 0
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass
class World:
    """Kafka, as one partition sees it: its log, what was sent, its changelog. `events` is the order of things."""

    log: list[Record]
    sent: list[bytes] = field(default_factory=list)
    entries: dict[bytes, bytes] = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=list)
    events: list[tuple[str, int]] = field(default_factory=list)
    fence: bool = False
    quarantined: QuarantineList = field(default_factory=QuarantineList)
    metrics: WorkerMetrics = field(default_factory=WorkerMetrics)

    async def send(self, effects: Sequence[Effect]) -> None:
        await asyncio.sleep(0)
        self.sent += [effect.value for effect in effects]
        self.events += [("effect", int(effect.value.split()[1])) for effect in effects]

    async def restore(self) -> Saved:
        return Saved(self.marks[-1] if self.marks else None, dict(self.entries))

    async def save(self, changes: Sequence[Change], mark: Mark) -> None:
        await asyncio.sleep(0)
        if self.fence:
            raise Fenced("another owner")
        self.entries.update((key, value) for key, value in changes if value is not None)
        self.marks.append(mark)
        self.events.append(("checkpoint", mark.position))

    @asynccontextmanager
    async def store(self, place: Place, changelog: str) -> AsyncIterator[World]:
        yield self

    async def committed(self, topic: str, partition: int) -> int | None:
        return None

    async def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        return 0, len(self.log)

    def runner(self, *, interval_ms: int = 5) -> PartitionRunner:
        settings = WorkerSettings("app", "one", "nowhere", "build", checkpoint_interval_ms=interval_ms)
        spec = StageSpec("toy", "in", "toy.state", 1, lambda partition: CountStage(partition, TOY))
        around = Surroundings(
            settings,
            self,
            self.quarantined,
            self.metrics,
            {"in": "id"},
            self.store,
            asyncio.Semaphore(1),
            lambda: None,
        )
        return PartitionRunner(spec, PLACE, self, around)

    async def feed(self, runner: PartitionRunner, batch: int) -> None:
        """One turn of what the transport does: seek, fetch, hand over."""
        if runner.intake.seek_to is not None:
            self.at = runner.intake.seek_to
            runner.intake.sought(self.at)
        if runner.intake.fetchable and (records := self.log[self.at : self.at + batch]):
            self.at += len(records)
            if (delivery := runner.intake.admit(records)) is not None:
                runner.take(delivery)
        await asyncio.sleep(0.001)

    async def until(self, runner: PartitionRunner, true: Callable[[], bool], batch: int = 7) -> None:
        deadline = time.monotonic() + 5
        while not true():
            assert time.monotonic() < deadline, (runner.state, self.marks[-1:], len(self.sent))
            await self.feed(runner, batch)


def world(records: int, poison: int | None = None) -> World:
    return World([Record(n, b"key %d" % (n % 5), POISON if n == poison else b"v") for n in range(records)])


def play(story: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await story()

    asyncio.run(whole())


async def finish(runner: PartitionRunner, task: asyncio.Task[None]) -> None:
    runner.finish()
    await asyncio.wait_for(task, 5)
    assert runner.state is State.CLOSED


def test_a_position_is_saved_only_behind_its_effects_and_known_only_behind_its_checkpoint() -> None:
    async def story() -> None:
        w = world(100)
        runner = w.runner()
        task = asyncio.create_task(runner.run())
        await w.until(runner, lambda: runner.position == 100)
        await finish(runner, task)
        sent: set[int] = set()
        for kind, number in w.events:
            if kind == "effect":
                sent.add(number)
            else:
                assert sent >= set(range(number)), "a checkpoint before its effects"
        assert w.marks[-1] == Mark(100, "id", "build", clean=True)
        assert b'touchline_stage_state{partition="0",stage="toy",what="keys"} 5.0' in w.metrics.text()
        assert [mark.clean for mark in w.marks[:-1]] == [False] * (len(w.marks) - 1)

    play(story)


def test_where_batches_end_changes_nothing() -> None:
    async def sent(batch: int) -> list[bytes]:
        w = world(60)
        runner = w.runner()
        task = asyncio.create_task(runner.run())
        await w.until(runner, lambda: runner.position == 60, batch)
        await finish(runner, task)
        return w.sent

    assert asyncio.run(sent(1)) == asyncio.run(sent(13)) == asyncio.run(sent(60))


def test_a_crash_anywhere_redoes_the_same_bytes() -> None:
    async def story() -> None:
        whole, w = world(60), world(60)
        for stop_after in (3, 20, 21, 44, 60):
            runner = w.runner(interval_ms=3)
            task = asyncio.create_task(runner.run())
            await w.until(runner, lambda: len(set(w.sent)) >= stop_after, 4)  # noqa: B023 (awaited here)
            task.cancel()
            await asyncio.wait([task])
        runner = whole.runner()
        task = asyncio.create_task(runner.run())
        await whole.until(runner, lambda: runner.position == 60)
        await finish(runner, task)
        assert set(w.sent) == set(whole.sent)

    play(story)


def test_an_idle_partition_checkpoints_what_it_has() -> None:
    async def story() -> None:
        w = world(5)
        runner = w.runner(interval_ms=30)
        task = asyncio.create_task(runner.run())
        await w.until(runner, lambda: runner.position == 5)
        await finish(runner, task)

    play(story)


def test_a_bug_holds_the_partition_clean_and_the_quarantine_lets_it_go_on() -> None:
    async def story() -> None:
        w = world(50, poison=23)
        runner = w.runner()
        task = asyncio.create_task(runner.run())
        await w.until(runner, lambda: runner.state is State.HALTED)
        assert w.marks[-1] == Mark(23, "id", "build", clean=True)
        assert {int(value.split()[1]) for value in w.sent} == set(range(23))
        w.quarantined.put(entry_key(Entry("in", 0, 23)), b'{"reason": "test"}')
        await w.until(runner, lambda: runner.position == 50)
        await finish(runner, task)
        assert w.sent.count(b"0 23 given up: test") == 1
        given_up = w.events.index(("effect", 23))
        assert w.events[given_up + 1] == ("checkpoint", 24), "checkpointed before anything else"

    play(story)


def test_a_listed_record_is_given_up_at_once_after_a_restart() -> None:
    async def story() -> None:
        w = world(30, poison=11)
        w.quarantined.put(entry_key(Entry("in", 0, 11)), b"{}")
        runner = w.runner()
        task = asyncio.create_task(runner.run())
        await w.until(runner, lambda: runner.position == 30)
        await finish(runner, task)
        assert b"0 11 given up: quarantined" in w.sent

    play(story)


def test_a_fenced_owner_goes_quietly_and_acknowledges_nothing() -> None:
    async def story() -> None:
        w = world(30)
        runner = w.runner()
        task = asyncio.create_task(runner.run())
        await w.until(runner, lambda: runner.position is not None and runner.position > 0, 3)
        w.fence = True
        await w.until(runner, lambda: runner.state is State.FENCED, 3)
        assert runner.position is None
        await finish(runner, task)
        assert runner.position is None

    play(story)


def test_a_gap_that_retention_made_stops_the_partition() -> None:
    async def story() -> None:
        w = world(30)
        runner = w.runner()

        async def bounds(topic: str, partition: int) -> tuple[int, int]:
            return (0 if not w.sent else 20), 30

        w.bounds = bounds  # type: ignore[method-assign]
        task = asyncio.create_task(runner.run())
        await w.until(runner, lambda: bool(w.sent))
        w.at = 20  # where a consumer finds itself whose offset is out of range
        await w.until(runner, lambda: runner.state is State.STOPPED)
        assert all(int(value.split()[1]) < 20 for value in w.sent)
        await finish(runner, task)

    play(story)
