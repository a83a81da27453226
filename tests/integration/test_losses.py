"""Each way in which stock Faust loses records, against the real broker. The oracle (`rig.owed`) knows inputs only."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from streams.quarantine import Entry, quarantine
from streams.settings import WorkerSettings
from tests.integration.patience import PATIENCE_SECONDS
from tests.integration.rig import Rig

BUG = 700


@pytest.fixture
def rig(kafka: str, topic_prefix: str, tmp_path: Path) -> Rig:
    return Rig(kafka, topic_prefix, tmp_path)


def run(rig: Rig, story: Callable[[Rig], Awaitable[None]], without: str = "") -> None:
    async def whole() -> None:
        async with rig.running(without):
            await story(rig)

    asyncio.run(whole())


def test_a_bug_stops_its_partition_only_until_the_record_is_given_up(rig: Rig) -> None:
    async def story(rig: Rig) -> None:
        await rig.load(8_000, poison=BUG)
        worker = rig.start("one")
        await rig.until(6_000 + BUG)
        await rig.until_log("one", f"touchline quarantine {rig.prefix}in 0 {BUG}")
        assert "must not be logged" not in rig.log("one")
        settings = WorkerSettings(f"{rig.prefix}app", "cli", rig.kafka, "", topic_prefix=rig.prefix)
        await quarantine(settings, Entry(f"{rig.prefix}in", 0, BUG), "test")
        await rig.all_owed(given_up=[(0, BUG)])
        assert await rig.stop(worker) == 0
        await rig.load(400)
        worker = rig.start("one")  # the quarantine is remembered in the state, and in the list
        await rig.all_owed(given_up=[(0, BUG)])
        assert await rig.stop(worker) == 0

    run(rig, story)


def test_a_build_without_the_bug_takes_over_where_the_old_one_stopped(rig: Rig) -> None:
    async def story(rig: Rig) -> None:
        await rig.load(4_000, poison=BUG)
        worker = rig.start("one")
        await rig.until_log("one", "touchline quarantine")
        await rig.until(3_000 + BUG)
        assert await rig.stop(worker) == 0
        assert {partition: mark.clean for partition, mark in (await rig.marks()).items()} == dict.fromkeys(
            range(4), True
        )
        assert (await rig.marks())[0].position == BUG
        rig.start("one", fingerprint="build-2", fixed=True)
        await rig.all_owed()

    run(rig, story)


def test_kill_9_of_two_members_in_turn(rig: Rig) -> None:
    async def story(rig: Rig) -> None:
        await rig.load(60_000)
        members = {name: rig.start(name, work_us=40) for name in ("one", "two")}
        for number in range(5):
            await rig.until(min(len(rig.seen) + 6_000, 59_000))
            name = "one" if number % 2 else "two"
            members[name].kill()
            members[name].wait()
            members[name] = rig.start(name, work_us=40)
        await rig.all_owed()
        assert sum(rig.seen.values()) < 120_000, "nearly everything was redone: the checkpoints do not help"

    run(rig, story)


def test_another_build_is_refused_after_a_kill(rig: Rig) -> None:
    async def story(rig: Rig) -> None:
        await rig.load(20_000)
        worker = rig.start("one", work_us=40)
        await rig.until(4_000)
        worker.kill()
        worker.wait()
        other = rig.start("one", fingerprint="build-2")
        await rig.until_log("one", "did not stop cleanly")
        assert await rig.stop(other) == 0
        rig.start("one")
        await rig.all_owed()

    run(rig, story)


def test_sigterm_at_random_moments(rig: Rig) -> None:
    """Of start-up too, where stock Faust leaves a process that never ends."""

    async def story(rig: Rig) -> None:
        await rig.load(20_000)
        moments = random.Random(7)
        for _ in range(7):
            worker = rig.start("one", work_us=40)
            await asyncio.sleep(moments.uniform(0.9, 4.0))
            assert await rig.stop(worker) in (0, -signal.SIGTERM)  # the latter while Python still imports
        assert all(mark.clean for mark in (await rig.marks()).values())
        rig.start("one")
        await rig.all_owed()

    run(rig, story)


def test_a_second_member_comes_and_goes(rig: Rig) -> None:
    async def story(rig: Rig) -> None:
        await rig.load(10_000)
        first = rig.start("one", work_us=60)
        await rig.until(1_000)
        second = rig.start("two", work_us=60)
        await rig.until_log("two", "opened at")
        await rig.load(30_000)
        await rig.until(len(rig.seen) + 4_000)
        assert await rig.stop(second) == 0
        await rig.all_owed()
        assert await rig.stop(first) == 0
        assert sum(rig.seen.values()) == 40_000, "a rebalance and a stop redo nothing"

    run(rig, story)


def test_a_zombie_is_fenced(rig: Rig) -> None:
    async def story(rig: Rig) -> None:
        await rig.load(1_000)
        zombie = rig.start("one", work_us=60)
        await rig.until(1_000)
        rig.start("two", work_us=60)
        await rig.until_log("two", "opened at")
        await rig.load(40_000)
        await rig.until(3_000)
        zombie.send_signal(signal.SIGSTOP)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while rig.log("two").count("opened at") < 6:  # its own two, then all four
            assert time.monotonic() < deadline
            await rig.collect()
        zombie.send_signal(signal.SIGCONT)
        await rig.all_owed()
        await rig.until_log("one", "another owner has taken over")
        assert zombie.poll() is None, "it joins again"

    run(rig, story)


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_a_producer_may_choose_its_codec(rig: Rig, codec: str) -> None:
    async def story(rig: Rig) -> None:
        await rig.load(400, codec=codec)
        rig.start("one")
        await rig.all_owed()

    run(rig, story)


def test_nothing_is_acknowledged_while_effects_cannot_be_written(rig: Rig) -> None:
    async def story(rig: Rig) -> None:
        await rig.load(2_000)
        worker = rig.start("one", effect_topic="nowhere", request_timeout_ms=2_000)
        assert await asyncio.to_thread(worker.wait, PATIENCE_SECONDS) == 1
        assert set((await rig.committed()).values()) <= {0}
        assert {mark.position for mark in (await rig.marks()).values()} == {0}
        rig.start("one")
        await rig.all_owed()

    run(rig, story)
