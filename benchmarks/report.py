"""results/latest.json and latest.md: what was measured, on what, and the ratios."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks import pages
from benchmarks.generate import Workload
from benchmarks.measure import Measured
from deploy.embedded.java import find_java

OURS: Final = ("faust-streaming", "aiokafka", "msgspec")
FIELDS: Final = ("cpu_us_per_touchpoint", "touchpoints_per_second", "peak_rss_mb")
LABELS: Final = {
    "limit": "the limit (fetch, decode, count; no stitching)",
    "touchline": "**Touchline**",
    "quix_streams": "Quix Streams, the same outputs",
    "quix_streams_lean": "Quix Streams, journeys and alerts only",
}


def write_report(
    folder: Path, root: Path, workload: Workload, results: Mapping[str, Sequence[Measured]], seed: int
) -> None:
    on = pages.occasion(root)
    report = {
        "versions": _versions(root),
        "touchpoints": len(workload.records),
        "seed": seed,
        "contenders": {name: _middle(runs) for name, runs in results.items()},
        "rounds": {name: _spread(runs) for name, runs in results.items()},
    }
    pages.write(folder, "latest", on, report, _page(on, report))


def _middle(runs: Sequence[Measured]) -> dict[str, float | int | None]:
    """Medians; of `wrong` the worst."""
    wrong = [one.wrong for one in runs if one.wrong is not None]
    return {field: median(getattr(one, field) for one in runs) for field in FIELDS} | {
        "wrong": max(wrong) if wrong else None
    }


def _spread(runs: Sequence[Measured]) -> dict[str, Any]:
    ways: dict[str, Callable[[Sequence[float]], float]] = {"min": min, "median": median, "max": max}
    return {
        field: {how: take([getattr(one, field) for one in runs]) for how, take in ways.items()} for field in FIELDS
    } | {"runs": len(runs)}


def _page(on: pages.Occasion, report: Mapping[str, Any]) -> Iterator[str]:
    found = report["contenders"]
    yield from ("# Benchmark", "")
    yield f"{on.measured_at}, commit {on.commit}: {report['touchpoints']:,} touchpoints of about 500"
    yield (
        f"bytes, one process each on {on.cores}, Kafka beside it. Medians of "
        f"{report['rounds'][next(iter(found))]['runs']} runs; only ratios within one run mean anything."
    )
    yield from ("", _table(found))
    versions = ", ".join(f"{name} {number}" for name, number in report["versions"].items())
    yield from ("", f"Versions: {versions}.", "", *_NOTES)


def _table(found: Mapping[str, Any]) -> str:
    ours, rows = found.get("touchline"), []
    for name, one in found.items():
        ratio = f"{one['cpu_us_per_touchpoint'] / ours['cpu_us_per_touchpoint']:.2f}" if ours else ""
        wrong = "" if one["wrong"] is None else one["wrong"]
        numbers = (f"{one['cpu_us_per_touchpoint']:.1f}", f"{one['touchpoints_per_second']:,.0f}")
        rows.append((LABELS[name], *numbers, f"{one['peak_rss_mb']:.0f}", wrong, ratio))
    head = ("", "CPU us per touchpoint", "touchpoints/s", "peak memory, MB", "wrong answers", "CPU, Touchline = 1")
    return pages.table(head, rows)


_NOTES: Final = (
    "The job: drop duplicates, attribute by user, login, device and order, follow checkout and click-and-collect",
    "journeys, tell their breaks, with a changelog. Touchline also does what the Quix contender leaves out: deadlines,",
    "fenced checkpoints every second without loss or double effect, clock correction, kiosk days, late arrivals, dead",
    "letters, retention, full validation (benchmarks/quix.py lists it). `wrong` counts journeys and alerts that differ",
    "from an answer computed offline; breaks by deadline are asked of Touchline only.",
)


def _versions(root: Path) -> dict[str, str]:
    locked = dict(
        line.split(" ")[0].split("==")
        for line in (root / "requirements-bench.lock").read_text().splitlines()
        if line.startswith(("quixstreams==", "confluent-kafka=="))
    )
    jars = (root / "deploy/embedded/kafka.jars.lock").read_text()
    kafka = jars.partition(":kafka-clients:")[2].partition("\n")[0]
    return {
        "Python": platform.python_version(),
        "Java": str(find_java().major),
        "Kafka": kafka,
        **{name: version(name) for name in OURS},
        **locked,
    }
