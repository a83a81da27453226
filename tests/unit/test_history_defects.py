"""A plausible mistake in each rule that bounds or times what is known, made by the judge: the histories must show that
judge and product differ. What tells them apart does not depend on which of the two is wrong.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final, NamedTuple

import pytest

from tests.oracle import attribution
from tests.oracle.attribution import SKEW_MIN
from tests.oracle.decode import Touchpoint
from tests.oracle.rules import MINUTE
from tests.simulated import judge
from tests.simulated.worlds import TIGHT_RULES

HISTORIES: Final = 120
Plant = Callable[[pytest.MonkeyPatch], None]


class Mistake(NamedTuple):
    """`tight`: in histories whose identifiers keep little."""

    name: str
    plant: Plant
    tight: bool = False


def _of_the_identifier(arrivals: Iterable[Touchpoint]) -> list[Touchpoint]:
    """One offset for all that an identifier brings, whoever sent it."""
    offsets: dict[object, int] = defaultdict(int)
    found: list[Touchpoint] = []
    for x in arrivals:
        about = x.routing or x.subject or x.message_id
        if x.sent_at is not None and x.received_at is not None:
            skew = x.received_at - x.sent_at
            if abs(skew - offsets[about]) > SKEW_MIN:
                offsets[about] = (skew + MINUTE // 2) // MINUTE * MINUTE
        at = x.occurred_at_sent + offsets[about]
        found.append(replace(x, occurred_at=x.log_time if at - x.log_time > attribution.AHEAD_MAX else at))
    return found


def _not_corrected(arrivals: Iterable[Touchpoint]) -> list[Touchpoint]:
    limit = attribution.AHEAD_MAX
    return [replace(x, occurred_at=x.log_time) if x.occurred_at - x.log_time > limit else x for x in arrivals]


def _clocks(make: Callable[[Iterable[Touchpoint]], list[Touchpoint]]) -> Plant:
    return lambda patch: patch.setattr(attribution, "correct_clocks", make)


def _ahead(limit: int) -> Plant:
    return lambda patch: patch.setattr(attribution, "AHEAD_MAX", limit)


def _rules(**other: int) -> Plant:
    return lambda patch: patch.setattr(judge, "TIGHT_RULES", replace(TIGHT_RULES, **other))  # type: ignore[arg-type]


MISTAKES: Final = (
    Mistake("clocks are not corrected", _clocks(_not_corrected)),
    Mistake("an offset counts for who says no time", _clocks(_of_the_identifier)),
    Mistake("the future is believed", _ahead(10**18)),
    Mistake("an hour ahead is not believed", _ahead(0)),
    Mistake("keys never wear out", _rules(key_touchpoints=10**6), tight=True),
    Mistake("a key wears out one too late", _rules(key_touchpoints=TIGHT_RULES.key_touchpoints + 1), tight=True),
    Mistake("everything is kept", _rules(kept=10**6), tight=True),
    Mistake("one more is kept", _rules(kept=TIGHT_RULES.kept + 1), tight=True),
)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_the_histories_find_it(mistake: Mistake, monkeypatch: pytest.MonkeyPatch) -> None:
    mistake.plant(monkeypatch)

    def hunt() -> None:
        for seed in range(HISTORIES):
            judge.judge_attribution(seed, tight=mistake.tight)

    with pytest.raises(AssertionError):
        hunt()


def test_without_a_mistake_nothing_is_found() -> None:
    for seed in range(10):
        judge.judge_attribution(seed)
        judge.judge_attribution(seed, tight=True)
