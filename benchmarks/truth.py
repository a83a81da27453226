"""The true answer, by the pages docs/identity.md and docs/journeys.md, for what the benchmark's touchpoints can do.

Sorts everything and folds once; shares no code with the stages. It covers what `generate` makes: everything on time,
no kiosk days, nothing expires, and the two definitions of journeys/.

A journey is known by (definition, customer, started_at), an alert by its journey, its break and its occurrence (not by
its cause, which an earlier touchpoint that arrives later may replace); a customer by the identifier it follows from.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
LOGIN_MS: Final = 72 * HOUR
GRACE: Final = MINUTE
PAID_WITHIN, READY_WITHIN = 10 * MINUTE, 8 * HOUR
BY_DEADLINE: Final = frozenset(("paid", "ready"))
"""Breaks that only the passing of time brings about."""
STEPS: Final = {
    "order_approved": 0,
    "payment_captured": 1,
    "ready_for_pickup": 2,
    "picked_up": 3,
    "feedback_requested": 4,
    "feedback_given": 5,
}


class Point(NamedTuple):
    """Something that happened. No two of one device, user or order have the same time."""

    occurred_at: int
    message_id: str
    name: str
    channel: str
    identifiers: dict[str, str]
    properties: dict[str, Any]


class JourneyTruth(msgspec.Struct, frozen=True, array_like=True):
    definition: str
    customer: str
    started_at: int
    status: str


class AlertTruth(msgspec.Struct, frozen=True, array_like=True):
    definition: str
    customer: str
    started_at: int
    break_name: str
    occurrence: int
    state: str


class Truth(msgspec.Struct, frozen=True):
    journeys: list[JourneyTruth]
    alerts: list[AlertTruth]


def truth_of(points: Iterable[Point], w: int) -> Truth:
    """`w`: the log time of the last tick; everything has arrived by then."""
    everything = sorted(points, key=lambda point: (point.occurred_at, point.message_id))
    owners = _owners(everything)
    customers: dict[str, list[Point]] = defaultdict(list)
    orders: dict[str, list[Point]] = defaultdict(list)
    for point, owner in zip(everything, owners, strict=True):
        if owner is not None:
            customers[owner].append(point)
        if "order_id" in point.identifiers:
            orders[point.identifiers["order_id"]].append(point)
    claims: dict[str, str] = {}
    for point, owner in zip(everything, owners, strict=True):
        if owner is not None and "order_id" in point.identifiers:
            claims.setdefault(point.identifiers["order_id"], owner)
    truth = Truth([], [])
    for customer, own in sorted(customers.items()):
        _checkouts(customer, own, truth)
    for order, own in sorted(orders.items()):
        _collect(claims[order], own, w, truth)
    return truth


def _owners(points: Sequence[Point]) -> list[str | None]:
    """Rules 1 to 4 for each; None where only an order is named."""
    markers: dict[str, list[tuple[int, str | None]]] = defaultdict(list)
    for point in points:
        if point.name == "signed_out" or "user_id" in point.identifiers:
            ends = point.name == "signed_out"
            markers[_device(point)].append((point.occurred_at, None if ends else point.identifiers["user_id"]))
    return [_owner(point, markers[_device(point)]) for point in points]


def _device(point: Point) -> str:
    for kind in ("anonymous_id", "device_id"):
        if kind in point.identifiers:
            return f"{kind}:{point.identifiers[kind]}"
    return ""


def _owner(point: Point, markers: Sequence[tuple[int, str | None]]) -> str | None:
    if "user_id" in point.identifiers:
        return "user_id:" + point.identifiers["user_id"]
    if not (device := _device(point)):
        return None
    at = bisect_left(markers, (point.occurred_at, ""), key=lambda marker: (marker[0], ""))
    after = at
    if after < len(markers) and markers[after][0] == point.occurred_at:
        after += 1  # a logout, which this point is itself
    near = [markers[at - 1]] if at else []
    near += [markers[after]] if after < len(markers) else []
    users = {user for when, user in near if user is not None and abs(when - point.occurred_at) <= LOGIN_MS}
    return "user_id:" + users.pop() if len(users) == 1 else device


class _Count:
    """A break that counts: `times` since the last clearing, the episodes so far."""

    def __init__(self, at_least: int, in_window: int) -> None:
        self.at_least, self.in_window = at_least, in_window
        self.times: list[int] = []
        self.episodes: list[str] = []

    def add(self, at: int) -> None:
        self.times.append(at)
        inside = sum(at - self.in_window <= time for time in self.times)
        if inside >= self.at_least and (not self.episodes or self.episodes[-1] != "firing"):
            self.episodes.append("firing")

    def clear(self) -> None:
        self.times.clear()
        if self.episodes:
            self.episodes[-1] = "resolved"

    def tell(self, truth: Truth, journey: JourneyTruth, name: str) -> None:
        for occurrence, state in enumerate(self.episodes, 1):
            truth.alerts.append(_alert(journey, name, occurrence, state))


def _alert(journey: JourneyTruth, name: str, occurrence: int, state: str) -> AlertTruth:
    return AlertTruth(journey.definition, journey.customer, journey.started_at, name, occurrence, state)


def _checkouts(customer: str, points: Iterable[Point], truth: Truth) -> None:
    start: int | None = None
    steps, failed, loop = set[str](), False, _Count(4, 30 * MINUTE)

    def close() -> None:
        if start is not None:
            status = "failed" if failed else "succeeded" if "order_placed" in steps else "open"
            truth.journeys.append(JourneyTruth("checkout", customer, start, status))
            loop.tell(truth, truth.journeys[-1], "checkout_loop")

    for point in points:
        if start is None or failed or len(steps) == 2:
            if point.name == "checkout_started":
                close()
                start, steps, failed, loop = point.occurred_at, set(), False, _Count(4, 30 * MINUTE)
        elif point.name == "checkout_started":
            loop.add(point.occurred_at)
        elif point.name in ("delivery_chosen", "order_placed"):
            steps.add(point.name)
            if point.name == "order_placed":
                loop.clear()
        elif point.name == "order_cancelled":
            failed = True
            loop.clear()
    close()


def _collect(customer: str, points: Sequence[Point], w: int, truth: Truth) -> None:
    begin = next(
        (i for i, p in enumerate(points) if p.name == "order_placed" and p.properties["fulfilment"] == "pickup"), None
    )
    if begin is None:
        return
    start, reached, failed_at = points[begin].occurred_at, dict[int, int](), None
    trouble, scores = _Count(3, 10 * MINUTE), _Count(1, 0)
    for point in points[begin + 1 :]:
        if point.name in STEPS:
            reached.setdefault(STEPS[point.name], point.occurred_at)
            if point.name == "payment_captured":
                trouble.clear()
        elif point.name == "payment_declined":
            trouble.add(point.occurred_at)
        elif point.name == "order_cancelled":
            failed_at = point.occurred_at if failed_at is None else failed_at
            trouble.clear()
        csat = point.properties.get("csat")
        if csat is not None:
            scores.add(point.occurred_at) if csat < 3 else scores.clear()
    status = "failed" if failed_at is not None else "succeeded" if 3 in reached else "open"
    journey = JourneyTruth("click_and_collect", customer, start, status)
    truth.journeys.append(journey)
    trouble.tell(truth, journey, "payment_trouble")
    scores.tell(truth, journey, "bad_pickup")
    dues = [(1, "paid", start + PAID_WITHIN)] + ([(2, "ready", reached[1] + READY_WITHIN)] if 1 in reached else [])
    for first, step, due in dues:
        ends = [at for number, at in reached.items() if number >= first] + ([] if failed_at is None else [failed_at])
        if (min(ends) if ends else w) > due + GRACE:
            truth.alerts.append(_alert(journey, step, 1, "resolved" if ends else "firing"))
