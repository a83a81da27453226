"""The oracle's reading of docs/identity.md on keys that wear out and on what identifiers keep, worked out by hand."""

from __future__ import annotations

from itertools import permutations
from typing import Final

import pytest

from tests.oracle.attribution import Attribution, attribute, customer_of
from tests.oracle.decode import Touchpoint
from tests.oracle.links import Decided
from tests.oracle.rules import DAY, HOUR
from tests.oracle.usable import Rules

ANN, DEVICE, MAIL = customer_of(("user_id", "ann")), customer_of(("anonymous_id", "d")), customer_of(("email", "e"))
TWO: Final = Rules(kept=2, kiosk_touchpoints=2, key_touchpoints=3)
D: Final = {"anonymous_id": "d"}
LOGIN: Final = D | {"user_id": "ann"}
KEY: Final = {"order_id": "7"}
Said = tuple[dict[str, str], float] | tuple[dict[str, str], float, float]
"""Identifiers; when it occurred, and when it arrived, in hours."""


def arrived(number: int, said: Said) -> Touchpoint:
    identifiers, hours = said[0], said[1]
    at = round(hours * HOUR)
    return Touchpoint(
        touchpoint_id=f"{number:02d}", message_id=f"m{number}", source="till", place="", channel=None,
        name="page_viewed", occurred_at_sent=at, occurred_at=at, sent_at=None, received_at=None,
        log_time=round(said[2] * HOUR) if len(said) == 3 else at, sequence=0, identifiers=identifiers, subject=None,
    )  # fmt: skip


def solve(said: list[Said], rules: Rules = TWO, decided: Decided | None = None) -> Attribution:
    arrivals = [arrived(number, one) for number, one in enumerate(said)]
    return attribute(arrivals, [decided] if decided else [], rules)


def answers(found: Attribution, count: int) -> list[tuple[str | None, str]]:
    return [(found.touchpoints[f"{n:02d}"].customer, found.touchpoints[f"{n:02d}"].by) for n in range(count)]


# -- worn out ---------------------------------------------------------------------------------------------------------


def test_three_may_carry_a_key_and_four_wear_it_out() -> None:
    three: list[Said] = [(LOGIN | KEY, 0), (KEY, 1), (KEY, 2)]
    assert answers(solve(three), 3)[1:] == [(ANN, "business_key")] * 2
    worn = solve([*three, (KEY, 3)])
    assert worn.owners == {}
    assert answers(worn, 4) == [(ANN, "user_id"), *[(None, "waiting")] * 3]


def test_other_keys_of_the_same_touchpoints_are_not_worn_out() -> None:
    said: list[Said] = [(LOGIN | KEY | {"ticket_id": "t"}, 0), (KEY, 1), (KEY, 2), (KEY, 3)]
    assert solve(said).owners == {("ticket_id", "t"): ANN}


def test_what_is_too_late_wears_nothing_out() -> None:
    said: list[Said] = [(LOGIN | KEY, 0), (KEY, 1), (KEY, 2), (KEY, 3, 80)]
    assert solve(said).owners == {("order_id", "7"): ANN}


# -- what is kept -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([(D, 1), (LOGIN, 2)], [(ANN, "login"), (ANN, "user_id")]),
        # It fell out: it has what it carries, and is nobody's login.
        ([(D, 1), (D, 2), (LOGIN, 3)], [(DEVICE, "device"), (ANN, "login"), (ANN, "user_id")]),
        ([(LOGIN, 1), (D, 2), (D, 3)], [(ANN, "user_id"), (DEVICE, "device"), (DEVICE, "device")]),
        # Its links count, its contact names nobody for it.
        ([({"email": "e", "user_id": "ann"}, 1), ({"email": "e"}, 2), ({"email": "e"}, 3), ({"email": "e"}, 4)],
         [(ANN, "user_id"), (MAIL, "contact"), (ANN, "contact"), (ANN, "contact")]),
        # What came too late takes no room.
        ([(D, 1), (LOGIN, 2), (D, 3, 99)], [(ANN, "login"), (ANN, "user_id"), (DEVICE, "device")]),
    ],
)  # fmt: skip
def test_what_falls_out_has_what_it_carries(said: list[Said], expected: list[tuple[str, str]]) -> None:
    rules = Rules(kept=2)
    for order in permutations(range(len(said))):
        found = attribute([arrived(number, said[number]) for number in order], (), rules)
        assert answers(found, len(said)) == expected


def test_what_falls_out_claims_its_key() -> None:
    said: list[Said] = [(D | KEY, 1), (D, 2), (LOGIN, 3)]
    assert solve(said, Rules(kept=2)).owners == {("order_id", "7"): DEVICE}
    assert solve(said, Rules(kept=3)).owners == {("order_id", "7"): ANN}


def test_no_decision_moves_what_fell_out() -> None:
    linked = Decided("link", ("anonymous_id", "d"), "ann")
    assert answers(solve([(D, 1), (D, 2), (D, 3)], Rules(kept=2), linked), 3) == [
        (DEVICE, "device"),
        (ANN, "manual"),
        (ANN, "manual"),
    ]


def test_a_kiosk_day_stays_one_when_some_of_it_falls_out() -> None:
    begin = 100 * DAY / HOUR
    said: list[Said] = [(D, begin + 22), (D, begin + 23), (LOGIN, begin + 23.5), (LOGIN, begin + 25)]
    assert answers(solve(said, Rules(kept=3, kiosk_touchpoints=2)), 4)[1] == (DEVICE, "device")
    assert answers(solve(said, Rules(kept=3, kiosk_touchpoints=3)), 4)[1] == (ANN, "login")


def test_a_business_key_keeps_all_of_its_own() -> None:
    said: list[Said] = [(LOGIN | KEY, 0), (KEY, 1), (KEY, 2)]
    assert answers(solve(said, Rules(kept=1)), 3)[1:] == [(ANN, "business_key")] * 2
