"""A definition in sentences, for people who answer for customers and not for software. Pure; Markdown out.

Says of every step what is awaited, for how long, when at the earliest its alert can fire and why then; and how the
journey ends. Breaks: `schemas.explain_breaks`. The exact rules: docs/journeys.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from schemas.definition import Catalogue, Definition, Pattern, Step, duration_ms, shape_of, step_order
from schemas.definition_touchpoints import touchpoints_of
from schemas.explain_breaks import breaks
from schemas.explain_words import (
    Deadline,
    code,
    conditions,
    deadline_of,
    late_arrivals,
    listed,
    named_touchpoints,
    pattern,
    span,
    visible,
)
from schemas.records import BreakKind

STAYING: Final[dict[BreakKind, str]] = {
    "forbidden": "bans",
    "experience_balance": "balances",
    "identity_conflict": "conflicts of persons",
}
MODES = {
    "live": "It is live: when an alert fires, somebody is told.",
    "shadow": "It is in shadow mode: alerts are stored, and nobody is told.",
}


def prose(definition: Definition, catalogue: Catalogue) -> str:
    """Markdown. `definition` has no flaws (`schemas.definition_checks`)."""
    return "\n".join(
        [
            f"# {definition.journey}, version {definition.version}",
            "",
            f"{visible(definition.owner)} answers for this journey. {MODES[definition.mode]}",
            "",
            *_beginning(definition),
            "",
            *_hours(definition),
            *_steps(definition, catalogue),
            "",
            *breaks(definition, catalogue),
            "",
            *_end(definition),
            "",
            *_late(definition, catalogue),
            "",
        ]
    )


def _beginning(definition: Definition) -> Iterator[str]:
    key, start = definition.instance.key, definition.start
    yield "## Start"
    yield ""
    yield f"The journey starts with {beginning(start)}."
    if key == "customer":
        yield "A customer has one such journey at a time: what follows belongs to it until it ends."
        return
    yield f"Each {code(key)} of a customer is a journey of its own, made of the touchpoints that carry it."
    if definition.instance.if_absent == "only_open_one":
        yield f"A touchpoint without {code(key)} joins the customer's open journey, if exactly one is open."
    else:
        yield f"A touchpoint without {code(key)} takes part in none."


def beginning(start: Pattern) -> str:
    if start.touchpoint is not None:
        return pattern([start.touchpoint], start.where)
    told = [f"{code(word)} is {code(fact)}" for word, fact in conditions(start.where)]
    return "the first touchpoint that has weight" + (f" where {listed(told, 'and')}" if told else "")


def _hours(definition: Definition) -> Iterator[str]:
    if not definition.calendars:
        return
    yield "## Opening hours"
    yield ""
    for name, calendar in definition.calendars.items():
        week = listed((f"{days} {hours}" for days, hours in calendar.open.items()), "and")
        holidays = f", closed on the public holidays of {calendar.holidays}" if calendar.holidays else ""
        yield f"- **{name}**: {week}, by the clock of {calendar.zone}{holidays}."
    yield ""
    yield "What is counted in these hours stands still outside them, so a day is 24 open hours. Grace and late arrivals"
    yield "are waited out at any hour."
    yield ""


def _steps(definition: Definition, catalogue: Catalogue) -> Iterator[str]:
    yield "## Steps"
    yield ""
    if not definition.steps:
        yield "None: nothing is awaited."
        return
    for number, name in enumerate(step_order(definition), 1):
        step = definition.steps[name]
        deadline = deadline_of(step, definition, catalogue)
        yield f"{number}. **{name}**: {pattern(touchpoints_of(step), step.where)}, {_when(step, deadline)}."
        if step.handoff is not None:
            hand = step.handoff
            yield f"   The customer is handed off from {code(hand.from_channel)} to {code(hand.to_channel)}."
        if step.times > 1:
            yield f"   It takes {step.times} of them; the last one reaches it."
        if step.excused_by:
            names = listed(map(code, step.excused_by), "or")
            yield f"   After {names} neither it nor a step after it is expected any more.{_excused_too(definition)}"
        yield f"   {_if_missing(step, deadline)}"
    yield ""
    yield "A step is passed over when one after it is reached in its time: then it is skipped and raises no alert."
    limit = span(duration_ms(definition.lifetime))
    yield f"Deadlines later than {limit} after the start do not count."


def _excused_too(definition: Definition) -> str:
    """What is said once counts for more than one journey."""
    instance = definition.instance
    if instance.key == "customer":
        return " That counts for what starts in the 365 days after it, too."
    if instance.if_absent == "only_open_one":
        return (
            f" Said without {code(instance.key)} it counts for all that are open,"
            " and for what starts in the 365 days after it."
        )
    return ""


def _when(step: Step, deadline: Deadline | None) -> str:
    before = "the start" if step.after == "start" else code(step.after)
    return f"at any time after {before}" if deadline is None else f"within {deadline.allowed} of {before}"


def _if_missing(step: Step, deadline: Deadline | None) -> str:
    if deadline is None:
        return "If it is missing: nothing, it has no deadline."
    if step.if_missing == "nothing":
        return "If it is missing: nothing. The views show how many were in time."
    before = "the start" if step.after == "start" else code(step.after)
    moment = f"at the earliest {span(deadline.fires_after_ms)} after {before}{deadline.made_of()}"
    if step.if_missing == "count":
        return f"If it is missing: no alert; it counts as missed, {moment}."
    kind = "feedback not asked" if step.feedback else "a missing step" if step.handoff is None else "a lost hand-off"
    return f"If it is missing: an alert of severity {step.severity} ({kind}), {moment}."


def _end(definition: Definition) -> Iterator[str]:
    outcome, limit = definition.outcome, span(duration_ms(definition.lifetime))
    yield "## End"
    yield ""
    others = " The journey ends when the other steps are reached or skipped too." if len(definition.steps) > 1 else ""
    if outcome.success is not None:
        yield f"- Success: {code(outcome.success)} is reached.{others}"
    if outcome.failure:
        names = listed(map(code, outcome.failure), "or")
        kinds = {shape_of(rule).kind for rule in definition.breaks.values()}
        stay = listed(["low scores", *(STAYING[kind] for kind in STAYING if kind in kinds)], "and")
        yield f"- Failure: {names}, even after the success. It ends the journey, its deadlines and its alerts; only"
        yield f"  those of {stay} stay."
    otherwise = "Otherwise the" if outcome.success or outcome.failure else "The"
    yield f"- {otherwise} journey has expired {limit} after the start, and alerts that still fire are given up."
    yield ""
    if not definition.steps:
        yield "Nothing that happens ends it before."
        return
    yield "An alert of a missing step is resolved when the step, or one after it, is reached after all. It is withdrawn"
    yield "when a touchpoint arrives that had occurred in time, grace included: then nothing was wrong."


def _late(definition: Definition, catalogue: Catalogue) -> Iterator[str]:
    yield "## Late arrivals"
    yield ""
    late = late_arrivals(named_touchpoints(definition), catalogue)
    if not late:
        yield "All of its touchpoints are expected to arrive at once."
    for name, ms in late:
        yield f"- {code(name)} may arrive {span(ms)} after it occurred."
