"""The oracle's reading of docs/identity.md on clocks and the future, worked out by hand. Times are hours."""

from __future__ import annotations

import pytest

from tests.oracle.attribution import correct_clocks
from tests.oracle.decode import Touchpoint
from tests.oracle.rules import HOUR

Said = tuple[str, float, float | None, float | None]
"""What identifies it, when it says that it occurred, sent_at, received_at."""
NOW = 1_000.0
SLOW: Said = ("o", NOW - 3, NOW - 3, NOW)


def ms(hours: float | None) -> int | None:
    return None if hours is None else round(hours * HOUR)


def arrived(number: int, said: Said) -> Touchpoint:
    who, hours, sent_at, received_at = said
    at = round(hours * HOUR)
    return Touchpoint(
        touchpoint_id=f"{number:02d}", message_id=f"m{number}", source="till", place="", channel=None,
        name="page_viewed", occurred_at_sent=at, occurred_at=at, sent_at=ms(sent_at),
        received_at=ms(received_at), log_time=round(NOW * HOUR), sequence=0, identifiers={"order_id": who},
        subject=None,
    )  # fmt: skip


def corrected(*said: Said) -> list[float]:
    """In hours from now on."""
    everything = correct_clocks([arrived(number, one) for number, one in enumerate(said)])
    return [round((x.occurred_at - NOW * HOUR) / HOUR, 6) for x in everything]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        # A browser taught the order's offset; a till says no sent_at, and is right.
        ([SLOW, ("o", NOW - 1, None, NOW)], [0, -1]),
        ([SLOW, ("o", NOW - 1, None, None)], [0, -1]),
        ([SLOW, ("o", NOW - 1, NOW - 9, None)], [0, -1]),
        ([SLOW, ("o", NOW - 4, NOW - 3, NOW)], [0, -1]),
        ([SLOW, ("other", NOW - 4, NOW, NOW)], [0, -4]),
        # Who says nothing of its clock teaches nothing.
        ([SLOW, ("o", NOW - 1, None, NOW), ("o", NOW - 5, NOW - 3, NOW)], [0, -1, -2]),
    ],
)
def test_an_offset_is_for_who_says_when_it_was_sent(said: list[Said], expected: list[float]) -> None:
    assert corrected(*said) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (("o", NOW + 1, None, None), 1),
        (("o", NOW + 1.001, None, None), 0),
        (("o", NOW + 69_000_000, None, None), 0),
        # The corrected time counts, not the one that was said.
        (("o", NOW + 5, NOW + 4.5, NOW), 0.5),
        (("o", NOW - 1, NOW - 3, NOW), 0),
        (("o", NOW - 2, NOW - 3, NOW), 1),
    ],
)
def test_nothing_occurs_long_after_it_arrived(said: Said, expected: float) -> None:
    assert corrected(said) == [expected]
