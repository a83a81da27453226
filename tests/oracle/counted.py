"""Breaks that begin with a touchpoint at once: repetition, low score, ban, balance, persons."""

from __future__ import annotations

from tests.oracle.course import Course, matches, place
from tests.oracle.decode import Touchpoint
from tests.oracle.found import BreakFound, cleared
from tests.oracle.rules import Balance, Ban, Definition, LowScore, Persons, Repeated, weight


def repeated(definition: Definition, course: Course, rule: Repeated) -> list[BreakFound]:
    """Cleared after the end, too; who came to a later step has no trouble with the one that clears."""
    episodes: list[BreakFound] = []
    counted: list[int] = []
    running = False
    alive = {x.touchpoint_id for x in course.alive}
    for x in course.after:
        if x is course.failure or _clears(definition, course, rule, x):
            if running:
                episodes[-1] = cleared(episodes[-1], x.occurred_at)
            running, counted = False, []
        elif x.touchpoint_id not in alive or not matches(rule.pattern, x):
            continue
        elif not counted or x.occurred_at - counted[-1] >= rule.apart:
            counted.append(x.occurred_at)
            near = sum(at >= x.occurred_at - rule.in_window for at in counted)
            if not running and near >= rule.at_least:
                running = True
                number = len(episodes) + 1
                cause = x.occurred_at
                episodes.append(BreakFound(rule.name, "repeated", rule.cleared_by, number, cause, None, None))
    return episodes


def _clears(definition: Definition, course: Course, rule: Repeated, x: Touchpoint) -> bool:
    later = (course.reached.get(name) for name in definition.beyond(rule.cleared_by))
    clearing = definition.step(rule.cleared_by).pattern
    return (matches(clearing, x) and x.occurred_at <= course.limit) or any(x is one for one in later)


def scored(definition: Definition, course: Course, rule: LowScore) -> list[BreakFound]:
    """Counts after the end, too; a failure does not end it. A bad score that is the clearing step's, too, clears."""
    clearing = definition.step(rule.cleared_by).pattern if rule.cleared_by is not None else None
    episodes: list[BreakFound] = []
    for x in _judging(definition, course, rule):
        score = _score(definition, x, rule.score)
        running = bool(episodes) and episodes[-1].cleared_at is None
        if (score is not None and score >= rule.below) or (clearing is not None and matches(clearing, x)):
            if running:
                episodes[-1] = cleared(episodes[-1], x.occurred_at)
        elif score is not None and not running:
            number = len(episodes) + 1
            episodes.append(BreakFound(rule.name, "low_score", rule.about, number, x.occurred_at, None, None))
    return episodes


def _judging(definition: Definition, course: Course, rule: LowScore) -> list[Touchpoint]:
    """Who judges before it happened judges something else."""
    if rule.about is None:
        return course.after
    happened = course.reached.get(rule.about)
    if happened is None:
        return []
    since = place(definition, happened)
    return [x for x in course.after if place(definition, x) > since]


def _score(definition: Definition, x: Touchpoint, name: str) -> float | None:
    """None: none, or one that begins and ends nothing."""
    score = x.properties.get(name)
    if isinstance(score, bool) or not isinstance(score, int | float) or definition.is_monitored(x.name):
        return None
    return score


def banned(course: Course, rule: Ban) -> list[BreakFound]:
    """Counts after the end, too, and nothing clears it."""
    times, other = 0, False
    for x in course.after:
        times += matches(rule.pattern, x)
        other = other or x.name == rule.never_with
        if times > rule.at_most if rule.at_most is not None else times and other:
            return [BreakFound(rule.name, "forbidden", None, 1, x.occurred_at, None, None)]
    return []


def balanced(definition: Definition, course: Course, rule: Balance) -> list[BreakFound]:
    """Counts after the end, too, but not after the lifetime; a failure does not end it."""
    episodes: list[BreakFound] = []
    b, last = 0.0, course.start.occurred_at
    for x in (course.start, *course.after):
        if x.occurred_at > course.limit:
            continue
        faded = b * 2.0 ** (-(x.occurred_at - last) / rule.half_life)
        b, last = round(faded + weight(definition.known, x.name, x.properties), 6), x.occurred_at
        running = bool(episodes) and episodes[-1].cleared_at is None
        if b < rule.below and not running:
            number = len(episodes) + 1
            episodes.append(BreakFound(rule.name, "experience_balance", None, number, x.occurred_at, None, None))
        elif b >= rule.until and running:
            episodes[-1] = cleared(episodes[-1], x.occurred_at)
    return episodes


def conflicting(course: Course, rule: Persons) -> list[BreakFound]:
    """Counts after the end, too, and nothing clears it."""
    users: set[str] = set()
    for x in (course.start, *course.after):
        if x.user is not None and (not rule.among or x.name in rule.among):
            users.add(x.user)
        if len(users) > rule.above:
            return [BreakFound(rule.name, "identity_conflict", None, 1, x.occurred_at, None, None)]
    return []
