"""An identifier keeps the touchpoints that occurred last; whose everything is follows from the set all the same.

The reference below is written from docs/identity.md: it looks at all touchpoints at once, and knows no arrival.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

import pytest

from schemas.identifiers import customer_of
from streams.identity.limits import DAY_MS, HOUR_MS, Limits
from tests.unit.identity_bench import START, page
from tests.unit.identity_told import Told

NOW = START // DAY_MS * DAY_MS + 60 * HOUR_MS
SMALL = Limits(kept=5, kiosk_users=2, kiosk_touchpoints=4)
DEVICE = customer_of("anonymous_id", "a")


@dataclass(frozen=True)
class Said:
    """A touchpoint on the device: no two at the same time."""

    at: int
    user: str | None = None
    ends: bool = False

    @property
    def value(self) -> bytes:
        who = {"anonymous_id": "a", "order_id": f"o{self.at}"} | ({"user_id": self.user} if self.user else {})
        value = page(self.at, **who)
        return value.replace(b"page_viewed", b"signed_out") if self.ends else value

    def is_marker(self, kiosk: set[int]) -> bool:
        return self.ends or (self.user is not None and self.at // DAY_MS not in kiosk)


def reference(every: list[Said], limits: Limits) -> dict[int, str]:
    """By time, the customer of each."""
    every = sorted(every, key=lambda said: said.at)
    kiosk = set[int]()
    for day in {said.at // DAY_MS for said in every}:
        own = [said for said in every if said.at // DAY_MS == day]
        users = {said.user for said in own} - {None}
        if len(own) > limits.kiosk_touchpoints or len(users) > limits.kiosk_users:
            kiosk.add(day)
    kept = every[-limits.kept :]
    customers = dict[int, str]()
    for said in every:
        user = said.user
        if user is None and said in kept and said.at // DAY_MS not in kiosk:
            before = [one for one in kept if one.at < said.at and one.is_marker(kiosk)][-1:]
            after = [one for one in kept if one.at > said.at and one.is_marker(kiosk)][:1]
            near = [one for one in (*before, *after) if not one.ends and abs(one.at - said.at) <= limits.login_ms]
            named = {one.user for one in near}
            user = named.pop() if len(named) == 1 else None
        customers[said.at] = DEVICE if user is None else customer_of("user_id", user)
    return customers


def world(rng: Random) -> list[Said]:
    ats = rng.sample(range(NOW - 60 * HOUR_MS, NOW, HOUR_MS // 4), rng.randint(5, 14))
    users = rng.choice((("u",), ("u", "v"), ("u", "v", "w")))
    return [Said(at, rng.choice((None, None, *users)), rng.random() < 0.15) for at in ats]


def told(every: list[Said], limits: Limits, again_at: int | None = None) -> Told:
    """`again_at`: after so many, the partition begins a new life."""
    found = Told(limits)
    for number, said in enumerate(every):
        if number == again_at:
            found.bench.store()
            found.bench.stage.restore(found.bench.state.items())
        found.touchpoint(said.value, NOW + number)
    return found


def by_time(found: Told) -> dict[int, str | None]:
    return {at: found.of[touchpoint_id] for touchpoint_id, at in found.occurred_at.items()}


@pytest.mark.parametrize("part", range(10))
def test_whose_everything_is_follows_from_the_set(part: int) -> None:
    for seed in range(12 * part, 12 * part + 12):
        rng = Random(seed)
        every = world(rng)
        limits = replace(SMALL, kept=rng.randint(1, 9), kiosk_touchpoints=rng.randint(2, 9))
        expected = reference(every, limits)
        orders = [sorted(every, key=lambda said: said.at), sorted(every, key=lambda said: -said.at)]
        orders += [rng.sample(every, len(every)) for _ in range(3)]
        for order in orders:
            found = told(order, limits, rng.randrange(len(every)))
            assert by_time(found) == expected, (seed, order)
            keys = {f"order_id:o{said.at}": expected[said.at] for said in every}
            assert found.owners() == keys, "claims follow"


def test_a_login_that_fell_out_speaks_for_nobody() -> None:
    """In order it was a login's, arriving last it was the device's."""
    login, seen = Said(NOW - HOUR_MS, "u"), Said(NOW - HOUR_MS + 60_000)
    later = [Said(NOW - number * 1_000) for number in range(4)]
    for order in ([login, seen, *later], [*later, login, seen], [seen, *later, login]):
        found = by_time(told(order, replace(SMALL, kept=5, kiosk_touchpoints=100)))
        assert (found[seen.at], found[login.at]) == (DEVICE, customer_of("user_id", "u"))


def test_what_a_contact_attributed_falls_back_on_the_contact() -> None:
    mail = "ann@shop.example"
    named = page(START, user_id="u", email=mail)
    pages = [page(START + number, email=mail) for number in range(1, 8)]
    for order in (pages, pages[::-1]):
        found = Told(SMALL)
        for number, value in enumerate((named, *order)):
            found.touchpoint(value, START + 10 + number)
        user, own = customer_of("user_id", "u"), customer_of("email", mail)
        of = {at: found.of[name] for name, at in found.occurred_at.items()}
        assert of == {START: user} | {START + number: own if number < 3 else user for number in range(1, 8)}
        assert found.bench.stage.numbers()["dropped"] == 2


def test_what_falls_out_is_forgotten_at_once_and_counted() -> None:
    found = told([Said(NOW - number * 1_000) for number in range(9)], replace(SMALL, kiosk_touchpoints=100))
    found.bench.store()
    assert len([key for key in found.bench.state if key.startswith(b"t|")]) == 5
    assert found.bench.stage.numbers()["dropped"] == 4
