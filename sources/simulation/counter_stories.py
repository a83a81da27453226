"""Stories of what is handed out at the counter: unpaid, or of an order that was cancelled.

Collected before it is paid is waited out for 30 min and 1 min of grace. Paid counts from the order: these orders are
collected within the 10 min in which the payment is expected, so that nothing else is missed.
"""

from __future__ import annotations

from sources.simulation.course import GRACE, after_payment, collect, feedback, order, pay
from sources.simulation.plan import HOUR, MINUTE, ExpectedBreak
from sources.simulation.teller import Teller

WAITED = 30 * MINUTE
UNPAID = "collected_unpaid"
CANCELLED = "cancelled_yet_collected"
CANCELLED_NOW = ExpectedBreak(CANCELLED, "forbidden", "firing")


def _collected_at_once(t: Teller, at: int) -> int:
    picked = order(t, at) + t.soon(4, 9)
    t.pick_up(picked, arrives_after=t.soon(0.1, 12))
    feedback(t, picked)
    return picked


# -- collected_unpaid -------------------------------------------------------------------------------------------------


def collected_never_paid(t: Teller, at: int) -> None:
    _collected_at_once(t, at)
    t.expect_order("succeeded", ExpectedBreak(UNPAID, "out_of_order", "firing"), story="handed out, and never paid")


def collected_paid_late(t: Teller, at: int) -> None:
    pay(t, _collected_at_once(t, at) + WAITED + GRACE + t.rng.choice((1, t.soon(1, 600))))
    t.expect_order("succeeded", ExpectedBreak(UNPAID, "out_of_order", "resolved"), story="handed out, paid much later")


def collected_paid_at_counter(t: Teller, at: int) -> None:
    paid = _collected_at_once(t, at) + t.rng.choice((1, 20_000, WAITED, WAITED + GRACE))
    t.of_order("payments", "payment_captured", paid, arrives_after=0)
    t.expect_order("succeeded", near_miss=UNPAID, story="paid at the counter")


def payment_told_late(t: Teller, at: int) -> None:
    """Paid before it was handed out, by a provider that reports in batches."""
    picked = _collected_at_once(t, at)
    t.of_order("payments", "payment_captured", picked - 30_000, arrives_after=t.soon(20, 29))
    t.expect_order("succeeded", near_miss=UNPAID, story="paid in time, told later")


# -- cancelled_yet_collected ------------------------------------------------------------------------------------------


def cancelled_then_collected(t: Teller, at: int) -> None:
    paid = pay(t, order(t, at) + t.soon(0.3, 8))
    t.of_order("till", "ready_for_pickup", paid + HOUR)
    cancelled = paid + t.soon(70, 300)
    t.of_order("crm", "order_cancelled", cancelled)
    t.pick_up(cancelled + t.soon(5, 900))
    t.expect_order("failed", CANCELLED_NOW, story="cancelled, and handed out all the same")


def collected_then_cancelled(t: Teller, at: int) -> None:
    picked = collect(t, pay(t, order(t, at) + t.soon(0.3, 8)) + HOUR)
    t.of_order("crm", "order_cancelled", picked + t.soon(5, 900))
    t.expect_order("failed", CANCELLED_NOW, story="cancelled after it was handed out")


def another_one_collected(t: Teller, at: int) -> None:
    """One customer, two orders: the one is cancelled, the other one collected."""
    paid = pay(t, order(t, at) + t.soon(0.3, 8))
    cancelled = paid + t.soon(10, 60)
    t.of_order("crm", "order_cancelled", cancelled)
    t.expect_order("failed", story="cancelled, and ordered anew")
    t.order_id += "-2"
    after_payment(t, pay(t, order(t, cancelled + t.soon(5, 200)) + t.soon(0.3, 8)))
    t.expect_order("succeeded", near_miss=CANCELLED, story="the other order was cancelled")


def one_household(t: Teller, at: int) -> None:
    """Two people of one household, each signed in on one tablet in turn: the one cancels, the other one collects."""
    tablet = {"anonymous_id": f"household-{t.serial}"}
    people = (t.person.user_id or f"u{600_000 + t.serial}", f"u{500_000 + t.serial}")
    first = t.order_id

    def ordered(user: str, moment: int) -> None:
        t.add("web", "identified", moment, tablet | {"user_id": user})
        facts = {"order_id": t.order_id, "store_id": t.store, "fulfilment": "pickup"}
        t.add("web", "order_placed", moment + MINUTE, tablet | {"order_id": t.order_id}, properties=facts)

    ordered(people[0], at)
    paid = pay(t, at + MINUTE + t.soon(0.3, 8))
    t.order_id += "-2"
    ordered(people[1], paid + MINUTE)
    cancelled = {"order_id": t.order_id}
    t.add("web", "order_cancelled", paid + t.soon(4, 9), tablet | cancelled, properties=cancelled)
    t.expect_order("failed", story="cancelled on the tablet of a household")
    t.order_id = first
    after_payment(t, paid)
    t.expect_order("succeeded", near_miss=CANCELLED, story="another one of the household cancelled, on the same tablet")


def collected_then_refunded(t: Teller, at: int) -> None:
    picked = collect(t, pay(t, order(t, at) + t.soon(0.3, 8)) + HOUR)
    t.of_order("crm", "order_refunded", picked + t.soon(5, 900))
    t.expect_order("failed", near_miss=CANCELLED, story="brought back and refunded")
