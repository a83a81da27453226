"""Rule 4: a key belongs to the customer of its earliest claim."""

from __future__ import annotations

from itertools import permutations

from streams.identity.clock import offset_after
from streams.identity.keys import Claim, Key, take
from streams.identity.limits import Limits


def claim(at: int, customer: str | None, rev: int = 0, local: bool = False, weak: bool = False) -> Claim:
    return Claim(at, 0, f"t{at}", rev, customer, local, at, b"", weak)


def test_the_earliest_claim_owns_the_key_whatever_came_first() -> None:
    for arrived in permutations([claim(1, None), claim(2, "anna"), claim(3, "bert"), claim(4, None)]):
        key = Key()
        for each in arrived:
            change = take(key, each, Limits())
            assert change.new
            assert change.new_owner == key.owner
        assert key.owner == "anna"
        assert [each.occurred_at for each in key.claims] == [1, 2, 3, 4]


def test_a_browser_s_claim_counts_only_where_no_server_claims() -> None:
    for arrived in permutations([claim(1, None), claim(2, "thief", weak=True), claim(3, "bert"), claim(4, "carl")]):
        key = Key()
        for each in arrived:
            take(key, each, Limits())
        assert key.owner == "bert"
    key = Key()
    for each in (claim(3, "dora", weak=True), claim(2, "anna", weak=True)):
        take(key, each, Limits())
    assert key.owner == "anna"


def test_the_key_follows_its_claim_at_a_greater_rev_only() -> None:
    key = Key()
    take(key, claim(1, "anna", rev=5), Limits())
    assert take(key, claim(1, "bert", rev=5), Limits()).stale
    change = take(key, claim(1, "bert", rev=6), Limits())
    assert (change.old_owner, change.new_owner, change.new) == ("anna", "bert", False)


def test_clock_offset() -> None:
    minute = 60_000
    assert offset_after(0, 0, 10 * minute) == 0
    assert offset_after(0, 0, 10 * minute + 1) == 10 * minute
    assert offset_after(0, 0, 60 * minute + 30_000) == 61 * minute
    assert offset_after(0, 60 * minute + 30_000, 0) == -60 * minute
    assert offset_after(60 * minute, 0, 55 * minute) == 60 * minute
    assert offset_after(60 * minute, 0, 0) == 0
