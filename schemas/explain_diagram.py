"""A definition as a Mermaid flowchart. Pure; text out, without the Markdown fence.

Solid arrows are exactly the `after` of the steps, the thick one leads to success, dotted ones go from breaks to the
steps that their alerts name, and from the start to failure and to the breaks whose alerts name none. Node ids are made
here, so no name can be a word of Mermaid's; labels are quoted and everything in them but letters, digits and a few
plain signs is written as an entity.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from schemas.definition import Break, Definition, Step, Where, shape_of, step_order
from schemas.definition_touchpoints import touchpoints_of
from schemas.explain_breaks import step_of
from schemas.explain_words import conditions, listed, visible
from schemas.records import BreakKind

_UNSAFE = re.compile(r"[^\w .,()+=/-]")
VERBS: Final[dict[BreakKind, str]] = {
    "low_score": "about",
    "repeated": "cleared by",
    "failure_event": "cleared by",
    "out_of_order": "came before",
    "skipped_step": "came without",
    "abandoned": "before success",
    "forbidden": "even after the end",
    "experience_balance": "weighs",
    "identity_conflict": "even after the end",
}
EFFECTS = {"break": "else {severity} alert", "count": "else counted", "nothing": "else nothing"}


def diagram(definition: Definition) -> str:
    return "\n".join(["flowchart TD", *(f"    {line}" for line in _lines(definition)), ""])


def _lines(definition: Definition) -> Iterator[str]:
    start, outcome = definition.start, definition.outcome
    begins = [start.touchpoint or "whatever has weight"]
    yield f'start(["{_label("start", *_pattern(begins, start.where))}"])'
    for name in step_order(definition):
        step = definition.steps[name]
        yield f'{_id(name)}["{_label(name, *_pattern(touchpoints_of(step), step.where))}"]'
    if outcome.success is not None:
        yield 'success(["success"])'
    if outcome.failure:
        yield f'failure(["{_label("failure", listed(outcome.failure, "or"))}"])'
    for name, rule in definition.breaks.items():
        yield f'break_{name}{{{{"{_label(f"{name} ({rule.severity})", *_begins(rule, definition))}"}}}}'
    for name in step_order(definition):
        step = definition.steps[name]
        before = "start" if step.after == "start" else _id(step.after)
        yield f"{before} -->{_said(_edge(step))} {_id(name)}"
    if outcome.success is not None:
        yield f"{_id(outcome.success)} ==> success"
    if outcome.failure:
        yield f"start -.->{_said('at any time')} failure"
    for name, rule in definition.breaks.items():
        verb, named = VERBS[shape_of(rule).kind], step_of(rule)
        ends = (f"break_{name}", _id(named)) if named else ("start", f"break_{name}")
        yield f"{ends[0]} -.->{_said(verb)} {ends[1]}"


def _id(step: str) -> str:
    return f"step_{step}"


def _edge(step: Step) -> str:
    parts = []
    if step.within is not None:
        parts = [f"within {step.within}{_by(step)}", EFFECTS[step.if_missing].format(severity=step.severity)]
    if step.handoff is not None:
        parts.append(f"hand-off {step.handoff.from_channel} to {step.handoff.to_channel}")
    if step.times > 1:
        parts.append(f"{step.times} times")
    if step.excused_by:
        parts.append(f"unless {listed(step.excused_by, 'or')}")
    return ", ".join(parts)


def _by(counted: Step | Break) -> str:
    return f" by {counted.counting}" if counted.counting is not None else ""


def _begins(rule: Break, definition: Definition) -> list[str]:
    """Lines; the first holds the threshold or the touchpoint."""
    named, *where = _pattern([rule.touchpoint or ""], rule.where)
    waits = [f"tolerated for {rule.tolerate}{_by(rule)}"] if rule.tolerate is not None else []
    match shape_of(rule).kind:
        case "low_score":
            return [f"{rule.score} below {rule.below:g}"]
        case "repeated":
            return [f"{rule.at_least} x {named} in {rule.in_window}", *where]
        case "abandoned":
            return [f"nothing for {rule.idle}{_by(rule)}"]
        case "skipped_step":
            return [definition.outcome.success or "", *waits]
        case "experience_balance":
            return [f"balance below {rule.balance_below:g}", f"half-life {rule.half_life}"]
        case "identity_conflict":
            among = [listed(rule.among, "or")] if rule.among else []
            return [f"more than {rule.persons_above} {'user' if rule.persons_above == 1 else 'users'}", *among]
        case "forbidden" if rule.never_with is not None:
            return [named, *where, f"together with {rule.never_with}"]
        case "forbidden":
            return [f"more than {rule.at_most} x {named}" if rule.at_most else f"any {named}", *where]
        case _:
            return [named, *where, *waits]


def _pattern(names: list[str], where: Where) -> list[str]:
    return [listed(names, "or"), *(f"{word} = {fact}" for word, fact in conditions(where))]


def _said(text: str) -> str:
    return f'|"{_label(text)}"|' if text else ""


def _label(*lines: str) -> str:
    return "<br/>".join(escape(line) for line in lines)


def escape(text: str) -> str:
    """Mermaid's entities are decimal: `#34;` is a quotation mark."""
    return _UNSAFE.sub(lambda found: f"#{ord(found[0])};", visible(text))
