"""A plausible mistake in each kind of break, planted: the law against the oracle must find it.

The worlds are made from numbered seeds, the same in every build, and hold only the shape in question. What finds
nothing in so many worlds would not find it in the property tests either.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any, Final, NamedTuple

import pytest

from streams.journey import compile as compiled
from streams.journey import rules
from streams.journey.run import Suspicion
from tests.simulated.breaks import world
from tests.simulated.playing import difference

WORLDS: Final = 300


class Defect(NamedTuple):
    """`plant` changes the product through pytest's monkeypatch, which takes it back."""

    shape: str
    name: str
    plant: Callable[[pytest.MonkeyPatch], None]


def _rule(**changes: Any) -> Callable[[pytest.MonkeyPatch], None]:
    """Of every compiled break: another value of a field, or what a function makes of the rule."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        make = compiled._rule

        def changed(*rest: Any) -> Any:
            rule = make(*rest)
            return replace(rule, **{name: to(rule) if callable(to) else to for name, to in changes.items()})

        patch.setattr(compiled, "_rule", changed)

    return plant


def _never_settled(patch: pytest.MonkeyPatch) -> None:
    """What is waited out is dropped by whatever clears it, in time or not."""

    def drop(definition: Any, run: Any, rule: Any, tally: Any, at: int) -> None:
        tally.pending = None

    patch.setattr(rules, "_settle", drop)


def _without_grace(patch: pytest.MonkeyPatch) -> None:
    settle = rules._settle
    patch.setattr(rules, "_settle", lambda definition, *rest: settle(replace(definition, grace_ms=0), *rest))


def _not_seen(patch: pytest.MonkeyPatch) -> None:
    """Whether the step was there before is not asked."""
    patch.setattr(rules, "_has_seen", lambda run, rule: False)


def _after_success(patch: pytest.MonkeyPatch) -> None:
    """Silence counts until the journey ends, not only until it succeeds."""

    def expect(definition: Any, run: Any, kept: Any) -> None:
        if run.ended_at is None:
            for rule in definition.idles:
                rules._wait(definition, run, rules._tally(run, rule), kept.occurred_at, rule.due(kept.occurred_at))

    patch.setattr(rules, "expect_more", expect)


def _ban_ends(patch: pytest.MonkeyPatch) -> None:
    """A failure ends a ban like every other break."""
    patch.setattr(rules, "NOT_ENDED", ("low_score",))


def _beyond_the_lifetime(patch: pytest.MonkeyPatch) -> None:
    def wait(definition: Any, run: Any, tally: Any, cause_at: int, due_at: int) -> None:
        tally.pending = Suspicion(cause_at, due_at, tally.episodes + 1)

    patch.setattr(rules, "_wait", wait)


def _only_in_order(patch: pytest.MonkeyPatch) -> None:
    """The other one of a ban counts when it comes first, and not when it comes second."""
    ban = rules.ban
    patch.setattr(rules, "ban", lambda run, plan, kept: ban(run, replace(plan, bans_beside=()), kept))


WAITED: Final = ("failure_event", "out_of_order", "skipped_step", "abandoned")
SUSPECTED: Final = WAITED[:3]
DEFECTS: Final = (
    *(Defect(shape, "dropped when cleared late", _never_settled) for shape in WAITED),
    *(Defect(shape, "cleared in its grace", _without_grace) for shape in WAITED),
    *(Defect(shape, "judged before it may be", _rule(delay_ms=0)) for shape in WAITED),
    *(Defect(shape, "due after the lifetime", _beyond_the_lifetime) for shape in WAITED),
    *(Defect(shape, "at once, whatever is tolerated", _rule(tolerate_ms=None)) for shape in SUSPECTED),
    Defect("out_of_order", "though it was there before", _not_seen),
    Defect("skipped_step", "though it was there before", _not_seen),
    Defect("failure_event", "a failure is a wrong order", _rule(kind="out_of_order")),
    Defect("abandoned", "after the success", _after_success),
    Defect("forbidden", "one more is allowed", _rule(at_least=lambda rule: rule.at_least + 1)),
    Defect("forbidden", "ended by a failure", _ban_ends),
    Defect("forbidden", "only in one order", _only_in_order),
)


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: f"{defect.shape}: {defect.name}")
def test_the_law_finds_it(defect: Defect, monkeypatch: pytest.MonkeyPatch) -> None:
    defect.plant(monkeypatch)
    assert any(_found(defect.shape, seed) for seed in range(WORLDS))


def _found(shape: str, seed: int) -> bool:
    return difference(world(Random(seed), (shape,), counting=False, alone=True)) is not None


@pytest.mark.parametrize("shape", [*WAITED, "forbidden"])
def test_without_a_defect_nothing_is_found(shape: str) -> None:
    assert not any(_found(shape, seed) for seed in range(40))
