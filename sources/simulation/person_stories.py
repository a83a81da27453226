"""Stories of who acts on an order: another person, or only what looks like one.

Somebody acts when a touchpoint carries a user_id with proof. Who orders, changes and cancels counts; who collects may
be a friend.
"""

from __future__ import annotations

from sources.simulation.course import after_payment, feedback, pay
from sources.simulation.plan import MINUTE, Emitter, ExpectedBreak
from sources.simulation.teller import Teller

TWO = "two_persons"
TWO_NOW = ExpectedBreak(TWO, "identity_conflict", "firing")


def _buyer(t: Teller) -> str:
    return t.person.user_id or f"u{600_000 + t.serial}"


def _other(t: Teller) -> str:
    return f"u{500_000 + t.serial}"


def _act(t: Teller, where: Emitter, name: str, at: int, user: str, device: str) -> None:
    properties = {"order_id": t.order_id, "store_id": t.store, "fulfilment": "pickup"}
    identifiers = {"anonymous_id": device, "user_id": user, "order_id": t.order_id}
    t.add(where, name, at, identifiers, properties=properties)


def _ordered(t: Teller, at: int, where: Emitter = "web") -> int:
    """Signed in. Returns when it is paid."""
    _act(t, where, "order_placed", at, _buyer(t), t.device(where)["anonymous_id"])
    return pay(t, at + t.soon(0.3, 8))


def cancelled_by_another(t: Teller, at: int) -> None:
    paid = _ordered(t, at)
    _act(t, "web", "order_cancelled", paid + t.soon(5, 200), _other(t), f"other-{t.serial}")
    t.expect_order("failed", TWO_NOW, story="somebody else cancels the order")


def changed_by_another(t: Teller, at: int) -> None:
    paid = _ordered(t, at)
    _act(t, "web", "order_changed", paid + t.soon(1, 15), _other(t), f"other-{t.serial}")
    after_payment(t, paid)
    t.expect_order("succeeded", TWO_NOW, story="somebody else changes the order")


def family_tablet(t: Teller, at: int) -> None:
    """Two people sign in on one tablet; the order is placed and changed on it. A device is nobody."""
    tablet = {"anonymous_id": f"family-{t.serial}"}
    t.add("web", "identified", at - MINUTE, tablet | {"user_id": _buyer(t)})
    properties = {"order_id": t.order_id, "store_id": t.store, "fulfilment": "pickup"}
    order = {"order_id": t.order_id}
    t.add("web", "order_placed", at, tablet | order, properties=properties)
    paid = pay(t, at + t.soon(0.3, 8))
    t.add("web", "identified", paid + MINUTE, tablet | {"user_id": _other(t)})
    t.add("web", "order_changed", paid + 5 * MINUTE, tablet | order, properties=properties)
    after_payment(t, paid)
    t.expect_order("succeeded", near_miss=TWO, story="changed on the family's tablet")


def collected_by_a_friend(t: Teller, at: int) -> None:
    paid = _ordered(t, at)
    ready = paid + t.soon(20, 6 * 60)
    t.of_order("till", "ready_for_pickup", ready)
    picked = ready + t.soon(20, 30 * 60)
    identifiers = {"order_id": t.order_id, "user_id": _other(t)}
    properties = {"order_id": t.order_id, "store_id": t.store}
    t.add("till", "picked_up", picked, identifiers, channel="store", properties=properties)
    feedback(t, picked)
    t.expect_order("succeeded", near_miss=TWO, story="a friend collects it")


def on_two_devices(t: Teller, at: int) -> None:
    paid = _ordered(t, at, "app")
    _act(t, "web", "order_changed", paid + t.soon(1, 15), _buyer(t), t.person.web)
    after_payment(t, paid)
    t.expect_order("succeeded", near_miss=TWO, story="ordered in the app, changed on the web")
