"""The part of JSON Schema that our exported schemas use.

An unknown keyword is an error, so no rule is skipped in silence. A rule for texts does not touch numbers, and so on.
"""

from __future__ import annotations

import re
from typing import Any

SAID = {"$schema", "$comment", "$defs", "title", "description", "default", "format", "examples"}
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}


APPLIES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("minimum", "maximum"), (int, float)),
    **dict.fromkeys(("minLength", "maxLength", "pattern"), (str,)),
    **dict.fromkeys(("required", "properties", "additionalProperties"), (dict,)),
    **dict.fromkeys(("propertyNames", "minProperties", "maxProperties", "dependentRequired"), (dict,)),
    **dict.fromkeys(("prefixItems", "items", "minItems", "maxItems", "uniqueItems"), (list,)),
}


def fits(schema: dict[str, Any] | bool, value: Any, root: dict[str, Any]) -> bool:
    if isinstance(schema, bool):
        return schema
    return all(
        _rule(keyword, rule, schema, value, root)
        for keyword, rule in schema.items()
        if keyword not in SAID and isinstance(value, APPLIES.get(keyword, object))
    )


def _rule(keyword: str, rule: Any, schema: dict[str, Any], value: Any, root: dict[str, Any]) -> bool:
    match keyword:
        case "$ref":
            return fits(root["$defs"][rule.removeprefix("#/$defs/")], value, root)
        case "type":
            return isinstance(value, TYPES[rule]) and (rule == "boolean" or not isinstance(value, bool))
        case "anyOf":
            return any(fits(option, value, root) for option in rule)
        case "oneOf":
            return sum(fits(option, value, root) for option in rule) == 1
        case "not":
            return not fits(rule, value, root)
        case "const":
            return bool(value == rule)
        case "enum":
            return value in rule
        case "minimum":
            return bool(value >= rule)
        case "maximum":
            return bool(value <= rule)
        case "minLength":
            return bool(len(value) >= rule)
        case "maxLength":
            return bool(len(value) <= rule)
        case "pattern":
            return re.search(rule, value) is not None
        case _:
            return _container_rule(keyword, rule, schema, value, root)


def _container_rule(keyword: str, rule: Any, schema: dict[str, Any], value: Any, root: dict[str, Any]) -> bool:
    match keyword:
        case "required":
            return all(name in value for name in rule)
        case "properties":
            return all(fits(part, value[name], root) for name, part in rule.items() if name in value)
        case "additionalProperties":
            extra = [content for name, content in value.items() if name not in schema.get("properties", {})]
            return all(fits(rule, each, root) for each in extra)
        case "propertyNames":
            return all(fits(rule, name, root) for name in value)
        case "minProperties":
            return bool(len(value) >= rule)
        case "maxProperties":
            return bool(len(value) <= rule)
        case "dependentRequired":
            return all(name not in value or value.keys() >= set(needed) for name, needed in rule.items())
        case "uniqueItems":
            return not rule or all(each not in value[:index] for index, each in enumerate(value))
        case "prefixItems":
            return all(fits(part, each, root) for part, each in zip(rule, value))
        case "items":
            return all(fits(rule, each, root) for each in value[len(schema.get("prefixItems", [])) :])
        case "minItems":
            return bool(len(value) >= rule)
        case "maxItems":
            return bool(len(value) <= rule)
        case _:
            raise AssertionError(f"the checker does not know {keyword!r}")
