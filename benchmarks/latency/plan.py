"""What is sent, and which alerts have to come of it. Pure: the same arguments give the same plan.

Background customers look around on many devices, half of them logged in. Between them, at random moments, breaks are
planted, each on a device of its own, so that alert and cause are told by the customer alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from random import Random
from typing import Final, Literal, NamedTuple

from benchmarks.truth import Point
from schemas.definition import Catalogue, Definition, duration_ms
from schemas.definition_files import load_catalogue, load_definitions

Definition_ = Literal["retries", "order", "answer"]

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent.parent
PLANTED_PER_SECOND: Final[dict[Definition_, int]] = {"retries": 5, "order": 5, "answer": 10}
LEAD_MS: Final = 4_000
"""Before this nothing is planted: what leads up to a break has to fit in."""
RETRY_MS: Final = 1_200
SLICE_MS: Final = 5
DEVICES: Final = 20_000
BROWSING: Final = ("page_viewed", "product_viewed", "search_performed")


class Planted(NamedTuple):
    """One alert that has to come. `cause` is the message id of the touchpoint that completes the break, or that starts
    the journey whose deadline passes.
    """

    definition: Definition_
    device: str
    cause: str
    offset_ms: int


class Plan(NamedTuple):
    """`slices`: what to send in each SLICE_MS. `occurred_at` of a point is set when it is sent."""

    slices: Sequence[Sequence[Point]]
    planted: Sequence[Planted]


def definitions() -> tuple[list[Definition], Catalogue]:
    """Raises DefinitionError."""
    catalogue = load_catalogue(ROOT / "touchpoints.yaml")
    return load_definitions(HERE / "journeys", catalogue), catalogue


def judged_after_ms() -> int:
    """From the start of an `answer` journey to the moment at which its missing step may be told."""
    found, catalogue = definitions()
    answer = next(one for one in found if one.journey == "answer")
    step = answer.steps["answered"]
    assert step.within is not None
    assert step.touchpoint is not None
    arrives_within = catalogue.touchpoints[step.touchpoint].arrives_within
    late_ms = 0 if arrives_within is None else duration_ms(arrives_within)
    return duration_ms(step.within) + duration_ms(answer.grace) + late_ms


def make_plan(rate: int, seconds: int, seed: int) -> Plan:
    """`rate` touchpoints a second, planted ones included."""
    random = Random(seed)
    slices: list[list[Point]] = [[] for _ in range(seconds * 1_000 // SLICE_MS)]
    planted = list(chain.from_iterable(_moments(name, seconds, random) for name in PLANTED_PER_SECOND))
    for one in planted:
        for offset_ms, point in _points(one):
            slices[offset_ms // SLICE_MS].append(point)
    fill(slices, rate, random)
    return Plan(slices, planted)


def fill(slices: Sequence[list[Point]], rate: int, random: Random) -> None:
    """Up to `rate` touchpoints a second, with customers who look around."""
    sent = 0
    for number, points in enumerate(slices, 1):
        for _ in range(number * SLICE_MS * rate // 1_000 - sent - len(points)):
            points.append(_look_around(random))
        sent += len(points)


def _moments(name: Definition_, seconds: int, random: Random) -> Iterator[Planted]:
    per_second = PLANTED_PER_SECOND[name]
    for number in range(LEAD_MS * per_second // 1_000, seconds * per_second):
        offset_ms = int((number + random.random()) * 1_000 / per_second)
        device = f"d-{name}-{number:05d}"
        yield Planted(name, device, f"m-{device}-last", offset_ms)


def _points(one: Planted) -> Iterator[tuple[int, Point]]:
    who = {"anonymous_id": one.device}
    if one.definition == "answer":
        yield one.offset_ms, Point(0, one.cause, "feedback_requested", "email", who, {})
        return
    begin = one.offset_ms - 3 * RETRY_MS
    if one.definition == "order":
        who |= {"order_id": f"o-{one.device}"}
        yield begin, Point(0, f"m-{one.device}-0", "order_placed", "web", who, {"order_id": who["order_id"]})
    else:
        yield begin, Point(0, f"m-{one.device}-0", "checkout_started", "web", who, {})
    for number in (1, 2, 3):
        message_id = one.cause if number == 3 else f"m-{one.device}-{number}"
        declined = Point(0, message_id, "payment_declined", "web", who, {"reason": "insufficient_funds"})
        yield begin + number * RETRY_MS, declined


def _look_around(random: Random) -> Point:
    number = random.randrange(DEVICES)
    who = {"anonymous_id": f"d-{number:06x}"}
    if number % 2:
        who["user_id"] = f"u-{number:06x}"
    message_id = f"m-{random.getrandbits(64):016x}"
    return Point(0, message_id, random.choice(BROWSING), "web", who, {"product_id": f"p-{random.randrange(5_000)}"})
