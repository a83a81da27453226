"""A definition as a Mermaid flowchart. Pure; text out, without the Markdown fence.

Solid arrows are exactly the `after` of the steps, the thick one leads to success, dotted ones go from breaks to the
steps that their alerts name, and to failure. Node ids are made here, so no name can be a word of Mermaid's; labels
are quoted and everything in them but letters, digits and a few plain signs is written as an entity.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from schemas.definition import Break, Definition, Step, Where, step_order
from schemas.definition_checks import touchpoints_of
from schemas.explain_words import conditions, listed, visible

_UNSAFE = re.compile(r"[^\w .,()+=/-]")
EFFECTS = {"break": "else {severity} alert", "count": "else counted", "nothing": "else nothing"}


def diagram(definition: Definition) -> str:
    return "\n".join(["flowchart TD", *(f"    {line}" for line in _lines(definition)), ""])


def _lines(definition: Definition) -> Iterator[str]:
    start, outcome = definition.start, definition.outcome
    yield f'start(["{_label("start", *_pattern([start.touchpoint], start.where))}"])'
    for name in step_order(definition):
        step = definition.steps[name]
        yield f'{_id(name)}["{_label(name, *_pattern(touchpoints_of(step), step.where))}"]'
    yield 'success(["success"])'
    if outcome.failure:
        yield f'failure(["{_label("failure", listed(outcome.failure, "or"))}"])'
    for name, rule in definition.breaks.items():
        yield f'break_{name}{{{{"{_label(f"{name} ({rule.severity})", *_begins(rule))}"}}}}'
    for name in step_order(definition):
        step = definition.steps[name]
        before = "start" if step.after == "start" else _id(step.after)
        yield f"{before} -->{_said(_edge(step))} {_id(name)}"
    yield f"{_id(outcome.success)} ==> success"
    if outcome.failure:
        yield f"start -.->{_said('at any time')} failure"
    for name, rule in definition.breaks.items():
        verb, step_name = ("about", rule.about) if rule.score is not None else ("cleared by", rule.cleared_by)
        yield f"break_{name} -.->{_said(verb)} {_id(step_name or '')}"


def _id(step: str) -> str:
    return f"step_{step}"


def _edge(step: Step) -> str:
    parts = []
    if step.within is not None:
        parts = [f"within {step.within}", EFFECTS[step.if_missing].format(severity=step.severity)]
    if step.handoff is not None:
        parts.append(f"hand-off {step.handoff.from_channel} to {step.handoff.to_channel}")
    return ", ".join(parts)


def _begins(rule: Break) -> list[str]:
    if rule.score is not None:
        return [f"{rule.score} below {rule.below:g}"]
    counted, *where = _pattern([rule.touchpoint or ""], rule.where)
    return [f"{rule.at_least} x {counted} in {rule.in_window}", *where]


def _pattern(names: list[str], where: Where) -> list[str]:
    return [listed(names, "or"), *(f"{word} = {fact}" for word, fact in conditions(where))]


def _said(text: str) -> str:
    return f'|"{_label(text)}"|' if text else ""


def _label(*lines: str) -> str:
    return "<br/>".join(escape(line) for line in lines)


def escape(text: str) -> str:
    """Mermaid's entities are decimal: `#34;` is a quotation mark."""
    return _UNSAFE.sub(lambda found: f"#{ord(found[0])};", visible(text))
