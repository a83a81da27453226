"""What the Quix contender keeps per customer or order, and its fold: the breaks and statuses without deadlines.

A handful of touchpoints each, so it folds all of them again; only what changed is told.
"""

from __future__ import annotations

from bisect import insort
from typing import Any

import msgspec

MINUTE = 60_000
ORDER_STEPS = {
    "order_approved": "approved",
    "payment_captured": "paid",
    "ready_for_pickup": "ready",
    "picked_up": "collected",
    "feedback_requested": "asked",
    "feedback_given": "answered",
}
CHECKOUT_STEPS = {"delivery_chosen": "delivery", "order_placed": "ordered"}


class Kept(msgspec.Struct, array_like=True, gc=False, frozen=True, order=True):
    at: int
    id: str
    name: str
    customer: str | None
    order: str | None
    fulfilment: str | None
    csat: float | None


class Move(msgspec.Struct, gc=False):
    """A touchpoint comes, anew or with another customer, or the one with the id `detach` goes."""

    attach: Kept | None = None
    detach: str | None = None


class Household(msgspec.Struct, array_like=True, gc=False):
    """`told`: of each journey by customer and start, its status and number of touchpoints; of each alert its state."""

    kept: list[Kept] = []
    told: dict[str, tuple[str, int]] = {}
    alerts: dict[str, str] = {}


class Journey:
    __slots__ = ("breaks", "customer", "failed", "members", "start", "steps")

    def __init__(self, customer: str, start: Kept) -> None:
        self.customer, self.start = customer, start.at
        self.members, self.steps, self.failed = [start.id], dict[str, int](), False
        self.breaks: list[list[Any]] = []

    def begin(self, name: str) -> None:
        if not any(found[0] == name and found[2] == "firing" for found in self.breaks):
            occurrence = 1 + sum(found[0] == name for found in self.breaks)
            self.breaks.append([name, occurrence, "firing"])

    def clear(self, name: str) -> None:
        for found in self.breaks:
            if found[0] == name:
                found[2] = "resolved"

    def status(self, success: str) -> str:
        return "failed" if self.failed else "succeeded" if success in self.steps else "open"


def fold(household: Household, key: str, move: Move) -> list[tuple[str, str, dict[str, Any]]]:
    """Changes the household; returns (topic, key, record) of what is new."""
    kepts, new = household.kept, move.attach
    gone = move.detach if new is None else new.id
    for index, kept in enumerate(kepts):
        if kept.id == gone:
            del kepts[index]
            break
    if new is not None:
        insort(kepts, new)
    definition = "click_and_collect" if key.startswith("order_id:") else "checkout"
    journeys = _order(kepts) if definition == "click_and_collect" else _checkouts(key, kepts)
    return _tell(household, definition, journeys)


def _order(kepts: list[Kept]) -> list[Journey]:
    customer = next((kept.customer for kept in kepts if kept.customer is not None), None)
    journey: Journey | None = None
    declined: list[int] = []
    for kept in kepts:
        if journey is None:
            if customer is not None and kept.name == "order_placed" and kept.fulfilment == "pickup":
                journey = Journey(customer, kept)
            continue
        journey.members.append(kept.id)
        step = ORDER_STEPS.get(kept.name)
        if step is not None:
            journey.steps.setdefault(step, kept.at)
            if step == "paid":
                declined.clear()
                journey.clear("payment_trouble")
        elif kept.name == "payment_declined":
            declined = [at for at in declined if at >= kept.at - 10 * MINUTE] + [kept.at]
            if len(declined) >= 3:
                journey.begin("payment_trouble")
        elif kept.name == "order_cancelled":
            journey.failed = True
            journey.clear("payment_trouble")
        if kept.csat is not None:
            journey.begin("bad_pickup") if kept.csat < 3 else journey.clear("bad_pickup")
    return [] if journey is None else [journey]


def _checkouts(customer: str, kepts: list[Kept]) -> list[Journey]:
    journeys: list[Journey] = []
    started: list[int] = []
    for kept in kepts:
        last = journeys[-1] if journeys else None
        if last is None or last.failed or len(last.steps) == len(CHECKOUT_STEPS):
            if kept.name == "checkout_started":
                journeys.append(Journey(customer, kept))
                started = []
            continue
        last.members.append(kept.id)
        if kept.name == "checkout_started":
            started = [at for at in started if at >= kept.at - 30 * MINUTE] + [kept.at]
            if len(started) >= 4:
                last.begin("checkout_loop")
        elif kept.name == "order_cancelled":
            last.failed = True
            last.clear("checkout_loop")
        else:
            last.steps.setdefault(CHECKOUT_STEPS[kept.name], kept.at)
            if kept.name == "order_placed":
                started = []
                last.clear("checkout_loop")
    return journeys


def _tell(household: Household, definition: str, journeys: list[Journey]) -> list[tuple[str, str, dict[str, Any]]]:
    out: list[tuple[str, str, dict[str, Any]]] = []
    told, alerts = dict[str, tuple[str, int]](), dict[str, str]()
    success = "collected" if definition == "click_and_collect" else "ordered"
    for journey in journeys:
        name, status = f"{journey.customer} {journey.start}", journey.status(success)
        told[name] = (status, len(journey.members))
        if household.told.get(name) != told[name]:
            out.append(("journeys", journey.customer, _snapshot(definition, journey, status)))
        for what, occurrence, state in journey.breaks:
            alerts[f"{name} {what} {occurrence}"] = state
    for name in household.told.keys() - told.keys():
        customer, start = name.split(" ")
        gone = {"definition": definition, "customer_id": customer, "started_at": int(start), "status": "moved"}
        out.append(("journeys", customer, gone))
    for name in household.alerts.keys() - alerts.keys():
        out.append(_alert(definition, name, "withdrawn"))
    out += [_alert(definition, name, state) for name, state in alerts.items() if household.alerts.get(name) != state]
    household.told, household.alerts = told, alerts
    return out


def _snapshot(definition: str, journey: Journey, status: str) -> dict[str, Any]:
    return {
        "definition": definition,
        "customer_id": journey.customer,
        "started_at": journey.start,
        "status": status,
        "steps": journey.steps,
        "touchpoint_ids": journey.members,
    }


def _alert(definition: str, name: str, state: str) -> tuple[str, str, dict[str, Any]]:
    customer, start, what, occurrence = name.split(" ")
    record = {
        "definition": definition,
        "customer_id": customer,
        "started_at": int(start),
        "break_name": what,
        "occurrence": int(occurrence),
        "state": state,
        "first_line": f"{customer}: {definition}, {what} is {state}",
    }
    return ("alerts", f"{definition}/{what}", record)
