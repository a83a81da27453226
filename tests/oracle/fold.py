"""One instance: what docs/journeys.md says of a start and the touchpoints after it, evaluated from nothing.

No state is carried from one evaluation to the next. `until` is W, the log time of the last tick.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from tests.oracle.counted import balanced, banned, conflicting, repeated, scored
from tests.oracle.course import Course, due_of, excusing, is_open, matches, skipped, walk
from tests.oracle.decode import Touchpoint
from tests.oracle.found import BreakFound, Outcome, StepFound
from tests.oracle.rules import Definition, Step
from tests.oracle.waited import abandoned, missed, suspected

__all__ = ("BreakFound", "Judged", "Outcome", "StepFound", "excusing", "fold", "is_open", "matches", "on_time", "walk")

Judged = Callable[[set[str], Sequence[Touchpoint], int, int], bool]
"""Of what could settle it, the touchpoints of the instance, the W at which it is judged and W itself: is it judged?"""


def on_time(_settlers: set[str], _members: Sequence[Touchpoint], f: int, until: int) -> bool:
    """Where no source is watched."""
    return until >= f


def fold(
    definition: Definition,
    members: Sequence[Touchpoint],
    until: int,
    judged: Judged = on_time,
    said: Iterable[Touchpoint] = (),
) -> Outcome | None:
    """`members` in the order; `said`: what else may excuse, see `excusing`. None: the start was not seen."""
    course = walk(definition, members, said)
    if course is None:
        return None

    def over(name: str, due: int) -> bool:
        return judged(definition.settlers(name), members, due + definition.waits(name), until)

    missing = [found for step in definition.steps if (found := missed(definition, course, step, over)) is not None]
    breaks = [
        *(found for found in missing if definition.step(found.name).if_missing == "break"),
        *(found for rule in definition.repeated for found in repeated(definition, course, rule)),
        *(found for rule in definition.scores for found in scored(definition, course, rule)),
        *(found for rule in definition.suspicions for found in suspected(definition, course, rule, over)),
        *(found for rule in definition.abandoned for found in abandoned(definition, course, rule, over)),
        *(found for rule in definition.bans for found in banned(course, rule)),
        *(found for rule in definition.balances for found in balanced(definition, course, rule)),
        *(found for rule in definition.persons for found in conflicting(course, rule)),
    ]
    expired = until > course.limit
    absent = {found.name for found in missing if found.cleared_at is None}
    return Outcome(
        status=_status(definition, course, expired),
        started_at=course.start.occurred_at,
        ended_at=course.ended_at if course.ended_at is not None else course.limit if expired else None,
        expired=expired,
        steps={step.name: _step(definition, course, step, step.name in absent) for step in definition.steps},
        breaks=tuple(breaks),
    )


def _status(definition: Definition, course: Course, expired: bool) -> str:
    if course.failure is not None:
        return "failed"
    if definition.success in course.reached:
        return "succeeded"
    return "expired" if expired else "open"


def _step(definition: Definition, course: Course, step: Step, absent: bool) -> StepFound:
    x = course.reached.get(step.name)
    if x is not None:
        return StepFound("reached", due_of(course, step), x.occurred_at, x.touchpoint_id)
    status = "skipped" if skipped(definition, course, step.name) else "missed" if absent else "waiting"
    return StepFound(status, due_of(course, step), None, "")
