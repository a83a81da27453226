"""The true answer, by the pages docs/identity.md and docs/journeys.md, for what the benchmark's touchpoints can do.

Sorts everything and folds once; shares no code with the stages. It covers what `generate` makes: everything on time,
no kiosk days, nothing expires, and the two definitions of journeys/.

A journey is known by (definition, customer, started_at), an alert by (definition, customer, break, cause_at); a
customer by the identifier it follows from.
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
    break_name: str
    cause_at: int
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
        self.episodes: list[list[int | str]] = []

    def add(self, at: int) -> None:
        self.times.append(at)
        inside = sum(at - self.in_window <= time for time in self.times)
        if inside >= self.at_least and (not self.episodes or self.episodes[-1][1] != "firing"):
            self.episodes.append([at, "firing"])

    def clear(self) -> None:
        self.times.clear()
        if self.episodes:
            self.episodes[-1][1] = "resolved"

    def tell(self, truth: Truth, definition: str, customer: str, name: str) -> None:
        for at, state in self.episodes:
            truth.alerts.append(AlertTruth(definition, customer, name, int(at), str(state)))


def _checkouts(customer: str, points: Iterable[Point], truth: Truth) -> None:
    start: int | None = None
    steps, failed, loop = set[str](), False, _Count(4, 30 * MINUTE)

    def close() -> None:
        if start is not None:
            status = "failed" if failed else "succeeded" if "order_placed" in steps else "open"
            truth.journeys.append(JourneyTruth("checkout", customer, start, status))
            loop.tell(truth, "checkout", customer, "checkout_loop")

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
    trouble, scores = _Count(3, 10 * MINUTE), list[list[int | str]]()
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
        if csat is not None and csat < 3:
            scores.append([point.occurred_at, "firing"])
    status = "failed" if failed_at is not None else "succeeded" if 3 in reached else "open"
    truth.journeys.append(JourneyTruth("click_and_collect", customer, start, status))
    trouble.tell(truth, "click_and_collect", customer, "payment_trouble")
    for at, state in scores:
        truth.alerts.append(AlertTruth("click_and_collect", customer, "bad_pickup", int(at), str(state)))
    _deadline(truth, customer, "paid", start + PAID_WITHIN, [reached[s] for s in range(1, 6) if s in reached], failed_at, w)
    if 1 in reached:
        due = reached[1] + READY_WITHIN
        _deadline(truth, customer, "ready", due, [reached[s] for s in range(2, 6) if s in reached], failed_at, w)


def _deadline(
    truth: Truth, customer: str, step: str, due: int, settled: Sequence[int], failed_at: int | None, w: int
) -> None:
    ends = [*settled, *([] if failed_at is None else [failed_at])]
    if ends and min(ends) <= due + GRACE:
        return
    if ends or w >= due + GRACE:
        state = "resolved" if ends else "firing"
        truth.alerts.append(AlertTruth("click_and_collect", customer, step, due, state))
