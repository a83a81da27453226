"""The journeys of tiny runs, and what the oracle knows without a catalogue: written by hand as data.

They are those of the repository, but for what tiny runs do without: versions, open hours, reminders, persons.
"""

from __future__ import annotations

from typing import Final

from tests.oracle.rules import (
    ARRIVES_WITHIN,
    DAY,
    HOUR,
    MINUTE,
    Abandoned,
    Ban,
    Declared,
    Definition,
    LowScore,
    Pattern,
    Repeated,
    Step,
    Suspicion,
)

CHECKOUT: Final = Definition(
    name="checkout",
    key="customer",
    joins=False,
    start=Pattern(("checkout_started",)),
    steps=(
        Step("delivery", Pattern(("delivery_chosen",)), "start"),
        Step("ordered", Pattern(("order_placed",)), "start", 2 * HOUR, "count"),
    ),
    success="ordered",
    failures=("order_cancelled",),
    repeated=(Repeated("checkout_loop", Pattern(("checkout_started",)), 4, 30 * MINUTE, "ordered"),),
    scores=(),
    grace=MINUTE,
    lifetime=DAY,
)

CLICK_AND_COLLECT: Final = Definition(
    name="click_and_collect",
    key="order_id",
    joins=True,
    start=Pattern(("order_placed",), (("fulfilment", "pickup"),)),
    steps=(
        Step("approved", Pattern(("order_approved",)), "start"),
        Step("paid", Pattern(("payment_captured", "invoice_accepted")), "start", 10 * MINUTE),
        Step("ready", Pattern(("ready_for_pickup",)), "paid", 8 * HOUR),
        Step("collected", Pattern(("picked_up",), (("channel", "store"),)), "ready", 2 * DAY, handoff=True),
        Step(
            "asked",
            Pattern(("feedback_requested",)),
            "collected",
            DAY,
            excused_by=("feedback_declined",),
            feedback=True,
        ),
        Step("answered", Pattern(("feedback_given",)), "asked", 2 * DAY, "count"),
    ),
    success="collected",
    failures=("order_cancelled", "order_refunded"),
    repeated=(Repeated("payment_trouble", Pattern(("payment_declined",)), 3, 10 * MINUTE, "paid"),),
    scores=(LowScore("bad_pickup", "csat", 3, "collected"),),
    suspicions=(Suspicion("collected_unpaid", "out_of_order", "paid", Pattern(("picked_up",)), 30 * MINUTE),),
    bans=(Ban("cancelled_yet_collected", Pattern(("picked_up",)), never_with="order_cancelled"),),
    grace=MINUTE,
    lifetime=14 * DAY,
)

SERVICE_CASE: Final = Definition(
    name="service_case",
    key="ticket_id",
    joins=False,
    start=Pattern(("ticket_opened",)),
    steps=(
        Step("answered", Pattern(("ticket_answered", "callback_made")), "start", 4 * HOUR),
        Step("told", Pattern(("solution_sent",)), "answered"),
        Step("solved", Pattern(("ticket_solved",)), "told"),
        Step("asked", Pattern(("service_rating_requested",)), "solved", DAY, "count"),
        Step("rated", Pattern(("service_rated",)), "asked", 3 * DAY, "count"),
    ),
    success="solved",
    failures=("ticket_withdrawn",),
    repeated=(),
    scores=(LowScore("hard_work", "ease", 3, "solved"), LowScore("would_not_recommend", "nps", 7, "solved")),
    suspicions=(
        Suspicion("answer_undelivered", "failure_event", "answered", Pattern(("reply_failed",)), 30 * MINUTE),
        Suspicion("asked_too_soon", "out_of_order", "solved", Pattern(("service_rating_requested",)), 30 * MINUTE),
        Suspicion("solved_in_silence", "skipped_step", "told", None, 2 * HOUR),
    ),
    abandoned=(Abandoned("forgotten", 3 * DAY),),
    bans=(Ban("reopened_again", Pattern(("ticket_reopened",)), at_most=1),),
    grace=MINUTE,
    lifetime=30 * DAY,
)

DEFINITIONS: Final = (CHECKOUT, CLICK_AND_COLLECT, SERVICE_CASE)

ENDS_SESSION: Final = frozenset({"signed_out"})
CHANNEL_OF_NAME: Final = {
    "page_viewed": "web",
    "screen_viewed": "app",
    "ready_for_pickup": "store",
    "picked_up": "store",
    "callback_made": "phone",
    "service_rating_requested": "email",
    "store_visited": "store",
    "feedback_requested": "email",
    "review_published": "web",
}
# fmt: off
DECLARED: Final = frozenset((
    "page_viewed", "screen_viewed", "product_viewed", "search_performed", "identified", "signed_out",
    "cart_updated", "checkout_started", "delivery_chosen", "payment_declined", "payment_captured",
    "invoice_accepted", "order_placed", "order_approved", "order_cancelled", "order_refunded",
    "ready_for_pickup", "picked_up", "store_visited", "feedback_requested", "feedback_given",
    "review_published", "ticket_opened", "ticket_answered", "callback_made", "reply_failed", "solution_sent",
    "ticket_solved", "ticket_reopened", "ticket_withdrawn", "service_rating_requested", "service_rated",
    "feedback_declined", "nps_given",
))
# fmt: on

KNOWN: Final = {
    name: Declared(
        channel=CHANNEL_OF_NAME.get(name),
        ends_session=name in ENDS_SESSION,
        arrives_within=ARRIVES_WITHIN.get(name, 0),
    )
    for name in DECLARED
}
"""The catalogue where none is read."""
