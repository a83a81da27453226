"""Every contract has examples that its readers judge alike: pydantic, the derived decoder, the JSON Schema."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest
from pydantic import ValidationError

from schemas.decode import Decoded, Invalid, decode_touchpoint
from schemas.decoded import violation_of
from schemas.export import CONTRACTS, export_schemas, file_schemas, schema_of
from schemas.fast import DECODE_ERRORS, encode, fast_decoder, fast_union_decoder
from schemas.records import Acknowledged, Attach, Detach, Resolved, Switched, Tick
from schemas.segment import SegmentItem
from schemas.topics import TOPICS
from schemas.touchpoint import Touchpoint
from tests.contract.examples import Example, examples
from tests.contract.json_schema import fits

VALID, INVALID = examples("valid"), examples("invalid")
BEYOND_JSON_SCHEMA = {
    *("no_such_day", "year_zero", "beyond_64_bits", "too_deep", "infinite", "version_as_decimal"),
}
"""Faults that JSON Schema has no words for: the calendar, what is behind `properties`, 1.0 as an integer."""
FORMATS = {Touchpoint: b"touchline", SegmentItem: b"segment"}


def test_every_contract_has_examples_of_both_kinds() -> None:
    for kind in (VALID, INVALID):
        assert {(one.topic, one.model) for one in kind} == {(t, m) for t, models in CONTRACTS.items() for m in models}


def test_every_topic_with_a_contract_is_exported() -> None:
    names = {topic: {model.__name__ for model in models} for topic, models in CONTRACTS.items()}
    for topic in TOPICS.values():
        if topic.contract[0].isupper():
            assert set(topic.contract.split(" | ")) <= names[topic.name]
        else:
            assert topic.name not in names


@pytest.mark.parametrize("one", VALID, ids=str)
def test_a_valid_example_is_accepted_and_read_alike(one: Example) -> None:
    reference = one.model.model_validate_json(one.content)
    assert encode(fast_decoder(one.model)(one.content)) == encode(reference)
    schema = schema_of(one.topic, one.model)
    assert fits(schema, json.loads(one.content), schema)


@pytest.mark.parametrize("one", INVALID, ids=str)
def test_an_invalid_example_is_refused_for_its_fault(one: Example) -> None:
    with pytest.raises(ValidationError) as refused:
        one.model.model_validate_json(one.content)
    if one.field:
        places = {".".join(part for part in map(str, fault["loc"])) for fault in refused.value.errors()}
        assert any(place == one.field or place.startswith(f"{one.field}.") for place in places), places
    with pytest.raises(DECODE_ERRORS) as also:
        fast_decoder(one.model)(one.content)
    if one.field and isinstance(also.value, msgspec.ValidationError):
        assert one.field.startswith(re.sub(r"\[(\d+)\]", r".\1", violation_of(also.value).field or "missing"))
    if one.fault not in BEYOND_JSON_SCHEMA and one.field:
        schema = schema_of(one.topic, one.model)
        try:
            content = json.loads(one.content, parse_constant=str)
        except ValueError:
            return
        assert not fits(schema, content, schema)


@pytest.mark.parametrize("one", [one for one in VALID if one.model in FORMATS], ids=str)
def test_the_border_accepts_the_valid_ones(one: Example) -> None:
    assert isinstance(decode_touchpoint(one.content, [("format", FORMATS[one.model])]), Decoded)


@pytest.mark.parametrize("one", [one for one in INVALID if one.model in FORMATS], ids=str)
def test_the_border_refuses_the_invalid_ones(one: Example) -> None:
    refused = decode_touchpoint(one.content, [("format", FORMATS[one.model])])
    assert isinstance(refused, Invalid)
    expected = "malformed" if one.fault in ("cut", "not_utf8", "lone_surrogate", "time_not_a_number") else None
    expected = "size_violation" if one.fault == "too_deep" else expected
    expected = "unsupported_format" if one.fault == "other_version" else expected
    if one.fault != "infinite":
        assert refused.failure == (expected or "contract_violation")


def test_the_topic_touchpoints_is_read_by_one_decoder() -> None:
    decode = fast_union_decoder(Resolved, Attach, Detach, Tick, Switched, Acknowledged)
    for one in VALID:
        if one.topic == "touchpoints":
            assert encode(decode(one.content)) == encode(one.model.model_validate_json(one.content))
    with pytest.raises(msgspec.ValidationError):
        decode(b'{"at":["keep_time",0,1,2],"log_time":1}')


def test_schemas_are_written_the_same_every_time(tmp_path: Path) -> None:
    first, second = export_schemas(tmp_path / "a"), export_schemas(tmp_path / "b")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert len(first) == sum(map(len, CONTRACTS.values())) + len(file_schemas())
