"""The breaks of a definition in sentences: of each when it begins, what is waited out and why, when it ends, and whom
the alert names. Pure; Markdown out.

Every sentence on a wait names the false alarm that it prevents, and a break without one says so: that is what its
author has to weigh. The exact rules: docs/journeys.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from schemas.definition import APART, Break, Catalogue, Definition, duration_ms, shape_of
from schemas.definition_touchpoints import touchpoints_of
from schemas.explain_words import Deadline, code, late_arrivals, listed, named_touchpoints, pattern, span
from schemas.records import BreakKind

SPARES: Final[dict[BreakKind, str]] = {
    "failure_event": "Waiting spares the alarm for a failure that the next try puts right.",
    "out_of_order": "Waiting spares the alarm when two clocks differ, or a source sends what it has collected.",
    "skipped_step": "Waiting spares the alarm when the step is only noted after the end.",
    "abandoned": "Waiting spares the alarm for a customer who goes on where touchpoints arrive late.",
}
AT_ONCE: Final[dict[BreakKind, str]] = {
    "failure_event": "Nothing is waited out: what the next try puts right has alarmed already.",
    "out_of_order": "Nothing is waited out: two clocks that differ alarm too.",
    "skipped_step": "Nothing is waited out: a step that is noted after the end has alarmed already.",
}


def breaks(definition: Definition, catalogue: Catalogue) -> Iterator[str]:
    """`definition` has no flaws."""
    yield "## Breaks"
    yield ""
    if not definition.breaks:
        yield "None besides missed deadlines."
    for name, rule in definition.breaks.items():
        first, *rest = _told(rule, definition, catalogue)
        yield f"- **{name}**: {first}"
        yield from (f"  {sentence}" for sentence in rest)
        yield f"  The alert has severity {rule.severity} and names {_named(rule)}."
    if any(rule.tolerate or rule.idle for rule in definition.breaks.values()):
        yield ""
        limit = span(duration_ms(definition.lifetime))
        yield f"What would have to be waited out beyond {limit} after the start raises no alert."


def wait_of(rule: Break, definition: Definition, catalogue: Catalogue) -> Deadline | None:
    """From what raises the break to its alert; None for one that is not waited out."""
    waited = rule.tolerate or rule.idle
    if waited is None:
        return None
    names = named_touchpoints(definition) if rule.idle else touchpoints_of(definition.steps[step_of(rule)])
    late = late_arrivals(names, catalogue)
    return Deadline(duration_ms(waited), duration_ms(definition.grace), tuple(late), rule.counting)


def step_of(rule: Break) -> str:
    """The step that the alert names; empty for a break without one."""
    if rule.score is not None:
        return rule.about or ""
    return rule.cleared_by or rule.requires or rule.without or ""


def _told(rule: Break, definition: Definition, catalogue: Catalogue) -> list[str]:
    """Sentences. The first says when the break begins, and goes on after its name."""
    match shape_of(rule).kind:
        case "low_score":
            return _low_score(rule, definition)
        case "forbidden":
            return _ban(rule, definition)
        case "abandoned":
            return _abandonment(rule, definition, catalogue)
        case "repeated":
            return _repetition(rule, definition)
        case "experience_balance":
            return _balance(rule, definition)
        case "identity_conflict":
            return _conflict(rule, definition)
        case kind:
            wait = wait_of(rule, definition, catalogue)
            waits = AT_ONCE[kind] if wait is None else f"{_fires(wait, 'that', 'tolerated')} {SPARES[kind]}"
            return [
                _suspicion(rule, definition, wait),
                waits,
                f"It ends with {_clearing(rule, definition)}{_or_failed(definition)}",
            ]


def _named(rule: Break) -> str:
    return f"the step {code(step_of(rule))}" if step_of(rule) else "no step"


def _clearing(rule: Break, definition: Definition) -> str:
    name = rule.cleared_by or step_of(rule)
    step = definition.steps[name]
    return f"{pattern(touchpoints_of(step), step.where)} (the touchpoint of {code(name)})"


def _or_failed(definition: Definition) -> str:
    return ", or when the journey fails." if definition.outcome.failure else "."


def _suspicion(rule: Break, definition: Definition, wait: Deadline | None) -> str:
    """One that a touchpoint raises and that a step's touchpoint ends."""
    found = pattern([rule.touchpoint or ""], rule.where)
    raised = f"{found}, while the journey is open{_not_the_start(rule, definition)}"
    within = f" within {wait.allowed}" if wait is not None else ""
    if rule.cleared_by is not None:
        return f"{raised}, and {_clearing(rule, definition)} does not follow{within}." if within else f"{raised}."
    if rule.without is not None:
        raised = f"the success, {code(definition.outcome.success or '')}, is reached"
    nor = f", nor follows{within}" if within else ""
    return f"{raised}, and {_clearing(rule, definition)} has not come since the start{nor}."


def _fires(wait: Deadline, after: str, is_waited: str) -> str:
    return f"The alert fires at the earliest {span(wait.fires_after_ms)} after {after}{wait.made_of(is_waited)}."


def _not_the_start(rule: Break, definition: Definition) -> str:
    return ", not counting the start" if rule.touchpoint == definition.start.touchpoint else ""


def _repetition(rule: Break, definition: Definition) -> list[str]:
    window = span(duration_ms(rule.in_window or definition.grace))
    counted = f"{rule.at_least} or more times {pattern([rule.touchpoint or ''], rule.where)} within {window}"
    failed = ", or with a failure." if definition.outcome.failure else "."
    apart = span(duration_ms(rule.apart or APART))
    return [
        f"{counted}{_not_the_start(rule, definition)}.",
        f"One that comes less than {apart} after the last one that counted is the same, sent twice.",
        f"It ends, and counting begins anew, with {_clearing(rule, definition)}{_later(rule, definition)}{failed}",
    ]


def _later(rule: Break, definition: Definition) -> str:
    """Who came past the step has no trouble there."""
    steps = definition.steps
    after = any(step.after == rule.cleared_by for step in steps.values())
    return ", with what reaches a step after it" if after else ""


def _low_score(rule: Break, definition: Definition) -> list[str]:
    kept = " A failure does not end it." if definition.outcome.failure else ""
    score, limit = code(rule.score or ""), f"{rule.below:g}" if rule.below is not None else ""
    since = f"the one that reached {code(rule.about)}," if rule.about is not None else "the start"
    or_step = f", or with {_clearing(rule, definition)}" if rule.cleared_by is not None else ""
    return [
        f"a touchpoint after {since} whose {score} is below {limit}.",
        f"It ends with a {score} of {limit} or more{or_step}.{kept}",
    ]


def _balance(rule: Break, definition: Definition) -> list[str]:
    kept = " A failure does not end it." if definition.outcome.failure else ""
    half = span(duration_ms(rule.half_life or definition.lifetime))
    return [
        f"what its touchpoints are worth, the start included, adds up to less than {rule.balance_below:g}.",
        f"What each is worth says the catalogue. Older ones count less: half as much after {half}.",
        f"It ends when the sum is {rule.until:g} or more.{kept}",
    ]


def _conflict(rule: Break, definition: Definition) -> list[str]:
    where = f"among {listed(map(code, rule.among), 'and')}" if rule.among else "in one journey"
    users = f"more than {rule.persons_above} different {'user acts' if rule.persons_above == 1 else 'users act'}"
    return [
        f"{users} {where}, the start included.",
        "Only a user_id says who acts: a shared device, card or address is no conflict.",
        "The alert is withdrawn when its touchpoints turn out to be somebody else's.",
        f"It does not end{', not with a failure either' if definition.outcome.failure else ''}: somebody must look.",
    ]


def _abandonment(rule: Break, definition: Definition, catalogue: Catalogue) -> list[str]:
    wait = wait_of(rule, definition, catalogue)
    assert wait is not None, "an abandonment is waited out"
    success = code(definition.outcome.success or "")
    return [
        f"nothing happens in the journey for {wait.allowed}, before {success} is reached.",
        "Any touchpoint of the journey counts; what this definition does not look at is not seen.",
        f"{_fires(wait, 'the last touchpoint', 'of silence')} {SPARES['abandoned']}",
        "It ends with the next touchpoint of the journey, whatever it is; then the silence is counted anew.",
    ]


def _ban(rule: Break, definition: Definition) -> list[str]:
    banned = pattern([rule.touchpoint or ""], rule.where)
    match rule.at_most:
        case None:
            begins = f"{banned} and {code(rule.never_with or '')} in one journey after its start, whichever came first."
        case 0:
            begins = f"any {banned} after the start."
        case 1:
            begins = f"more than once {banned} after the start."
        case most:
            begins = f"more than {most} times {banned} after the start."
    return [
        begins,
        "Nothing is waited out, and what happens after the journey's end counts too.",
        "The alert is withdrawn when its touchpoints turn out to be somebody else's.",
        f"It does not end{', not with a failure either' if definition.outcome.failure else ''}: somebody must look.",
    ]
