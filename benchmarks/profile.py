"""Where the microseconds go: all stages in memory, timed by part, and the memory of an open journey.

`python -m benchmarks.profile [--touchpoints N] [--functions]`. No Kafka: fetching is measured by `limit`, sending and
acknowledging are not; building the batches that would be sent is. CPU time of this process. `--functions` adds what
cProfile says (it slows everything down: for shares, not for numbers).
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import pstats
import time
import tracemalloc
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from aiokafka.producer.message_accumulator import BatchBuilder

from benchmarks.feed import lines
from benchmarks.generate import END, START, Record, cached
from benchmarks.judge import Answer, differing, expected, last_words
from benchmarks.run import CACHE
from benchmarks.touchline_worker import product
from schemas.decode import decode_touchpoint
from streams.journey.inputs import ResolvedView, TickView, decode
from streams.stage import Effect, LogRecord, Stage

BATCH: Final = 500
CHECKPOINT_EVERY: Final = 6
"""Batches of a partition between two checkpoints."""
Log = dict[tuple[str, int], list["Stored"]]


class Stored(NamedTuple):
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


class Clock:
    """CPU seconds by part."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def timed(self, part: str, work: Callable[..., Any], *args: Any) -> Any:
        begun = time.process_time()
        result = work(*args)
        self.seconds[part] += time.process_time() - begun
        return result


def append(log: Log, topic: str, partition: int, key: bytes | None, value: bytes, headers: Any) -> None:
    stored = log[topic, partition]
    stored.append(Stored(len(stored), 0, key, value, headers))


class Machine:
    """The stages of the product over a log in memory, one partition after the other, until nothing is left."""

    def __init__(self, clock: Clock) -> None:
        self.log: Log = defaultdict(list)
        self.effects: list[Effect] = []
        self.changes: list[tuple[bytes, bytes | None]] = []
        self._clock = clock
        self._specs = product().stages()
        self.stages: dict[tuple[str, int], Stage] = {
            (spec.source, partition): spec.factory(partition)
            for spec in self._specs
            for partition in range(spec.partitions)
        }
        self._names = {spec.source: spec.name for spec in self._specs}
        self._next: dict[tuple[str, int], int] = defaultdict(int)

    def run(self) -> None:
        turns = 0
        while any(self._turn(place, stage, turns) for place, stage in list(self.stages.items())):
            turns += 1

    def _turn(self, place: tuple[str, int], stage: Stage, turn: int) -> bool:
        first = self._next[place]
        records = self.log[place][first : first + BATCH]
        if not records:
            return False
        self._next[place] = first + len(records)
        name, out = self._names[place[0]], list[Effect]()
        self._clock.timed(f"{name}: apply", _apply, stage, records, out)
        self._clock.timed(f"{name}: flush", stage.flush, out)
        if turn % CHECKPOINT_EVERY == 0:
            self.changes += self._clock.timed(f"{name}: changes", stage.changes)
        for effect in out:
            append(self.log, effect.topic, effect.partition, effect.key, effect.value, effect.headers)
        self.effects += out
        return True


def _apply(stage: Stage, records: Sequence[LogRecord], out: list[Effect]) -> None:
    apply = stage.apply
    for record in records:
        apply(record, out)


def build_batches(effects: Iterable[tuple[bytes | None, bytes | None, Any]]) -> None:
    batch = _batch()
    for key, value, headers in effects:
        if batch.append(timestamp=None, key=key, value=value, headers=headers) is None:
            batch = _batch()
            batch.append(timestamp=None, key=key, value=value, headers=headers)


def _batch() -> Any:
    return BatchBuilder(1 << 20, 0)


def timed_parts(records: Sequence[Record], functions: bool) -> tuple[Clock, Machine]:
    clock = Clock()
    machine = Machine(clock)
    for line in lines(records, START - 1, END):
        append(machine.log, "touchpoints.raw", *line)
    raw = [stored for place, log in machine.log.items() if place[0] == "touchpoints.raw" for stored in log]
    profiler = cProfile.Profile()
    if functions:
        profiler.enable()
    machine.run()
    if functions:
        profiler.disable()
        pstats.Stats(profiler).sort_stats("tottime").print_stats(45)
    _inside(clock, machine, [stored for stored in raw if stored.key is not None])
    return clock, machine


def _inside(clock: Clock, machine: Machine, raw: Sequence[Stored]) -> None:
    """Parts of the above, by themselves; and what the shell adds."""
    clock.timed("of that, decode touchpoints", lambda: [decode_touchpoint(one.value, one.headers) for one in raw])
    stitched = [one.value for place, log in machine.log.items() if place[0] == "touchpoints" for one in log]
    views = clock.timed("of that, decode in track", lambda: [decode(value) for value in stitched])
    assert {type(view) for view in views} >= {ResolvedView, TickView}, "every kind of record was measured"
    sent = [(effect.key, effect.value, list(effect.headers)) for effect in machine.effects]
    clock.timed("shell: batches of effects", build_batches, sent)
    clock.timed("shell: batches of changes", build_batches, [(key, value, []) for key, value in machine.changes])


def memory_of_journeys(machine: Machine) -> tuple[int, float]:
    """Journeys, and bytes of `track` for each: everything it holds, the ended ones it still remembers included."""
    places = [place for place in machine.stages if place[0] == "touchpoints"]
    (spec,) = [spec for spec in product().stages() if spec.source == "touchpoints"]
    gc.collect()
    tracemalloc.start()
    tracks = []
    for place in places:
        stage, out = spec.factory(place[1]), list[Effect]()
        _apply(stage, machine.log[place], out)
        stage.flush(out)
        stage.changes()
        tracks.append(stage)
    del out
    gc.collect()
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    known = sum(key[0] == "journey" for key in answer_of(machine))
    return known, held / max(known, 1)


def answer_of(machine: Machine) -> Answer:
    def read(topic: str) -> list[Any]:
        return [
            msgspec.json.decode(one.value) for place, log in machine.log.items() if place[0] == topic for one in log
        ]

    return last_words(read("journeys"), read("alerts"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.profile")
    parser.add_argument("--touchpoints", type=int, default=40_000)
    parser.add_argument("--functions", action="store_true")
    args = parser.parse_args()
    workload = cached(CACHE, args.touchpoints, 7)
    records = workload.records
    clock, machine = timed_parts(records, args.functions)
    print(f"{len(records)} touchpoints; CPU us for each")
    for part, seconds in clock.seconds.items():
        print(f"  {part:32} {seconds * 1e6 / len(records):7.2f}")
    by_topic: dict[str, int] = defaultdict(int)
    for effect in machine.effects:
        by_topic[effect.topic] += 1
    print("effects for each touchpoint: " + ", ".join(f"{k} {v / len(records):.2f}" for k, v in by_topic.items()))
    size = sum(len(effect.value) for effect in machine.effects)
    print(f"bytes out for each: {size / len(records):.0f}; changes for each: {len(machine.changes) / len(records):.2f}")
    wrong = differing(expected(workload.truth, "touchline"), answer_of(machine))
    print(f"wrong answers: {len(wrong)} {wrong[:3]}")
    known, each = memory_of_journeys(machine)
    print(f"journeys known: {known}; memory of track for each: {each:.0f} bytes")


if __name__ == "__main__":
    main()
