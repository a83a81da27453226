"""Stories of the payment: it never comes, comes late, comes in time, is declined again and again.

A payment is missed 10 min and 1 min of grace after the order; trouble is 3 declines in 10 min.
"""

from __future__ import annotations

from sources.simulation.course import GRACE, after_payment, missed, order, pay
from sources.simulation.plan import MINUTE, SECOND, ExpectedBreak
from sources.simulation.teller import Teller

TROUBLE = "payment_trouble"


# -- paid -------------------------------------------------------------------------------------------------------------


def never_paid(t: Teller, at: int) -> None:
    order(t, at)
    t.expect_order("open", missed("paid", "firing"), story="no payment")


def paid_late(t: Teller, at: int) -> None:
    paid = pay(t, order(t, at) + 10 * MINUTE + GRACE + t.rng.choice((1, 20 * SECOND, t.soon(1, 60))))
    after_payment(t, paid)
    t.expect_order("succeeded", missed("paid", "resolved"), story="paid after the deadline")


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


# -- payment_trouble --------------------------------------------------------------------------------------------------


def declined_and_gone(t: Teller, at: int) -> None:
    ordered = order(t, at)
    first = ordered + t.soon(0.3, 1)
    for wait in (0, t.soon(0.5, 4), 10 * MINUTE):  # the third lies exactly at the end of the window
        t.of_order("payments", "payment_declined", first + wait, reason="insufficient_funds")
    breaks = (ExpectedBreak(TROUBLE, "repeated", "firing"), missed("paid", "firing"))
    t.expect_order("open", *breaks, story="three declines and away")


def declined_then_paid(t: Teller, at: int) -> None:
    ordered = order(t, at)
    moment = ordered
    for _ in range(t.rng.randint(3, 4)):  # with a fifth, somebody to whom nothing good ever happened would be sour
        moment += t.soon(0.3, 1.4)
        t.of_order("payments", "payment_declined", moment, reason="3ds_failed")
    after_payment(t, pay(t, moment + t.soon(0.2, 1.5)))
    t.expect_order("succeeded", ExpectedBreak(TROUBLE, "repeated", "resolved"), story="three declines, then paid")


def declined_twice(t: Teller, at: int) -> None:
    ordered = order(t, at)
    t.of_order("payments", "payment_declined", ordered + MINUTE, reason="3ds_failed")
    again = t.of_order("payments", "payment_declined", ordered + 2 * MINUTE, reason="3ds_failed")
    if t.rng.random() < 0.5:
        t.repeat(again)  # a tag that fires twice is still one decline
    after_payment(t, pay(t, ordered + t.soon(3, 9)))
    t.expect_order("succeeded", near_miss=TROUBLE, story="two declines")


def declined_by_double_tags(t: Teller, at: int) -> None:
    """Two declines, each told twice within a second, under another message id: four touchpoints, and no third try."""
    first = order(t, at) + MINUTE
    for moment in (first, first + t.soon(0.5, 3)):
        for after in (0, t.rng.choice((100, SECOND - 1))):
            t.of_order("payments", "payment_declined", moment + after, reason="3ds_failed")
    after_payment(t, pay(t, first + t.soon(4, 8)))
    t.expect_order("succeeded", near_miss=TROUBLE, story="two declines, each fired double")


def declined_slowly(t: Teller, at: int) -> None:
    first = order(t, at) + 5 * SECOND
    for wait in (0, 4 * MINUTE, 10 * MINUTE + 1):  # one millisecond outside the window
        t.of_order("payments", "payment_declined", first + wait, reason="insufficient_funds")
    paid = first + 10 * MINUTE + 30 * SECOND
    t.of_order("payments", "payment_captured", paid, arrives_after=0)
    after_payment(t, paid)
    t.expect_order("succeeded", near_miss=TROUBLE, story="three declines, too far apart")


# -- the pulse: while somebody watches --------------------------------------------------------------------------------


def deadline_falls(t: Teller, moment: int) -> None:
    """Ordered so that the payment is missed at `moment`, grace included."""
    ordered = moment - 10 * MINUTE - GRACE
    start = t.check_out("web", ordered - 3 * MINUTE)
    t.choose_delivery("web", ordered - MINUTE)
    t.place_order("web", ordered)
    t.expect_checkout(start, "succeeded")
    t.expect_order("open", missed("paid", "firing"), story="no payment, while somebody watches")


def third_decline(t: Teller, moment: int) -> None:
    ordered = moment - 5 * MINUTE
    start = t.check_out("web", ordered - 3 * MINUTE)
    t.choose_delivery("web", ordered - MINUTE)
    t.place_order("web", ordered)
    t.expect_checkout(start, "succeeded")
    for wait in (3 * MINUTE, MINUTE, 0):
        t.of_order("payments", "payment_declined", moment - wait, arrives_after=0, reason="insufficient_funds")
    breaks = (ExpectedBreak(TROUBLE, "repeated", "firing"), missed("paid", "firing"))
    t.expect_order("open", *breaks, story="a third decline, while somebody watches")
