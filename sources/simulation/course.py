"""The courses that stories are made of: an order, its payment, its way through the store, the feedback.

What is missed and when follows from the shipped definitions (journeys/*.yaml), restated here by hand: paid 10 min,
ready 8 h, collected 2 d, asked 1 d, answered 2 d, grace 1 min.
"""

from __future__ import annotations

from collections.abc import Callable

from sources.simulation.plan import MINUTE, Emitter, ExpectedBreak
from sources.simulation.teller import Teller

GRACE = MINUTE
KIND_OF_STEP = {"collected": "handoff_lost", "asked": "feedback_not_asked"}
Story = Callable[[Teller, int], None]


def missed(name: str, state: str) -> ExpectedBreak:
    return ExpectedBreak(name, KIND_OF_STEP.get(name, "missing_step"), "firing" if state == "firing" else "resolved")


def order(t: Teller, at: int) -> int:
    """Look around, check out, order. The person signs in first, in between, later, or never. Returns the time of the
    order.
    """
    where: Emitter = "app" if t.rng.random() < 0.4 else "web"
    habit = t.rng.random()
    if habit < 0.35:
        t.sign_in(where, at)
        at += t.soon(0.1, 2)
    at = t.browse(where, at, t.rng.randint(2, 6))
    if 0.35 <= habit < 0.65:
        t.sign_in(where, at)
        at += t.soon(0.1, 1)
    start = t.check_out(where, at)
    t.choose_delivery(where, at + t.soon(0.2, 2))
    ordered = at + t.soon(2.5, 6)
    t.place_order(where, ordered)
    t.expect_checkout(start, "succeeded")
    if 0.65 <= habit < 0.9:
        t.sign_in(where, ordered + t.soon(1, 50))  # the order was placed as a guest: everything moves to the person
    return ordered


def pay(t: Teller, at: int) -> int:
    t.of_order("payments", "payment_captured", at, method=t.rng.choice(("card", "wallet")))
    if t.rng.random() < 0.5:
        t.of_order("payments", "order_approved", at + t.soon(0.1, 3))
    return at


def collect(t: Teller, ready: int) -> int:
    t.of_order("till", "ready_for_pickup", ready)
    picked = ready + t.soon(20, 30 * 60)
    t.pick_up(picked, arrives_after=t.soon(0.1, 12))
    return picked


def feedback(t: Teller, picked: int) -> None:
    asked = picked + t.soon(30, 20 * 60)
    t.ask_feedback(asked)
    if t.rng.random() < 0.6:
        t.give_feedback(asked + t.soon(5, 30 * 60), csat=t.rng.choice((3, 4, 4, 5, 5, 5)))


def after_payment(t: Teller, paid: int) -> None:
    feedback(t, collect(t, paid + t.soon(20, 7 * 60)))


def after_ready(t: Teller, ready: int) -> None:
    feedback(t, collect(t, ready))
