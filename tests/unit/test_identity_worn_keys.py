"""A business key that more touchpoints carry than any order has: it has no customer (docs/identity.md, "Worn out")."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import msgspec
import pytest

from schemas.identifiers import customer_of
from streams.identity.keys import Claim, Key, take
from streams.identity.limits import DAY_MS, HOUR_MS, Limits
from tests.unit.identity_bench import START, page
from tests.unit.identity_told import Told

SMALL = Limits(key_touchpoints=3)
KEY = "order_id:7"


def carrying(count: int) -> Iterator[tuple[int, bytes]]:
    """Half from a device, half from a till that knows only the order; no two at the same time."""
    for number in range(count):
        at = START + number
        device = {"anonymous_id": f"a{number}"} if number % 2 else {}
        yield at, page(at, order_id="7", **device)


@pytest.mark.parametrize("seed", range(20))
def test_beyond_the_limit_it_has_no_customer_whatever_came_first(seed: int) -> None:
    for count, owner in ((3, customer_of("anonymous_id", "a1")), (4, None), (9, None)):
        told, arrived = Told(SMALL), list(carrying(count))
        Random(seed).shuffle(arrived)
        for number, (_, value) in enumerate(arrived):
            told.touchpoint(value, START + 100 + number)
        assert {owner} >= set(told.in_journey.values()) >= ({owner} - {None})
        devices = {customer_of("anonymous_id", f"a{number}") for number in range(1, count, 2)}
        assert set(told.of.values()) == {owner, *devices}
        assert told.bench.stage.numbers()["worn_keys"] == (owner is None)


def test_a_duplicate_and_what_is_too_late_wear_nothing_out() -> None:
    told = Told(SMALL)
    for at, value in (*carrying(3), *carrying(3)):
        told.touchpoint(value, at + 10)
    told.touchpoint(page(START - 80 * HOUR_MS, order_id="7"), START)
    told.touchpoint(page(START - 81 * HOUR_MS, anonymous_id="z", order_id="7"), START)
    assert told.bench.stage.numbers()["worn_keys"] == 0


def test_it_stays_so_in_the_next_life_until_thirty_days_after_its_last_touchpoint() -> None:
    told = Told(SMALL)
    for at, value in carrying(4):
        told.touchpoint(value, at)
    last = START + 20 * DAY_MS
    told.touchpoint(page(last, anonymous_id="b", order_id="7"), last)
    told.bench.store()
    assert not [key for key in told.bench.state if key.startswith(b"k|")], "nothing of it can move any more"
    told.bench.stage.restore(told.bench.state.items())
    assert told.bench.stage.changes() == []
    told.bench.mark(last + 29 * DAY_MS)
    told.touchpoint(page(last - 1, order_id="7"), last + DAY_MS)
    assert set(told.in_journey.values()) == {None}
    told.bench.mark(last + 31 * DAY_MS + HOUR_MS)
    later = last + 32 * DAY_MS
    told.touchpoint(page(later, anonymous_id="c", order_id="7"), later)
    assert customer_of("anonymous_id", "c") in told.in_journey.values()
    told.bench.mark(later + 32 * DAY_MS)
    told.bench.store()
    assert list(told.bench.state) == [b"s"]


def test_thousands_that_each_claim_earlier_cost_little() -> None:
    """They moved all that came before, each of them: two gigabytes."""
    told = Told(Limits())
    for number in range(4_000):
        told.touchpoint(page(START - number * 1_000, anonymous_id=f"a{number}", order_id="7"), START + number)
    assert told.size < 20_000_000
    assert len(told.bench.stage.changes()) < 3 * 4_000 + 300


def test_a_key_of_an_older_build_with_more_is_read_and_wears_out_with_the_next() -> None:
    encode, told = msgspec.msgpack.encode, Told(SMALL)
    state = dict[bytes, bytes]()
    for number in range(9):
        claim = Claim(START + number, 0, f"{number:032x}", number, "anna", False, START, b"{}", False)
        state[f"k|{KEY}|{claim.touchpoint_id}".encode()] = encode(claim)
    told.bench.stage.restore(state.items())
    told.bench.offset = 99
    told.touchpoint(page(START + 50, order_id="7"), START + 50)
    assert len(told.in_journey) == 9
    assert set(told.in_journey.values()) == {None}


def test_a_blocked_one_that_is_lifted_stays_worn_out() -> None:
    key = Key()
    key.is_blocked = True
    for number in range(5):
        take(key, Claim(number, 0, f"t{number}", 0, "anna", False, number, b"", False), SMALL)
    assert key.is_worn
    key.is_blocked = False
    take(key, Claim(9, 0, "t9", 0, "anna", False, 9, b"", False), SMALL)
    assert key.owner is None
