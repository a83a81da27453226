"""Breaks that are waited out: missed steps, suspicions, abandonment. `Wait` says when the waiting is over."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tests.oracle.course import Course, due_of, matches, settled_at
from tests.oracle.found import BreakFound
from tests.oracle.open_time import later
from tests.oracle.rules import Abandoned, Definition, Step, Suspicion

Wait = Callable[[str, int], bool]
"""Of a break by its name and its due: whether W is far enough to judge it."""


def missed(definition: Definition, course: Course, step: Step, over: Wait) -> BreakFound | None:
    """A missed step, one with `if_missing: count` too."""
    due = due_of(course, step)
    if due is None or step.if_missing == "nothing":
        return None
    settled = settled_at(definition, course, step.name)
    ends = [settled] if settled is not None else []
    ends += [course.failure.occurred_at] if course.failure is not None else []
    cleared_at = min(ends, default=None)
    if not _stands(definition, course, step.name, due, cleared_at, over):
        return None
    kind = "feedback_not_asked" if step.feedback else "handoff_lost" if step.handoff else "missing_step"
    return BreakFound(step.name, kind, step.name, 1, due, due, cleared_at)


def suspected(definition: Definition, course: Course, rule: Suspicion, over: Wait) -> list[BreakFound]:
    """Raised while the journey is open, cleared until the lifetime is over."""
    clearing = definition.step(rule.step).pattern
    alive = {x.touchpoint_id for x in course.alive}
    success = course.reached.get(definition.success or "")
    spans: list[tuple[int, int | None]] = []
    seen = running = False
    for x in course.after:
        clears = matches(clearing, x)
        if running:
            if x is course.failure or (clears and x.occurred_at <= course.limit):
                spans[-1] = (spans[-1][0], x.occurred_at)
                running = False
        elif x.touchpoint_id in alive and not clears:
            raised = x is success if rule.pattern is None else matches(rule.pattern, x)
            if raised and not (seen and rule.kind != "failure_event"):
                spans.append((x.occurred_at, None))
                running = True
        seen = seen or clears
    return _judged(definition, course, rule, spans, over)


def _judged(
    definition: Definition, course: Course, rule: Suspicion, spans: Iterable[tuple[int, int | None]], over: Wait
) -> list[BreakFound]:
    found: list[BreakFound] = []
    for cause, cleared_at in spans:
        due = None if rule.tolerate is None else later(cause, rule.tolerate, rule.hours)
        if rule.tolerate is None or _stands(definition, course, rule.name, due, cleared_at, over):
            found.append(BreakFound(rule.name, rule.kind, rule.step, len(found) + 1, cause, due, cleared_at))
    return found


def _stands(
    definition: Definition, course: Course, name: str, due: int | None, cleared_at: int | None, over: Wait
) -> bool:
    """Whether what was waited out came to something."""
    if due is None or due > course.limit:
        return False
    in_time = cleared_at is not None and cleared_at <= due + definition.grace
    return not in_time and over(name, due)


def abandoned(definition: Definition, course: Course, rule: Abandoned, over: Wait) -> list[BreakFound]:
    """Each silence before the success and the end, from the touchpoint before it to the one after it. The end of the
    lifetime clears nothing: as for every kind, what is active then has expired.
    """
    success = course.reached.get(definition.success or "")
    silences: list[tuple[int | None, int | None]] = []
    last: int | None = course.start.occurred_at
    for x in course.alive:
        if last is not None:
            silences.append((later(last, rule.idle, rule.hours), x.occurred_at))
            last = None if x is success or x is course.failure else x.occurred_at
    if last is not None:
        silences.append((later(last, rule.idle, rule.hours), None))
    found: list[BreakFound] = []
    for due, ended_at in silences:
        if due is not None and _stands(definition, course, rule.name, due, ended_at, over):
            found.append(BreakFound(rule.name, "abandoned", None, len(found) + 1, due, due, ended_at))
    return found
