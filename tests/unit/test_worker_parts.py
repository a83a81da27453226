"""Small parts of the workers' shell: intake, grouping of effects, the guard, the quarantine's keys, readiness."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from faust.types import TP

from streams import transport
from streams.emit import by_target
from streams.guard import Guarded, StageBug
from streams.health import STALL_SECONDS, Vitals, health, readiness
from streams.intake import Intake, LostDelivery, split_at
from streams.partition import State
from streams.quarantine import Entry, QuarantineList, entry_key, read_key
from streams.settings import BATCHES_PER_PARTITION, SMALL_BYTES, Place
from streams.stage import Change, Effect, LogRecord
from streams.transport import Delivery

PLACE = Place("track", "touchpoints", 3)


@dataclass(frozen=True)
class Record:
    offset: int
    key: bytes | None = None
    value: bytes | None = None
    timestamp: int = 0
    headers: tuple[tuple[str, bytes], ...] = ()


class Nobody:
    def take(self, delivery: Delivery) -> None:
        raise AssertionError


def records(*offsets: int) -> list[Record]:
    return [Record(offset) for offset in offsets]


def test_nothing_is_admitted_before_the_seek_and_nothing_twice() -> None:
    intake = Intake(Nobody())
    assert intake.admit(records(0)) is None
    intake.open(5)
    assert intake.admit(records(5, 6)) is None
    intake.sought(4)
    assert not intake.fetchable
    intake.sought(5)
    delivery = intake.admit(records(3, 4, 5, 6))
    assert delivery is not None
    assert [record.offset for record in delivery.records] == [5, 6]
    assert intake.admit(records(5, 6)) is None


def test_a_partition_holds_a_bounded_number_of_batches() -> None:
    intake = Intake(Nobody())
    intake.open(0)
    intake.sought(0)
    large = b"x" * SMALL_BYTES
    for number in range(BATCHES_PER_PARTITION):
        assert intake.fetchable
        delivery = intake.admit([Record(number, value=large)])
        assert delivery is not None
        intake.put(delivery)
    assert not intake.fetchable
    intake.pop()
    assert not intake.fetchable, "room only when the batch is finished"
    intake.done()
    assert intake.fetchable


def test_small_batches_pile_up_and_are_taken_as_one() -> None:
    intake = Intake(Nobody())
    intake.open(0)
    intake.sought(0)
    for number in range(20):
        assert intake.fetchable
        delivery = intake.admit(records(number))
        assert delivery is not None
        intake.put(delivery)
    assert [record.offset for record in intake.pop()] == list(range(20))
    assert not intake.waiting


def test_a_delivery_of_an_earlier_life_is_void_and_a_lost_one_is_noticed() -> None:
    intake = Intake(Nobody())
    intake.open(0)
    intake.sought(0)
    old = intake.admit(records(0))
    assert old is not None
    intake.open(0)
    intake.put(old)
    assert not intake.waiting
    intake.sought(0)
    first, second = intake.admit(records(0)), intake.admit(records(1))
    assert first is not None
    assert second is not None
    with pytest.raises(LostDelivery):
        intake.put(second)


def test_a_batch_is_cut_at_special_records() -> None:
    cut = [
        ([r.offset for r in part], stop and stop.offset)
        for part, stop in split_at(records(1, 2, 3, 5), frozenset({1, 3}))
    ]
    assert cut == [([], 1), ([2], 3), ([5], None)]
    assert [stop for _, stop in split_at(records(1), frozenset({1}))] != [None]


def test_effects_keep_their_order_within_a_partition() -> None:
    effects = [Effect("t", n % 2, None, b"%d" % n) for n in range(9)]
    assert {target: [e.value for e in group] for target, group in by_target(effects).items()} == {
        ("t", 0): [b"0", b"2", b"4", b"6", b"8"],
        ("t", 1): [b"1", b"3", b"5", b"7"],
    }


class Broken:
    def apply(self, record: LogRecord, out: list[Effect]) -> None:
        if record.offset == 7:
            raise KeyError("jane@example.org")

    def flush(self, out: list[Effect]) -> None:
        return

    def changes(self) -> list[Change]:
        return []

    def restore(self, entries: Iterable[tuple[bytes, bytes]]) -> None:
        raise ValueError("jane@example.org")

    def quarantine(self, record: LogRecord, reason: str, out: list[Effect]) -> None:
        return

    def numbers(self) -> Mapping[str, int]:
        return {}


def test_a_bug_names_its_record_and_no_value() -> None:
    guarded = Guarded(Broken(), PLACE)
    with pytest.raises(StageBug, match="offset 7: KeyError in apply") as bug:
        guarded.apply(records(6, 7, 8), [])
    assert bug.value.offset == 7
    assert "jane" not in str(bug.value)
    assert bug.value.__cause__ is None
    with pytest.raises(StageBug) as bug:
        Guarded(Broken(), PLACE).restore([])
    assert bug.value.offset is None


@pytest.mark.parametrize("key", [b"", b"a", b"a/1", b"a/1/x", b"/1/2", b"a/-1/2", b"a/1/2/3", b"\xff/1"])
def test_a_typo_in_the_quarantine_is_left_out(key: bytes) -> None:
    assert read_key(key) is None


def test_quarantine_keys_round_trip_and_can_be_taken_back() -> None:
    entry = Entry("in", 2, 17)
    assert read_key(entry_key(entry)) == entry
    known = QuarantineList()
    known.put(entry_key(entry), b'{"reason": "test"}')
    known.put(entry_key(entry._replace(offset=3)), b"not json")
    assert known.listed("in", 2, 0) == {17: "test", 3: "quarantined"}
    assert known.listed("in", 2, 4) == {17: "test"}
    known.put(entry_key(entry), None)
    assert known.listed("in", 2, 4) == {}


def test_readiness_means_progress_everywhere() -> None:
    vitals = Vitals(pulse_at=100.0)
    assert readiness(vitals, 100.0) == (False, "waiting for Kafka")
    vitals.joined = True
    assert readiness(vitals, 100.0) == (True, "ok")
    vitals.states = {PLACE: State.RUNNING, PLACE._replace(partition=4): State.HALTED}
    assert readiness(vitals, 100.0) == (False, "touchpoints/4 is halted")
    vitals.states = {PLACE: State.RUNNING}
    assert readiness(vitals, 100.0 + STALL_SECONDS + 1)[0] is False
    assert health(vitals, 100.0 + STALL_SECONDS + 1)[0] is False
    vitals.stopping = True
    assert readiness(vitals, 100.0) == (False, "stopping")


class NeverCommits:
    """A consumer whose coordinator went away in the middle of a commit and never answers: the moment at which a real
    broker does this cannot be chosen.
    """

    def __init__(self) -> None:
        self.tries = 0

    def assignment(self) -> set[TopicPartition]:
        return {TopicPartition("in", 0)}

    async def commit(self, _: object) -> None:
        self.tries += 1
        await asyncio.Event().wait()


def test_a_commit_that_is_never_answered_ends_and_may_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "COMMIT_SECONDS", 0.01)
    consumer = NeverCommits()
    owner = SimpleNamespace(_thread=SimpleNamespace(_ensure_consumer=lambda: consumer))
    commit = transport.BatchConsumer._commit_in_thread
    for _ in range(2):
        assert asyncio.run(asyncio.wait_for(commit(owner, {TP("in", 0): 7}), 5)) is False  # type: ignore[arg-type]
    assert consumer.tries == 2
