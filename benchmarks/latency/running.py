"""What both latency benchmarks do: one Kafka node, one worker and the feed; what lay on the log, and what it cost."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import psutil
import structlog
from aiokafka import AIOKafkaConsumer

from benchmarks.latency.feed import Feed, front_door, now_ms
from benchmarks.latency.hops import Spread, spread
from benchmarks.latency.log import RAW, Appended, Incomplete, Place, make_topics, read_all, wait_for
from benchmarks.latency.plan import SLICE_MS
from benchmarks.measure import start, stop
from benchmarks.truth import Point
from deploy.embedded.kafka import start_kafka, stop_kafka

WARM_UP_SECONDS: Final = 10
START_SECONDS: Final = 60.0
ALERT_SECONDS: Final = 20.0
SEED: Final = 7


class Used(NamedTuple):
    """Seconds of CPU of worker, broker and this process; and how long the worker's main thread, ready to run, waited
    for a CPU.
    """

    worker: float
    broker: float
    feed: float
    waited: float

    def since(self, before: Used) -> Used:
        return Used(*(now - then for now, then in zip(self, before, strict=True)))


class Parts(NamedTuple):
    """What runs beside the feed. `worker` and `broker` are process ids."""

    worker: int
    broker: int

    def used(self) -> Used:
        schedule = Path(f"/proc/{self.worker}/schedstat")
        waited = int(schedule.read_text().split()[1]) / 1e9 if schedule.exists() else 0.0
        return Used(_cpu(self.worker), _cpu(self.broker), _cpu(os.getpid()), waited)


def _cpu(pid: int) -> float:
    """Of the process, and of its children that live: the broker has a supervisor before it."""
    process = psutil.Process(pid)
    own = [] if pid == os.getpid() else process.children(recursive=True)
    times = [one.cpu_times() for one in (process, *own)]
    return float(sum(one.user + one.system for one in times))


class Errand(NamedTuple):
    """`worker`: its module, and arguments behind bootstrap and prefix. `alerts`: how many have to come. `sources`: by
    message id, where it is not the usual one.
    """

    worker: Sequence[str]
    slices: Sequence[Sequence[Point]]
    alerts: int
    sources: Mapping[str, bytes] = {}


class Ran(NamedTuple):
    """`load`: the machine's load average before. `used`: between warm-up and end; times are ms since the epoch."""

    load: float
    records: Mapping[Place, Appended]
    feed: Feed
    begun_at: int
    ended_at: int
    used: Used

    @property
    def warm_at(self) -> int:
        return self.begun_at + WARM_UP_SECONDS * 1_000

    def per_second(self, seconds: float) -> float:
        """Of seconds in all, the ms of each."""
        return seconds * 1e6 / (self.ended_at - self.warm_at)


class Flow(NamedTuple):
    """How it ran. `late`: how late the feed sent its slices, ms. `load`: the machine's load average before and after
    it.
    """

    asked_per_second: int
    reached_per_second: float
    seconds: int
    cpu_us_per_touchpoint: float
    late: Spread
    load: tuple[float, float]
    missing: int
    wrong: int


def run(name: str, errand: Errand) -> Ran:
    """Blocks until every alert came, or ALERT_SECONDS passed. Raises Incomplete, NotFed, Unavailable. What was started
    is stopped, on SIGTERM too; the worker's last words go to stderr.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a new topic has no leader for a moment
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    load, prefix = load_average(), f"{name}-{int(time.time())}."
    with tempfile.TemporaryDirectory(prefix=f"touchline-{name}-", ignore_cleanup_errors=True) as folder:
        work, log = Path(folder), Path(folder) / "worker.log"
        kafka = start_kafka(work / "kafka", progress=lambda text: print(text, flush=True))
        try:
            make_topics(kafka.bootstrap, prefix)
            return asyncio.run(_ran(errand, kafka.bootstrap, kafka.pid, prefix, log, load))
        finally:
            stop_kafka(work / "kafka")
            if log.exists():
                print(log.read_text(errors="replace")[-2_000:], file=sys.stderr, end="")


async def _ran(errand: Errand, bootstrap: str, broker: int, prefix: str, log: Path, load: float) -> Ran:
    module, *more = errand.worker
    watching = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await watching.start()
    try:
        with _worker(log, module, bootstrap, prefix, *more) as pid:
            async with front_door(bootstrap, prefix + RAW) as raw_log:
                if not await wait_for(watching, prefix, "touchpoints", 1, 1, START_SECONDS):
                    raise Incomplete(f"the worker gave no tick within {START_SECONDS:.0f} s")
                feed, parts = Feed(raw_log, SEED, errand.sources), Parts(pid, broker)
                begun_at, ended_at, used = await _fed(errand.slices, feed, parts)
                await wait_for(watching, prefix, "alerts", 0, errand.alerts, ALERT_SECONDS)
        return Ran(load, await read_all(bootstrap, prefix), feed, begun_at, ended_at, used)
    finally:
        await watching.stop()


@contextmanager
def _worker(log: Path, *command: str) -> Iterator[int]:
    """Its process id. `command`: module and arguments."""
    child = start((sys.executable, "-m", *command), log)
    try:
        yield child.pid
    finally:
        stop(child)


async def _fed(slices: Sequence[Sequence[Point]], feed: Feed, parts: Parts) -> tuple[int, int, Used]:
    """When it began and ended, and the CPU used between warm-up and end."""
    warm = WARM_UP_SECONDS * 1_000 // SLICE_MS
    begun_at = now_ms()
    await feed.send(slices[:warm])
    before = parts.used()
    feed.late_ms.clear()
    await feed.send(slices[warm:])
    return begun_at, now_ms(), parts.used().since(before)


def flow_of(ran: Ran, rate: int, seconds: int, missing: int, wrong: int) -> Flow:
    """Asked were `rate` touchpoints a second, for `seconds` with the warm-up."""
    raw = sum(
        place[0] == RAW and not record.control and ran.warm_at <= record.appended_at < ran.ended_at
        for place, record in ran.records.items()
    )
    return Flow(
        asked_per_second=rate,
        reached_per_second=raw * 1_000 / (ran.ended_at - ran.warm_at),
        seconds=seconds - WARM_UP_SECONDS,
        cpu_us_per_touchpoint=ran.used.worker * 1e6 / max(raw, 1),
        late=spread(ran.feed.late_ms),
        load=(ran.load, load_average()),
        missing=missing,
        wrong=wrong,
    )


def load_average() -> float:
    return os.getloadavg()[0]
