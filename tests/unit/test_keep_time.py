"""Marks and ticks: one round at a time, everybody reports, nothing twice."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.control import Control, control_headers, read_control
from schemas.control_records import Decision
from schemas.fast import encode, fast_type
from schemas.records import Progress
from streams.pace.keep_time import KeepTime
from streams.stage import Effect
from tests.simulated.log import Record

SECRET = b"secret"
_progress = fast_type(Progress)


class Bench:
    """Feeds reports; `out` is what the last one caused."""

    def __init__(self, partitions: int = 2, hops: int = 2) -> None:
        self.stage = KeepTime(partitions, 3, SECRET, hops=hops)
        self.log: list[Record] = []
        self.out: list[Effect] = []

    def report(
        self,
        partition: int,
        log_time: int,
        mark: tuple[int, int] | None = None,
        offset: int | None = None,
        hops: int | None = None,
    ) -> list[Any]:
        at = ("resolve", partition, len(self.log) if offset is None else offset, 0)
        record = Record(len(self.log), 0, None, encode(_progress(at=at, log_time=log_time, mark=mark, hops=hops)))
        self.log.append(record)
        self.out = []
        self.stage.apply(record, self.out)
        return [json.loads(effect.value) for effect in self.out]


def kinds(bodies: list[Any]) -> list[tuple[str, int]]:
    return [(body["type"], body.get("round", 0)) for body in bodies]


def test_two_rounds_then_ticks_and_each_round_is_the_first_of_the_next() -> None:
    bench = Bench()
    assert bench.report(0, 100) == []
    assert kinds(bench.report(1, 90)) == [("mark", 1)] * 2
    assert bench.report(0, 100, (90, 1)) == []
    second = bench.report(1, 95, (90, 1))
    assert kinds(second) == [("mark", 2)] * 2
    assert [body["log_time"] for body in second] == [95, 95]
    assert bench.report(1, 95, (95, 2)) == []
    ticks = bench.report(0, 100, (95, 2))
    assert kinds(ticks) == [("tick", 0)] * 3 + [("mark", 3)] * 2
    assert [body["log_time"] for body in ticks] == [90, 90, 90, 95, 95]
    assert [body["at"][3] for body in ticks] == [0, 1, 2, 3, 4]
    bench.report(0, 100, (95, 3))
    assert kinds(bench.report(1, 95, (95, 3))) == [("tick", 0)] * 3, "and rests: every log time is given"
    assert bench.report(0, 200) == []
    assert kinds(bench.report(1, 150)) == [("mark", 4)] * 2
    bench.report(0, 200, (150, 4))
    assert kinds(bench.report(1, 150, (150, 4))) == [("mark", 5)] * 2, "one round is not enough for 150"


def test_where_nothing_was_caused_one_round_is_enough() -> None:
    bench = Bench(hops=4)
    bench.report(0, 100)
    bench.report(1, 90)
    assert bench.report(0, 100, (90, 1), hops=0) == []
    ticks = bench.report(1, 95, (90, 1), hops=0)
    assert kinds(ticks) == [("tick", 0)] * 3 + [("mark", 2)] * 2
    assert [body["log_time"] for body in ticks] == [90, 90, 90, 95, 95]


@pytest.mark.parametrize(("hops", "rounds"), [(0, 1), (1, 1), (2, 2), (3, 3), (4, 4), (None, 4)])
def test_a_tick_waits_for_as_many_rounds_as_what_was_caused_is_hops_away(hops: int | None, rounds: int) -> None:
    """Said by one partition of two, in every round."""
    bench = Bench(hops=4)
    bench.report(0, 100)
    bench.report(1, 100)
    for number in range(1, rounds + 1):
        assert all(body["type"] == "mark" for body in bench.report(0, 100, (100, number), hops=hops))
        last = bench.report(1, 100, (100, number), hops=0)
        assert ("tick" in {body["type"] for body in last}) is (number == rounds)
    assert [body["log_time"] for body in last] == [100] * 3


def test_what_was_caused_in_an_earlier_round_is_over() -> None:
    """Written before the mark, it is read when all have reported the mark."""
    bench = Bench(hops=4)
    bench.report(0, 100)
    bench.report(1, 100)
    bench.report(0, 100, (100, 1), hops=4)
    assert kinds(bench.report(1, 100, (100, 1), hops=0)) == [("mark", 2)] * 2
    bench.report(0, 100, (100, 2), hops=0)
    assert kinds(bench.report(1, 100, (100, 2), hops=0)) == [("tick", 0)] * 3


def test_a_tick_gives_the_newest_time_that_it_may() -> None:
    """Of three rounds with times of their own, what is two hops away holds back the last alone."""
    bench = Bench(hops=4)
    bench.report(0, 100)
    bench.report(1, 100)
    for number, log_time in enumerate((100, 110, 120), 1):
        bench.report(0, log_time + 10, (log_time, number), hops=4 if number < 3 else 2)
        last = bench.report(1, log_time + 10, (log_time, number), hops=4 if number < 3 else 0)
    assert [(body["type"], body["log_time"]) for body in last] == [("tick", 110)] * 3 + [("mark", 130)] * 2


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


def decision(bench: Bench, secret: bytes = SECRET) -> list[Effect]:
    value = encode(
        fast_type(Decision)(
            at=("identity", 0, 0, 0),
            decision_id="d",
            kind="unlink",
            identifier="loyalty_card:7",
            user_id="u",
            reason="handed on",
            decided_by="desk",
            decided_at=5,
        )
    )
    record = Record(len(bench.log), 9, None, value, control_headers("decision", 0, value, secret))
    bench.log.append(record)
    bench.out = []
    bench.stage.apply(record, bench.out)
    return bench.out


def test_a_decision_goes_to_every_raw_partition_each_with_its_own_mac() -> None:
    out = decision(Bench())
    assert [(effect.topic, effect.partition) for effect in out] == [("touchpoints.raw", 0), ("touchpoints.raw", 1)]
    for effect in out:
        assert read_control(effect.headers, effect.partition, effect.value, SECRET) == Control("decision")
        assert json.loads(effect.value)["identifier"] == "loyalty_card:7"
    assert [json.loads(effect.value)["at"] for effect in out] == [["keep_time", 0, 0, 0], ["keep_time", 0, 0, 1]]


def test_a_forged_decision_is_a_dead_letter_and_goes_nowhere() -> None:
    (letter,) = decision(Bench(), b"guessed")
    assert letter.topic == "dead_letters"
    assert json.loads(letter.value)["failure"] == "unauthentic_control"
