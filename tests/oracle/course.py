"""The walk of one instance along the order: which touchpoint reaches or excuses which step, and when it is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Final

from tests.oracle.decode import Touchpoint
from tests.oracle.open_time import later
from tests.oracle.rules import DAY, Definition, Fact, Pattern, Step

EXCUSES_FOR: Final = 365 * DAY
"""How long after it what excuses still counts for a start."""


@dataclass(slots=True)
class Course:
    """`after`: the touchpoints after the start; `alive`: those of them that are not after the end."""

    start: Touchpoint
    limit: int
    after: list[Touchpoint]
    alive: list[Touchpoint] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    reached: dict[str, Touchpoint] = field(default_factory=dict)
    excused: dict[str, int] = field(default_factory=dict)
    failure: Touchpoint | None = None
    ended_at: int | None = None


def matches(pattern: Pattern, x: Touchpoint) -> bool:
    return x.name in pattern.names and all(_equal(_said(x, word), wanted) for word, wanted in pattern.where)


def turn(definition: Definition, x: Touchpoint) -> float:
    """Which of the touchpoints of one moment comes first, as the definition has it."""
    if matches(definition.start, x):
        return 0
    depths = (definition.depth(step.name) for step in definition.steps if matches(step.pattern, x))
    return 1 + min(depths, default=inf)


def place(definition: Definition, x: Touchpoint) -> tuple[int, int, float, str]:
    """Where it stands in the order of the definition."""
    return (x.occurred_at, x.sequence, turn(definition, x), x.touchpoint_id)


def ordered(definition: Definition, touchpoints: Iterable[Touchpoint]) -> list[Touchpoint]:
    return sorted(touchpoints, key=lambda x: place(definition, x))


def _said(x: Touchpoint, word: str) -> object:
    return x.channel if word == "channel" else x.properties.get(word)


def _equal(said: object, wanted: Fact) -> bool:
    if said is None or isinstance(said, bool) != isinstance(wanted, bool):
        return False
    return said == wanted


def excusing(definition: Definition, own: Iterable[Touchpoint]) -> list[Touchpoint]:
    """Of all touchpoints of a customer: what is said of no single journey, and counts for each that begins later."""
    if not definition.joins and definition.key != "customer":
        return []
    return [x for x in own if excuses(definition, x) and definition.key not in x.identifiers]


def excuses(definition: Definition, x: Touchpoint) -> bool:
    return any(x.name in step.excused_by for step in definition.steps)


def walk(definition: Definition, members: Sequence[Touchpoint], said: Iterable[Touchpoint] = ()) -> Course | None:
    """`members` in the order; `said`: what is `excusing`, at whatever time. None: the start was not seen."""
    first = next((index for index, x in enumerate(members) if matches(definition.start, x)), None)
    if first is None:
        return None
    start = members[first]
    course = Course(start, start.occurred_at + definition.lifetime, list(members[first + 1 :]))
    for x in (*said, *members[:first]):
        if place(definition, x) < place(definition, start) and start.occurred_at - x.occurred_at <= EXCUSES_FOR:
            _excuse(definition, course, x, start.occurred_at)
    for x in course.after:
        failing = x.name in definition.failures
        if course.ended_at is not None or x.occurred_at > course.limit:
            if failing and course.failure is None and definition.success in course.reached:
                course.failure = x
            continue
        course.alive.append(x)
        if failing:
            course.failure, course.ended_at = x, x.occurred_at
        else:
            _go_on(definition, course, x)
    return course


def _go_on(definition: Definition, course: Course, x: Touchpoint) -> None:
    """One that reaches one step may excuse another; of the same step the first counts."""
    _reach(definition, course, x)
    _excuse(definition, course, x, x.occurred_at)
    if definition.success in course.reached and all(
        step.name in course.reached or skipped(definition, course, step.name) for step in definition.steps
    ):
        course.ended_at = x.occurred_at


def _reach(definition: Definition, course: Course, x: Touchpoint) -> None:
    possible = [s.name for s in definition.steps if s.name not in course.reached and matches(s.pattern, x)]
    name = min(possible, key=lambda name: (definition.depth(name), name), default=None)
    if name is None:
        return
    course.counts[name] += 1
    if course.counts[name] == definition.step(name).times:
        course.reached[name] = x


def _excuse(definition: Definition, course: Course, x: Touchpoint, at: int) -> None:
    excused = {step.name for step in definition.steps if x.name in step.excused_by}
    for name in excused.union(*(definition.beyond(step) for step in excused)):
        if settled_at(definition, course, name) is None:
            course.excused[name] = at


def is_open(definition: Definition, members: Sequence[Touchpoint], at: int, said: Iterable[Touchpoint] = ()) -> bool:
    """Whether an instance of these members is open for a touchpoint that comes next in the order, at `at`."""
    course = walk(definition, members, said)
    return course is not None and course.ended_at is None and at <= course.limit


def skipped(definition: Definition, course: Course, name: str) -> bool:
    overtaken = any(one in course.reached for one in definition.beyond(name))
    return name not in course.reached and (overtaken or name in course.excused)


def settled_at(definition: Definition, course: Course, name: str) -> int | None:
    there = (one for one in (name, *definition.beyond(name)) if one in course.reached)
    times = [course.reached[one].occurred_at for one in there]
    return min([*times, *([course.excused[name]] if name in course.excused else [])], default=None)


def due_of(course: Course, step: Step) -> int | None:
    base = course.start if step.after == "start" else course.reached.get(step.after)
    return None if base is None or step.within is None else later(base.occurred_at, step.within, step.hours)
