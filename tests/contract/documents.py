"""JSON that clients might send: the valid examples, spoilt in ways that tell JSON decoders apart."""

from __future__ import annotations

import json
from typing import Any, Final

from hypothesis import strategies as st

from schemas.touchpoint import Contract
from tests.contract.examples import examples

TEXTS: Final = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["", "x" * 100, "x" * 101, "x" * 201, "é" * 41, "😀" * 100, "\x00", "1", "true", "2026-11-22T10:15:30Z"]
    ),
)
RAW: Final = st.sampled_from(
    [
        *(
            "NaN",
            "Infinity",
            "-Infinity",
            "1e400",
            "-1e400",
            "1e-400",
            "1.0",
            "-0",
            "-0.0",
            "1e2",
            "01",
            "1.",
            ".5",
            "+1",
        ),
        *("9223372036854775807", "9223372036854775808", "-9223372036854775809", "18446744073709551616", "1" * 400),
        *(
            '"\\ud800"',
            '"\\udc00"',
            '"\\ud83d\\ude00"',
            '"\\u0000"',
            '"\\x"',
            '"\t"',
            "'a'",
            "tru",
            "[1,]",
            '{"a":1,}',
            "{}",
            "[]",
        ),
        *("[" * n + "]" * n for n in (15, 17, 18, 19, 20, 21, 60)),
        *('{"a":' * n + "1" + "}" * n for n in (17, 18, 19, 20, 21, 60)),
    ]
)
VALUES: Final = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False), TEXTS),
    lambda below: st.one_of(st.lists(below, max_size=4), st.dictionaries(TEXTS, below, max_size=4)),
    max_leaves=12,
)


class Token:
    """A piece of JSON text that is written as it is."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text[:40]


def written(value: Any) -> str:
    if isinstance(value, Token):
        return value.text
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(key))}: {written(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


@st.composite
def spoilt(draw: st.DrawFn, model: type[Contract]) -> bytes:
    """A valid example after up to three changes somewhere in its tree, and perhaps one in its bytes."""
    document = json.loads(draw(st.sampled_from([one.content for one in examples("valid") if one.model is model])))
    for _ in range(draw(st.integers(0, 3))):
        _change(draw, document)
    content = written(document).encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 9)) == 0:
        at = draw(st.integers(0, len(content)))
        content = content[:at] + draw(st.binary(max_size=2)) + content[at + draw(st.integers(0, 2)) :]
    return content


def _change(draw: st.DrawFn, document: Any) -> None:
    places = [place for place in _containers(document) if place]
    place = draw(st.sampled_from(places)) if places else document
    key: Any = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place)))) if place else "a"
    match draw(st.sampled_from(["drop", "value", "raw", "extra", "null"])):
        case "drop" if place:
            del place[key]
        case "extra" if isinstance(place, dict):
            place[draw(TEXTS)] = draw(VALUES)
        case "null" if place:
            place[key] = None
        case "raw" if place:
            place[key] = Token(draw(RAW))
        case _ if place:
            place[key] = draw(VALUES)


def _containers(value: Any) -> list[Any]:
    if not isinstance(value, dict | list):
        return []
    inner = value.values() if isinstance(value, dict) else value
    return [value, *(found for each in inner for found in _containers(each))]
