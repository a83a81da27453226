"""`make histories N=10000 [SEED=17]`: so many random histories, each with a schedule of faults, against every law.

Prints what they were about. Fails when a history breaks a law, and when something they should be about never occurred.
A failure names the seed; SEED runs that history alone.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Final

from tests.simulated.cover import ALL, OF_LONG_ONES, missing
from tests.simulated.judge import judge, judge_long

FAILURES_MAX: Final = 5
"""Histories that fail before the rest is not tried."""
LINES_MAX: Final = 25
TELL_SECONDS: Final = 10


@dataclass
class Outcome:
    """How many histories held, in how many each thing occurred, and what went wrong with which seed."""

    held: int = 0
    covered: Counter[str] = field(default_factory=Counter)
    failed: list[tuple[int, str]] = field(default_factory=list)


def run_all(first: int, count: int, jobs: int, law: Callable[[int], set[str]] = judge) -> Outcome:
    begun = told = time.monotonic()
    whole = Outcome()
    with ProcessPoolExecutor(jobs) as pool:
        waiting = {pool.submit(law, seed): seed for seed in range(first, first + count)}
        for done in as_completed(waiting):
            error = done.exception()
            if error is None:
                whole.held += 1
                whole.covered.update(done.result())
            else:
                whole.failed.append((waiting[done], _last_lines(error)))
            now = time.monotonic()
            if now - told > TELL_SECONDS:
                told = now
                print(f"{whole.held:,} of {count:,} histories, {now - begun:.0f} s", flush=True)
            if len(whole.failed) >= FAILURES_MAX:
                pool.shutdown(cancel_futures=True)
                break
    return whole


def _last_lines(error: BaseException) -> str:
    """As it was raised in the child."""
    text = "".join(traceback.format_exception(error.__cause__ or error))
    return "\n".join(text.splitlines()[-LINES_MAX:])


def report(whole: Outcome, count: int, seconds: float) -> list[str]:
    lines = [f"{number:8,}  {name}" for name, number in sorted(whole.covered.items(), key=lambda item: -item[1])]
    for seed, text in sorted(whole.failed):
        lines += ["", f"history {seed} breaks a law; `make histories SEED={seed}` runs it alone:", text]
    lines.append(f"{whole.held:,} of {count:,} histories hold every law, {seconds:.0f} s")
    return lines


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulated.histories", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="this history alone")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--long", action="store_true", help="eighteen days, in which links are forgotten")
    options = parser.parse_args(arguments)
    law, wanted = (judge_long, OF_LONG_ONES) if options.long else (judge, ALL)
    if options.seed is not None:
        print("\n".join(sorted(law(options.seed))))
        return 0
    begun = time.monotonic()
    whole = run_all(options.first, options.count, options.jobs, law)
    print("\n".join(report(whole, options.count, time.monotonic() - begun)))
    absent = missing(whole.covered, wanted)
    if absent and not whole.failed:
        print(f"never occurred, so nothing is proved about it: {', '.join(absent)}")
    return 1 if absent or whole.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
