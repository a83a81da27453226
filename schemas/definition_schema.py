"""JSON Schemas of the files that people write, so that their editors complete, explain and check them.

Made from the same models that read the files. Three things differ from what pydantic writes: an absent field is left
out and never null; a name that is no name is refused and not skipped; and what the checks demand of fields together
(`schemas.definition_checks`) is said here too, as far as JSON Schema has words for it.
"""

from __future__ import annotations

from typing import Any, Final

from phonenumbers import SUPPORTED_REGIONS

from schemas.break_shapes import SHAPES, Shape
from schemas.definition import Break, Catalogue, Definition
from schemas.definition_checks import EVERYWHERE
from schemas.identifiers import BUILT_IN_KINDS, IdentifierKinds
from schemas.identity_rules import IdentityRules
from schemas.own_kinds import NAME, NAME_MAX, TAKEN
from schemas.sources import SourceRules
from schemas.touchpoint import Contract

Schema = dict[str, Any]
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
DURATIONS: Final = ["10m", "8h"]
NO_START: Final = ("cleared_by", "about", "requires", "without")
CHANNEL: Final = {"type": "string", "description": "Channel of the touchpoint."}
WANT_DEADLINE: Final = ("severity", "handoff", "counting", "feedback", "runbook")


def definition_schema(catalogue: Catalogue | None = None, kinds: IdentifierKinds = BUILT_IN_KINDS) -> Schema:
    """Of a file of journeys/. With a catalogue only its touchpoints are names of touchpoints, and editors complete
    them. `kinds`: those of the deployment, for the business keys among them.
    """
    schema = _tidy(Definition)
    parts = schema["$defs"]
    _name(parts["Instance"]["properties"], "key", (*kinds.keys, "customer"))
    parts["Pattern"]["oneOf"] = [{"required": ["touchpoint"]}, {"required": ["weighted"]}]
    parts["Step"]["oneOf"] = [{"required": ["touchpoint"]}, {"required": ["any_of"]}]
    parts["Step"]["not"] = {"required": ["feedback", "handoff"]}
    parts["Step"]["dependentRequired"] = {field: ["within"] for field in WANT_DEADLINE}
    parts["Step"]["anyOf"] = [{"required": ["within"]}, {"properties": {"if_missing": {"const": "nothing"}}}]
    parts["Break"]["oneOf"] = [_shape(shape, *one) for shape in SHAPES for one in _each(shape)]
    parts["Instance"]["not"] = {"properties": {"key": {"const": "customer"}}, "required": ["if_absent"]}
    schema["properties"]["steps"]["propertyNames"]["not"] = {"const": "start"}
    for part in (parts["Outcome"]["properties"]["success"], *(parts["Break"]["properties"][w] for w in NO_START)):
        part["not"] = {"const": "start"}
    for name in ("Pattern", "Step", "Break"):
        parts[name]["properties"]["where"]["properties"] = {"channel": CHANNEL}
    step = parts["Step"]["properties"]
    several = (
        *(step["any_of"], step["excused_by"], parts["Outcome"]["properties"]["failure"]),
        parts["Break"]["properties"]["among"],
    )
    for field in several:
        field["uniqueItems"] = True
    if catalogue is not None:
        single = [parts[name]["properties"]["touchpoint"] for name in ("Pattern", "Step", "Break")]
        single.append(parts["Break"]["properties"]["never_with"])
        for field in (*single, *(field["items"] for field in several)):
            field["enum"] = list(catalogue.touchpoints)
    return _headed(schema, "A journey definition of Touchline", "journeys/*.yaml")


def _each(shape: Shape) -> list[tuple[str, ...]]:
    """Of the fields of which a shape needs one, each alone."""
    return [(field,) for field in shape.needs_one] or [()]


def _shape(shape: Shape, *one: str) -> Schema:
    """`one`: of the fields of which one is needed, this."""
    allowed = {*shape.needs, *shape.may, *one, *EVERYWHERE}
    others = [field for field in Break.model_fields if field not in allowed]
    counted = {"dependentRequired": {"counting": ["tolerate"]}} if "tolerate" in shape.may else {}
    return {"required": [*shape.needs, *one], "properties": dict.fromkeys(others, False)} | counted


def catalogue_schema(kinds: IdentifierKinds = BUILT_IN_KINDS) -> Schema:
    """Of touchpoints.yaml: the touchpoints stand at the top of the file, without a key above them."""
    schema = _tidy(Catalogue)
    _name(schema["$defs"]["CatalogueEntry"]["properties"], "attributed_by", kinds.keys)
    whole = {**schema["properties"]["touchpoints"], "$defs": schema["$defs"], "description": schema["description"]}
    return _headed(whole, "The touchpoint catalogue of Touchline", "touchpoints.yaml")


def identity_schema() -> Schema:
    """Of identity.yaml."""
    schema = _tidy(IdentityRules)
    schema["properties"]["phone_region"] |= {"enum": sorted(SUPPORTED_REGIONS)}
    kinds = schema["$defs"]["Kinds"]
    kinds["additionalProperties"].pop("discriminator")  # OpenAPI's; `group` tells them apart anyway.
    kinds["propertyNames"] = {"pattern": NAME, "maxLength": NAME_MAX, "not": {"enum": sorted(TAKEN)}}
    return _headed(schema, "The identity rules of Touchline", "identity.yaml")


def sources_schema(catalogue: Catalogue | None = None) -> Schema:
    """Of sources.yaml: the forms stand at the top of the file, without a key above them."""
    schema = _tidy(SourceRules)
    whole = {**schema["properties"]["sources"], "$defs": schema["$defs"], "description": schema["description"]}
    whole.pop("default", None)
    brings = schema["$defs"]["WatchedSource"]["properties"]["brings"]
    brings["uniqueItems"] = True
    if catalogue is not None:
        brings["items"]["enum"] = [
            name for name, entry in catalogue.touchpoints.items() if entry.impact.mode != "ignore"
        ]
    return _headed(whole, "The watched sources of Touchline", "sources.yaml")


def _name(fields: Schema, field: str, words: tuple[str, ...]) -> None:
    """Only these. What a deployment may say there depends on its identity rules, so the models allow any word."""
    fields[field] = {"description": fields[field]["description"], "enum": list(words), "type": "string"}


def _headed(schema: Schema, title: str, files: str) -> Schema:
    return schema | {"$schema": DIALECT, "$comment": f"for {files}", "title": title}


def _tidy(model: type[Contract]) -> Schema:
    schema: Schema = _tidied(model.model_json_schema(by_alias=True, mode="validation"))
    return schema


def _tidied(node: Any) -> Any:
    if isinstance(node, list):
        return [_tidied(each) for each in node]
    if not isinstance(node, dict):
        return node
    node = {key: _tidied(value) for key, value in node.items()}
    options = [option for option in node.get("anyOf", []) if option != {"type": "null"}]
    if len(options) == 1 and len(options) < len(node["anyOf"]):
        del node["anyOf"]
        node = options[0] | node
    if node.get("default", 0) is None:
        del node["default"]
    if isinstance(node.get("title"), str) and "type" in node | {"$ref": 0}:
        del node["title"]
    if str(node.get("pattern", "")).endswith("(s|m|h|d)$"):
        node["examples"] = DURATIONS
    if "patternProperties" in node:
        ((pattern, content),) = node.pop("patternProperties").items()
        node |= {"additionalProperties": content, "propertyNames": {"pattern": pattern} | node.get("propertyNames", {})}
    return node
