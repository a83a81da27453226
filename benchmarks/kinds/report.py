"""results/kinds.json and kinds.md: one row for each kind of alert."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks import pages
from benchmarks.kinds.stories import BY_KIND, Basis
from benchmarks.latency.hops import Spread
from benchmarks.latency.report import cells, in_figures, in_words
from benchmarks.latency.running import Flow
from schemas.records import BreakKind

MEASURED: Final[Mapping[Basis, str]] = {
    "touchpoint": "the touchpoint that completes it",
    "deadline": "due + grace",
    "silence": "silent for so long",
    "contract": "the touchpoint that breaks it",
}


class Outcome(NamedTuple):
    """One run. `waited_ms_per_second`: the worker's main thread was ready to run and had no CPU."""

    flow: Flow
    waited_ms_per_second: float
    spreads: Mapping[BreakKind, Spread]


def table(outcome: Outcome) -> str:
    rows = [(kind, MEASURED[BY_KIND[kind].basis], *cells(one)) for kind, one in outcome.spreads.items()]
    return pages.table(("kind", "measured from", "alerts", "p50 ms", "p90", "p99", "max"), rows)


def summary(outcome: Outcome) -> Sequence[str]:
    load = outcome.flow.load
    return (
        *in_words(outcome.flow, outcome.waited_ms_per_second),
        f"load average of the machine {load[0]:.1f} before, {load[1]:.1f} after; of each second the worker's main "
        f"thread was ready to run and had no CPU for {outcome.waited_ms_per_second:.0f} ms.",
    )


def write(folder: Path, root: Path, outcome: Outcome) -> None:
    on = pages.occasion(root)
    report = {
        **in_figures(outcome.flow),
        "waited_ms_per_second": outcome.waited_ms_per_second,
        "spreads": {kind: one._asdict() for kind, one in outcome.spreads.items()},
    }
    head = f"{on}, Kafka beside the worker:"
    page = ["# Latency, kind by kind", "", head, *summary(outcome), "", table(outcome), "", *_NOTES]
    pages.write(folder, "kinds", on, report, page)


_NOTES: Final = (
    "All times are the broker's, at the append: until the alert lies on Kafka. What waits for time needs a beat of the",
    "collector (every 250 ms) and the rounds of keep_time: [latency](latency.md) has the hops. All kinds run at once.",
    "None of them waits for a watched source; a deadline that does is judged when it speaks again, or is silent.",
    "Made by `python -m benchmarks.kinds`.",
)
