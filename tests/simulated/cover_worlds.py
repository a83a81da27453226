"""What a random world was about: which rules of docs/journeys.md and docs/sources.md it came to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from tests.oracle.course import EXCUSES_FOR, Course, excuses, excusing, matches, ordered, place, walk
from tests.oracle.decode import Touchpoint
from tests.oracle.fold import Outcome, fold, on_time
from tests.oracle.rules import Definition
from tests.simulated.breaks import Oracle, World
from tests.simulated.drawn import SHAPES

OF_THE_FOLD: Final = (
    *(f"a break {kind}" for kind in (*SHAPES, "missing_step", "feedback_not_asked")),
    *(f"a break {kind} in open hours" for kind in ("abandoned", "feedback_not_asked")),
    "a balance that recovered",
    "a step of several times",
    "a step not often enough",
    "an excused step",
    "an excused step that was late",
    "a journey that weight began",
    "a journey without steps",
    "a break of which nobody is told",
    "a skipped_step of which nobody is told",
    "an abandoned of which nobody is told",
    "what is sent twice and counts once",
    "a score before its step",
    "a low score that a step cleared",
    "a monitored score",
    *(f"a moment in which chance does not decide, {one}" for one in ("keyed", "joint", "customer's")),
)
OF_THE_END: Final = (
    "a failure after the end of a customer's journey",
    *(
        f"what ends a {kind} after the end of a {whose} journey"
        for kind in ("repeated", "failure_event")
        for whose in ("keyed", "customer's")
    ),
    "a low score after the end of a customer's journey",
    "a repetition that a later step ended",
)
OF_OPT_OUTS: Final = (
    *(f"an opt-out before a {whose} journey" for whose in ("keyed", "customer's")),
    "an opt-out in a journey before its start",
    "an opt-out of a year ago",
    "an opt-out too old",
    "an opt-out of two journeys",
    "an opt-out that went to another customer",
)
OF_THE_SOURCES: Final = (
    "a silence that is over",
    "a silence that lasts",
    "a silence in open hours",
    "a break that a source holds back",
    "a break after its source was silent",
)
OF_THE_PEOPLE: Final = (
    "a journey that is off",
    "a journey in the shadow",
    "two versions at once",
    "a switch that reaches back",
    "an alert acknowledged",
    "an alert closed",
)
OF_THE_WORLDS: Final = (*OF_THE_FOLD, *OF_THE_END, *OF_OPT_OUTS, *OF_THE_SOURCES, *OF_THE_PEOPLE)


def of_the_world(found: World, states: set[str]) -> Iterator[str]:
    """`states`: those that alerts had after what people said."""
    oracle, w = Oracle(found), found.later[-1]
    wanted = oracle.wanted(len(found.arrivals), w)
    for (version, _), (members, outcome, mode) in wanted.items():
        rule = oracle.rules[version]
        yield from _of_the_fold(rule, outcome)
        if mode == "shadow":
            yield "a journey in the shadow"
        journey = ordered(rule, (x for x in oracle.touchpoints if x.touchpoint_id in members))
        said = oracle.said(rule, len(found.arrivals))
        alone = fold(rule, journey, w, on_time, said)
        if alone is not None and alone.breaks != outcome.breaks:
            yield "a break that a source holds back"
        if alone != fold(rule, sorted(journey, key=lambda x: x.order), w, on_time, said):
            kind = "customer's" if rule.key == "customer" else "joint" if rule.joins else "keyed"
            yield f"a moment in which chance does not decide, {kind}"
        begun = _begun(rule, journey, w, said)
        yield from (name for name, other in _other_rules(rule) if _begun(other, journey, w, said) != begun)
        course = walk(rule, journey, said)
        if course is not None:
            yield from _of_the_end(rule, course, outcome)
            yield from _of_opt_outs(rule, journey, course, said)
    yield from _of_several(found, oracle, {key: set(members) for key, (members, _, _) in wanted.items()})
    yield from _of_the_sources(found, oracle, w)
    yield from _of_the_people(found, oracle, states)


def _other_rules(rule: Definition) -> Iterator[tuple[str, Definition]]:
    """What a rule of the page is about is there if without this rule something else would be said."""
    yield (
        "what is sent twice and counts once",
        replace(rule, repeated=tuple(replace(r, apart=0) for r in rule.repeated)),
    )
    yield "a score before its step", replace(rule, scores=tuple(replace(r, about=None) for r in rule.scores))
    steady = tuple(replace(r, cleared_by=None) for r in rule.scores)
    yield "a low score that a step cleared", replace(rule, scores=steady)
    loud = {name: replace(one, mode="activate") for name, one in rule.known.items()}
    yield "a monitored score", replace(rule, known=loud)


def _begun(
    rule: Definition, journey: Sequence[Touchpoint], w: int, said: Sequence[Touchpoint]
) -> list[tuple[str, int, int | None]]:
    outcome = fold(rule, journey, w, said=said)
    return [(one.name, one.cause_at, one.cleared_at) for one in outcome.breaks] if outcome else []


def _whose(rule: Definition) -> str:
    return "customer's" if rule.key == "customer" else "keyed"


def _of_the_end(rule: Definition, course: Course, outcome: Outcome) -> Iterator[str]:
    """What touchpoints after the end changed, and who came past a step."""
    alive = {x.touchpoint_id for x in course.alive}
    after_end = {x.occurred_at for x in course.after if x.touchpoint_id not in alive and x is not course.failure}
    during = {x.occurred_at for x in course.alive} | ({course.failure.occurred_at} if course.failure else set())
    clearing = {one.name: one.cleared_by for one in rule.repeated}
    for one in outcome.breaks:
        if one.cleared_at in after_end - during and one.kind in ("repeated", "failure_event"):
            yield f"what ends a {one.kind} after the end of a {_whose(rule)} journey"
        if one.kind == "low_score" and one.cause_at in after_end - during and rule.key == "customer":
            yield "a low score after the end of a customer's journey"
        if one.name in clearing and any(
            x.occurred_at == one.cleared_at and not matches(rule.step(clearing[one.name]).pattern, x)
            for name in rule.beyond(clearing[one.name])
            if (x := course.reached.get(name)) is not None
        ):
            yield "a repetition that a later step ended"


def _of_opt_outs(
    rule: Definition, journey: Sequence[Touchpoint], course: Course, said: Sequence[Touchpoint]
) -> Iterator[str]:
    if not any(step.excused_by for step in rule.steps):
        return
    since = place(rule, course.start)
    begun = [course.start, *course.after]
    own = [x for x in journey if place(rule, x) < since]
    none, with_own, with_said = walk(rule, begun), walk(rule, [*own, *begun]), walk(rule, begun, said)
    assert none is not None
    assert with_own is not None
    assert with_said is not None
    if with_said.excused != none.excused:
        yield f"an opt-out before a {_whose(rule)} journey"
    if with_own.excused != none.excused:
        yield "an opt-out in a journey before its start"
    for x in said:
        age = course.start.occurred_at - x.occurred_at
        if EXCUSES_FOR - 1 <= age <= EXCUSES_FOR:
            yield "an opt-out of a year ago"
        if age > EXCUSES_FOR:
            yield "an opt-out too old"


def _of_several(found: World, oracle: Oracle, members: dict[tuple[int, str], set[str]]) -> Iterator[str]:
    moved = {name for _, name, _ in found.moves}
    for rule in oracle.rules.values():
        mine = [one for (version, _), one in members.items() if version == rule.version]
        for x in oracle.said(rule, len(found.arrivals)):
            if sum(x.touchpoint_id in one for one in mine) > 1:
                yield "an opt-out of two journeys"
        everything = [x for x in oracle.touchpoints if x.touchpoint_id in moved and excuses(rule, x)]
        if excusing(rule, everything):
            yield "an opt-out that went to another customer"
        own = oracle.own(len(found.arrivals)) if rule.key == "customer" else []
        outside = [x for x in own if x.name in rule.failures and not any(x.touchpoint_id in one for one in mine)]
        starts = [x.occurred_at for x in own if matches(rule.start, x)]
        if any(0 <= x.occurred_at - at <= rule.lifetime for x in outside for at in starts):
            yield "a failure after the end of a customer's journey"


def _of_the_fold(rule: Definition, outcome: Outcome) -> Iterator[str]:
    hours = {one.name: one.hours for one in rule.steps} | {one.name: one.hours for one in rule.abandoned}
    hours |= {one.name: one.hours for one in rule.suspicions}
    for one in outcome.breaks:
        yield f"a break {one.kind}"
        if hours.get(one.name) is not None:
            yield f"a break {one.kind} in open hours"
        if one.kind == "experience_balance" and one.cleared_at is not None:
            yield "a balance that recovered"
        if rule.monitored(one.name):
            yield "a break of which nobody is told"
            if one.kind in ("skipped_step", "abandoned"):
                yield f"a{'n' * (one.kind == 'abandoned')} {one.kind} of which nobody is told"
    for step in rule.steps:
        said = outcome.steps[step.name]
        if step.times > 1:
            yield "a step of several times" if said.status == "reached" else "a step not often enough"
        if step.excused_by and said.status == "skipped":
            yield "an excused step"
            if any(one.name == step.name for one in outcome.breaks):
                yield "an excused step that was late"
    if rule.start.weighted:
        yield "a journey that weight began"
    if not rule.steps:
        yield "a journey without steps"


def _of_the_sources(found: World, oracle: Oracle, w: int) -> Iterator[str]:
    over = False
    for entry, source in [(one, name) for name in found.spans for one in oracle.hearing.watched if one.fits(name)]:
        for silence in oracle.hearing.silences(entry, source, w):
            over = over or silence.until is not None
            yield "a silence that lasts" if silence.until is None else "a silence that is over"
            if entry.hours is not None:
                yield "a silence in open hours"
    waited = (one for _, outcome, _ in oracle.wanted(len(found.arrivals), w).values() for one in outcome.breaks)
    if over and any(one.due_at is not None for one in waited):
        yield "a break after its source was silent"


def _of_the_people(found: World, oracle: Oracle, states: set[str]) -> Iterator[str]:
    yield from (f"an alert {state}" for state in states)
    count, w = len(found.arrivals), found.later[-1]
    there = oracle.wanted(count, w)
    if len({version for version, _ in there}) > 1:
        yield "two versions at once"
    always = oracle.wanted(count, w, switched=False)
    if always.keys() - there.keys():
        yield "a journey that is off"
    for index, one in found.switches:
        if any(x.occurred_at >= one.from_at for x in oracle.touchpoints[:index] if x.name == "s"):
            yield "a switch that reaches back"
