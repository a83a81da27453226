"""Marks and ticks: one round at a time, everybody reports, nothing twice."""

from __future__ import annotations

import json
from typing import Any

from schemas.control import Control, read_control
from schemas.fast import encode, fast_type
from schemas.records import Progress
from streams.pace.keep_time import KeepTime
from streams.stage import Effect
from tests.simulated.log import Record

SECRET = b"secret"
_progress = fast_type(Progress)


class Bench:
    """Feeds reports; `out` is what the last one caused."""

    def __init__(self, partitions: int = 2) -> None:
        self.stage = KeepTime(partitions, 3, SECRET)
        self.log: list[Record] = []
        self.out: list[Effect] = []

    def report(
        self, partition: int, log_time: int, mark: tuple[int, int] | None = None, offset: int | None = None
    ) -> list[Any]:
        at = ("resolve", partition, len(self.log) if offset is None else offset, 0)
        record = Record(len(self.log), 0, None, encode(_progress(at=at, log_time=log_time, mark=mark)))
        self.log.append(record)
        self.out = []
        self.stage.apply(record, self.out)
        return [json.loads(effect.value) for effect in self.out]


def kinds(bodies: list[Any]) -> list[tuple[str, int]]:
    return [(body["type"], body.get("hop", 0)) for body in bodies]


def test_two_rounds_then_ticks() -> None:
    bench = Bench()
    assert bench.report(0, 100) == []
    assert kinds(bench.report(1, 90)) == [("mark", 1)] * 2
    assert bench.report(0, 100, (90, 1)) == []
    assert kinds(bench.report(1, 95, (90, 1))) == [("mark", 2)] * 2
    assert bench.report(1, 95, (90, 2)) == []
    ticks = bench.report(0, 100, (90, 2))
    assert kinds(ticks) == [("tick", 0)] * 3 + [("mark", 1)] * 2
    assert [body["log_time"] for body in ticks] == [90, 90, 90, 95, 95]
    assert [body["at"][3] for body in ticks] == [0, 1, 2, 3, 4]


def test_a_partition_that_never_reported_holds_time_back() -> None:
    bench = Bench(partitions=3)
    for log_time in (100, 200, 300):
        assert bench.report(0, log_time) == []
        assert bench.report(1, log_time) == []
    assert kinds(bench.report(2, 50)) == [("mark", 1)] * 3


def test_redone_reports_count_once() -> None:
    bench = Bench()
    bench.report(0, 100, offset=7)
    bench.report(1, 100, offset=7)
    bench.report(0, 100, (100, 1), offset=8)
    assert bench.report(0, 100, (100, 1), offset=8) == []
    assert bench.report(0, 100, (100, 1), offset=8) == []
    assert kinds(bench.report(1, 100, (100, 1), offset=8)) == [("mark", 2)] * 2


def test_marks_are_authentic_for_their_partition_only() -> None:
    bench = Bench()
    bench.report(0, 100)
    bench.report(1, 100)
    first, second = bench.out
    assert read_control(first.headers, 0, first.value, SECRET) == Control("mark")
    assert read_control(second.headers, 1, second.value, SECRET) == Control("mark")
    assert read_control(first.headers, 1, first.value, SECRET) != Control("mark")


def test_a_restored_stage_goes_on_alike() -> None:
    reports = [
        (0, 100, None),
        (1, 90, None),
        (0, 100, (90, 1)),
        (1, 95, (90, 1)),
        (1, 95, (90, 2)),
        (0, 120, (90, 2)),
    ]
    whole = Bench()
    effects = []
    for report in reports:
        whole.report(*report)
        effects.append(list(whole.out))
    for cut in range(len(reports) + 1):
        state: dict[bytes, bytes] = {}
        before = Bench()
        for report in reports[:cut]:
            before.report(*report)
        state |= {key: value for key, value in before.stage.changes() if value is not None}
        after = Bench()
        after.stage.restore(state.items())
        for record, expected in zip(whole.log[cut:], effects[cut:]):
            out: list[Effect] = []
            after.stage.apply(record, out)
            assert out == expected
