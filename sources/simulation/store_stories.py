"""Stories of the store and after it: readiness, pick-up, the question how it was, and the answer.

Ready 8 h after the payment, collected 2 d after that, asked 1 d after that, each with 1 min of grace; csat below 3 is
bad.
"""

from __future__ import annotations

from sources.simulation.course import GRACE, after_ready, collect, feedback, missed, order, pay
from sources.simulation.plan import DAY, HOUR, MINUTE, ExpectedBreak
from sources.simulation.teller import Teller

# -- ready ------------------------------------------------------------------------------------------------------------


def never_ready(t: Teller, at: int) -> None:
    pay(t, order(t, at) + t.soon(0.3, 8))
    t.expect_order("open", missed("ready", "firing"), story="the store confirms nothing")


def ready_late(t: Teller, at: int) -> None:
    paid = pay(t, order(t, at) + t.soon(0.3, 8))
    after_ready(t, paid + 8 * HOUR + GRACE + t.rng.choice((1, t.soon(1, 6 * 60))))
    t.expect_order("succeeded", missed("ready", "resolved"), story="ready after the deadline")


def collected_unannounced_late(t: Teller, at: int) -> None:
    paid = pay(t, order(t, at) + t.soon(0.3, 8))
    picked = paid + 8 * HOUR + GRACE + t.soon(30, 300)
    t.pick_up(picked)
    feedback(t, picked)
    t.expect_order("succeeded", missed("ready", "resolved"), story="collected though nobody said it was ready")


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
    t.expect_order("open", missed("collected", "firing"), story="never came to the store")


def collected_late(t: Teller, at: int) -> None:
    paid = pay(t, order(t, at) + t.soon(0.3, 8))
    ready = paid + t.soon(20, 7 * 60)
    t.of_order("till", "ready_for_pickup", ready)
    for days in (1, 2)[: t.rng.randint(1, 2)]:  # reached by the second of them
        t.of_order("crm", "pickup_reminder_sent", ready + days * DAY)
    picked = ready + 2 * DAY + GRACE + t.rng.choice((1, t.soon(1, 10 * 60)))
    t.pick_up(picked)
    feedback(t, picked)
    t.expect_order("succeeded", missed("collected", "resolved"), story="collected after the deadline")


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


def _stitched_later(t: Teller, at: int, waits: bool) -> None:
    """The counter knows no order number that it could name as such: it scans the customer's card, or prints a receipt.
    Whose that is, the account says later. `waits`: everything happens at the last moment.
    """
    user = t.person.user_id or f"u{600_000 + t.serial}"
    known = {"user_id": user}
    t.add("web", "identified", at - MINUTE, t.device("web") | known)
    t.place_order("web", at)
    ready = pay(t, at + t.soon(0.3, 8)) + t.soon(20, 7 * 60)
    t.of_order("till", "ready_for_pickup", ready, arrives_after=0)
    picked = ready + (2 * DAY + t.rng.choice((0, GRACE)) if waits else t.soon(20, 30 * 60))
    shown = t.rng.choice(({"loyalty_card": f"LC{t.serial}"}, {"receipt_id": f"RC{t.serial}"}))
    properties = {"order_id": t.order_id, "store_id": t.store}
    t.add("till", "picked_up", picked, shown, channel="store", properties=properties, arrives_after=MINUTE)
    t.add("crm", "identified", picked + t.soon(2, 17 if waits else 600), shown | known, arrives_after=0)
    feedback(t, picked)


def stitched_later(t: Teller, at: int) -> None:
    _stitched_later(t, at, waits=False)
    t.expect_order("succeeded", near_miss="collected", story="collected with a card or a receipt, whose, is told later")


def stitched_at_last(t: Teller, at: int) -> None:
    _stitched_later(t, at, waits=True)
    t.expect_order("succeeded", near_miss="collected", story="collected at the last moment, by whom, is told later")


# -- asked ------------------------------------------------------------------------------------------------------------


def never_asked(t: Teller, at: int) -> None:
    collect(t, pay(t, order(t, at) + t.soon(0.3, 8)) + t.soon(20, 7 * 60))
    t.expect_order("succeeded", missed("asked", "firing"), story="nobody asked how it was")


def asked_late(t: Teller, at: int) -> None:
    picked = collect(t, pay(t, order(t, at) + t.soon(0.3, 8)) + t.soon(20, 7 * 60))
    t.ask_feedback(picked + DAY + GRACE + t.rng.choice((1, t.soon(1, 600))))
    t.expect_order("succeeded", missed("asked", "resolved"), story="asked after the deadline")


def asked_in_grace(t: Teller, at: int) -> None:
    picked = collect(t, pay(t, order(t, at) + t.soon(0.3, 8)) + t.soon(20, 7 * 60))
    asked = picked + DAY + t.rng.choice((0, GRACE))
    t.of_order("crm", "feedback_requested", asked, arrives_after=0, survey="pickup")
    t.expect_order("succeeded", near_miss="asked", story="asked at the last moment")


def asked_by_slow_tool(t: Teller, at: int) -> None:
    """Asked at the last moment, and told half an hour later: inside arrives_within."""
    picked = collect(t, pay(t, order(t, at) + t.soon(0.3, 8)) + t.soon(20, 7 * 60))
    asked = picked + DAY + t.rng.choice((0, GRACE))
    t.of_order("crm", "feedback_requested", asked, arrives_after=t.soon(10, 28), survey="pickup")
    t.expect_order("succeeded", near_miss="asked", story="asked at the last moment, told later")


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


def rated_before_pickup(t: Teller, at: int) -> None:
    """The checkout was a nuisance, and whoever says so before the pickup does not judge the pickup."""
    ordered = order(t, at)
    t.give_feedback(ordered + t.soon(0.1, 0.2), csat=t.rng.choice((1, 2)), survey="checkout")
    collect(t, pay(t, ordered + t.soon(0.3, 8)) + t.soon(20, 7 * 60))
    t.expect_order("succeeded", near_miss="bad_pickup", story="a bad rating before the pickup")
