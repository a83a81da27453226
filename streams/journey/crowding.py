"""What goes when a scope is full, and the folds without it.

By the page: first what is neither start, step nor excuse, then what is no start, among equals the oldest; what began an
instance stays as long as the instance is kept. Which touchpoints began one, only the fold knows: so everything is
folded first, then something goes, then the units that knew it fold again. That costs as much as hundreds of
touchpoints, so room is made for an eighth of the cap at once, and what is too old for what is left does not come in.

An instance that is over, and fires nothing, is forgotten with its start when there are only starts left: nobody is
told, as with everything that is forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from streams.journey.eviction import is_firing
from streams.journey.fold import is_open
from streams.journey.instances import Scope, Unit
from streams.journey.memory import Memory
from streams.journey.modes import Modes
from streams.journey.run import Run
from streams.journey.values import Kept

AT_ONCE: Final = 8
"""A full scope gives up this part of its touchpoints; a small one a single touchpoint."""
_NO_START, _OF_WHAT_IS_OVER, _OF_WHAT_GOES_ON = range(3)


class Folded(NamedTuple):
    """`former`: the runs before. `touched`: anchors of those that got something new since; the fold itself tells of the
    others.
    """

    unit: Unit
    former: tuple[Run, ...]
    touched: frozenset[str]


def low_of(most: int) -> int:
    """How many are left when a full scope made room."""
    return most - max(0, most // AT_ONCE - 1)


def is_crowded(scope: Scope, most: int, newest: Kept) -> bool:
    """Whether something has to go, or may have come that is older than what went."""
    count = len(scope.kept)
    return count > most or (scope.truncated and count > low_of(most) and scope.kept[-1] is not newest)


def fold_crowded(
    memory: Memory, scope: Scope, added: Sequence[Kept], again: bool, modes: Modes, most: int
) -> list[Folded]:
    """`added`: what was inserted, in the order. `again`: something kept before has changed."""
    folded = [_fold(unit, scope, added, again, modes) for unit in scope.units]
    gone = _excess(scope, most, memory.ranks, added, _starts(folded, scope.kept[-1].occurred_at))
    memory.drop(scope, gone)
    return [_without(memory, one, scope, gone, modes) for one in folded]


def _fold(unit: Unit, scope: Scope, added: Sequence[Kept], again: bool, modes: Modes) -> Folded:
    wanted = unit.wanted(added, scope)
    if again or (wanted and not unit.in_order(wanted[0])):
        return Folded(unit, unit.refold(modes), frozenset())
    touched = [run.anchor for kept in wanted for run in unit.take(kept, scope, modes)]
    return Folded(unit, unit.runs, frozenset(touched))


def _starts(folded: Sequence[Folded], now: int) -> dict[str, int]:
    """Of each touchpoint that began an instance, how firmly it is held."""
    found: dict[str, int] = {}
    for unit, former, _ in folded:
        firing = {run.anchor for run in former if is_firing(run)}
        for run in unit.runs:
            if run.start is not None:
                goes_on = run.anchor in firing or is_open(unit.definition, run, now)
                held = _OF_WHAT_GOES_ON if goes_on else _OF_WHAT_IS_OVER
                found[run.start.touchpoint_id] = max(held, found.get(run.start.touchpoint_id, held))
    return found


def _excess(
    scope: Scope, most: int, ranks: Mapping[str, int], added: Sequence[Kept], starts: Mapping[str, int]
) -> list[Kept]:
    """Of room made beforehand only touchpoints of the same sort pay the price."""

    def sort(kept: Kept) -> tuple[int, int]:
        return starts.get(kept.touchpoint_id, _NO_START), ranks.get(kept.name, 0)

    first_to_go = sorted(scope.kept, key=sort)
    over = len(first_to_go) - most
    if over > 0:
        last = sort(first_to_go[over - 1])
        more = first_to_go[over : len(first_to_go) - low_of(most)] if last[0] < _OF_WHAT_GOES_ON else []
        return [*first_to_go[:over], *(kept for kept in more if sort(kept) == last)]
    new = {kept.touchpoint_id for kept in added}
    oldest = next((index for index, kept in enumerate(first_to_go) if kept.touchpoint_id not in new), 0)
    return [kept for kept in first_to_go[:oldest] if kept.touchpoint_id not in starts]


def _without(memory: Memory, one: Folded, scope: Scope, gone: Sequence[Kept], modes: Modes) -> Folded:
    unit, former, touched = one
    if not any(unit.wants(kept, scope) for kept in gone):
        return one
    ids = {kept.touchpoint_id for kept in gone}
    unit.refold(modes)
    staying = []
    for run in former:
        if run.start is not None and run.start.touchpoint_id in ids and not is_firing(run):
            memory.forget(unit, run)
        else:
            staying.append(run)
    return Folded(unit, tuple(staying), touched)
