"""Templates of the routes file: text with fields in braces, `{field}` and nothing else, `{{` and `}}` for braces. Pure.

Slack and Alertmanager have the fields of an incident, a webhook those of its message (`sinks.notify.message`) in a body
that is JSON. Whether it is JSON is tried with sample values when the file is read; what passes is JSON with all values.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from string import Formatter
from typing import Any, Final, Literal, NamedTuple

from schemas.yaml_file import nearest

TEMPLATE_FIELDS: Final = (
    "state", "journey", "break", "what", "kind", "step", "severity", "owner", "run", "count", "peak", "alerts",
    "first_line", "sample", "since", "runbook", "acknowledged_by",
)  # fmt: skip
FieldKind = Literal["text", "number", "truth", "json"]
BODY_FIELDS: Final[Mapping[str, FieldKind]] = {
    **dict.fromkeys(("format_version", "definition_version", "occurrence"), "number"),
    "flapping": "truth",
    "evidence": "json",
    **dict.fromkeys(
        ("action", "state", "first_line", "severity", "owner", "runbook", "incident", "scope", "definition", "kind",
         "break_name", "step", "anchor", "acknowledged_by", "cause_at", "due_at", "cleared_at", "fired_at",
         "changed_at", "alert_id", "dedup_key", "idempotency_key", "continues", "journey_id", "secret"),
        "text",
    ),
}  # fmt: skip
"""Of a webhook. A text stands within quotes; a number and a truth value within or without; JSON without."""
_SAMPLES: Final[tuple[Mapping[FieldKind, str], ...]] = (
    {"text": "sample", "number": "12345", "truth": "true", "json": '[{"name":"sample"}]'},
    {"text": "", "number": "1", "truth": "false", "json": "[]"},
    {"text": "", "number": "0", "truth": "false", "json": "[]"},
)


class BodyFault(NamedTuple):
    """`line`: of the template, counted from 1."""

    line: int
    text: str


def template_fault(template: str, fields: Iterable[str] = TEMPLATE_FIELDS) -> str | None:
    """Why the template cannot be used; None when it can. No attributes, no formats."""
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        return f"not a template: {error}. Write {{{{ and }}}} for braces"
    for _, field, form, conversion in parts:
        if field is None:
            continue
        if form or conversion:
            return f"{{{field}}}: only the bare name of a field may stand in braces. Write {{{{ and }}}} for braces"
        if field not in fields:
            known = nearest(field, fields) or f" There are: {', '.join(fields)}"
            return f"{{{field}}} is no field.{known}"
    return None


def fields_in(template: str) -> set[str]:
    """Of a template without a fault."""
    return {field for _, field, _, _ in Formatter().parse(template) if field is not None}


def fill(
    template: str, fields: Mapping[str, str], escape: Callable[[str], str] = str, *, every_line: bool = False
) -> str:
    """Values are escaped, no more. A line all of whose fields are empty is left out, but for `every_line`."""
    lines = []
    for line in template.strip("\n").split("\n"):
        named = fields_in(line)
        if every_line or not named or any(fields[field] for field in named):
            lines.append(line.format_map({name: escape(fields[name]) for name in named}))
    return "\n".join(lines)


def filled_body(template: str, values: Mapping[str, Any]) -> bytes:
    """A webhook's body: `values` as JSON has them; what is null is an empty text."""
    return fill(
        template, {name: _written(kind, values.get(name)) for name, kind in BODY_FIELDS.items()}, every_line=True
    ).encode()


def _written(kind: FieldKind, value: Any) -> str:
    match kind:
        case "text":
            return json.dumps("" if value is None else str(value), ensure_ascii=False)[1:-1]
        case "number":
            return json.dumps(value or 0)
        case "truth":
            return json.dumps(bool(value))
        case "json":
            return json.dumps(value or [], ensure_ascii=False)


def body_fault(template: str) -> BodyFault | None:
    """Why that is no body of a webhook; None when it is JSON with whatever values."""
    lines = template.strip("\n").split("\n")
    skipped = len(template) - len(template.lstrip("\n"))
    for number, line in enumerate(lines, skipped + 1):
        if fault := template_fault(line, BODY_FIELDS):
            return BodyFault(number, fault)
        if any("\ud800" <= letter <= "\udfff" for letter in line):
            return BodyFault(number, "half a character, which cannot be sent")
    for sample in _SAMPLES:
        text, places = _tried(lines, sample)
        try:
            json.loads(text, parse_constant=_no_constant)
        except json.JSONDecodeError as error:
            return BodyFault(error.lineno + skipped, _no_json(error, places))
        except ValueError as error:
            return BodyFault(skipped + 1, str(error))
        except RecursionError:
            return BodyFault(skipped + 1, "no JSON that a receiver would take: nested too deeply")
    return None


def _tried(lines: Iterable[str], sample: Mapping[FieldKind, str]) -> tuple[str, list[tuple[str, int, int]]]:
    """The body with sample values, and where each field begins and ends in it."""
    text, places = "", []
    for line in lines:
        text += "\n" if text else ""
        for literal, field, _, _ in Formatter().parse(line):
            text += literal
            if field is not None:
                value = sample[BODY_FIELDS[field]]
                places.append((field, len(text), len(text) + len(value)))
                text += value
    return text, places


def _no_json(error: json.JSONDecodeError, places: Iterable[tuple[str, int, int]]) -> str:
    for field, begins, ends in places:
        if not begins <= error.pos <= ends:
            continue
        match BODY_FIELDS[field]:
            case "text":
                return f'with a value for {{{field}}} it is no JSON: a text stands in quotes, "{{{field}}}"'
            case "json":
                return f"with a value for {{{field}}} it is no JSON: {{{field}}} is JSON itself, without quotes"
            case _:
                return f"with a value for {{{field}}} it is no JSON ({error.msg})"
    return f"no JSON: {error.msg}, column {error.colno} of the line when it is filled in"


def _no_constant(name: str) -> Any:
    raise ValueError(f"no JSON: {name} is none of its words")
