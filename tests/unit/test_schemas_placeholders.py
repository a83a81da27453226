from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.placeholders import PLACEHOLDERS, PLAIN_STARTS, is_placeholder

SPECIFICATION = Path(__file__).parents[2] / "docs" / "identity.md"


def test_the_list_is_the_specification() -> None:
    listed = re.search(r"\(upper or lower case\): `([^`]*)`", SPECIFICATION.read_text("utf-8"))
    assert listed is not None
    words = listed[1].replace("\n", " ").replace("[object object]", "[object_object]").split()
    assert {word.replace("[object_object]", "[object object]") for word in words} == PLACEHOLDERS - {""}


@given(
    st.sampled_from(sorted(PLACEHOLDERS) + ["00000000-0000-0000-0000-000000000000", "---", "000"]),
    st.sampled_from(["", " ", "\t ", "\u00a0"]),
    st.sampled_from(["", "'", '"']),
    st.booleans(),
)
def test_blanks_quotes_and_case_do_not_hide_one(word: str, blank: str, quote: str, upper: bool) -> None:
    value = f"{blank}{quote}{blank}{word.upper() if upper else word}{quote}{blank}"
    assert is_placeholder(value)
    assert value[:1] not in PLAIN_STARTS


@pytest.mark.parametrize("value", ["1", "01", "guest1", "no", "''guest''", "'guest", "nullable", "i d", "0a", "O-7"])
def test_others_are_identifiers(value: str) -> None:
    assert not is_placeholder(value)
