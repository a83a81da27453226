"""results/latency.json and latency.md: both budgets, hop by hop."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from benchmarks.latency.hops import TOTAL, Spread
from benchmarks.report import commit_of, machine

LABELS: Final = {
    "retries": "**touchpoint -> alert**, journey of the customer (budget: p99 <= 100 ms)",
    "order": "**touchpoint -> alert**, journey of an order (budget: p99 <= 100 ms)",
    "answer": "**deadline due -> alert** (budget: p99 <= 500 ms)",
}
BUDGETS_MS: Final = {"retries": 100, "order": 100, "answer": 500}


class Outcome(NamedTuple):
    """One run. `late`: how late the feed sent its slices, ms. `load`: the machine's load average before and after.
    `used_ms_per_second`: CPU by part; `waited`: the worker's main thread was ready and had none. `rounds`: how many
    deadlines waited for so many rounds of marks.
    """

    asked_per_second: int
    reached_per_second: float
    seconds: int
    cpu_us_per_touchpoint: float
    used_ms_per_second: Mapping[str, float]
    late: Spread
    load: tuple[float, float]
    missing: int
    wrong: int
    spreads: Mapping[str, Mapping[str, Spread]]
    rounds: Mapping[str, int]


WAITED_MS_MAX: Final = 100
"""Of a second. A worker that has to wait longer for a CPU measures what else runs on the machine."""


def table(outcome: Outcome) -> str:
    lines = ["| ms | count | p50 | p90 | p99 | max |", "|---|---|---|---|---|---|"]
    for definition, rows in outcome.spreads.items():
        for name, one in rows.items():
            label = LABELS[definition] if name == TOTAL else f"- {name}"
            cells = " | ".join(f"{value:.0f}" for value in one[1:])
            lines.append(f"| {label} | {one.samples} | {cells} |")
    return "\n".join(lines)


def summary(outcome: Outcome) -> Sequence[str]:
    late, load, used = outcome.late, outcome.load, outcome.used_ms_per_second
    busy = ("THE MACHINE WAS BUSY: these times say little of the worker. Run it again on a quiet one.",)
    return (
        *(busy if used["waited"] > WAITED_MS_MAX else ()),
        f"{outcome.reached_per_second:,.0f} touchpoints/s reached of {outcome.asked_per_second:,} asked, for "
        f"{outcome.seconds} s after the warm-up;",
        f"the worker used {outcome.cpu_us_per_touchpoint:.0f} us of CPU per touchpoint, all stages, beats and ticks "
        "included;",
        f"missing alerts: {outcome.missing}, wrong ones: {outcome.wrong}; the feed sent its slices {late.p50:.1f} ms "
        f"late (p50), {late.p99:.1f} ms (p99);",
        f"load average of the machine {load[0]:.1f} before, {load[1]:.1f} after. Of each second the worker had a CPU "
        f"for {used['worker']:.0f} ms, the broker for {used['broker']:.0f}, the feed for {used['feed']:.0f}; the "
        f"worker's main thread was ready to run and had none for {used['waited']:.0f}.",
        f"Rounds of marks that a deadline waited for: {_rounds(outcome.rounds)}.",
    )


def _rounds(rounds: Mapping[str, int]) -> str:
    of = sum(rounds.values())
    return ", ".join(f"{number} for {100 * count / of:.0f} %" for number, count in rounds.items())


def over_budget(outcome: Outcome) -> list[str]:
    return [
        f"{LABELS[name]}: {rows[TOTAL].p99:.0f} ms"
        for name, rows in outcome.spreads.items()
        if rows[TOTAL].p99 > BUDGETS_MS[name]
    ]


def write(folder: Path, root: Path, outcome: Outcome) -> None:
    folder.mkdir(exist_ok=True)
    found, made_at = machine(), datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ")
    report: dict[str, Any] = {"measured_at": made_at, "commit": commit_of(root), "machine": found}
    report |= outcome._asdict() | {"late": outcome.late._asdict()}
    report["spreads"] = {
        definition: {name: one._asdict() for name, one in rows.items()} for definition, rows in outcome.spreads.items()
    }
    (folder / "latency.json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    head = (
        f"{made_at}, commit {report['commit']}, {found['cores']} cores ({found['processor']}), Kafka beside the worker:"
    )
    text = ["# Latency", "", head, *summary(outcome), "", table(outcome), "", *_NOTES, ""]
    (folder / "latency.md").write_text("\n".join(text))


_NOTES: Final = (
    "All times are the broker's, at the append; hops follow the positions that records carry. The hops of one alert",
    "add up to its total, percentiles do not. Breaks by touchpoint: the third declined payment. Deadlines: a missing",
    "answer, from due + grace; the collector beats every 250 ms. Made by `python -m benchmarks.latency`.",
)


def load_average() -> float:
    return os.getloadavg()[0]
