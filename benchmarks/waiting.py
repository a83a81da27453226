"""What waiting deadlines cost: a tick while 10,000, 100,000 and 1,000,000 of them are open.

`python -m benchmarks.waiting [--most N]`. In memory, one partition of `track`, CPU time of this process. Each order
has one open journey with one deadline, hours away. Ticks come as in a deployment, four in a second of log time. Then
time goes on until the first thousand deadlines pass. Writes benchmarks/results/waiting.json and waiting.md.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from benchmarks import pages
from benchmarks.identity import MINUTE, START, Raw, touchpoint
from schemas.definition import Catalogue, Definition, duration_ms
from schemas.fast import encode, fast_type
from schemas.records import Tick
from streams.identity.resolve import Resolve, ResolveConfig
from streams.journey.compile import compile_definitions
from streams.journey.track import Track
from streams.stage import Effect

ROOT: Final = Path(__file__).parent.parent
SIZES: Final = (10_000, 100_000, 1_000_000)
CHUNK: Final = 10_000
"""Orders that one life of `resolve` sees: what it remembers is not measured here."""
TICKS: Final = 2_000
TICK_MS: Final = 250
PASSING: Final = 1_000
BETWEEN_MS: Final = 2
"""From one order to the next, and so from one deadline to the next."""
HOUR: Final = 60 * MINUTE
_tick = fast_type(Tick)


class Cost(NamedTuple):
    """CPU. `tick_us`, the median: nothing is due; `tick_max_us`: of the same; `alert_us`: for each deadline that
    passes, its tick included.
    """

    tick_us: float
    tick_max_us: float
    alert_us: float


DEFINITION: Final = Definition.model_validate(
    {
        "journey": "delivery",
        "version": 1,
        "mode": "live",
        "owner": "benchmark",
        "instance": {"key": "order_id"},
        "start": {"touchpoint": "order_placed"},
        "steps": {"paid": {"touchpoint": "payment_captured", "within": "8h"}},
        "outcome": {"success": "paid"},
        "lifetime": "3d",
    }
)


class Waiting:
    """One partition of `track` that is told of orders, and never of a payment."""

    def __init__(self) -> None:
        self._compiled = compile_definitions([DEFINITION], Catalogue(touchpoints={}))
        self._track = Track(0, self._compiled, "live")
        self._offset = self._ticks = self.orders = 0

    def grow(self, orders: int) -> None:
        while self.orders < orders:
            for effect in self._resolved(min(CHUNK, orders - self.orders)):
                self._apply(effect.value)
        self._track.flush([])
        self._track.changes()

    def cost(self) -> Cost:
        now = self.placed_at(self.orders)
        idle = [self._tick(now + number * TICK_MS)[0] for number in range(TICKS)]
        due = self.placed_at(0) + 8 * HOUR + duration_ms(DEFINITION.grace)
        self._tick(due - TICK_MS)  # hours at once: what is forgotten in that time is no matter of deadlines
        passing = [self._tick(due + number * TICK_MS) for number in range(PASSING * BETWEEN_MS // TICK_MS)]
        alerts = sum(count for _, count in passing)
        assert alerts > PASSING // 2, "deadlines pass"
        return Cost(median(idle) * 1e6, max(idle) * 1e6, sum(seconds for seconds, _ in passing) * 1e6 / alerts)

    @staticmethod
    def placed_at(number: int) -> int:
        return START + number * BETWEEN_MS

    def _resolved(self, count: int) -> Iterator[Effect]:
        compiled = self._compiled
        resolve = Resolve(0, 1, ResolveConfig(Catalogue(touchpoints={}), b"secret", compiled.facts))
        for offset in range(count):
            at, name = self.placed_at(self.orders), f"order-{self.orders:08}"
            value = touchpoint(self.orders, at, "order_placed", user_id=f"user-{self.orders:08}", order_id=name)
            self.orders += 1
            told: list[Effect] = []
            resolve.apply(Raw(2 * offset, at, None, value), told)
            for back in [effect for effect in told if effect.topic == "touchpoints.raw"]:
                resolve.apply(Raw(2 * offset + 1, at, None, back.value, back.headers), told)
            yield from (effect for effect in told if effect.topic == "touchpoints")

    def _apply(self, value: bytes) -> Sequence[Effect]:
        out: list[Effect] = []
        body = json.loads(value)
        body["at"] = ["resolve", 0, self._offset, 0]
        self._track.apply(Raw(self._offset, 0, None, encode(body)), out)
        self._offset += 1
        return out

    def _tick(self, log_time: int) -> tuple[float, int]:
        """Seconds of CPU, and alerts."""
        self._ticks += 1
        value = encode(_tick(at=("keep_time", 0, self._ticks, 0), log_time=log_time))
        record, out = Raw(self._offset, 0, None, value), list[Effect]()
        self._offset += 1
        begun = time.process_time()
        self._track.apply(record, out)
        return time.process_time() - begun, sum(effect.topic == "alerts" for effect in out)


def measure(sizes: Sequence[int]) -> dict[int, Cost]:
    """Each size anew, since what has passed waits no more."""
    found = {}
    for size in sizes:
        waiting = Waiting()
        waiting.grow(size)
        gc.collect()
        gc.freeze()
        found[size] = waiting.cost()
        print(f"{size:,} open: {found[size].tick_us:.1f} us a tick", flush=True)
        gc.unfreeze()
    return found


def table(found: Mapping[int, Cost]) -> str:
    rows = [
        (f"{size:,}", f"{cost.tick_us:.1f}", f"{cost.tick_max_us:.0f}", f"{cost.alert_us:.0f}")
        for size, cost in found.items()
    ]
    head = ("open deadlines", "CPU of a tick, us (median)", "the longest", "CPU per deadline that passes, us")
    return pages.table(head, rows)


def write(folder: Path, found: Mapping[int, Cost]) -> None:
    on = pages.occasion(ROOT)
    notes = (
        f"One partition of `track` in memory; {TICKS:,} ticks on which nothing is due, then the ticks on which about",
        f"{PASSING:,} deadlines pass. Made by `python -m benchmarks.waiting`.",
    )
    page = ["# What waiting deadlines cost", "", f"{on}:", "", table(found), "", *notes]
    pages.write(folder, "waiting", on, {"costs": {str(size): cost._asdict() for size, cost in found.items()}}, page)


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.waiting", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--most", type=int, default=SIZES[-1], help="leave out sizes above it")
    args = parser.parse_args()
    found = measure([size for size in SIZES if size <= args.most])
    print(table(found))
    write(ROOT / "benchmarks" / "results", found)


if __name__ == "__main__":
    main()
