"""How long an alert takes: from the touchpoint that causes it, and from the deadline that passes.

`python -m benchmarks.latency [--rate 2000] [--seconds 40]` (`make latency`). One Kafka node, one
worker, the collector's producer, and nothing else. Writes benchmarks/results/latency.json and latency.md.
Exit code 1 when an alert is missing, or came that should not have.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from typing import Final

from benchmarks.latency.hops import measure, spreads
from benchmarks.latency.plan import ROOT, Plan, judged_after_ms, make_plan
from benchmarks.latency.report import Outcome, over_budget, summary, table, write
from benchmarks.latency.running import SEED, WARM_UP_SECONDS, Errand, Ran, flow_of, run

RESULTS: Final = ROOT / "benchmarks" / "results"


def judge(plan: Plan, ran: Ran, rate: int, seconds: int) -> Outcome:
    """Only what was caused between warm-up and end counts as latency; every alert counts as missing or wrong."""
    found = measure(ran.records, plan.planted, ran.feed.occurred_at, judged_after_ms())
    chosen = [one for one in found.latencies if ran.warm_at <= one.caused_at < ran.ended_at]
    return Outcome(
        flow=flow_of(ran, rate, seconds, found.missing, found.wrong),
        used_ms_per_second={name: ran.per_second(used) for name, used in ran.used._asdict().items()},
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
    plan = make_plan(args.rate, args.seconds, SEED)
    ran = run("latency", Errand(("benchmarks.latency.worker",), plan.slices, len(plan.planted)))
    outcome = judge(plan, ran, args.rate, args.seconds)
    print("\n".join(summary(outcome)), table(outcome), *over_budget(outcome), sep="\n")
    write(RESULTS, ROOT, outcome)
    return int(outcome.flow.missing > 0 or outcome.flow.wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
