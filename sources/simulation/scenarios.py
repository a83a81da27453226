"""The stories: each plants one break, comes close to one, or is an ordinary good journey.

Every story says by construction what must be found. The numbers come from the shipped definitions (journeys/*.yaml),
restated here by hand: paid 10 min, ready 8 h, collected 2 d, asked 1 d, answered 2 d, grace 1 min; 3 declines in
10 min; 4 more checkout starts within 30 min; csat below 3.
"""

from __future__ import annotations

from collections.abc import Callable

from sources.simulation.plan import DAY, HOUR, MINUTE, SECOND, Emitter, ExpectedBreak
from sources.simulation.teller import Teller

GRACE = MINUTE
Story = Callable[[Teller, int], None]


def _missed(name: str, state: str) -> ExpectedBreak:
    kind = "handoff_lost" if name == "collected" else "missing_step"
    return ExpectedBreak(name, kind, "firing" if state == "firing" else "resolved")


# -- parts of a course ------------------------------------------------------------------------------------------------


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


# -- good journeys ----------------------------------------------------------------------------------------------------


def all_well(t: Teller, at: int) -> None:
    after_payment(t, pay(t, order(t, at) + t.soon(0.3, 8)))
    t.expect_order("succeeded", story="all well")


def cancelled(t: Teller, at: int) -> None:
    ordered = order(t, at)
    paid = pay(t, ordered + t.soon(0.3, 5))
    t.of_order("crm", "order_cancelled", paid + t.soon(5, 200))
    t.expect_order("failed", story="cancelled in time")


# -- paid -------------------------------------------------------------------------------------------------------------


def never_paid(t: Teller, at: int) -> None:
    order(t, at)
    t.expect_order("open", _missed("paid", "firing"), story="no payment")


def paid_late(t: Teller, at: int) -> None:
    paid = pay(t, order(t, at) + 10 * MINUTE + GRACE + t.rng.choice((1, 20 * SECOND, t.soon(1, 60))))
    after_payment(t, paid)
    t.expect_order("succeeded", _missed("paid", "resolved"), story="paid after the deadline")


def paid_in_grace(t: Teller, at: int) -> None:
    paid = order(t, at) + 10 * MINUTE + t.rng.choice((0, 1, GRACE - 1, GRACE))
    t.of_order("payments", "payment_captured", paid, arrives_after=0)
    after_payment(t, paid)
    t.expect_order("succeeded", near_miss="paid", story="paid at the last moment")


def paid_by_invoice(t: Teller, at: int) -> None:
    paid = order(t, at) + t.soon(1, 9)
    t.of_order("crm", "invoice_accepted", paid)
    after_payment(t, paid)
    t.expect_order("succeeded", near_miss="paid", story="the other way to pay")


def cancelled_at_deadline(t: Teller, at: int) -> None:
    ended = order(t, at) + 10 * MINUTE + t.rng.choice((0, GRACE))
    t.of_order("crm", "order_cancelled", ended, arrives_after=0)
    t.expect_order("failed", near_miss="paid", story="cancelled before the payment was missed")


# -- ready ------------------------------------------------------------------------------------------------------------


def never_ready(t: Teller, at: int) -> None:
    pay(t, order(t, at) + t.soon(0.3, 8))
    t.expect_order("open", _missed("ready", "firing"), story="the store confirms nothing")


def ready_late(t: Teller, at: int) -> None:
    paid = pay(t, order(t, at) + t.soon(0.3, 8))
    after_ready(t, paid + 8 * HOUR + GRACE + t.rng.choice((1, t.soon(1, 6 * 60))))
    t.expect_order("succeeded", _missed("ready", "resolved"), story="ready after the deadline")


def collected_unannounced_late(t: Teller, at: int) -> None:
    paid = pay(t, order(t, at) + t.soon(0.3, 8))
    picked = paid + 8 * HOUR + GRACE + t.soon(30, 300)
    t.pick_up(picked)
    feedback(t, picked)
    t.expect_order("succeeded", _missed("ready", "resolved"), story="collected though nobody said it was ready")


def ready_in_grace(t: Teller, at: int) -> None:
    paid = pay(t, order(t, at) + t.soon(0.3, 8))
    ready = paid + 8 * HOUR + t.rng.choice((0, 1, GRACE - 1, GRACE))
    t.of_order("till", "ready_for_pickup", ready, arrives_after=0)
    picked = ready + t.soon(20, 600)
    t.pick_up(picked, arrives_after=t.soon(0.1, 12))
    feedback(t, picked)
    t.expect_order("succeeded", near_miss="ready", story="ready at the last moment")


def collected_unannounced(t: Teller, at: int) -> None:
    paid = pay(t, order(t, at) + t.soon(0.3, 8))
    picked = paid + t.soon(60, 7 * 60)
    t.pick_up(picked, arrives_after=t.soon(0.1, 12))
    feedback(t, picked)
    t.expect_order("succeeded", near_miss="ready", story="collected in time though nobody said it was ready")


# -- collected --------------------------------------------------------------------------------------------------------


def never_collected(t: Teller, at: int) -> None:
    paid = pay(t, order(t, at) + t.soon(0.3, 8))
    t.of_order("till", "ready_for_pickup", paid + t.soon(20, 7 * 60))
    t.expect_order("open", _missed("collected", "firing"), story="never came to the store")


def collected_late(t: Teller, at: int) -> None:
    paid = pay(t, order(t, at) + t.soon(0.3, 8))
    ready = paid + t.soon(20, 7 * 60)
    t.of_order("till", "ready_for_pickup", ready)
    picked = ready + 2 * DAY + GRACE + t.rng.choice((1, t.soon(1, 10 * 60)))
    t.pick_up(picked)
    feedback(t, picked)
    t.expect_order("succeeded", _missed("collected", "resolved"), story="collected after the deadline")


def collected_by_slow_till(t: Teller, at: int) -> None:
    """Collected at the last moment, and the till uploads a quarter of an hour later: inside arrives_within."""
    paid = pay(t, order(t, at) + t.soon(0.3, 8))
    ready = paid + t.soon(20, 7 * 60)
    t.of_order("till", "ready_for_pickup", ready)
    picked = ready + 2 * DAY + t.rng.choice((0, GRACE))
    t.pick_up(picked, arrives_after=t.soon(10, 18))
    feedback(t, picked)
    t.expect_order("succeeded", near_miss="collected", story="collected at the last moment, told later")


def collected_offline(t: Teller, at: int) -> None:
    """The till is offline for two days: an alert comes about, and is withdrawn when the upload comes."""
    paid = pay(t, order(t, at) + t.soon(0.3, 8))
    ready = paid + t.soon(20, 7 * 60)
    t.of_order("till", "ready_for_pickup", ready)
    picked = ready + 2 * DAY - t.soon(10, 25)
    t.pick_up(picked, arrives_after=2 * DAY)
    t.ask_feedback(picked + t.soon(120, 20 * 60))
    t.expect_order("succeeded", near_miss="collected", story="collected in time, the till was offline for two days")


# -- asked ------------------------------------------------------------------------------------------------------------


def never_asked(t: Teller, at: int) -> None:
    collect(t, pay(t, order(t, at) + t.soon(0.3, 8)) + t.soon(20, 7 * 60))
    t.expect_order("succeeded", _missed("asked", "firing"), story="nobody asked how it was")


def asked_late(t: Teller, at: int) -> None:
    picked = collect(t, pay(t, order(t, at) + t.soon(0.3, 8)) + t.soon(20, 7 * 60))
    t.ask_feedback(picked + DAY + GRACE + t.rng.choice((1, t.soon(1, 600))))
    t.expect_order("succeeded", _missed("asked", "resolved"), story="asked after the deadline")


def asked_in_grace(t: Teller, at: int) -> None:
    picked = collect(t, pay(t, order(t, at) + t.soon(0.3, 8)) + t.soon(20, 7 * 60))
    asked = picked + DAY + t.rng.choice((0, GRACE))
    t.of_order("crm", "feedback_requested", asked, arrives_after=0, survey="pickup")
    t.expect_order("succeeded", near_miss="asked", story="asked at the last moment")


# -- payment_trouble --------------------------------------------------------------------------------------------------

_TROUBLE = "payment_trouble"


def declined_and_gone(t: Teller, at: int) -> None:
    ordered = order(t, at)
    first = ordered + t.soon(0.3, 1)
    for wait in (0, t.soon(0.5, 4), 10 * MINUTE):  # the third lies exactly at the end of the window
        t.of_order("payments", "payment_declined", first + wait, reason="insufficient_funds")
    breaks = (ExpectedBreak(_TROUBLE, "repeated", "firing"), _missed("paid", "firing"))
    t.expect_order("open", *breaks, story="three declines and away")


def declined_then_paid(t: Teller, at: int) -> None:
    ordered = order(t, at)
    moment = ordered
    for _ in range(t.rng.randint(3, 5)):
        moment += t.soon(0.3, 1.4)
        t.of_order("payments", "payment_declined", moment, reason="3ds_failed")
    after_payment(t, pay(t, moment + t.soon(0.2, 1.5)))
    t.expect_order("succeeded", ExpectedBreak(_TROUBLE, "repeated", "resolved"), story="three declines, then paid")


def declined_twice(t: Teller, at: int) -> None:
    ordered = order(t, at)
    t.of_order("payments", "payment_declined", ordered + MINUTE, reason="3ds_failed")
    again = t.of_order("payments", "payment_declined", ordered + 2 * MINUTE, reason="3ds_failed")
    if t.rng.random() < 0.5:
        t.repeat(again)  # a tag that fires twice is still one decline
    after_payment(t, pay(t, ordered + t.soon(3, 9)))
    t.expect_order("succeeded", near_miss=_TROUBLE, story="two declines")


def declined_slowly(t: Teller, at: int) -> None:
    first = order(t, at) + 5 * SECOND
    for wait in (0, 4 * MINUTE, 10 * MINUTE + 1):  # one millisecond outside the window
        t.of_order("payments", "payment_declined", first + wait, reason="insufficient_funds")
    paid = first + 10 * MINUTE + 30 * SECOND
    t.of_order("payments", "payment_captured", paid, arrives_after=0)
    after_payment(t, paid)
    t.expect_order("succeeded", near_miss=_TROUBLE, story="three declines, too far apart")


# -- bad_pickup -------------------------------------------------------------------------------------------------------


def _to_feedback(t: Teller, at: int) -> int:
    picked = collect(t, pay(t, order(t, at) + t.soon(0.3, 8)) + t.soon(20, 7 * 60))
    asked = picked + t.soon(30, 600)
    t.ask_feedback(asked)
    return asked + t.soon(5, 600)


def rated_badly(t: Teller, at: int) -> None:
    t.give_feedback(_to_feedback(t, at), csat=t.rng.choice((1, 2, 2.9)))
    t.expect_order("succeeded", ExpectedBreak("bad_pickup", "low_score", "firing"), story="a bad rating")


def rated_badly_then_well(t: Teller, at: int) -> None:
    given = _to_feedback(t, at)
    t.give_feedback(given, csat=1)
    t.give_feedback(given + t.soon(30, 900), csat=t.rng.choice((3, 5)))
    t.expect_order("succeeded", ExpectedBreak("bad_pickup", "low_score", "resolved"), story="a bad rating, made good")


def rated_just_enough(t: Teller, at: int) -> None:
    scores = t.rng.choice(({"csat": 3}, {"csat": 3.0}, {"csat": "1"}, {"effort": 1}, {"csat": True}))
    t.give_feedback(_to_feedback(t, at), **scores)
    t.expect_order("succeeded", near_miss="bad_pickup", story="a rating just good enough, or none")


# -- checkout_loop ----------------------------------------------------------------------------------------------------

_LOOP = "checkout_loop"


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
    t.expect_checkout(t.begun, "expired", ExpectedBreak(_LOOP, "repeated", "resolved"))


def loop_then_ordered(t: Teller, at: int) -> None:
    last = _starts(t, at, tuple(t.soon(0.5, 5) for _ in range(t.rng.randint(4, 7))))
    t.choose_delivery(t.where, last + MINUTE)
    t.place_order(t.where, last + 2 * MINUTE, fulfilment="delivery")
    t.expect_checkout(t.begun, "succeeded", ExpectedBreak(_LOOP, "repeated", "resolved"))


def almost_a_loop(t: Teller, at: int) -> None:
    last = _starts(t, at, tuple(t.soon(0.5, 5) for _ in range(3)))
    t.choose_delivery(t.where, last + MINUTE)
    t.place_order(t.where, last + 2 * MINUTE, fulfilment="delivery")
    t.expect_checkout(t.begun, "succeeded", near_miss=_LOOP)


def slow_loop(t: Teller, at: int) -> None:
    _starts(t, at, (MINUTE, 10 * MINUTE, 10 * MINUTE, 10 * MINUTE + 1))
    t.expect_checkout(t.begun, "expired", near_miss=_LOOP)


# -- the pulse --------------------------------------------------------------------------------------------------------


def deadline_falls(t: Teller, moment: int) -> None:
    """Ordered so that the payment is missed at `moment`, grace included."""
    ordered = moment - 10 * MINUTE - GRACE
    start = t.check_out("web", ordered - 3 * MINUTE)
    t.choose_delivery("web", ordered - MINUTE)
    t.place_order("web", ordered)
    t.expect_checkout(start, "succeeded")
    t.expect_order("open", _missed("paid", "firing"), story="no payment, while somebody watches")


def third_decline(t: Teller, moment: int) -> None:
    ordered = moment - 5 * MINUTE
    start = t.check_out("web", ordered - 3 * MINUTE)
    t.choose_delivery("web", ordered - MINUTE)
    t.place_order("web", ordered)
    t.expect_checkout(start, "succeeded")
    for wait in (3 * MINUTE, MINUTE, 0):
        t.of_order("payments", "payment_declined", moment - wait, arrives_after=0, reason="insufficient_funds")
    breaks = (ExpectedBreak(_TROUBLE, "repeated", "firing"), _missed("paid", "firing"))
    t.expect_order("open", *breaks, story="a third decline, while somebody watches")


PLANTED: dict[str, tuple[Story, ...]] = {
    "paid": (never_paid, paid_late),
    "ready": (never_ready, ready_late, collected_unannounced_late),
    "collected": (never_collected, collected_late),
    "asked": (never_asked, asked_late),
    "payment_trouble": (declined_and_gone, declined_then_paid),
    "bad_pickup": (rated_badly, rated_badly_then_well),
    "checkout_loop": (loop_and_gone, loop_then_ordered),
}
NEAR_MISSES: dict[str, tuple[Story, ...]] = {
    "paid": (paid_in_grace, paid_by_invoice, cancelled_at_deadline),
    "ready": (ready_in_grace, collected_unannounced),
    "collected": (collected_by_slow_till, collected_offline),
    "asked": (asked_in_grace,),
    "payment_trouble": (declined_twice, declined_slowly),
    "bad_pickup": (rated_just_enough,),
    "checkout_loop": (almost_a_loop, slow_loop),
}
ORDINARY: tuple[Story, ...] = (all_well, all_well, all_well, all_well, cancelled)
