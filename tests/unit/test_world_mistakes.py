"""A plausible mistake in each younger rule of docs/journeys.md, made by the oracle: the worlds must show that it and
the product differ. What tells them apart does not depend on which of the two is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any, Final, NamedTuple

import pytest

from tests.oracle import counted, course, fold, journeys
from tests.oracle.rules import DAY, SECOND, Definition, Pattern
from tests.simulated import breaks
from tests.simulated.breaks import world
from tests.simulated.drawn import SHAPES
from tests.simulated.playing import difference

WORLDS: Final = 400
Plant = Callable[[pytest.MonkeyPatch], None]


class Mistake(NamedTuple):
    """`shape`: of the breaks; None: any. `alone`: as of `world`."""

    name: str
    shape: str | None
    plant: Plant
    alone: bool = True


def _of_each(part: str, change: Callable[[Any], Any]) -> Plant:
    """Every rule of a kind is read otherwise."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        read = breaks.restated

        def changed(*rest: Any) -> Definition:
            found = read(*rest)
            otherwise: Any = {part: tuple(change(one) for one in getattr(found, part))}
            return replace(found, **otherwise)

        patch.setattr(breaks, "restated", changed)

    return plant


def _whenever(patch: pytest.MonkeyPatch) -> None:
    """A score counts before its step, too."""
    patch.setattr(counted, "_judging", lambda *rest: rest[-2].after)


def _with_the_step(patch: pytest.MonkeyPatch) -> None:
    """The score of the touchpoint that reaches the step counts."""
    former = counted._judging

    def changed(*rest: Any) -> Any:
        course, rule = rest[-2:]
        reached = course.reached.get(rule.about)
        return [*([reached] if reached is not None else []), *former(*rest)]

    patch.setattr(counted, "_judging", changed)


def _monitored_too(patch: pytest.MonkeyPatch) -> None:
    def score(definition: Definition, x: Any, name: str) -> float | None:
        said = x.properties.get(name)
        return None if isinstance(said, bool) or not isinstance(said, int | float) else said

    patch.setattr(counted, "_score", score)


def _told(kinds: str) -> Plant:
    """Somebody is told of these, whatever the catalogue says."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        former = Definition.monitored

        def monitored(self: Definition, name: str) -> bool:
            return former(self, name) and not any(one.name == name for one in getattr(self, kinds))

        patch.setattr(Definition, "monitored", monitored)

    return plant


def _only_if(said: Callable[[Any, Any, Any], bool]) -> Plant:
    """What joins a customer's journey that is over: of definition, start and touchpoint."""
    return lambda patch: patch.setattr(journeys, "_may_follow", said)


def _clearing(change: Callable[[Any, Any, Any, Any], bool]) -> Plant:
    """What clears a repetition, but for a failure: of definition, course, rule and touchpoint."""
    return lambda patch: patch.setattr(counted, "_clears", change)


def _by_its_pattern(definition: Any, run: Any, rule: Any, x: Any) -> bool:
    return course.matches(definition.step(rule.cleared_by).pattern, x) and x.occurred_at <= run.limit


def _until_the_end(definition: Any, run: Any, rule: Any, x: Any) -> bool:
    return CLEARS(definition, run, rule, x) and any(x is one for one in run.alive)


def _at_any_time(definition: Any, run: Any, rule: Any, x: Any) -> bool:
    pattern = definition.step(rule.cleared_by).pattern
    return CLEARS(definition, run, rule, x) or course.matches(pattern, x)


def _goes_on(patch: pytest.MonkeyPatch) -> None:
    """An episode may begin after the end."""

    def repeated(definition: Any, run: Any, rule: Any) -> Any:
        return REPEATED(definition, replace(run, alive=run.after), rule)

    patch.setattr(fold, "repeated", repeated)


def _heard(change: Callable[[Any, Any], list[Any]]) -> Plant:
    """What excuses without being about one journey: of definition and what the page says."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        def changed(definition: Any, own: Any) -> list[Any]:
            return change(definition, EXCUSING(definition, own))

        patch.setattr(journeys, "excusing", changed)

    return plant


def _walked(change: Callable[[Any, Any, Any], tuple[Any, Any]]) -> Plant:
    """Members and what is said, otherwise: of definition, members and what is said."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        def walk(definition: Any, members: Any, said: Any = ()) -> Any:
            return WALK(definition, *change(definition, members, said))

        patch.setattr(course, "walk", walk)
        patch.setattr(fold, "walk", walk)

    return plant


def _from_the_start_on(definition: Any, members: Any, said: Any) -> tuple[Any, Any]:
    first = next((n for n, x in enumerate(members) if course.matches(definition.start, x)), 0)
    return members[first:], said


def _for_days(days: float) -> Plant:
    return lambda patch: patch.setattr(course, "EXCUSES_FOR", days * DAY)


def _joins_as_others_do(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(journeys, "excuses", lambda *rest: False)


def _whenever_it_is_said(patch: pytest.MonkeyPatch) -> None:
    """It excuses what began before it, too, as soon as it is known."""
    read = course.place

    def walk(definition: Any, members: Any, said: Any = ()) -> Any:
        patch.setattr(course, "place", lambda definition, x: (-1,) if x in said else read(definition, x))
        found = WALK(definition, members, said)
        patch.setattr(course, "place", read)
        return found

    patch.setattr(course, "walk", walk)
    patch.setattr(fold, "walk", walk)


CLEARS, REPEATED, FOLLOWS = counted._clears, counted.repeated, journeys._may_follow
EXCUSING, WALK = course.excusing, course.walk
NOTHING: Final = Pattern(())

MISTAKES: Final = (
    Mistake("what is sent twice counts twice", "repeated", _of_each("repeated", lambda one: replace(one, apart=0))),
    Mistake("apart is a second", "repeated", _of_each("repeated", lambda one: replace(one, apart=SECOND))),
    Mistake("just apart is not apart", "repeated", _of_each("repeated", lambda one: replace(one, apart=one.apart + 1))),
    Mistake("a score counts whenever it comes", "low_score", _whenever),
    Mistake("the score of the step itself counts", "low_score", _with_the_step),
    Mistake("no step clears a score", "low_score", _of_each("scores", lambda one: replace(one, cleared_by=None))),
    Mistake("what is monitored is scored", "low_score", _monitored_too),
    Mistake("an abandonment is told", "abandoned", _told("abandoned")),
    Mistake("a skipped step is told", "skipped_step", _told("suspicions")),
    Mistake("nothing joins what is over", "failure_event", _only_if(lambda *rest: False)),
    Mistake(
        "a failure joins what is over",
        "failure_event",
        _only_if(lambda definition, start, x: FOLLOWS(replace(definition, failures=()), start, x)),
    ),
    Mistake(
        "what is over is joined at any time",
        "low_score",
        _only_if(lambda definition, start, x: FOLLOWS(replace(definition, lifetime=10**12), start, x)),
    ),
    Mistake(
        "a start that is off joins what is over",
        "failure_event",
        _only_if(lambda definition, start, x: FOLLOWS(replace(definition, start=NOTHING), start, x)),
        alone=False,
    ),
    Mistake("a later step clears no repetition", "repeated", _clearing(_by_its_pattern)),
    Mistake("the end leaves a repetition as it is", "repeated", _clearing(_until_the_end)),
    Mistake("a repetition clears after the lifetime", "repeated", _clearing(_at_any_time)),
    Mistake("a repetition begins after the end", "repeated", _goes_on),
    Mistake("nothing that is said before excuses", None, _heard(lambda definition, said: [])),
    Mistake(
        "a customer's journey begins afresh",
        None,
        _heard(lambda definition, said: [] if definition.key == "customer" else said),
    ),
    Mistake("what has the key and comes before excuses nothing", None, _walked(_from_the_start_on)),
    Mistake("it excuses for ever", None, _for_days(10_000)),
    Mistake("it excuses for less than a year", None, _for_days(365 - 1e-9)),
    Mistake("it joins a journey only if there is one", None, _joins_as_others_do),
    Mistake("it excuses what began before it", None, _whenever_it_is_said),
)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_the_worlds_find_it(mistake: Mistake, monkeypatch: pytest.MonkeyPatch) -> None:
    mistake.plant(monkeypatch)
    assert any(_differs(mistake.shape, seed, mistake.alone) for seed in range(WORLDS))


@pytest.mark.parametrize("shape", ["repeated", "low_score"])
def test_without_a_mistake_nothing_is_found(shape: str) -> None:
    assert not any(_differs(shape, seed) for seed in range(30))


def _differs(shape: str | None, seed: int, alone: bool = True) -> bool:
    shapes = (shape,) if shape else SHAPES
    return difference(world(Random(seed), shapes, counting=False, alone=alone)) is not None
