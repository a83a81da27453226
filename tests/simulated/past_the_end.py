"""Random worlds in which a journey ends while something is wrong, and goes on to be talked about.

Of three steps the last does not come after the one that would clear: it ends the journey, and what is wrong outlives
it. What comes then may clear it, be scored, fail, begin the next journey, or come after the lifetime.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Final

from schemas.definition import Definition
from schemas.records import Entry
from tests.journey_case import touch
from tests.simulated.drawn import LATE, PASSED_BY, START

FORWARD: Final = (1, 10, 10, 20, 20, 50)
"""Tenths of a unit from one to the next; now and then it is the whole lifetime."""


def is_passed_by(definition: Definition) -> bool:
    steps = definition.steps
    if set(steps) != set(PASSED_BY) or definition.outcome.success != PASSED_BY[1]:
        return False
    plain = all(step.touchpoint is not None and step.times == 1 for step in steps.values())
    return plain and [steps[name].after for name in PASSED_BY] == ["start", PASSED_BY[0], "start"]


def course(rng: Random, definition: Definition, begin: int, unit: int, lifetime: int) -> list[Entry]:
    """With rising log times; most arrive when they occur, the rest in any order at the end."""
    first, second, third = (str(definition.steps[name].touchpoint) for name in PASSED_BY)
    trouble = [one.touchpoint for one in definition.breaks.values() if one.touchpoint is not None] or [first]
    wrong = [rng.choice(trouble)] * rng.randint(2, 4)
    before: list[str] = rng.choice(([], [first], [rng.choice(trouble)], [first, rng.choice(trouble)]))
    ends = [third] if rng.random() < 0.8 else [*definition.outcome.failure[:1]]
    rest = (first, second, third, *trouble, LATE, START, START, *definition.outcome.failure)
    after = [rng.choice(rest) for _ in range(rng.randint(1, 4))]
    after = [first, *after] if rng.random() < 0.5 else after
    said = rng.choice(((second, *wrong), (*wrong, second), (*wrong[:1], second, *wrong[1:])))
    at, found = begin, list[Entry]()
    for index, name in enumerate((START, *before, *said, *ends, *after)):
        facts: dict[str, Any] = {"score": rng.choice((1, 3, 5))} if rng.random() < 0.5 else {}
        order = "7" if rng.random() < 0.95 else None
        channel = rng.choice(("web", "web", "web", "store"))
        found.append(touch(name, at, tid=f"t{index:02d}", order=order, channel=channel, **facts))
        at += lifetime if rng.random() < (0.3 if name in ends else 0.01) else rng.choice(FORWARD) * unit // 10
    return _arriving(rng, found, unit)


def _arriving(rng: Random, entries: Sequence[Entry], unit: int) -> list[Entry]:
    late = {one.touchpoint_id for one in entries if rng.random() < 0.15}
    found = [one for one in entries if one.touchpoint_id not in late]
    last = entries[-1].occurred_at
    for one in rng.sample(entries, len(entries)):
        if one.touchpoint_id in late:
            last += unit
            found.append(one.model_copy(update={"log_time": last}))
    return found
