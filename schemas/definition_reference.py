"""The tables of docs/definitions.md: every field of a definition and of the catalogue, from the schemas for editors.

A test keeps page and tables equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from schemas.definition import LINKS
from schemas.definition_schema import Schema, catalogue_schema, definition_schema

DEFINITION_PARTS: Final = {
    "Definition": "A definition",
    "Instance": "`instance`",
    "Calendar": "Each of `calendars`",
    "Pattern": "`start`",
    "Step": "Each of `steps`",
    "Handoff": "`handoff` of a step",
    "Outcome": "`outcome`",
    "Break": "Each of `breaks`",
}
CATALOGUE_PARTS: Final = {
    "CatalogueEntry": "Each touchpoint of the catalogue",
    "Impact": "`impact` of a touchpoint",
    "PropertyRule": "Each of its `properties`",
    "Score": "`score` of a touchpoint",
    "Answer": "`answer` of a touchpoint",
}


def reference() -> str:
    """Markdown: a heading, a sentence and a table for each part of the two files."""
    definition, catalogue = definition_schema(), catalogue_schema()
    parts: dict[str, Schema] = {"Definition": definition, **definition["$defs"], **catalogue["$defs"]}
    titles = DEFINITION_PARTS | CATALOGUE_PARTS
    return "\n".join(line for name, title in titles.items() for line in _part(title, parts[name]))


def _part(title: str, schema: Schema) -> Iterator[str]:
    yield f"### {title}"
    yield ""
    yield " ".join(schema["description"].split())
    yield ""
    yield "| field | value | without it | meaning |"
    yield "|---|---|---|---|"
    for name, field in schema["properties"].items():
        absent = "**required**" if name in schema.get("required", ()) else _default(field)
        yield f"| `{name}` | {_value(field)} | {absent} | {_meaning(field)} |"
    yield ""


def _default(field: Schema) -> str:
    found = field.get("default")
    if found is None or found == {} or found == []:
        return ""
    return f"`{str(found).lower() if isinstance(found, bool) else found}`"


def _value(field: Schema) -> str:
    if "enum" in field:
        return ", ".join(f"`{word}`" for word in field["enum"])
    if "$ref" in field:
        return "mapping, see below"
    if "examples" in field:
        return "duration"
    match field["type"]:
        case "string":
            if field.get("pattern") == LINKS:
                return "link"
            return "name" if "pattern" in field else f"text{_limits(field, 'Length', ' characters')}"
        case "array":
            return f"list of names{_limits(field, 'Items', '')}"
        case "object":
            if "anyOf" in field["additionalProperties"]:
                return "by name: a text, a number, true or false"
            return f"mapping by name{_limits(field, 'Properties', '')}"
        case "integer":
            return f"whole number, {field['minimum']} to {field['maximum']}"
        case "boolean":
            return "true or false"
        case kind:
            return str(kind)


def _limits(field: Schema, what: str, unit: str) -> str:
    least, most = field.get(f"min{what}"), field.get(f"max{what}")
    if most is None:
        return ""
    return f", {least} to {most}{unit}" if least is not None else f", up to {most}{unit}"


def _meaning(field: Schema) -> str:
    return str(field.get("description") or _of_part(field)).replace("|", "\\|")


def _of_part(field: Schema) -> Any:
    parts: dict[str, Any] = {**definition_schema()["$defs"], **catalogue_schema()["$defs"]}
    return parts[field["$ref"].removeprefix("#/$defs/")]["description"]
