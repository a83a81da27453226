"""The tables of docs/identity-rules.md: every field of identity.yaml, from the schema for editors.

A test keeps page and tables equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from schemas.definition_schema import Schema, identity_schema

PARTS: Final = {
    "": "The file",
    "Windows": "`windows`",
    "IdentityLimits": "`limits`",
    "UserRules": "`user_id` of `identifiers`",
    "AnonymousIdRules": "Devices: `anonymous_id`, `device_id`",
    "EmailRules": "Contacts: `email`, `phone`, `loyalty_card`",
    "OrderIdRules": "Business keys: `order_id`, `receipt_id`, `ticket_id`, `claim_id`",
}
"""Of kinds with the same fields one stands for all: what is built in for each is said in the file that is shipped."""
DIFFER: Final = ("priority", "normalise", "personal", "personal_fields")


def reference() -> str:
    """Markdown: a heading and a table for each part of the file."""
    schema = identity_schema()
    parts: Mapping[str, Schema] = {"": schema, **schema["$defs"]}
    lines = [line for name, title in PARTS.items() for line in _part(name, title, parts)]
    return "\n".join((*lines, *_own(parts)))


def _part(name: str, title: str, parts: Mapping[str, Schema]) -> Iterator[str]:
    yield f"### {title}"
    yield ""
    yield "| field | value | built in | meaning |"
    yield "|---|---|---|---|"
    for field, content in parts[name]["properties"].items():
        meaning = content.get("description") or parts[content["$ref"].removeprefix("#/$defs/")]["description"]
        yield f"| `{field}` | {_value(content)} | {_built_in(name, field, content)} | {meaning} |"
    yield ""


def _own(parts: Mapping[str, Schema]) -> Iterator[str]:
    """What a kind of one's own says beside the fields of its group."""
    groups = [parts[name]["properties"]["group"] for name in ("OwnDeviceRules", "OwnContactRules", "OwnKeyRules")]
    values = ", ".join(f"`{group['const']}`" for group in groups)
    yield "### Any other name in `identifiers`: a kind of your own"
    yield ""
    yield "| field | value | built in | meaning |"
    yield "|---|---|---|---|"
    yield f"| `group` | {values} | **required** | {groups[0]['description']} |"
    yield "| the others | those of the kinds of its group | `priority`: **required** | as above |"
    yield ""


def _built_in(part: str, field: str, content: Schema) -> str:
    if "$ref" in content or content.get("default") in (None, []):
        return ""
    if field in DIFFER and part.endswith("Rules"):
        return "each its own"
    default = content["default"]
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _value(content: Schema) -> str:
    if "$ref" in content:
        return "mapping, see below"
    if "const" in content:
        return f"`{content['const']}`"
    if len(content.get("enum", [])) > len(DIFFER):
        return "country"
    if "enum" in content:
        return ", ".join(f"`{word}`" for word in content["enum"])
    if "examples" in content:
        return "duration"
    return _plain(content)


def _plain(content: Mapping[str, Any]) -> str:
    match content["type"]:
        case "array":
            return f"list of texts, up to {content['maxItems']}"
        case "integer":
            return f"whole number, {content['minimum']} to {content['maximum']}"
        case "boolean":
            return "true or false"
        case kind:
            return str(kind)
