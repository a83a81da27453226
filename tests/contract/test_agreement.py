"""The law: pydantic and the derived decoder accept and refuse the same bytes, with equal results."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.decode import TOUCHPOINT_BYTES_MAX, Decoded, Invalid, decode_touchpoint
from schemas.fast import DECODE_ERRORS, encode, fast_decoder
from schemas.segment import SegmentItem
from schemas.touchpoint import Contract, Touchpoint
from tests.contract.documents import VALUES, spoilt, written
from tests.contract.examples import MODELS, examples
from tests.tries import tries

EXAMPLES_EACH = 60
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["format", "source", "channel", "sent_at", "received_at", "control", "x"]),
        st.one_of(st.none(), st.binary(max_size=20), st.sampled_from([b"segment", b"touchline", b"1795342530123"])),
    ),
    max_size=5,
)


def by_pydantic(model: type[Contract], content: bytes) -> Contract | None:
    try:
        return model.model_validate_json(content)
    except ValidationError:
        return None


def by_derived(model: type[Contract], content: bytes) -> Any:
    try:
        return fast_decoder(model)(content)
    except DECODE_ERRORS:
        return None


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_both_decoders_agree(model: type[Contract]) -> None:
    @settings(max_examples=tries(EXAMPLES_EACH), deadline=None, derandomize=True, database=None)
    @given(spoilt(model))
    def agree(content: bytes) -> None:
        expected, found = by_pydantic(model, content), by_derived(model, content)
        assert (expected is None) == (found is None)
        if expected is not None:
            assert encode(found) == encode(expected)

    agree()


@settings(max_examples=tries(150), deadline=None, derandomize=True, database=None)
@given(st.data(), st.sampled_from(sorted(Touchpoint.model_fields)), VALUES, st.booleans())
def test_a_key_that_occurs_twice_must_be_right_twice_and_the_last_one_counts(
    data: st.DataObject, key: str, other: Any, first: bool
) -> None:
    document = json.loads(
        data.draw(st.sampled_from([one.content for one in examples("valid") if one.model is Touchpoint]))
    )
    own = document.pop(key, None)
    pair = [own, other] if first else [other, own]
    rest = written(document)[:-1]

    def with_fields(*values: Any) -> bytes:
        return (rest + "".join(f', "{key}": {written(value)}' for value in values) + "}").encode()

    alone = [by_pydantic(Touchpoint, with_fields(value)) for value in pair]
    found = by_derived(Touchpoint, with_fields(*pair))
    if key in ("occurred_at", "sent_at", "properties", "context"):  # The checks in Python see the last one only.
        assert found is None or alone[1] is not None
    else:
        assert (found is not None) == (None not in alone)
    if found is not None and alone[1] is not None:
        assert encode(found) == encode(alone[1])


@pytest.mark.parametrize(("model", "form"), [(Touchpoint, b"touchline"), (SegmentItem, b"segment")])
def test_the_border_takes_what_the_contract_takes(model: type[Contract], form: bytes) -> None:
    headers = [("format", form), ("received_at", b"1795342530123")]

    @settings(max_examples=tries(150), deadline=None, derandomize=True, database=None)
    @given(spoilt(model))
    def agree(content: bytes) -> None:
        expected, found = by_pydantic(model, content), decode_touchpoint(content, headers)
        if isinstance(found, Decoded):
            assert expected is not None
            assert len(content) <= TOUCHPOINT_BYTES_MAX
        elif (
            expected is not None
        ):  # A Segment item may be well formed and yet name no event, or an identifier too long.
            assert model is SegmentItem or len(content) > TOUCHPOINT_BYTES_MAX
            assert found.failure in ("contract_violation", "size_violation")

    agree()


@settings(max_examples=tries(200), deadline=None, derandomize=True, database=None)
@given(st.one_of(st.binary(max_size=200), spoilt(Touchpoint), spoilt(SegmentItem)), HEADERS)
def test_the_border_never_raises(content: bytes, headers: list[tuple[str, bytes | None]]) -> None:
    found = decode_touchpoint(content, headers)
    assert found == decode_touchpoint(content, list(headers))
    assert isinstance(found, Decoded | Invalid)


@pytest.mark.parametrize("opening", ["[", '{"a":', '{"properties":', '{"x":['])
@pytest.mark.parametrize("count", [21, 150, 250, 1_100, 5_000])
@pytest.mark.parametrize("form", [b"touchline", b"segment"])
def test_a_json_bomb_is_a_value(opening: str, count: int, form: bytes) -> None:
    closing = "".join({"[": "]", "{": "}"}[letter] for letter in reversed(opening) if letter in "[{")
    for content in (opening * count, opening * count + "1" + closing * count):
        assert isinstance(decode_touchpoint(content.encode(), [("format", form)]), Invalid)
