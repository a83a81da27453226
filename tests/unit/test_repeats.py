"""What a library says hundreds of times is written once, and counted; what we say is always written."""

from __future__ import annotations

import logging

from streams.repeats import EVERY_SECONDS, KINDS_MAX, Repeats


def line(name: str, text: str, at: float, *values: object, level: int = logging.ERROR) -> logging.LogRecord:
    record = logging.LogRecord(name, level, "x.py", 1, text, values, None)
    record.created = at
    return record


def test_an_outage_is_told_each_ten_seconds_with_its_count() -> None:
    repeats = Repeats()
    said = [line("aiokafka", "Unable connect to node %s: %s", 100 + second / 100, 1, second) for second in range(2_500)]
    written = [one.getMessage() for one in said if repeats.filter(one)]
    assert written == [
        "Unable connect to node 1: 0",
        f"Unable connect to node 1: 1000 (and {int(EVERY_SECONDS * 100) - 1} more like it)",
        f"Unable connect to node 1: 2000 (and {int(EVERY_SECONDS * 100) - 1} more like it)",
    ]


def test_others_are_not_touched() -> None:
    repeats = Repeats()
    assert all(repeats.filter(line("streams.runner", "stopped", 100)) for _ in range(9))
    assert all(repeats.filter(line("aiokafka.consumer", "joined", 100, level=logging.INFO)) for _ in range(9))
    assert repeats.filter(line("aiokafka", "one", 100))
    assert repeats.filter(line("aiokafka.sender", "one", 100))
    assert repeats.filter(line("aiokafka", "two", 100))
    assert repeats.filter(line("aiokafka", "one", 50)), "a clock that was set back"


def test_its_memory_is_bounded() -> None:
    repeats = Repeats()
    for number in range(3 * KINDS_MAX):
        assert repeats.filter(line("kafka", f"text {number}", 100))
    assert len(repeats._written) <= KINDS_MAX
