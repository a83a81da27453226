"""A client whose clock is wrong, through decoding and resolve: every touchpoint ends at the time it truly had.

An item of Segment's API may say when it happened by two fields, or not at all; then by whose clock is it timed?
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from streams.identity.limits import HOUR_MS, MINUTE_MS
from tests.simulated.generate import rfc3339
from tests.unit.identity_bench import START, Bench

SKEWS = (0, 3 * HOUR_MS, -26 * HOUR_MS, 4 * MINUTE_MS)
SECOND = 1_000


class Device:
    """One device behind a collector. Its clock is `slow_ms` behind ours; what it says of times is by its clock."""

    def __init__(self, slow_ms: int) -> None:
        self.bench = Bench()
        self.slow_ms = slow_ms
        self.count = 0

    def corrected(self, true_at: int, *, envelope: bool = True, **times: int) -> int:
        """Sends an item at `true_at`; the time that resolve gives it. `times`: the item's fields, by the true clock."""
        self.count += 1
        item: dict[str, Any] = {"type": "page", "anonymousId": "a", "messageId": f"m-{self.count}"}
        item |= {name: rfc3339(at - self.slow_ms) for name, at in times.items()}
        headers = [("format", b"segment"), ("source", b"app"), ("received_at", b"%d" % true_at)]
        if envelope:
            headers.append(("sent_at", b"%d" % (true_at - self.slow_ms)))
        (resolved,) = self.bench.touchpoint(json.dumps(item).encode(), true_at, tuple(headers))
        at = self.bench.body(resolved)["occurred_at"]
        assert isinstance(at, int)
        return at


def near(at: int, true_at: int) -> bool:
    """Within what a clock may be wrong without being corrected, and a minute of rounding."""
    return abs(at - true_at) <= 10 * MINUTE_MS


@pytest.mark.parametrize("slow_ms", SKEWS)
@pytest.mark.parametrize("envelope", [True, False], ids=["sentAt in the envelope", "no sentAt"])
def test_an_item_without_any_time_is_not_corrected_twice(slow_ms: int, envelope: bool) -> None:
    device = Device(slow_ms)
    assert near(device.corrected(START, timestamp=START - SECOND), START - SECOND)
    untimed = device.corrected(START + HOUR_MS, envelope=envelope)
    assert near(untimed, START + HOUR_MS)
    assert near(device.corrected(START + 2 * HOUR_MS, timestamp=START + HOUR_MS), START + HOUR_MS)


def test_an_item_without_any_time_teaches_nothing_of_the_clock() -> None:
    """What comes after it, five minutes slower, is corrected by what was known before it. What does not say when it was
    sent is not corrected at all: nobody knows whose clock that was.
    """
    device = Device(3 * HOUR_MS)
    assert near(device.corrected(START, timestamp=START), START)
    assert device.corrected(START + HOUR_MS) == START + HOUR_MS
    assert device.corrected(START + HOUR_MS + 1, envelope=False, timestamp=START + 3 * HOUR_MS) == START
    device.slow_ms += 5 * MINUTE_MS
    assert device.corrected(START + 2 * HOUR_MS, timestamp=START + HOUR_MS) == START + HOUR_MS - 5 * MINUTE_MS


@pytest.mark.parametrize("slow_ms", SKEWS)
def test_items_of_one_clock_keep_their_order_whether_they_are_timed_or_not(slow_ms: int) -> None:
    device = Device(slow_ms)
    sent = START + 5 * SECOND
    ats = [
        device.corrected(sent, timestamp=START),
        device.corrected(sent, originalTimestamp=START + SECOND),
        device.corrected(sent),
        device.corrected(sent + SECOND, timestamp=sent + SECOND),
    ]
    assert ats == sorted(ats)
    assert ats[3] - ats[0] == 6 * SECOND


@pytest.mark.parametrize("slow_ms", SKEWS)
def test_the_time_in_the_item_counts_once_where_the_envelope_has_none(slow_ms: int) -> None:
    device = Device(slow_ms)
    assert near(device.corrected(START, envelope=False, sentAt=START), START)
    assert near(device.corrected(START + 1, envelope=False, sentAt=START + 1, timestamp=START - SECOND), START)
    assert near(device.corrected(START + 2, envelope=False), START)
    late, early = START + 40 * HOUR_MS, START - SECOND
    assert near(device.corrected(START + 3, sentAt=START + 3, originalTimestamp=early, timestamp=late), early)
