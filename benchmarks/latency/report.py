"""results/latency.json and latency.md: both budgets, hop by hop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks import pages
from benchmarks.latency.hops import TOTAL, Spread
from benchmarks.latency.running import Flow

LABELS: Final = {
    "retries": "**touchpoint -> alert**, journey of the customer (budget: p99 <= 100 ms)",
    "order": "**touchpoint -> alert**, journey of an order (budget: p99 <= 100 ms)",
    "answer": "**deadline due -> alert** (budget: p99 <= 500 ms)",
}
BUDGETS_MS: Final = {"retries": 100, "order": 100, "answer": 500}


class Outcome(NamedTuple):
    """One run. `used_ms_per_second`: CPU by part; `waited`: the worker's main thread was ready and had none. `rounds`:
    how many deadlines waited for so many rounds of marks.
    """

    flow: Flow
    used_ms_per_second: Mapping[str, float]
    spreads: Mapping[str, Mapping[str, Spread]]
    rounds: Mapping[str, int]


WAITED_MS_MAX: Final = 100
"""Of a second. A worker that has to wait longer for a CPU measures what else runs on the machine."""


def table(outcome: Outcome) -> str:
    rows = [
        (LABELS[definition] if name == TOTAL else f"- {name}", *cells(one))
        for definition, hops in outcome.spreads.items()
        for name, one in hops.items()
    ]
    return pages.table(("ms", "count", "p50", "p90", "p99", "max"), rows)


def cells(one: Spread) -> Sequence[str]:
    return (str(one.samples), *(f"{value:.0f}" for value in one[1:]))


def summary(outcome: Outcome) -> Sequence[str]:
    load, used = outcome.flow.load, outcome.used_ms_per_second
    return (
        *in_words(outcome.flow, used["waited"]),
        f"load average of the machine {load[0]:.1f} before, {load[1]:.1f} after. Of each second the worker had a CPU "
        f"for {used['worker']:.0f} ms, the broker for {used['broker']:.0f}, the feed for {used['feed']:.0f}; the "
        f"worker's main thread was ready to run and had none for {used['waited']:.0f}.",
        f"Rounds of marks that a deadline waited for: {_rounds(outcome.rounds)}.",
    )


def in_words(flow: Flow, waited_ms_per_second: float) -> Sequence[str]:
    """How it ran, all but the machine's load."""
    busy = ("THE MACHINE WAS BUSY: these times say little of the worker. Run it again on a quiet one.",)
    return (
        *(busy if waited_ms_per_second > WAITED_MS_MAX else ()),
        f"{flow.reached_per_second:,.0f} touchpoints/s reached of {flow.asked_per_second:,} asked, for "
        f"{flow.seconds} s after the warm-up;",
        f"the worker used {flow.cpu_us_per_touchpoint:.0f} us of CPU per touchpoint, all stages, beats and ticks "
        "included;",
        f"missing alerts: {flow.missing}, wrong ones: {flow.wrong}; the feed sent its slices {flow.late.p50:.1f} ms "
        f"late (p50), {flow.late.p99:.1f} ms (p99);",
    )


def in_figures(flow: Flow) -> Mapping[str, object]:
    return flow._asdict() | {"late": flow.late._asdict()}


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
    on = pages.occasion(root)
    report = {
        **in_figures(outcome.flow),
        "used_ms_per_second": outcome.used_ms_per_second,
        "spreads": {
            definition: {name: one._asdict() for name, one in hops.items()}
            for definition, hops in outcome.spreads.items()
        },
        "rounds": outcome.rounds,
    }
    head = f"{on}, Kafka beside the worker:"
    page = ["# Latency", "", head, *summary(outcome), "", table(outcome), "", *_NOTES]
    pages.write(folder, "latency", on, report, page)


_NOTES: Final = (
    "All times are the broker's, at the append; hops follow the positions that records carry. The hops of one alert",
    "add up to its total, percentiles do not. Breaks by touchpoint: the third declined payment. Deadlines: a missing",
    "answer, from due + grace; the collector beats every 250 ms. Made by `python -m benchmarks.latency`.",
)
