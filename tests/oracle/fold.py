"""One instance: what docs/journeys.md says of a start and the touchpoints after it, evaluated from nothing.

No state is carried from one evaluation to the next. `until` is W, the log time of the last tick.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.oracle.decode import Touchpoint
from tests.oracle.definitions import (
    Abandoned,
    Ban,
    Definition,
    Fact,
    LowScore,
    Pattern,
    Repeated,
    Step,
    Suspicion,
    waits,
)


@dataclass(frozen=True, slots=True)
class StepFound:
    status: str
    due_at: int | None
    reached_at: int | None
    touchpoint_id: str


@dataclass(frozen=True, slots=True)
class BreakFound:
    """`step` is None where no step is to blame."""

    name: str
    kind: str
    step: str | None
    occurrence: int
    cause_at: int
    due_at: int | None
    cleared_at: int | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the touchpoints of an instance say. `expired`: W is past the lifetime."""

    status: str
    started_at: int
    ended_at: int | None
    expired: bool
    steps: dict[str, StepFound]
    breaks: tuple[BreakFound, ...]


@dataclass(slots=True)
class _Course:
    """The walk along the order. `alive`: the touchpoints after the start that are not after the end."""

    start: Touchpoint
    limit: int
    after: list[Touchpoint]
    alive: list[Touchpoint] = field(default_factory=list)
    reached: dict[str, Touchpoint] = field(default_factory=dict)
    failure: Touchpoint | None = None
    ended_at: int | None = None
    failure_after_end: list[Touchpoint] = field(default_factory=list)


def matches(pattern: Pattern, x: Touchpoint) -> bool:
    return x.name in pattern.names and all(_equal(_said(x, word), wanted) for word, wanted in pattern.where)


def _said(x: Touchpoint, word: str) -> object:
    return x.channel if word == "channel" else x.properties.get(word)


def _equal(said: object, wanted: Fact) -> bool:
    if said is None or isinstance(said, bool) != isinstance(wanted, bool):
        return False
    return said == wanted


def fold(definition: Definition, members: Sequence[Touchpoint], until: int) -> Outcome | None:
    """`members` in the order. None: the start was not seen."""
    course = walk(definition, members)
    if course is None:
        return None
    missing = [found for step in definition.steps if (found := _missed(definition, course, step, until)) is not None]
    breaks = [
        *(found for found in missing if definition.step(found.name).if_missing == "break"),
        *(found for rule in definition.repeated for found in _repeated(definition, course, rule)),
        *(found for rule in definition.scores for found in _scored(course, rule)),
        *(found for rule in definition.suspicions for found in _suspected(definition, course, rule, until)),
        *(found for rule in definition.abandoned for found in _abandoned(definition, course, rule, until)),
        *(found for rule in definition.bans if (found := _banned(course, rule)) is not None),
    ]
    expired = until > course.limit
    missed = {found.name for found in missing if found.cleared_at is None}
    return Outcome(
        status=_status(definition, course, expired),
        started_at=course.start.occurred_at,
        ended_at=course.ended_at if course.ended_at is not None else course.limit if expired else None,
        expired=expired,
        steps={step.name: _step(definition, course, step, step.name in missed) for step in definition.steps},
        breaks=tuple(breaks),
    )


def walk(definition: Definition, members: Sequence[Touchpoint]) -> _Course | None:
    first = next((index for index, x in enumerate(members) if matches(definition.start, x)), None)
    if first is None:
        return None
    start = members[first]
    course = _Course(start, start.occurred_at + definition.lifetime, list(members[first + 1 :]))
    for x in course.after:
        failing = x.name in definition.failures
        if course.ended_at is not None or x.occurred_at > course.limit:
            if failing and course.failure is None and definition.success in course.reached:
                course.failure = x
                course.failure_after_end.append(x)
            continue
        course.alive.append(x)
        if failing:
            course.failure, course.ended_at = x, x.occurred_at
            continue
        step = _reaches(definition, course.reached, x)
        if step is not None:
            course.reached[step] = x
            if _complete(definition, course.reached):
                course.ended_at = x.occurred_at
    return course


def is_open(definition: Definition, members: Sequence[Touchpoint], at: int) -> bool:
    """Whether an instance of these members is open for a touchpoint that comes next in the order, at `at`."""
    course = walk(definition, members)
    return course is not None and course.ended_at is None and at <= course.limit


def _reaches(definition: Definition, reached: Iterable[str], x: Touchpoint) -> str | None:
    possible = [s.name for s in definition.steps if s.name not in reached and matches(s.pattern, x)]
    return min(possible, key=lambda name: (definition.depth(name), name), default=None)


def _complete(definition: Definition, reached: dict[str, Touchpoint]) -> bool:
    return definition.success in reached and all(
        step.name in reached or _skipped(definition, reached, step.name) for step in definition.steps
    )


def _skipped(definition: Definition, reached: dict[str, Touchpoint], name: str) -> bool:
    return name not in reached and any(later in reached for later in definition.beyond(name))


def _status(definition: Definition, course: _Course, expired: bool) -> str:
    if course.failure is not None:
        return "failed"
    if definition.success in course.reached:
        return "succeeded"
    return "expired" if expired else "open"


def _due(course: _Course, step: Step) -> int | None:
    base = course.start if step.after == "start" else course.reached.get(step.after)
    return None if base is None or step.within is None else base.occurred_at + step.within


def _step(definition: Definition, course: _Course, step: Step, missed: bool) -> StepFound:
    x = course.reached.get(step.name)
    if x is not None:
        return StepFound("reached", _due(course, step), x.occurred_at, x.touchpoint_id)
    status = "skipped" if _skipped(definition, course.reached, step.name) else "missed" if missed else "waiting"
    return StepFound(status, _due(course, step), None, "")


# -- breaks -----------------------------------------------------------------------------------------------------------


def _missed(definition: Definition, course: _Course, step: Step, until: int) -> BreakFound | None:
    """A missed step, one with `if_missing: count` too."""
    due = _due(course, step)
    if due is None or step.if_missing == "nothing" or due > course.limit:
        return None
    settlers = [course.reached[name] for name in (step.name, *definition.beyond(step.name)) if name in course.reached]
    ends = [x.occurred_at for x in settlers] + ([course.failure.occurred_at] if course.failure else [])
    cleared_at = min(ends, default=None)
    if cleared_at is not None and cleared_at <= due + definition.grace:
        return None
    if until < due + waits(definition, step.name):
        return None
    kind = "handoff_lost" if step.handoff else "missing_step"
    return BreakFound(step.name, kind, step.name, 1, due, due, cleared_at)


def _repeated(definition: Definition, course: _Course, rule: Repeated) -> list[BreakFound]:
    clearing = definition.step(rule.cleared_by).pattern
    episodes: list[BreakFound] = []
    counted: list[int] = []
    running = False
    for x in course.alive + course.failure_after_end:
        if x is course.failure or matches(clearing, x):
            if running:
                episodes[-1] = _cleared(episodes[-1], x.occurred_at)
            running, counted = False, []
        elif matches(rule.pattern, x):
            counted.append(x.occurred_at)
            near = sum(at >= x.occurred_at - rule.in_window for at in counted)
            if not running and near >= rule.at_least:
                running = True
                number = len(episodes) + 1
                cause = x.occurred_at
                episodes.append(BreakFound(rule.name, "repeated", rule.cleared_by, number, cause, None, None))
    return episodes


def _scored(course: _Course, rule: LowScore) -> list[BreakFound]:
    """Counts after the end, too; a failure does not end it."""
    episodes: list[BreakFound] = []
    for x in course.after:
        score = x.properties.get(rule.score)
        if isinstance(score, bool) or not isinstance(score, int | float):
            continue
        running = bool(episodes) and episodes[-1].cleared_at is None
        if score < rule.below and not running:
            number = len(episodes) + 1
            episodes.append(BreakFound(rule.name, "low_score", rule.about, number, x.occurred_at, None, None))
        elif score >= rule.below and running:
            episodes[-1] = _cleared(episodes[-1], x.occurred_at)
    return episodes


def _cleared(found: BreakFound, at: int) -> BreakFound:
    return BreakFound(found.name, found.kind, found.step, found.occurrence, found.cause_at, found.due_at, at)


def _suspected(definition: Definition, course: _Course, rule: Suspicion, until: int) -> list[BreakFound]:
    """Raised while the journey is open, cleared until the lifetime is over."""
    clearing = definition.step(rule.step).pattern
    alive = {x.touchpoint_id for x in course.alive}
    success = course.reached.get(definition.success)
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
    return _judged(definition, course, rule, spans, until)


def _judged(
    definition: Definition, course: _Course, rule: Suspicion, spans: Iterable[tuple[int, int | None]], until: int
) -> list[BreakFound]:
    found: list[BreakFound] = []
    for cause, cleared_at in spans:
        due = None if rule.tolerate is None else cause + rule.tolerate
        if due is None or _stands(definition, course, rule.name, due, cleared_at, until):
            found.append(BreakFound(rule.name, rule.kind, rule.step, len(found) + 1, cause, due, cleared_at))
    return found


def _stands(definition: Definition, course: _Course, name: str, due: int, cleared_at: int | None, until: int) -> bool:
    """Whether what was waited out came to something."""
    in_time = cleared_at is not None and cleared_at <= due + definition.grace
    return due <= course.limit and not in_time and until >= due + waits(definition, name)


def _abandoned(definition: Definition, course: _Course, rule: Abandoned, until: int) -> list[BreakFound]:
    """Each silence before the success and the end, from the touchpoint before it to the one after it. The end of the
    lifetime clears nothing: as for every kind, what is active then has expired.
    """
    success = course.reached.get(definition.success)
    silences: list[tuple[int, int | None]] = []
    last: int | None = course.start.occurred_at
    for x in course.alive:
        if last is not None:
            silences.append((last + rule.idle, x.occurred_at))
            last = None if x is success or x is course.failure else x.occurred_at
    if last is not None:
        silences.append((last + rule.idle, None))
    found: list[BreakFound] = []
    for due, ended_at in silences:
        if _stands(definition, course, rule.name, due, ended_at, until):
            found.append(BreakFound(rule.name, "abandoned", None, len(found) + 1, due, due, ended_at))
    return found


def _banned(course: _Course, rule: Ban) -> BreakFound | None:
    """Counts after the end, too, and nothing clears it."""
    times, other = 0, False
    for x in course.after:
        times += matches(rule.pattern, x)
        other = other or x.name == rule.never_with
        if times > rule.at_most if rule.at_most is not None else times and other:
            return BreakFound(rule.name, "forbidden", None, 1, x.occurred_at, None, None)
    return None
