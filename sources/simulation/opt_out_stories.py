"""Stories of customers who do not want to be asked: said of an order, of none, days before, or by somebody else.

Asked 1 d after the pick-up, with 1 min of grace. What is said of no order counts for all that are open and for those
that follow within a year. A run of ten days cannot tell of an opt-out that is older.
"""

from __future__ import annotations

from sources.simulation.course import GRACE, collect, missed, order, pay
from sources.simulation.plan import DAY, HOUR, MINUTE
from sources.simulation.teller import Teller


def _decline(t: Teller, at: int) -> None:
    """In the settings of the account, or by a call: no word of an order."""
    if t.person.user_id is not None and t.rng.random() < 0.5:
        t.add("crm", "feedback_declined", at, {"user_id": t.person.user_id}, channel="phone", arrives_after=0)
    else:
        t.on_device("web", "feedback_declined", at)


def _collected(t: Teller, at: int) -> int:
    """Ordered on the person's own browser. Returns when it was collected."""
    t.sign_in("web", at - MINUTE)
    t.place_order("web", at)
    return collect(t, pay(t, at + t.soon(0.3, 8)) + t.soon(20, 7 * 60))


def opted_out(t: Teller, at: int) -> None:
    """Nobody is asked who does not want to be; said long before, or at the last moment."""
    picked = collect(t, pay(t, order(t, at) + t.soon(0.3, 8)) + t.soon(20, 7 * 60))
    t.of_order("crm", "feedback_declined", picked + t.rng.choice((t.soon(1, 600), DAY, DAY + GRACE)), arrives_after=0)
    t.expect_order("succeeded", near_miss="asked", story="does not want to be asked")


def opted_out_before(t: Teller, at: int) -> None:
    """Of no order, since there is none yet."""
    t.sign_in("web", at - MINUTE)
    _decline(t, at)
    _collected(t, at + t.rng.choice((HOUR, DAY, 2 * DAY)))
    t.expect_order("succeeded", near_miss="asked", story="did not want to be asked days before the order")


def opted_out_of_two(t: Teller, at: int) -> None:
    """Of no order, while two are open; both were collected within a day, and nobody has been asked by then."""
    picked = 0
    for order_id in (t.order_id, f"{t.order_id}-2"):
        t.order_id = order_id
        t.sign_in("web", at - MINUTE)
        t.place_order("web", at)
        ready = pay(t, at + t.soon(0.3, 8)) + t.soon(20, 6 * 60)
        t.of_order("till", "ready_for_pickup", ready)
        picked = max(picked, ready + t.soon(20, 12 * 60))
        t.pick_up(picked, arrives_after=t.soon(0.1, 12))
        t.expect_order("succeeded", near_miss="asked", story="does not want to be asked about either of two orders")
        at += t.soon(2, 60)
    _decline(t, picked + t.soon(1, 20))


def another_opted_out(t: Teller, at: int) -> None:
    """What somebody else does not want is no excuse."""
    other = {"anonymous_id": f"other-{t.serial}", "user_id": f"u{500_000 + t.serial}"}
    t.add("web", "feedback_declined", at - HOUR, other)
    picked = _collected(t, at)
    t.add("web", "feedback_declined", picked + HOUR, other)
    t.expect_order("succeeded", missed("asked", "firing"), story="nobody asked, and somebody else had opted out")
