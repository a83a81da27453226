"""Laws of cutting a body: the pieces are the bytes that were sent, in order, whatever else is in the envelope."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sources.collector.refusal import Refusal
from sources.collector.split import ITEMS_MAX, Parcel, split_native, split_segment_batch, split_segment_single

generated = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
"""A busy machine is not a failure."""


def cut_or_refusal(split: Callable[[], Parcel]) -> Parcel | None:
    try:
        return split()
    except Refusal:
        return None


SPACE = st.text(" \n\r\t", max_size=3)


def is_line(line: bytes) -> bool:
    """A mark of the byte order belongs to the body, not to its first line."""
    return bool(line) and not line.startswith(b"\xef\xbb\xbf")


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def written(draw: st.DrawFn) -> bytes:
    """A JSON value as some client may write it: escaped or not, dense or not."""
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t:")]))
    return json.dumps(draw(VALUES), ensure_ascii=draw(st.booleans()), separators=separators).encode(errors="replace")


@st.composite
def envelopes(draw: st.DrawFn, name: str, others: list[bytes]) -> tuple[list[bytes], bytes]:
    items = draw(st.lists(written(), max_size=6))
    blank = [draw(SPACE).encode() for _ in range(4)]
    listed = b"[" + (blank[0] + b"," + blank[1]).join(items) + b"]"
    members = [b'"%s"%s:%s' % (name.encode(), blank[2], listed), *draw(st.permutations(others))]
    return items, blank[3] + b"{" + b",".join(draw(st.permutations(members))) + b"}" + blank[0]


@generated
@given(envelopes("batch", [b'"sentAt":"2026-01-01T00:00:00Z"', b'"writeKey":"k"', b'"context":{"a":[1,{}]}']))
def test_items_of_a_segment_batch_are_the_bytes_sent(given_: tuple[list[bytes], bytes]) -> None:
    items, body = given_
    parcel = split_segment_batch(body)
    assert parcel.items == items
    assert (parcel.sent_at, parcel.write_key) == ("2026-01-01T00:00:00Z", "k")


@generated
@given(envelopes("touchpoints", [b'"sent_at":"2026-01-01T00:00:00Z"']))
def test_touchpoints_of_a_native_body_are_the_bytes_sent(given_: tuple[list[bytes], bytes]) -> None:
    items, body = given_
    parcel = split_native(body, "application/json")
    assert (parcel.items, parcel.sent_at) == (items, "2026-01-01T00:00:00Z")


@st.composite
def repeated(draw: st.DrawFn, names: tuple[str, ...]) -> bytes:
    """An envelope in which any member may stand any number of times, its name escaped or not."""
    chosen = draw(st.lists(st.sampled_from((*names, "context", "")), min_size=1, max_size=5))
    listed, text = st.lists(written(), max_size=3).map(lambda items: b"[" + b" , ".join(items) + b"]"), st.just(b'""')
    values = [draw(listed if name == names[0] else text if name in names else written()) for name in chosen]
    written_names = [
        draw(st.sampled_from((name, "".join(f"\\u{ord(letter):04x}" for letter in name)))) for name in chosen
    ]
    members = [b'"%s"%s:' % (name.encode(), draw(SPACE).encode()) + value for name, value in zip(written_names, values)]
    return b"{ " + b" ,\t".join(members) + b"\n}"


def pairs_of(body: bytes) -> list[tuple[str, object]]:
    """All members in order, by another parser; nested objects come out as lists of pairs too."""
    pairs: list[tuple[str, object]] = json.loads(body, object_pairs_hook=list)
    return pairs


@generated
@given(repeated(("batch", "sentAt", "writeKey")))
def test_a_batch_is_refused_when_a_member_that_is_read_stands_twice(body: bytes) -> None:
    read = [name for name, _ in pairs_of(body) if name in ("batch", "sentAt", "writeKey")]
    parcel = cut_or_refusal(lambda: split_segment_batch(body))
    if "batch" in read and len(set(read)) == len(read):
        assert parcel is not None
        assert [json.loads(item, object_pairs_hook=list) for item in parcel.items] == dict(pairs_of(body))["batch"]
    else:
        assert parcel is None


@generated
@given(repeated(("touchpoints", "sent_at")))
def test_a_native_envelope_is_refused_when_a_member_stands_twice(body: bytes) -> None:
    names = [name for name, _ in pairs_of(body)]
    parcel = cut_or_refusal(lambda: split_native(body, "application/json"))
    if "touchpoints" not in names:
        assert parcel is not None
        assert parcel.items == [body.strip()]  # one touchpoint, whatever is in it: the verdict's business
    else:
        assert (parcel is not None) == (len(set(names)) == len(names) and set(names) <= {"touchpoints", "sent_at"})


@pytest.mark.parametrize(
    ("split", "body", "field"),
    [
        (split_segment_batch, b'{"batch":[1],"batch":[2]}', "batch"),
        (split_segment_batch, b'{"batch":[1],"sentAt":1,"b\\u0061tch":[1]}', "batch"),
        (split_segment_batch, b'{"batch":[1],"writeKey":"a","x":1,"writeKey":"b"}', "writeKey"),
        (lambda body: split_native(body, ""), b'{"touchpoints":[{}],"touchpoints":[{}]}', "touchpoints"),
        (lambda body: split_native(body, ""), b'{"sent_at":null,"touchpoints":[],"sent_at":null}', "sent_at"),
    ],
)
def test_a_member_that_stands_twice_is_named(split: Callable[[bytes], Parcel], body: bytes, field: str) -> None:
    with pytest.raises(Refusal) as caught:
        split(body)
    assert (caught.value.status, caught.value.field) == (400, field)
    assert f"`{field}` more than once" in caught.value.message


@generated
@given(st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"").strip()).filter(is_line), max_size=6))
def test_lines_are_touchpoints_whatever_is_in_them(lines: list[bytes]) -> None:
    assert split_native(b"\n".join(lines), "application/x-ndjson").items == lines
    assert split_native(b"\r\n\n".join([*lines, b""]), "application/jsonl").items == lines


@generated
@given(st.binary(max_size=200), st.sampled_from(["", "application/json", "application/x-ndjson"]))
def test_any_bytes_are_cut_or_refused(body: bytes, content_type: str) -> None:
    for parcel in (
        cut_or_refusal(lambda: split_segment_batch(body)),
        cut_or_refusal(lambda: split_segment_single(body, "track")),
        cut_or_refusal(lambda: split_native(body, content_type)),
    ):
        assert parcel is None or all(isinstance(item, bytes) for item in parcel.items)


@pytest.mark.parametrize(
    ("body", "item"),
    [
        (b' {"event":"x"}\n', b'{"type":"track","event":"x"}'),
        (b"{ }", b'{"type":"track"}'),
        (b'{"type":"page"}', b'{"type":"page"}'),
        (b'\xef\xbb\xbf{"type":"page"}', b'{"type":"page"}'),
    ],
)
def test_a_single_item_gets_the_type_of_its_route_only_when_it_has_none(body: bytes, item: bytes) -> None:
    assert split_segment_single(body, "track").items == [item]


def test_one_touchpoint_and_lines_without_a_content_type() -> None:
    assert split_native(b' {"name":"a"} ', "text/plain").items == [b'{"name":"a"}']
    assert split_native(b'{"name":"a"}\n{"name":\n', "text/plain").items == [b'{"name":"a"}', b'{"name":']


HALVES = st.sampled_from(
    [
        rb'"\\ud83d"',
        rb'"a\\uDE00b"',
        rb'{"\\udbff":1}',
        rb'"\\ude00\\ud83d"',
        rb'["\\\\\\ud800",1]',
        rb'"\\ud800\\\\udc00"',
    ]
)


@generated
@given(st.lists(HALVES | written(), min_size=1, max_size=6))
def test_half_a_character_does_not_spoil_its_neighbours(items: list[bytes]) -> None:
    listed = b"[" + b" , ".join(items) + b"]"
    assert split_segment_batch(b'{"sentAt":"s","batch":%s,"writeKey":"k"}' % listed) == Parcel(items, "s", "k")
    assert split_native(b'{"touchpoints":%s}' % listed, "application/json") == Parcel(items)


def test_half_a_character_is_kept_as_it_came() -> None:
    private = "".join(map(chr, range(0xE000, 0xE010)))
    one = b'{"event":"%s","name":"\\ud83d, \\ud83d\\ude00"}' % private.encode()
    assert split_segment_single(one, "track").items == [b'{"type":"track",' + one[1:]]
    assert split_native(one, "").items == [one]
    assert split_native(b'{"name":"\\ud83d"}\n{"name":"a"}', "").items == [b'{"name":"\\ud83d"}', b'{"name":"a"}']


@pytest.mark.parametrize(
    ("body", "status", "field", "words"),
    [
        (b"", 400, None, "not JSON"),
        (b"{", 400, None, "not JSON"),
        ('{"batch":[]}'.encode("utf-16"), 400, None, "UTF-8"),
        (b'{"batch":[NaN]}', 400, None, "not JSON"),
        (b'{"batch":{}}', 400, "batch", "`batch`"),
        (b"[]", 400, "batch", "`batch`"),
        (b"{}", 400, "batch", "`batch`"),
        (b'{"batch":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, None, "too deep"),
        (b'{"batch":[' + b"1," * ITEMS_MAX + b"1]}", 413, "batch", "2500"),
    ],
)
def test_a_batch_that_cannot_be_read_says_why(body: bytes, status: int, field: str | None, words: str) -> None:
    with pytest.raises(Refusal) as caught:
        split_segment_batch(body)
    assert (caught.value.status, caught.value.field) == (status, field)
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"touchpoints":[],"sentAt":1}', "sentAt"),
        (b'{"touchpoints":[],"sent_at":1}', "sent_at"),
        (b'{"touchpoints":{}}', "touchpoints"),
        (b'[{"name":"a"}]', None),
        (b"no\njson\n", None),
    ],
)
def test_a_native_body_that_cannot_be_read_names_the_field(body: bytes, field: str | None) -> None:
    with pytest.raises(Refusal) as caught:
        split_native(body, "application/json")
    assert (caught.value.status, caught.value.field) == (400, field)
