"""Stories of the checkout: begun over and over, or nearly. A loop is 4 more starts within 30 min."""

from __future__ import annotations

from sources.simulation.plan import MINUTE, Emitter, ExpectedBreak
from sources.simulation.teller import Teller

LOOP = "checkout_loop"


def _starts(t: Teller, at: int, waits: tuple[int, ...]) -> int:
    """Begin the checkout, then once more after each wait. Returns the last time."""
    where: Emitter = t.rng.choice(("web", "app"))
    if t.rng.random() < 0.5:
        t.sign_in(where, at - MINUTE)
    t.begun = t.check_out(where, at)
    for wait in waits:
        at += wait
        t.check_out(where, at)
    t.where = where
    return at


def loop_and_gone(t: Teller, at: int) -> None:
    _starts(t, at, (t.soon(1, 4), 10 * MINUTE, 10 * MINUTE, 10 * MINUTE))
    t.expect_checkout(t.begun, "expired", ExpectedBreak(LOOP, "repeated", "resolved"))


def loop_then_ordered(t: Teller, at: int) -> None:
    last = _starts(t, at, tuple(t.soon(0.5, 5) for _ in range(t.rng.randint(4, 7))))
    t.choose_delivery(t.where, last + MINUTE)
    t.place_order(t.where, last + 2 * MINUTE, fulfilment="delivery")
    t.expect_checkout(t.begun, "succeeded", ExpectedBreak(LOOP, "repeated", "resolved"))


def almost_a_loop(t: Teller, at: int) -> None:
    last = _starts(t, at, tuple(t.soon(0.5, 5) for _ in range(3)))
    t.choose_delivery(t.where, last + MINUTE)
    t.place_order(t.where, last + 2 * MINUTE, fulfilment="delivery")
    t.expect_checkout(t.begun, "succeeded", near_miss=LOOP)


def loop_of_double_tags(t: Teller, at: int) -> None:
    """Three more starts, each told twice under another message id, a tenth of a second later."""
    last = _starts(t, at, tuple(wait for _ in range(3) for wait in (t.soon(0.5, 5), 100)))
    t.choose_delivery(t.where, last + MINUTE)
    t.place_order(t.where, last + 2 * MINUTE, fulfilment="delivery")
    t.expect_checkout(t.begun, "succeeded", near_miss=LOOP)


def slow_loop(t: Teller, at: int) -> None:
    _starts(t, at, (MINUTE, 10 * MINUTE, 10 * MINUTE, 10 * MINUTE + 1))
    t.expect_checkout(t.begun, "expired", near_miss=LOOP)
