"""Rule 2 case by case (docs/identity.md), and its independence of arrival."""

from __future__ import annotations

from itertools import permutations
from random import Random

import pytest

from schemas.identifiers import customer_of
from streams.identity.device import Kept, Tail, customer_of_user, new_tail, place
from streams.identity.hearsay import Hearsay
from streams.identity.limits import DAY_MS, HOUR_MS, Limits

START = 20_000 * DAY_MS
DEVICE = customer_of("anonymous_id", "a")


def kept(hour: float, user: str | None = None, ends: bool = False, name: str = "") -> Kept:
    occurred_at = START + int(hour * HOUR_MS)
    touchpoint_id = f"{name or occurred_at}{user}{ends}"
    return Kept(occurred_at, 0, touchpoint_id, occurred_at, user, ends, False, None, b"", "device", (), False)


def filled(kepts: list[Kept], limits: Limits | None = None) -> Tail:
    tail = new_tail("anonymous_id:a")
    for each in kepts:
        place(tail, each, limits or Limits(), Hearsay())
    return tail


def owners(tail: Tail) -> list[str]:
    names = {DEVICE: "device"} | {customer_of_user(user): user for user in ("u", "v", "w", "x", "y")}
    return [names[each.customer_id or ""] for each in tail.entries]


@pytest.mark.parametrize(
    ("kepts", "expected"),
    [
        ([kept(0), kept(1, "u")], ["u", "u"]),
        ([kept(0), kept(72, "u")], ["u", "u"]),
        ([kept(0), kept(72.1, "u")], ["device", "u"]),
        ([kept(0, "u"), kept(72)], ["u", "u"]),
        ([kept(0, "u"), kept(72.1)], ["u", "device"]),
        ([kept(0, "u"), kept(1, ends=True), kept(2)], ["u", "u", "device"]),
        ([kept(0, "u"), kept(1, ends=True), kept(2), kept(3, "v")], ["u", "device", "v", "v"]),
        ([kept(0, "u"), kept(1), kept(2, "v")], ["u", "device", "v"]),
        ([kept(0, "u"), kept(1), kept(2, "u")], ["u", "u", "u"]),
        ([kept(0), kept(1, "u", ends=True), kept(2)], ["device", "u", "device"]),
        ([kept(0), kept(1, ends=True), kept(2, "u")], ["device", "u", "u"]),
    ],
)
def test_whose_it_is_in_any_order_of_arrival(kepts: list[Kept], expected: list[str]) -> None:
    for arrived in permutations(kepts):
        assert owners(filled(list(arrived))) == expected


def test_a_kiosk_day_names_nobody_and_its_logins_reach_nowhere() -> None:
    logins = [kept(hour, user) for hour, user in ((20, "u"), (21, "v"), (22, "w"), (23, "x"))]
    day_after = kept(25)
    assert owners(filled([*logins, day_after])) == ["u", "v", "w", "x", "x"]
    for arrived in ([*logins, day_after, kept(19, "y")], [kept(19, "y"), day_after, *reversed(logins)]):
        assert owners(filled(arrived)) == ["y", "u", "v", "w", "x", "device"]


def test_a_crowded_day_is_a_kiosk_day() -> None:
    limits = Limits(kiosk_touchpoints=3)
    kepts = [kept(1, "u"), kept(2), kept(3), kept(4), kept(30)]
    assert owners(filled(kepts[:3], limits)) == ["u", "u", "u"]
    for arrived in permutations(kepts):
        assert owners(filled(list(arrived), limits)) == ["u", *["device"] * 4]


def test_what_place_reports_as_moved_is_what_moved() -> None:
    for seed in range(200):
        rng = Random(seed)
        tail = new_tail("anonymous_id:a")
        believed: dict[str, str | None] = {}
        for number in range(25):
            user = rng.choice((None, None, None, "u", "v"))
            each = kept(rng.randrange(120), user, rng.random() < 0.1, f"{number:03}")
            placed, moved = place(tail, each, Limits(), Hearsay())
            for before, after in moved:
                assert believed[after.touchpoint_id] == before.customer_id != after.customer_id
                believed[after.touchpoint_id] = after.customer_id
            believed[placed.touchpoint_id] = placed.customer_id
        assert believed == {each.touchpoint_id: each.customer_id for each in tail.entries}
        assert tail.entries == sorted(tail.entries)
