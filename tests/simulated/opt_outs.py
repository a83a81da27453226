"""What a customer says of no journey in particular, and before any has begun: moments, days or a year ago.

In a random world something of it comes first, when it is said; and something arrives late, in place of what would have
arrived then. Who has said it may turn out later.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final

from schemas.records import Entry
from tests.journey_case import touch
from tests.oracle.course import EXCUSES_FOR, matches
from tests.oracle.decode import Touchpoint
from tests.oracle.rules import DAY, Definition

DAYS_AGO: Final = (0, 1, 3)
"""What carries a key is remembered for some days only."""
AGO: Final = (*DAYS_AGO, 100, *[EXCUSES_FOR // DAY] * 5)
STRANGER: Final = "c9"
"""Whoever a touchpoint belongs to when it is not the customer in question."""
Move = tuple[int, str, str]
"""Before the arrival of this index the touchpoint of this id goes to this customer; if it is itself: it comes as
theirs.
"""


def said_of(rules: Sequence[Definition], touchpoints: Sequence[Touchpoint]) -> tuple[list[str], list[str], list[int]]:
    """What excuses and begins nothing, and what begins something, by name; and when something began."""
    beginning = {name for rule in rules for name in rule.start.names}
    names = {name for rule in rules for step in rule.steps for name in step.excused_by} - beginning
    starts = [x.occurred_at for x in touchpoints if any(matches(rule.start, x) for rule in rules)]
    return sorted(names), sorted(beginning), starts


def with_opt_outs(
    rng: Random, arrivals: list[Entry], names: list[str], beginning: list[str], starts: list[int], unit: int
) -> list[Entry]:
    """`arrivals` with rising log times; so is what comes of them. `names`: what excuses; `beginning`: what begins."""
    found = list(arrivals)
    if not names or not starts:
        return found
    if rng.random() < 0.4:
        second = rng.choice(starts) + rng.choice((0, 1, 3)) * unit
        _instead(rng, found, rng.choice(beginning), second, "8")
        _instead(rng, found, rng.choice(names), second + rng.choice((1, unit, 2 * unit)), None)
    for _ in range(rng.choice((0, 1, 1, 2))):
        at = rng.choice(starts) - rng.choice(DAYS_AGO) * DAY + rng.choice((-1, -unit, 4 * unit))
        _instead(rng, found, rng.choice(names), at, rng.choice((None, None, None, "7", "8")))
    before: dict[int, Entry] = {}
    for number in range(rng.choice((0, 1, 1, 2))):
        days = rng.choice(AGO)
        at = rng.choice(starts) - days * DAY - rng.choice((-1, 0, 0, 1, unit))
        order = rng.choice((None, None, "7", "8")) if days in DAYS_AGO else None
        if at < found[0].log_time:
            before[at] = touch(rng.choice(names), at, tid=f"o{number}", order=order)
    return [*(before[at] for at in sorted(before)), *found]


def _instead(rng: Random, found: list[Entry], name: str, at: int, order: str | None) -> None:
    """What the first one began stays."""
    index = rng.randrange(len(found))
    one = found[index]
    if index and at <= one.log_time:
        found[index] = touch(name, at, tid=one.touchpoint_id, order=order, log=one.log_time)


def moves(rng: Random, arrivals: Sequence[Entry], customer: str) -> tuple[Move, ...]:
    """Some of what carries nobody's proof goes to a stranger, or comes from one."""
    found: list[Move] = []
    for index, one in enumerate(arrivals):
        if one.person is None and rng.random() < 0.3:
            turns = sorted({rng.randrange(index, len(arrivals)) for _ in range(rng.randint(1, 3))})
            found += [(at, one.touchpoint_id, (STRANGER, customer)[n % 2]) for n, at in enumerate(turns)]
    return tuple(sorted(found))
