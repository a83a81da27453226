"""How long an alert takes, kind by kind: from its cause, or from the moment at which it may be judged.

`python -m benchmarks.kinds [--rate 2000] [--seconds 60] [--each 4]`. One Kafka node, one worker, the collector's
producer, log time at speed 1, and nothing else. Writes benchmarks/results/kinds.json and kinds.md. Exit code 1 when an
alert is missing, or came that should not have.
"""

from __future__ import annotations

import argparse
import sys
from typing import Final

from benchmarks.kinds.judge import measure, spreads
from benchmarks.kinds.plan import Plan, make_plan, stories_of
from benchmarks.kinds.report import Outcome, summary, table, write
from benchmarks.latency.plan import ROOT
from benchmarks.latency.running import SEED, WARM_UP_SECONDS, Errand, Ran, flow_of, run

RESULTS: Final = ROOT / "benchmarks" / "results"
SHORTEST_SECONDS: Final = WARM_UP_SECONDS + 10


def judge(plan: Plan, ran: Ran, rate: int, seconds: int) -> Outcome:
    """Only what was caused between warm-up and end counts as latency; every alert counts as missing or wrong."""
    found = measure(ran.records, plan.planted, ran.feed.occurred_at)
    return Outcome(
        flow=flow_of(ran, rate, seconds, found.missing, found.wrong),
        waited_ms_per_second=ran.per_second(ran.used.waited),
        spreads=spreads(found.latencies, ran.warm_at, ran.ended_at),
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.kinds", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rate", type=int, default=2_000, help="touchpoints a second")
    parser.add_argument("--seconds", type=int, default=60, help=f"the first {WARM_UP_SECONDS} are the warm-up")
    parser.add_argument("--each", type=int, default=4, help="stories of each kind a second")
    args = parser.parse_args()
    if args.seconds < SHORTEST_SECONDS or args.rate < 100 or args.each < 1:
        parser.error(f"--seconds must be at least {SHORTEST_SECONDS}, --rate 100, --each 1")
    plan, contracts = make_plan(args.rate, args.seconds, args.each, SEED), stories_of(args.seconds, args.each)
    worker = ("benchmarks.kinds.worker", str(contracts))
    ran = run("kinds", Errand(worker, plan.slices, len(plan.planted), plan.sources))
    outcome = judge(plan, ran, args.rate, args.seconds)
    print("\n".join(summary(outcome)), table(outcome), sep="\n")
    write(RESULTS, ROOT, outcome)
    return int(outcome.flow.missing > 0 or outcome.flow.wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
