"""A plausible mistake in each younger rule of docs/journeys.md, made by the oracle: the worlds must show that it and
the product differ. What tells them apart does not depend on which of the two is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any, Final, NamedTuple

import pytest

from tests.oracle import counted
from tests.oracle.rules import SECOND, Definition
from tests.simulated import breaks
from tests.simulated.breaks import world
from tests.simulated.playing import difference

WORLDS: Final = 400
Plant = Callable[[pytest.MonkeyPatch], None]


class Mistake(NamedTuple):
    """`shape`: of the breaks."""

    name: str
    shape: str
    plant: Plant


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
)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_the_worlds_find_it(mistake: Mistake, monkeypatch: pytest.MonkeyPatch) -> None:
    mistake.plant(monkeypatch)
    assert any(_differs(mistake.shape, seed) for seed in range(WORLDS))


@pytest.mark.parametrize("shape", ["repeated", "low_score"])
def test_without_a_mistake_nothing_is_found(shape: str) -> None:
    assert not any(_differs(shape, seed) for seed in range(30))


def _differs(shape: str, seed: int) -> bool:
    return difference(world(Random(seed), (shape,), counting=False, alone=True)) is not None
