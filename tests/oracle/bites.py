"""`make oracle-bites`: does the oracle find what is wrong? Runs without a defect, then one for each defect.

The unharmed runs must be green, the one whose worker is killed three times, too; every other one must be red, with a
difference of the right sort. A defect that turns out to change nothing, or a run that does not come to its end, fails.
Defects of identity are planted into simulated histories, the others into a demo.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.oracle.compare import compare
from tests.oracle.defects import RUN_DEFECTS
from tests.oracle.identity_defects import IDENTITY_DEFECTS, breaks_a_law, command
from tests.oracle.planting import Defect
from tests.oracle.report import Report

ROOT: Final = Path(__file__).resolve().parents[2]
TOUCHPOINTS: Final = 6_000
HISTORIES: Final = 400
SEEDS: Final = (11, 12, 13)
"""Runs without a defect take the first one. What a hasty deadline does shows only where a tick falls into the gap, and
ticks follow the machine's pace: a defect that a run did not show gets another run.
"""
RUN_SECONDS: Final = 600
RESULTS: Final = ("touchpoints", "journeys", "broken_now", "dead_letters", "alerts")


@dataclass(frozen=True, slots=True)
class Trial:
    """One run: with which defect, and which part is killed. `histories`: simulated ones instead of a demo."""

    name: str
    defect: Defect | None = None
    kill: str | None = None
    histories: bool = False


TRIALS: Final = (
    Trial("no defect"),
    Trial("no defect, but kills", kill="worker"),
    *(Trial(defect.name, defect, defect.kill) for defect in RUN_DEFECTS.values()),
    Trial("no defect, histories", histories=True),
    *(Trial(defect.name, defect, histories=True) for defect in IDENTITY_DEFECTS.values()),
)


@dataclass(frozen=True, slots=True)
class Bite:
    """One run and what the oracle said of it. `report` is None when there is nothing to compare."""

    name: str
    right: bool
    text: str
    seconds: float

    def __str__(self) -> str:
        return f"{'ok  ' if self.right else 'FAIL'}  {self.name:<26} {self.seconds:5.0f} s  {self.text}"


def run_demo(directory: Path, trial: Trial, seed: int) -> str | None:
    """Fills the directory. What went wrong, or None; a run that its own judge finds wrong is a run all the same."""
    words = [str(Path(sys.executable).with_name("touchline")), "demo", "--once"]
    words += ["--seed", str(seed), "--touchpoints", str(TOUCHPOINTS), "--export", str(directory)]
    words += ["--kill", trial.kill] if trial.kill is not None else []
    environment = environment_of(trial)
    with (directory / "log").open("w") as log:
        try:
            done = subprocess.run(
                words, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT, timeout=RUN_SECONDS
            )
        except subprocess.TimeoutExpired:
            return f"did not end within {RUN_SECONDS} s"
    if any(not (directory / "results" / f"{name}.jsonl").exists() for name in RESULTS):
        return f"left no results (exit code {done.returncode}): {_last_line(directory / 'log')}"
    return None


def environment_of(trial: Trial) -> dict[str, str]:
    if trial.defect is None:
        return dict(os.environ)
    paths = [str(Path(__file__).with_name("planted")), str(ROOT)]
    return os.environ | {"TOUCHLINE_TEST_DEFECT": trial.defect.name, "PYTHONPATH": os.pathsep.join(paths)}


def bite_histories(trial: Trial) -> Bite:
    began = time.monotonic()
    done = subprocess.run(
        command(HISTORIES), cwd=ROOT, env=environment_of(trial), capture_output=True, text=True, timeout=RUN_SECONDS
    )
    said = [line for line in done.stdout.splitlines() if line.strip()]
    right = breaks_a_law(trial.defect, done.stdout)
    return Bite(trial.name, right, said[-1] if said else done.stderr[-200:], time.monotonic() - began)


def bite(trial: Trial) -> Bite:
    if trial.histories:
        return bite_histories(trial)
    for seed in SEEDS if trial.defect is not None else SEEDS[:1]:
        found = _bite(trial, seed)
        if found.right:
            break
    return found


def _bite(trial: Trial, seed: int) -> Bite:
    began = time.monotonic()
    directory = Path(tempfile.mkdtemp(prefix="touchline-bites-"))
    try:
        trouble = run_demo(directory, trial, seed)
        if trouble is not None:
            return Bite(trial.name, False, trouble, time.monotonic() - began)
        report = compare(directory, killed=trial.kill is not None)
        return Bite(trial.name, is_right(trial.defect, report), said(report), time.monotonic() - began)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def is_right(defect: Defect | None, report: Report) -> bool:
    return report.right if defect is None else not defect.found_as.isdisjoint(report.sorts)


def said(report: Report) -> str:
    """The counts, and one difference of the rarest sort: it says most."""
    if report.right:
        return "no difference"
    sorts = sorted(report.sorts.items(), key=lambda item: item[1])
    return f"{json.dumps(dict(sorts))}, such as {report.lines[sorts[0][0]][0]}"


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "no word"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.oracle.bites", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="runs at the same time")
    names = [trial.name for trial in TRIALS]
    parser.add_argument("names", nargs="*", help=f"only these: {', '.join(names)}")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(names):
        parser.error(f"no such run: {', '.join(sorted(unknown))}")
    chosen = [trial for trial in TRIALS if not options.names or trial.name in options.names]
    with ThreadPoolExecutor(options.jobs) as pool:
        bites = []
        for done in pool.map(bite, chosen):
            print(done, flush=True)
            bites.append(done)
    missed = [one.name for one in bites if not one.right]
    print(
        f"{len(bites) - len(missed)} of {len(bites)} as they must be"
        + (f"; not: {', '.join(missed)}" if missed else "")
    )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
