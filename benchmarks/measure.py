"""One contender, one run: start it, let it warm up, feed it, watch it from outside until everything is done.

CPU is that of the contender's process with all its threads, from the first record after the warm-up to the last
output; start-up and warm-up do not count. Done means: the group has committed every input to its end, and nothing
was written for a while. The throughput's clock stops at the last output.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import psutil
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from benchmarks.feed import Feeder, cut
from benchmarks.generate import START, Workload
from benchmarks.judge import differing, expected, given
from schemas.topics import TOPICS

ROOT: Final = Path(__file__).parent.parent
WARM_UP: Final = 0.05
POLL_SECONDS: Final = 0.2
QUIET_POLLS: Final = 4
RUN_SECONDS: Final = 180.0
STOP_SECONDS: Final = 15.0


class Contender(NamedTuple):
    """`inputs` are the topics whose committed offsets say that it is done, `outputs` those that say until when."""

    name: str
    command: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    beats: bool = True


class Measured(msgspec.Struct, frozen=True):
    """`wrong`: journeys and alerts that differ from the true answer; None where there are none."""

    cpu_us_per_touchpoint: float
    touchpoints_per_second: float
    peak_rss_mb: float
    wrong: int | None


class RunFailed(Exception):
    """A contender ended, or did not finish in time. Says which, and where its log is."""


class Sample(NamedTuple):
    at: float
    cpu: float
    written: int
    done: bool


class Watch:
    """Looks at a contender's process and at its topics."""

    def __init__(self, bootstrap: str, prefix: str, contender: Contender, pid: int) -> None:
        self._group, self._contender = prefix + "workers", contender
        self._process = psutil.Process(pid)
        self._inputs, self._outputs = _places(prefix, contender.inputs), _places(prefix, contender.outputs)
        self._consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
        self._admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        self.peak_rss = 0

    async def __aenter__(self) -> Watch:
        await self._consumer.start()
        await self._admin.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._admin.close()
        await self._consumer.stop()

    def cpu(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)

    async def look(self) -> Sample:
        self.peak_rss = max(self.peak_rss, self._process.memory_info().rss)
        at, cpu = time.monotonic(), self.cpu()
        try:
            committed = await self._admin.list_consumer_group_offsets(self._group)
        except GroupCoordinatorNotAvailableError:  # the first group of this broker
            committed = {}
        ends = await self._consumer.end_offsets(list({*self._inputs, *self._outputs}))
        done = all(tp in committed and committed[tp].offset >= ends[tp] for tp in self._inputs if ends[tp])
        return Sample(at, cpu, sum(ends[tp] for tp in self._outputs), done)

    async def until_done(self) -> Sample:
        """The sample at which the last output was seen (without outputs, the first at which it was done)."""
        give_up, last, quiet = time.monotonic() + RUN_SECONDS, Sample(0, 0, -1, False), 0
        while quiet < QUIET_POLLS:
            if time.monotonic() > give_up or not self._process.is_running() or self._process.status() == "zombie":
                raise RunFailed(f"{self._contender.name} ended or did not finish in {RUN_SECONDS:.0f} s")
            sample = await self.look()
            if sample.written != last.written or (sample.done and not last.done and not self._outputs):
                last = sample
            quiet = quiet + 1 if sample.done and sample.written == last.written else 0
            await asyncio.sleep(POLL_SECONDS)
        return last


def _places(prefix: str, topics: Sequence[str]) -> list[TopicPartition]:
    return [TopicPartition(prefix + name, part) for name in topics for part in range(TOPICS[name].partitions)]


async def measure(contender: Contender, workload: Workload, bootstrap: str, prefix: str, log: Path) -> Measured:
    """Topics of the prefix must exist, and be empty. Raises RunFailed."""
    child = start(contender.command, log)
    try:
        warm = cut(workload.records, WARM_UP)
        async with Feeder(bootstrap, f"{prefix}touchpoints.raw", contender.beats) as feeder:
            feeder.load(workload.records, START - 1, warm)
            await feeder.send()
            async with Watch(bootstrap, prefix, contender, child.pid) as watch:
                await watch.until_done()
                feeder.load(workload.records, warm)
                cpu, begun = watch.cpu(), time.monotonic()
                await feeder.send()
                end = await watch.until_done()
    finally:
        stop(child)
    fed = sum(record.log_time > warm for record in workload.records)
    wrong = None
    if contender.outputs:
        wrong = len(differing(expected(workload.truth, contender.name), await given(bootstrap, prefix)))
    return Measured(
        round((end.cpu - cpu) * 1e6 / fed, 2), round(fed / (end.at - begun)), round(watch.peak_rss / 1e6, 1), wrong
    )


def start(command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """In a session of its own, as a service is: Linux may share out CPUs by session, and the feed has ours."""
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with log.open("wb") as out:
        return subprocess.Popen(command, stdout=out, stderr=out, cwd=ROOT, env=environment, start_new_session=True)


def stop(child: subprocess.Popen[bytes]) -> None:
    """By SIGTERM, by force when that takes too long."""
    child.send_signal(signal.SIGTERM)
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
