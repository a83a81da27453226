"""What definitions cost: CPU of `resolve` and `track` per touchpoint with 1, 10 and 50 of them.

`python -m benchmarks.definitions [--customers N] [--rounds R]`. In memory, one partition, CPU time of this process.
Writes benchmarks/results/definitions.json and definitions.md. Three ways to have many definitions:

- apart: each listens to touchpoints of its own, and each customer goes through one journey, as departments do;
- shared: all listen to the same touchpoints, so that each order runs through all of them, the worst there is;
- idle: one has traffic, and the others wait for touchpoints that never come.

All are measured in turns, and of each the quickest round counts; the ratios come from one run on one machine.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple

from benchmarks import pages
from benchmarks.identity import MINUTE, START, Raw, touchpoint
from schemas.definition import Catalogue, Definition
from schemas.fast import encode, fast_type
from schemas.records import Tick
from streams.identity.resolve import Resolve, ResolveConfig
from streams.journey.compile import compile_definitions
from streams.journey.track import Track
from streams.stage import Effect, Stage

ROOT: Final = Path(__file__).parent.parent
Way = Literal["apart", "shared", "idle"]
WAYS: Final[tuple[Way, ...]] = ("apart", "shared", "idle")
COUNTS: Final = (1, 10, 50)
BATCH: Final = 500
CHECKPOINT_EVERY: Final = 6
"""Batches between two checkpoints."""
ORDER: Final = ("order_placed", "payment_captured", "ready_for_pickup", "picked_up")
_tick = fast_type(Tick)


class Cost(NamedTuple):
    """CPU in us per touchpoint; what track wrote, per touchpoint."""

    resolve_us: float
    track_us: float
    snapshots: float
    alerts: float

    @property
    def total_us(self) -> float:
        return self.resolve_us + self.track_us


def definitions(way: Way, count: int) -> list[Definition]:
    return [_definition(number, "" if way == "shared" else f"_{number}") for number in range(count)]


def _definition(number: int, suffix: str) -> Definition:
    placed, captured, ready, picked = (name + suffix for name in ORDER)
    return Definition.model_validate(
        {
            "journey": f"pickup_{number}",
            "version": 1,
            "mode": "live",
            "owner": "benchmark",
            "instance": {"key": "order_id"},
            "start": {"touchpoint": placed, "where": {"fulfilment": "pickup"}},
            "steps": {
                "paid": {"touchpoint": captured, "within": "10m"},
                "ready": {"touchpoint": ready, "after": "paid", "within": "8h"},
                "collected": {"touchpoint": picked, "after": "ready", "within": "1d"},
            },
            "outcome": {"success": "collected"},
            "breaks": {
                "trouble": {
                    "touchpoint": f"payment_declined{suffix}",
                    "at_least": 3,
                    "in_window": "10m",
                    "cleared_by": "paid",
                },
                "unpaid": {"touchpoint": picked, "requires": "paid"},
                "gone": {"idle": "12h"},
            },
            "lifetime": "3d",
        }
    )


class Arrived(NamedTuple):
    at: int
    value: bytes


def traffic(way: Way, count: int, customers: int) -> list[Arrived]:
    """In the order in which it happens: hundreds of customers are under way at a time."""
    return sorted(_customers(way, count, customers), key=lambda one: one.at)


def _customers(way: Way, count: int, customers: int) -> Iterator[Arrived]:
    """Of each five pages, a login and an order of four touchpoints; one order in ten is never paid."""
    for person in range(customers):
        at, number, device = START + person * 97, person * 10, {"anonymous_id": f"device-{person:08}"}
        for page in range(5):
            yield _arrived(number + page, at + page * MINUTE, "page_viewed", **device)
        yield _arrived(number + 5, at + 5 * MINUTE, "signed_in", **device, user_id=f"user-{person:08}")
        suffix = {"apart": f"_{person % count}", "shared": "", "idle": "_0"}[way]
        for index, name in enumerate(ORDER):
            if index != 1 or person % 10:
                order = {"order_id": f"order-{person:08}"}
                yield _arrived(number + 6 + index, at + (6 + index) * MINUTE, name + suffix, **device, **order)


def _arrived(number: int, at: int, name: str, **identifiers: str) -> Arrived:
    return Arrived(at, touchpoint(number, at, name, **identifiers))


class Bench:
    """Both stages over one partition that owns everything and hears what it tells."""

    def __init__(self, way: Way, count: int) -> None:
        catalogue = Catalogue(touchpoints={})
        compiled = compile_definitions(definitions(way, count), catalogue)
        self._resolve = Resolve(0, 1, ResolveConfig(catalogue, b"secret", compiled.facts, persons=compiled.persons))
        self._track = Track(0, compiled, "live")
        self._offsets = {"touchpoints.raw": 0, "touchpoints": 0}
        self._seconds = {"resolve": 0.0, "track": 0.0}
        self._written = {"journeys": 0, "alerts": 0}
        self._now = self._ticks = 0

    def run(self, values: Sequence[Arrived]) -> Cost:
        for number, begin in enumerate(range(0, len(values), BATCH)):
            batch = values[begin : begin + BATCH]
            self._now = batch[-1].at
            records = [self._raw("touchpoints.raw", one.value)._replace(timestamp=one.at) for one in batch]
            told = self._timed("resolve", self._resolve, records)
            while again := [effect for effect in told if effect.topic == "touchpoints.raw"]:
                self._follow([effect for effect in told if effect.topic == "touchpoints"])
                back = [self._raw(effect.topic, effect.value, effect.headers) for effect in again]
                told = self._timed("resolve", self._resolve, back)
            self._follow([effect for effect in told if effect.topic == "touchpoints"])
            self._tick(self._now)
            if number % CHECKPOINT_EVERY == CHECKPOINT_EVERY - 1:
                self._timed("resolve", self._resolve, [], checkpoint=True)
                self._timed("track", self._track, [], checkpoint=True)
        share = 1e6 / len(values)
        return Cost(
            self._seconds["resolve"] * share,
            self._seconds["track"] * share,
            self._written["journeys"] / len(values),
            self._written["alerts"] / len(values),
        )

    def _raw(self, topic: str, value: bytes, headers: tuple[tuple[str, bytes], ...] = ()) -> Raw:
        offset = self._offsets[topic]
        self._offsets[topic] += 1
        return Raw(offset, self._now, None, value, headers)

    def _follow(self, effects: Sequence[Effect]) -> None:
        if effects:
            self._heard(self._timed("track", self._track, [self._raw(one.topic, one.value) for one in effects]))

    def _tick(self, log_time: int) -> None:
        self._ticks += 1
        tick = encode(_tick(at=("keep_time", 0, self._ticks, 0), log_time=log_time))
        self._heard(self._timed("track", self._track, [self._raw("touchpoints", tick)]))

    def _heard(self, out: Sequence[Effect]) -> None:
        for effect in out:
            self._written[effect.topic] += 1

    def _timed(self, part: str, stage: Stage, records: Sequence[Raw], checkpoint: bool = False) -> list[Effect]:
        out: list[Effect] = []
        begun = time.process_time()
        for record in records:
            stage.apply(record, out)
        stage.flush(out)
        if checkpoint:
            stage.changes()
        self._seconds[part] += time.process_time() - begun
        return out


def measure(customers: int, rounds: int) -> dict[Way, dict[int, Cost]]:
    found: dict[Way, dict[int, Cost]] = {way: {} for way in WAYS}
    for _ in range(rounds):
        for way in WAYS:
            for count in COUNTS:
                values = traffic(way, count, customers)
                gc.collect()
                cost = Bench(way, count).run(values)
                best = found[way].get(count, cost)
                found[way][count] = min(best, cost, key=lambda one: one.total_us)
    return found


def table(found: Mapping[Way, Mapping[int, Cost]]) -> str:
    rows = []
    for way, costs in found.items():
        for count, cost in costs.items():
            ratio = f"{cost.total_us / costs[COUNTS[0]].total_us:.2f}"
            numbers = [f"{number:.1f}" for number in (cost.resolve_us, cost.track_us, cost.total_us)]
            rows.append((count, way, *numbers, ratio, f"{cost.snapshots:.2f}", f"{cost.alerts:.3f}"))
    head = ("definitions", "listen", "resolve us", "track us", "together", "to one definition", "snapshots", "alerts")
    return pages.table(head, rows)


def write(folder: Path, found: Mapping[Way, Mapping[int, Cost]], customers: int) -> None:
    on = pages.occasion(ROOT)
    costs = {way: {str(count): cost._asdict() for count, cost in of.items()} for way, of in found.items()}
    notes = (
        "CPU in microseconds, snapshots and alerts, all per touchpoint; in memory, without Kafka. `apart`: each",
        "definition has touchpoints of its own; `shared`: every order runs through all definitions; `idle`: one has",
        "traffic, the others wait. Made by `python -m benchmarks.definitions`.",
    )
    page = ["# What definitions cost", "", f"{on}, {customers:,} customers:", "", table(found), "", *notes]
    pages.write(folder, "definitions", on, {"customers": customers, "costs": costs}, page)


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.definitions", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--customers", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    found = measure(args.customers, args.rounds)
    print(table(found))
    write(ROOT / "benchmarks" / "results", found, args.customers)


if __name__ == "__main__":
    main()
