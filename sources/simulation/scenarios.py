"""Which story is told where: each plants one break, comes close to one, or is an ordinary good journey.

Every story says by construction what must be found. Tables name the breaks of the shipped definitions.
"""

from __future__ import annotations

from sources.simulation import checkout_stories as checkout
from sources.simulation import payment_stories as payment
from sources.simulation import store_stories as store
from sources.simulation.course import Story, after_payment, order, pay
from sources.simulation.teller import Teller


def all_well(t: Teller, at: int) -> None:
    after_payment(t, pay(t, order(t, at) + t.soon(0.3, 8)))
    t.expect_order("succeeded", story="all well")


def cancelled(t: Teller, at: int) -> None:
    ordered = order(t, at)
    paid = pay(t, ordered + t.soon(0.3, 5))
    t.of_order("crm", "order_cancelled", paid + t.soon(5, 200))
    t.expect_order("failed", story="cancelled in time")


PLANTED: dict[str, tuple[Story, ...]] = {
    "paid": (payment.never_paid, payment.paid_late),
    "ready": (store.never_ready, store.ready_late, store.collected_unannounced_late),
    "collected": (store.never_collected, store.collected_late),
    "asked": (store.never_asked, store.asked_late),
    "payment_trouble": (payment.declined_and_gone, payment.declined_then_paid),
    "bad_pickup": (store.rated_badly, store.rated_badly_then_well),
    "checkout_loop": (checkout.loop_and_gone, checkout.loop_then_ordered),
}
NEAR_MISSES: dict[str, tuple[Story, ...]] = {
    "paid": (payment.paid_in_grace, payment.paid_by_invoice, payment.cancelled_at_deadline),
    "ready": (store.ready_in_grace, store.collected_unannounced),
    "collected": (store.collected_by_slow_till, store.collected_offline),
    "asked": (store.asked_in_grace,),
    "payment_trouble": (payment.declined_twice, payment.declined_slowly),
    "bad_pickup": (store.rated_just_enough,),
    "checkout_loop": (checkout.almost_a_loop, checkout.slow_loop),
}
ORDINARY: tuple[Story, ...] = (all_well, all_well, all_well, all_well, cancelled)
