"""results/kinds.json and kinds.md: one row for each kind of alert."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from benchmarks.kinds.stories import BY_KIND, Basis
from benchmarks.latency.hops import Spread
from benchmarks.latency.report import WAITED_MS_MAX
from benchmarks.report import commit_of, machine
from schemas.records import BreakKind

MEASURED: Final[Mapping[Basis, str]] = {
    "touchpoint": "the touchpoint that completes it",
    "deadline": "due + grace",
    "silence": "silent for so long",
    "contract": "the touchpoint that breaks it",
}


class Outcome(NamedTuple):
    """One run. `late`: how late the feed sent its slices, ms. `load`: the machine's load average before and after.
    `waited_ms_per_second`: the worker's main thread was ready to run and had no CPU.
    """

    asked_per_second: int
    reached_per_second: float
    seconds: int
    cpu_us_per_touchpoint: float
    waited_ms_per_second: float
    late: Spread
    load: tuple[float, float]
    missing: int
    wrong: int
    spreads: Mapping[BreakKind, Spread]


def table(outcome: Outcome) -> str:
    lines = ["| kind | measured from | alerts | p50 ms | p90 | p99 | max |", "|---|---|---|---|---|---|---|"]
    for kind, one in outcome.spreads.items():
        cells = " | ".join(f"{value:.0f}" for value in one[1:])
        lines.append(f"| {kind} | {MEASURED[BY_KIND[kind].basis]} | {one.samples} | {cells} |")
    return "\n".join(lines)


def summary(outcome: Outcome) -> Sequence[str]:
    late, load = outcome.late, outcome.load
    busy = ("THE MACHINE WAS BUSY: these times say little of the worker. Run it again on a quiet one.",)
    return (
        *(busy if outcome.waited_ms_per_second > WAITED_MS_MAX else ()),
        f"{outcome.reached_per_second:,.0f} touchpoints/s reached of {outcome.asked_per_second:,} asked, for "
        f"{outcome.seconds} s after the warm-up;",
        f"the worker used {outcome.cpu_us_per_touchpoint:.0f} us of CPU per touchpoint, all stages, beats and ticks "
        "included;",
        f"missing alerts: {outcome.missing}, wrong ones: {outcome.wrong}; the feed sent its slices {late.p50:.1f} ms "
        f"late (p50), {late.p99:.1f} ms (p99);",
        f"load average of the machine {load[0]:.1f} before, {load[1]:.1f} after; of each second the worker's main "
        f"thread was ready to run and had no CPU for {outcome.waited_ms_per_second:.0f} ms.",
    )


def write(folder: Path, root: Path, outcome: Outcome) -> None:
    folder.mkdir(exist_ok=True)
    found, made_at = machine(), datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ")
    report: dict[str, Any] = {"measured_at": made_at, "commit": commit_of(root), "machine": found}
    report |= outcome._asdict() | {"late": outcome.late._asdict()}
    report["spreads"] = {kind: one._asdict() for kind, one in outcome.spreads.items()}
    (folder / "kinds.json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    head = (
        f"{made_at}, commit {report['commit']}, {found['cores']} cores ({found['processor']}), Kafka beside the worker:"
    )
    text = ["# Latency, kind by kind", "", head, *summary(outcome), "", table(outcome), "", *_NOTES, ""]
    (folder / "kinds.md").write_text("\n".join(text))


_NOTES: Final = (
    "All times are the broker's, at the append: until the alert lies on Kafka. What waits for time needs a beat of the",
    "collector (every 250 ms) and the rounds of keep_time: [latency](latency.md) has the hops. All kinds run at once.",
    "Made by `python -m benchmarks.kinds`.",
)
