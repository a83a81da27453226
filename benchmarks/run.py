"""`make bench`: Touchline, the limit and Quix Streams on the same bytes, in turn; ratios are what counts.

Writes benchmarks/results/latest.json and latest.md. Under ten minutes on two cores. Every contender is one process of
its own beside one Kafka node; each run gets topics of its own with the same records, and they are deleted after it.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kafka.admin import KafkaAdminClient

from benchmarks.generate import Workload, cached
from benchmarks.measure import Contender, Measured, RunFailed, measure
from benchmarks.report import write_report
from deploy.embedded.kafka import start_kafka, stop_kafka
from deploy.topics import ensure

ROOT: Final = Path(__file__).parent.parent
RESULTS: Final = Path(__file__).parent / "results"
VENV: Final = ROOT / ".venv-bench"
CACHE: Final = ROOT / ".touchline" / "bench"
LOCK: Final = ROOT / "requirements-bench.lock"


def contenders(bootstrap: str, prefix: str, state: Path) -> list[Contender]:
    quix, here = str(VENV / "bin" / "python"), sys.executable
    at = (bootstrap, prefix)
    stitched, out = ("touchpoints.raw", "touchpoints"), ("touchpoints", "journeys", "alerts")
    return [
        Contender("limit", (here, "-m", "benchmarks.limit", *at), ("touchpoints.raw",), ()),
        Contender("touchline", (here, "-m", "benchmarks.touchline_worker", *at), (*stitched, "progress"), out),
        Contender("quix_streams", (quix, "-m", "benchmarks.quix", *at, str(state), "full"), stitched, out, False),
        Contender("quix_streams_lean", (quix, "-m", "benchmarks.quix", *at, str(state), "lean"), stitched, out, False),
    ]


def ensure_venv() -> None:
    """Quix Streams pins other versions than we do, so it has a venv of its own; made once, checked by hash."""
    done = VENV / ".installed"
    if done.exists() and done.read_text() == LOCK.read_text():
        return
    print(f"installing Quix Streams into {VENV.name} (once)", flush=True)
    subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    (VENV / ".gitignore").write_text("*\n")
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--require-hashes", "-r", str(LOCK)], check=True)
    done.write_text(LOCK.read_text())


async def one_run(name: str, number: int, workload: Workload, bootstrap: str, work: Path) -> Measured:
    prefix = f"bench-{int(time.time())}-{number}-{name.replace('_', '-')}."
    kafka = {"bootstrap_servers": bootstrap}
    ensure(kafka, prefix)
    state = work / prefix
    chosen = next(one for one in contenders(bootstrap, prefix, state) if one.name == name)
    log = work / f"{prefix}log"
    try:
        return await measure(chosen, workload, bootstrap, prefix, log)
    except RunFailed:
        print(log.read_text(errors="replace")[-2_000:], file=sys.stderr)
        raise
    finally:
        delete_topics(bootstrap, prefix)


def delete_topics(bootstrap: str, prefix: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        made = [name for name in admin.list_topics() if prefix in name]
        admin.delete_topics(made)
    finally:
        admin.close()


async def all_rounds(args: argparse.Namespace, workload: Workload, work: Path) -> dict[str, list[Measured]]:
    """Each round begins with another contender, so that none always has the quiet or the warm machine."""
    names: Sequence[str] = args.only or [one.name for one in contenders("", "", work)]
    results: dict[str, list[Measured]] = {name: [] for name in names}
    kafka = start_kafka(work / "kafka", progress=lambda text: print(text, flush=True))
    try:
        for number in range(args.rounds):
            for name in [*names[number % len(names) :], *names[: number % len(names)]]:
                measured = await one_run(name, number, workload, kafka.bootstrap, work)
                results[name].append(measured)
                print(f"round {number + 1}  {name:18} {measured}", flush=True)
    finally:
        stop_kafka(work / "kafka")
    return results


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.run", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--touchpoints", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--only", nargs="*", help="these contenders; nothing is written then")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is stopped
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a new topic has no leader for a moment
    if not args.only or any(name.startswith("quix") for name in args.only):
        ensure_venv()
    begun = time.monotonic()
    workload = cached(CACHE, args.touchpoints, args.seed)
    with tempfile.TemporaryDirectory(prefix="touchline-bench-", ignore_cleanup_errors=True) as work:
        results = asyncio.run(all_rounds(args, workload, Path(work)))
    if not args.only:
        write_report(RESULTS, ROOT, workload, results, args.seed)
    print(f"{time.monotonic() - begun:.0f} s on {platform.machine()}")
    return int(any(one.wrong for runs in results.values() for one in runs))


if __name__ == "__main__":
    sys.exit(main())
