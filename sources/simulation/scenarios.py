"""Which story is told where: each plants one break, comes close to one, or is an ordinary good journey.

Every story says by construction what must be found. Tables name the breaks of the shipped definitions.
"""

from __future__ import annotations

from sources.simulation import checkout_stories as checkout
from sources.simulation import counter_stories as counter
from sources.simulation import opt_out_stories as opt_out
from sources.simulation import payment_stories as payment
from sources.simulation import person_stories as persons
from sources.simulation import relation_stories as relation
from sources.simulation import service_stories as service
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
    "asked": (store.never_asked, store.asked_late, opt_out.another_opted_out),
    "payment_trouble": (payment.declined_and_gone, payment.declined_then_paid),
    "bad_pickup": (store.rated_badly, store.rated_badly_then_well),
    "checkout_loop": (checkout.loop_and_gone, checkout.loop_then_ordered),
    "collected_unpaid": (counter.collected_never_paid, counter.collected_paid_late),
    "cancelled_yet_collected": (counter.cancelled_then_collected, counter.collected_then_cancelled),
    "answered": (
        *(service.never_answered, service.answered_late),
        *(relation.review_unanswered, relation.review_answered_late),
    ),
    "answer_undelivered": (service.bounced_for_good, service.bounced_long),
    "asked_too_soon": (service.asked_and_unsolved, service.asked_before_solved),
    "solved_in_silence": (service.never_told, service.told_late),
    "forgotten": (service.forgotten, service.taken_up_again),
    "reopened_again": (service.reopened_twice,),
    "hard_work": (service.rated_hard, service.rated_hard_then_easy),
    "would_not_recommend": (service.detractor, service.detractor_won_over),
    "soured": relation.SOUR,
    "two_persons": (persons.cancelled_by_another, persons.changed_by_another),
}
NEAR_MISSES: dict[str, tuple[Story, ...]] = {
    "paid": (payment.paid_in_grace, payment.paid_by_invoice, payment.cancelled_at_deadline),
    "ready": (store.ready_in_grace, store.collected_unannounced),
    "collected": (
        *(store.collected_by_slow_till, store.collected_offline),
        *(store.stitched_later, store.stitched_at_last),
    ),
    "asked": (
        *(store.asked_in_grace, store.asked_by_slow_tool),
        *(opt_out.opted_out, opt_out.opted_out_before, opt_out.opted_out_of_two),
    ),
    "payment_trouble": (payment.declined_twice, payment.declined_by_double_tags, payment.declined_slowly),
    "bad_pickup": (store.rated_just_enough, store.rated_before_pickup),
    "checkout_loop": (checkout.almost_a_loop, checkout.loop_of_double_tags, checkout.slow_loop),
    "collected_unpaid": (counter.collected_paid_at_counter, counter.payment_told_late),
    "cancelled_yet_collected": (
        *(counter.another_one_collected, counter.collected_then_refunded, counter.one_household),
    ),
    "answered": (service.answered_in_grace, service.withdrawn_at_deadline, relation.review_answered_in_time),
    "answer_undelivered": (service.bounced_once, service.bounced_then_called),
    "asked_too_soon": (service.asked_while_closing, service.solved_uploaded_late),
    "solved_in_silence": (service.told_afterwards, service.told_by_batch, service.told_by_night),
    "forgotten": (service.taken_up_in_time, service.solved_and_quiet),
    "reopened_again": (service.reopened_once,),
    "hard_work": (service.rated_easy_enough, service.rated_before_solved),
    "would_not_recommend": (service.passive, service.asked_too_early_to_say),
    "soured": relation.NEARLY_SOUR,
    "two_persons": (persons.family_tablet, persons.collected_by_a_friend, persons.on_two_devices),
}
ORDINARY: tuple[Story, ...] = (all_well, all_well, all_well, all_well, cancelled, service.solved_well)
