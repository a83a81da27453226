"""A plausible mistake in each newer rule, planted: random worlds against the oracle must find it.

Steps of several times, excuses, balance, persons, open hours, sources that are waited for, versions and modes, and what
people say about alerts. The worlds are made from numbered seeds, the same in every build.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any, Final, NamedTuple

import pytest

from schemas import worth
from streams.journey import compile as compiled
from streams.journey import fold, holds, instances, modes, people, rules, snapshot
from streams.journey.holds import Holds, Place
from streams.journey.inputs import ResolvedView
from streams.journey.instances import Unit
from tests.simulated.breaks import World, switched_world, world
from tests.simulated.drawn import SHAPES
from tests.simulated.playing import difference

WORLDS: Final = 400
Plant = Callable[[pytest.MonkeyPatch], None]


class Defect(NamedTuple):
    """`shape`: of the breaks; None: any. `counting`, `alone`: as of `world`. `switched`: worlds of switches only."""

    name: str
    plant: Plant
    shape: str | None = None
    counting: bool = False
    alone: bool = True
    switched: bool = False

    def world(self, seed: int) -> World:
        if self.switched:
            return switched_world(Random(seed))
        return world(Random(seed), (self.shape,) if self.shape else SHAPES, self.counting, self.alone)


def _swap(owner: Any, name: str, make: Callable[[Any], Any]) -> Plant:
    """`make(former)` in place of `owner.name`."""
    return lambda patch: patch.setattr(owner, name, make(getattr(owner, name)))


def _with(part: str, **changes: Any) -> Plant:
    """Of every compiled step or break: another value of a field, or what a function makes of the whole."""

    def make(former: Any) -> Any:
        def changed(*rest: Any) -> Any:
            one = former(*rest)
            return replace(one, **{name: to(one) if callable(to) else to for name, to in changes.items()})

        return changed

    return _swap(compiled, part, make)


def _forward_only(former: Any) -> Any:
    """Who acted counts in touchpoints that came with a key, and not in those that joined without one."""
    return property(lambda self: None)


def _under_todays_mode(former: Any) -> Any:
    """A journey changes its mode with the definition."""
    return lambda self, definition, moment: former(self, definition, 2**62)


def _without_the_others(former: Any) -> Any:
    """A version goes live, and the others stay."""
    return lambda now, turn: dict(now) | ({turn.version: turn.mode} if turn.version in now else {})


def _last_word(former: Any) -> Any:
    """What was switched last counts, for whatever moment it was said."""
    return lambda turns: sorted(turns, key=lambda turn: turn.order)


def _own_step_only(former: Any) -> Any:
    return lambda name, steps, definition: sum(
        1 << step.index for step in steps if name in definition.steps[step.name].excused_by
    )


def _not_the_start(former: Any) -> Any:
    return lambda definition, run, plan, kept: former(definition, run, plan, kept) if kept is not run.start else None


def _for_good(former: Any) -> Any:
    return lambda self, f: f if self.held_from is None or f <= self.held_from else None


def _when_it_speaks(former: Any) -> Any:
    """It was quiet at f: no matter, as long as it is not silent."""
    return lambda self, f, w: (lifted := self.lifted(f)) is not None and lifted <= w


def _never_closed(former: Any) -> Any:
    def said(known: Any, closes: bool, by: str, log_time: int) -> Any:
        move = former(known, closes, by, log_time)
        return move and move._replace(record=move.record._replace(closed=False))

    return said


def _of_the_first_forms(former: Any) -> Any:
    """All journeys are linked to the same till."""
    return lambda forms, run: (form.of("n") if form.property else form.prefix for form in forms)


def _of_any_version(former: Any) -> Any:
    return lambda definition, version, *rest: former(definition, 0, *rest)


BALANCE: Final = "experience_balance"
PERSONS: Final = "identity_conflict"
DEFECTS: Final = (
    Defect("a step of several times is reached by the first", _with("_step", times=1)),
    Defect("a step of several times wants one more", _swap(fold, "_is_enough", lambda _: lambda run, step: False)),
    Defect("nothing excuses", _swap(compiled, "_excused", lambda _: lambda *rest: 0)),
    Defect("only the step itself is excused", _swap(compiled, "_excused", _own_step_only)),
    Defect("feedback is a step like any other", _with("_step", kind="missing_step")),
    Defect("a balance does not fade", _with("_rule", half_life_ms=10**15), BALANCE),
    Defect("a balance ends where it began", _with("_rule", until=lambda rule: rule.balance_below), BALANCE),
    Defect("a balance begins after the start", _swap(rules, "weigh", _not_the_start), BALANCE),
    Defect("all weigh alike", _swap(worth.Worth, "weight", lambda _: lambda self, facts: self.valence), BALANCE),
    Defect("scores weigh nothing", _swap(worth, "experience_of", lambda _: lambda *rest: 0.0), BALANCE),
    Defect("one person more is allowed", _with("_rule", persons_above=lambda rule: rule.persons_above + 1), PERSONS),
    Defect(
        "persons count everywhere", _swap(compiled, "_counts_persons", lambda _: lambda n, r, s: bool(r.persons_above))
    ),
    Defect("persons who joined do not count", _swap(ResolvedView, "person", _forward_only), PERSONS),
    Defect("everybody is told", _swap(compiled, "_monitored", lambda _: lambda *rest: frozenset())),
    Defect("steps count all time", _with("_step", hours=None), counting=True),
    Defect("silence counts all time", _with("_rule", hours=None), "abandoned", counting=True),
    Defect("tolerance counts all time", _with("_rule", hours=None), "failure_event", counting=True),
    Defect("chance decides within a moment", _swap(instances, "turn", lambda _: lambda *rest: 0)),
    Defect("nothing waits for a source", _swap(Holds, "holding", lambda _: lambda *rest: []), alone=False),
    Defect("a silence holds for good", _swap(Place, "lifted", _for_good), alone=False),
    Defect("a quiet source is no reason to wait", _swap(Place, "lets_pass", _when_it_speaks), alone=False),
    Defect("every journey has the same till", _swap(holds, "sources_of", _of_the_first_forms), alone=False),
    Defect("journeys change their mode", _swap(modes.Modes, "at", _under_todays_mode), switched=True),
    Defect("two versions are live", _swap(modes, "_after", _without_the_others), switched=True),
    Defect("the last word counts for all times", _swap(modes, "_in_force", _last_word), switched=True),
    Defect("off is not off", _swap(Unit, "_is_off", lambda _: lambda *rest: False), switched=True),
    Defect("versions share a key", _swap(snapshot, "dedup_key_of", _of_any_version), alone=False),
    Defect("a closed alert fires again", _swap(people, "said", _never_closed), alone=False),
)


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_the_worlds_find_it(defect: Defect, monkeypatch: pytest.MonkeyPatch) -> None:
    defect.plant(monkeypatch)
    assert any(_found(defect, seed) for seed in range(WORLDS))


def _found(defect: Defect, seed: int) -> bool:
    return difference(defect.world(seed)) is not None


@pytest.mark.parametrize("kind", [BALANCE, PERSONS])
def test_without_a_defect_nothing_is_found(kind: str) -> None:
    assert not any(_found(Defect("none", lambda patch: None, kind), seed) for seed in range(30))


def test_without_a_defect_switches_change_what_the_oracle_says() -> None:
    assert not any(_found(Defect("none", lambda patch: None, switched=True), seed) for seed in range(60))
