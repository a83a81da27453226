"""Stories of people who wait while the till of their store is dead. The deadline of the pick-up falls into the silence.

`at` is when the pick-up is due: 2 d after the goods were ready.
"""

from __future__ import annotations

from sources.simulation.course import Story, feedback, missed, order, pay
from sources.simulation.plan import DAY, HOUR, MINUTE
from sources.simulation.teller import Teller


def _ready(t: Teller, at: int) -> int:
    """Ordered, paid and ready so that it is due at `at`. Returns when it was ready."""
    ready = at - 2 * DAY
    ordered = order(t, ready - 2 * HOUR)
    pay(t, ordered + t.soon(0.3, 8))
    t.of_order("till", "ready_for_pickup", ready, arrives_after=0)
    return ready


def collected_meanwhile(t: Teller, at: int) -> None:
    """In time, and the till tells it when it is back."""
    _ready(t, at)
    picked = at - t.soon(1, 20)
    t.pick_up(picked, arrives_after=0)
    feedback(t, picked + 3 * HOUR)
    t.expect_order(
        "succeeded", near_miss="collected", story="collected in time while the till was dead", undisturbed=True
    )


def not_collected(t: Teller, at: int) -> None:
    """Never came. Nobody hears of it before the till is back and has told all."""
    _ready(t, at)
    t.expect_order("open", missed("collected", "firing"), story="never came, and the till was dead")


def collected_after_due(t: Teller, at: int) -> None:
    """Too late, and while the till was dead."""
    _ready(t, at)
    picked = at + MINUTE + t.soon(1, 20)
    t.pick_up(picked, arrives_after=0)
    feedback(t, picked + 3 * HOUR)
    t.expect_order("succeeded", missed("collected", "resolved"), story="collected late while the till was dead")


def never_known(t: Teller, at: int) -> None:
    """The till never comes back: nobody knows whether the customer came."""
    _ready(t, at)
    t.expect_order("open", near_miss="collected", story="a till that is dead for good", undisturbed=True)


WAITING: tuple[Story, ...] = (collected_meanwhile, collected_meanwhile, not_collected, collected_after_due)
WAITING_FOR_EVER: tuple[Story, ...] = (never_known, never_known)
