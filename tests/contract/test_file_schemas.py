"""The schemas for editors judge files as the loader does, as far as JSON Schema has words for it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from schemas.definition import Break, Catalogue, Definition
from schemas.definition_checks import flaws_of
from schemas.definition_files import DefinitionError, load_catalogue
from schemas.definition_schema import catalogue_schema, definition_schema, identity_schema, sources_schema
from schemas.export import export_schemas
from schemas.identity_rules import IdentityRules
from schemas.yaml_file import plain, read_mapping
from tests.contract.json_schema import fits
from tests.tries import tries
from tests.unit.definition_cases import BROKEN, CLEARS_WHAT_IT_COUNTS, GOOD, MISSHAPED, SHAPED, with_break
from tests.unit.explain_cases import cases

CATALOGUE_FILE = Path("touchpoints.yaml")
CATALOGUE = load_catalogue(CATALOGUE_FILE)
OPEN, STRICT, LISTED = definition_schema(), definition_schema(CATALOGUE), catalogue_schema()
IDENTITY_FILE, RULES = Path("identity.yaml"), identity_schema()
SOURCES_FILE, SOURCES = Path("sources.yaml"), sources_schema(CATALOGUE)
LAW = settings(max_examples=tries(60), deadline=None, derandomize=True, database=None)
BEYOND_JSON_SCHEMA = {
    *("after: redy", "after: done", "after: answered"),
    *(
        "cleared_by: payd",
        "    cleared_by: payed",
        "success: collectd",
        "success: picked_up",
        "cleared_by: invoice_accepted",
        "ready:",
    ),
    *("touchpoint: order_refunded", "order_cancelled, invoice", "touchpoint: payment_captured"),
    *("{from: store, to: store}", "{from: web, to: app}", "within: 15d\n    handoff"),
    *("within: 14d\n    handoff", "{channel: stor}", "{from: wep, to: store}", "{from: fax, to: store}"),
    *("score: cssat", "score: mood"),
    *("within: 8h\n    excused_by: [ready_for_pickup]", "within: 8h\n    excused_by: [order_cancelled]"),
    *("if_missing: count\n    feedback: true", "start: {weighted: true,", "{failure"),
    *("{fulfillment: pickup}", "{gift: true}", "{stor_id: '7'}", ", order_placed]"),
    *("{store_id: 0815}", "score: store_id", "below: .nan", CLEARS_WHAT_IT_COUNTS),
}
"""Names of steps, and what two parts of a file, or file and catalogue, mean together. And JSON knows no NaN."""


@pytest.mark.parametrize("file", sorted(Path("journeys").glob("*.yaml")), ids=str)
def test_what_is_shipped_fits(file: Path) -> None:
    document = plain(read_mapping(file))
    assert fits(OPEN, document, OPEN)
    assert fits(STRICT, document, STRICT)


def test_the_shipped_catalogue_fits() -> None:
    assert fits(LISTED, plain(read_mapping(CATALOGUE_FILE)), LISTED)


def test_the_shipped_sources_fit() -> None:
    document = plain(read_mapping(SOURCES_FILE))
    assert fits(SOURCES, document, SOURCES)
    (form, entry), *_ = document.items()
    assert not fits(SOURCES, {"till {store_id}": entry}, SOURCES)
    assert not fits(SOURCES, {form: entry | {"brings": ["picked_app"]}}, SOURCES)
    assert not fits(SOURCES, {form: entry | {"silent_after": "45"}}, SOURCES)


def test_the_shipped_identity_rules_fit() -> None:
    assert fits(RULES, plain(read_mapping(IDENTITY_FILE)), RULES)
    assert fits(RULES, {"phone_region": "DE"}, RULES)
    assert not fits(RULES, {"phone_region": "de"}, RULES)


@pytest.mark.parametrize(("old", "new"), [(old, new) for old, new, _, _ in BROKEN])
def test_a_broken_definition_is_refused(tmp_path: Path, old: str, new: str) -> None:
    file = tmp_path / "spoilt.yaml"
    file.write_text(GOOD.read_text().replace(old, new, 1))
    try:
        document = plain(read_mapping(file))
    except DefinitionError:
        return  # No YAML that an editor would check against a schema.
    assert fits(STRICT, document, STRICT) == (new in BEYOND_JSON_SCHEMA)


@pytest.mark.parametrize(("rule", "beyond"), [(rule, beyond) for rule, _, _, beyond in MISSHAPED])
def test_a_break_out_of_shape_is_refused(tmp_path: Path, rule: str, beyond: bool) -> None:
    file = tmp_path / "spoilt.yaml"
    file.write_text(with_break(rule))
    assert fits(STRICT, plain(read_mapping(file)), STRICT) == beyond


@pytest.mark.parametrize("rule", [rule for _, rule in SHAPED])
def test_a_break_of_each_shape_fits(tmp_path: Path, rule: str) -> None:
    file = tmp_path / "fine.yaml"
    file.write_text(with_break(rule))
    document = plain(read_mapping(file))
    assert fits(OPEN, document, OPEN)
    assert fits(STRICT, document, STRICT)


SHOP = {"zone": "Europe/Berlin", "open": {"mon-fri": "09:00-20:00"}}
CHOICES = 2 * 2 + 3 + 2 * 3 + 2 * 3 + 3 + 2 * 2 + 2 + 1 + 2
"""Low score with and without `about` and `cleared_by`; repetition, with `where`, with `apart`; failure and wrong
order, each also with and without `tolerate`, and
that with and without `counting`; skipped step; both bans; abandonment; balance; persons with and without `among`.
"""
FIELDS: dict[str, Any] = {
    "touchpoint": "page_viewed",
    "where": {"channel": "web"},
    "at_least": 2,
    "in_window": "1h",
    "apart": "1m",
    "cleared_by": "ready",
    "requires": "ready",
    "without": "ready",
    "tolerate": "1h",
    "counting": "shop",
    "at_most": 1,
    "never_with": "search_performed",
    "idle": "1h",
    "score": "csat",
    "below": 3,
    "about": "ready",
    "balance_below": -3,
    "until": 0,
    "half_life": "7d",
    "persons_above": 1,
    "among": ["page_viewed"],
}


def test_every_choice_of_fields_is_judged_alike_by_schema_and_checks() -> None:
    """All that can be put together of up to five fields of a break, as many as every shape but one has (repetition with
    both of what it may have); so a field out of place is refused in every shape.
    """
    assert set(FIELDS) == set(Break.model_fields) - {"severity", "runbook"}
    base = Definition.model_validate(plain(read_mapping(GOOD)) | {"breaks": {}})
    shop = Definition.model_validate(base.model_dump(by_alias=True, exclude_unset=True) | {"calendars": {"shop": SHOP}})
    part, right = OPEN["$defs"]["Break"], 0
    for size in range(6):
        for chosen in combinations(FIELDS, size):
            rule = {field: FIELDS[field] for field in chosen}
            definition = shop.model_copy(update={"breaks": {"trouble": Break.model_validate(rule)}})
            flaws = [text for path, text in flaws_of(definition, CATALOGUE) if path[0] != "calendars"]
            assert fits(part, rule, OPEN) == (not flaws), (chosen, flaws)
            right += not flaws
    assert right == CHOICES


@LAW
@given(cases())
def test_what_has_no_flaw_fits(case: tuple[Definition, Catalogue]) -> None:
    definition, catalogue = case
    document = json.loads(definition.model_dump_json(by_alias=True, exclude_unset=True))
    strict = definition_schema(catalogue)
    assert fits(OPEN, document, OPEN)
    assert fits(strict, document, strict)
    listed = json.loads(catalogue.model_dump_json(exclude_unset=True))["touchpoints"]
    assert fits(LISTED, listed, LISTED)


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from places(value, (*path, key))


VALUES = st.one_of(
    st.sampled_from([None, True, 0, 1, 3, 2.5, 10**6, "", "start", "paid", "10m", "0m", "Paid", "x" * 61, "x" * 101]),
    st.sampled_from([[], ["a"], ["a", "b"], ["a", "B"], {}, {"a": 1}, {"A": 1}, {"a": None}, {"touchpoint": "a"}]),
)


def spoil(document: Any, path: tuple[Any, ...], change: str, value: Any) -> None:
    for part in path[:-1]:
        document = document[part]
    match change:
        case "replace":
            document[path[-1]] = value
        case "remove":
            del document[path[-1]]
        case _ if isinstance(document, dict):
            document[change] = value


def accepted(model: type[BaseModel], document: Any) -> bool:
    try:
        model.model_validate(document)
    except ValidationError:
        return False
    return not any(_empty(document, path) for path in places(document))


def _empty(document: Any, path: tuple[Any, ...]) -> bool:
    for part in path:
        document = document[part]
    return document is None


@pytest.mark.parametrize(
    ("file", "model", "schema"),
    [(GOOD, Definition, OPEN), (CATALOGUE_FILE, Catalogue, LISTED), (IDENTITY_FILE, IdentityRules, RULES)],
    ids=["journey", "catalogue", "identity"],
)
def test_schema_and_models_refuse_the_same_shapes(file: Path, model: type[BaseModel], schema: dict[str, Any]) -> None:
    """Where only the schema refuses, it says what `schemas.definition_checks` would say of the same file."""
    whole = plain(read_mapping(file))
    if model is Catalogue:
        whole = {name: whole[name] for name in ("picked_up", "signed_out")}
    everywhere = [path for path in places(whole) if path]
    extra = st.sampled_from(["replace", "replace", "remove", "within", "handoff", "owner", "unheard_of", "Big"])

    @settings(LAW, max_examples=tries(250))
    @given(st.sampled_from(everywhere), extra, VALUES)
    def law(path: tuple[Any, ...], change: str, value: Any) -> None:
        document = copy.deepcopy(whole)
        spoil(document, path, change, value)
        assume(document != whole)
        by_model = accepted(model, {"touchpoints": document} if model is Catalogue else document)
        by_schema = fits(schema, document, schema)
        assert by_model or not by_schema, "the editor is content, the loader is not"
        if by_model and not by_schema and model is Catalogue:
            assert path[-1] == "attributed_by", "a word that is no business key of the deployment"
        elif by_model and not by_schema:
            assert model is Definition
            assert path[0] in ("steps", "breaks", "start", "outcome", "instance")

    law()


def test_null_is_no_value() -> None:
    """pydantic's absent fields are null; in a file a field without a value is a slip."""
    assert "null" not in json.dumps([OPEN, STRICT, LISTED, RULES])


def test_every_field_is_described() -> None:
    for schema in (OPEN, LISTED, RULES, SOURCES):
        parts = [schema, *schema["$defs"].values()]
        fields = [(name, field) for part in parts for name, field in part.get("properties", {}).items()]
        assert len(fields) >= 10
        for name, field in fields:
            part = schema["$defs"].get(field.get("$ref", "").removeprefix("#/$defs/"), {})
            assert len(field.get("description", part.get("description", ""))) > 8, name
        assert all(len(part.get("description", "")) > 8 for part in parts)


def test_editors_know_the_touchpoints_of_the_catalogue(tmp_path: Path) -> None:
    plain_files = export_schemas(tmp_path / "plain")
    files = export_schemas(tmp_path / "known", CATALOGUE)
    changed = [new.name for old, new in zip(plain_files, files, strict=True) if old.read_bytes() != new.read_bytes()]
    assert changed == ["definition.schema.json", "sources.schema.json"]
    parts = json.loads((tmp_path / "known/files/definition.schema.json").read_text())["$defs"]
    names = list(CATALOGUE.touchpoints)
    for part in ("Pattern", "Step", "Break"):
        assert parts[part]["properties"]["touchpoint"]["enum"] == names
    assert parts["Break"]["properties"]["never_with"]["enum"] == names
