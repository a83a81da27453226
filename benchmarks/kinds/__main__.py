"""How long an alert takes, kind by kind: from its cause, or from the moment at which it may be judged.

`python -m benchmarks.kinds [--rate 2000] [--seconds 60] [--each 4]`. One Kafka node, one worker, the collector's
producer, log time at speed 1, and nothing else. Writes benchmarks/results/kinds.json and kinds.md. Exit code 1 when an
alert is missing, or came that should not have.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer

from benchmarks.kinds.judge import measure, spreads
from benchmarks.kinds.plan import Plan, make_plan, stories_of
from benchmarks.kinds.report import Outcome, summary, table, write
from benchmarks.latency.__main__ import ALERT_SECONDS, SEED, START_SECONDS, WARM_UP_SECONDS, Fed, Parts, feed, worker
from benchmarks.latency.feed import Feed, front_door
from benchmarks.latency.hops import spread
from benchmarks.latency.log import RAW, Appended, Incomplete, Place, make_topics, read_all, wait_for
from benchmarks.latency.plan import ROOT
from benchmarks.latency.report import load_average
from deploy.embedded.kafka import start_kafka, stop_kafka

RESULTS: Final = ROOT / "benchmarks" / "results"
SHORTEST_SECONDS: Final = WARM_UP_SECONDS + 10


async def run(
    plan: Plan, bootstrap: str, broker: int, prefix: str, log: Path, contracts: int
) -> tuple[Fed, dict[Place, Appended]]:
    """Raises Incomplete, NotFed, Unavailable."""
    watching = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await watching.start()
    try:
        with worker(log, "benchmarks.kinds.worker", bootstrap, prefix, str(contracts)) as pid:
            async with front_door(bootstrap, prefix + RAW) as raw_log:
                if not await wait_for(watching, prefix, "touchpoints", 1, 1, START_SECONDS):
                    raise Incomplete(f"the worker gave no tick within {START_SECONDS:.0f} s")
                fed = await feed(plan.slices, Feed(raw_log, SEED, plan.sources), Parts(pid, broker))
                await wait_for(watching, prefix, "alerts", 0, len(plan.planted), ALERT_SECONDS)
        return fed, await read_all(bootstrap, prefix)
    finally:
        await watching.stop()


def judge(plan: Plan, fed: Fed, records: dict[Place, Appended], args: argparse.Namespace, load: float) -> Outcome:
    """Only what was caused between warm-up and end counts as latency; every alert counts as missing or wrong."""
    since = fed.begun_at + WARM_UP_SECONDS * 1_000
    found = measure(records, plan.planted, fed.feed.occurred_at)
    raw = sum(
        place[0] == RAW and not record.control and since <= record.appended_at < fed.ended_at
        for place, record in records.items()
    )
    return Outcome(
        asked_per_second=args.rate,
        reached_per_second=raw * 1_000 / (fed.ended_at - since),
        seconds=args.seconds - WARM_UP_SECONDS,
        cpu_us_per_touchpoint=fed.used.worker * 1e6 / max(raw, 1),
        waited_ms_per_second=fed.used.waited * 1e6 / (fed.ended_at - since),
        late=spread(fed.feed.late_ms),
        load=(load, load_average()),
        missing=found.missing,
        wrong=found.wrong,
        spreads=spreads(found.latencies, since, fed.ended_at),
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.kinds", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rate", type=int, default=2_000, help="touchpoints a second")
    parser.add_argument("--seconds", type=int, default=60, help=f"the first {WARM_UP_SECONDS} are the warm-up")
    parser.add_argument("--each", type=int, default=4, help="stories of each kind a second")
    args = parser.parse_args()
    if args.seconds < SHORTEST_SECONDS or args.rate < 100 or args.each < 1:
        parser.error(f"--seconds must be at least {SHORTEST_SECONDS}, --rate 100, --each 1")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is stopped
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a new topic has no leader for a moment
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    load, prefix = load_average(), f"kinds-{int(time.time())}."
    plan, contracts = make_plan(args.rate, args.seconds, args.each, SEED), stories_of(args.seconds, args.each)
    with tempfile.TemporaryDirectory(prefix="touchline-kinds-", ignore_cleanup_errors=True) as folder:
        work = Path(folder)
        kafka = start_kafka(work / "kafka", progress=lambda text: print(text, flush=True))
        try:
            make_topics(kafka.bootstrap, prefix)
            ran = run(plan, kafka.bootstrap, kafka.pid, prefix, work / "worker.log", contracts)
            fed, records = asyncio.run(ran)
        finally:
            stop_kafka(work / "kafka")
            if (work / "worker.log").exists():
                print((work / "worker.log").read_text(errors="replace")[-2_000:], file=sys.stderr, end="")
    outcome = judge(plan, fed, records, args, load)
    print("\n".join(summary(outcome)), table(outcome), sep="\n")
    write(RESULTS, ROOT, outcome)
    return int(outcome.missing > 0 or outcome.wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
