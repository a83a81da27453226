"""How long an alert takes: from the touchpoint that causes it, and from the deadline that passes.

`python -m benchmarks.latency [--rate 2000] [--seconds 40]` (`make latency`). One Kafka node, one
worker, the collector's producer, and nothing else. Writes benchmarks/results/latency.json and latency.md.
Exit code 1 when an alert is missing, or came that should not have.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import psutil
import structlog
from aiokafka import AIOKafkaConsumer

from benchmarks.latency.feed import Feed, front_door, now_ms
from benchmarks.latency.hops import measure, spread, spreads
from benchmarks.latency.log import RAW, Appended, Incomplete, Place, make_topics, read_all, wait_for
from benchmarks.latency.plan import ROOT, SLICE_MS, Plan, judged_after_ms, make_plan
from benchmarks.latency.report import Outcome, load_average, over_budget, summary, table, write
from benchmarks.measure import start, stop
from benchmarks.truth import Point
from deploy.embedded.kafka import start_kafka, stop_kafka

RESULTS: Final = ROOT / "benchmarks" / "results"
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


class Fed(NamedTuple):
    """What the feed saw. `used`: between warm-up and end; times are ms since the epoch."""

    feed: Feed
    begun_at: int
    ended_at: int
    used: Used


@contextmanager
def worker(log: Path, *command: str) -> Iterator[int]:
    """Its process id. `command`: module and arguments."""
    child = start((sys.executable, "-m", *command), log)
    try:
        yield child.pid
    finally:
        stop(child)


async def run(plan: Plan, bootstrap: str, broker: int, prefix: str, log: Path) -> tuple[Fed, dict[Place, Appended]]:
    """Raises Incomplete, NotFed, Unavailable."""
    watching = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await watching.start()
    try:
        with worker(log, "benchmarks.latency.worker", bootstrap, prefix) as pid:
            async with front_door(bootstrap, prefix + RAW) as raw_log:
                if not await wait_for(watching, prefix, "touchpoints", 1, 1, START_SECONDS):
                    raise Incomplete(f"the worker gave no tick within {START_SECONDS:.0f} s")
                fed = await feed(plan.slices, Feed(raw_log, SEED), Parts(pid, broker))
                await wait_for(watching, prefix, "alerts", 0, len(plan.planted), ALERT_SECONDS)
        return fed, await read_all(bootstrap, prefix)
    finally:
        await watching.stop()


async def feed(slices: Sequence[Sequence[Point]], sending: Feed, parts: Parts) -> Fed:
    warm = WARM_UP_SECONDS * 1_000 // SLICE_MS
    begun_at = now_ms()
    await sending.send(slices[:warm])
    before = parts.used()
    sending.late_ms.clear()
    await sending.send(slices[warm:])
    return Fed(sending, begun_at, now_ms(), parts.used().since(before))


def judge(plan: Plan, fed: Fed, records: dict[Place, Appended], args: argparse.Namespace, load: float) -> Outcome:
    """Only what was caused between warm-up and end counts as latency; every alert counts as missing or wrong."""
    since = fed.begun_at + WARM_UP_SECONDS * 1_000
    found = measure(records, plan.planted, fed.feed.occurred_at, judged_after_ms())
    chosen = [one for one in found.latencies if since <= one.caused_at < fed.ended_at]
    raw = sum(
        place[0] == RAW and not record.control and since <= record.appended_at < fed.ended_at
        for place, record in records.items()
    )
    return Outcome(
        asked_per_second=args.rate,
        reached_per_second=raw * 1_000 / (fed.ended_at - since),
        seconds=args.seconds - WARM_UP_SECONDS,
        cpu_us_per_touchpoint=fed.used.worker * 1e6 / max(raw, 1),
        used_ms_per_second={
            name: seconds * 1e6 / (fed.ended_at - since) for name, seconds in fed.used._asdict().items()
        },
        late=spread(fed.feed.late_ms),
        load=(load, load_average()),
        missing=found.missing,
        wrong=found.wrong,
        spreads=spreads(chosen),
        rounds=dict(sorted(Counter(str(one.rounds) for one in chosen if one.rounds).items())),
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.latency", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rate", type=int, default=2_000, help="touchpoints a second")
    parser.add_argument("--seconds", type=int, default=40, help=f"the first {WARM_UP_SECONDS} are the warm-up")
    args = parser.parse_args()
    if args.seconds <= WARM_UP_SECONDS or args.rate < 100:
        parser.error(f"--seconds must be greater than {WARM_UP_SECONDS}, --rate at least 100")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is stopped
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a new topic has no leader for a moment
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    load, prefix = load_average(), f"latency-{int(time.time())}."
    plan = make_plan(args.rate, args.seconds, SEED)
    with tempfile.TemporaryDirectory(prefix="touchline-latency-", ignore_cleanup_errors=True) as folder:
        work = Path(folder)
        kafka = start_kafka(work / "kafka", progress=lambda text: print(text, flush=True))
        try:
            make_topics(kafka.bootstrap, prefix)
            fed, records = asyncio.run(run(plan, kafka.bootstrap, kafka.pid, prefix, work / "worker.log"))
        finally:
            stop_kafka(work / "kafka")
        print((work / "worker.log").read_text(errors="replace")[-2_000:], file=sys.stderr, end="")
    outcome = judge(plan, fed, records, args, load)
    print("\n".join(summary(outcome)), table(outcome), *over_budget(outcome), sep="\n")
    write(RESULTS, ROOT, outcome)
    return int(outcome.missing > 0 or outcome.wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
