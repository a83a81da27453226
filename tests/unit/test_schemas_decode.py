from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.checked import DEPTH_MAX
from schemas.decode import TOUCHPOINT_BYTES_MAX, Decoded, Failure, Invalid, decode_touchpoint
from schemas.identifiers import BUSINESS_KINDS, CONTACT_KINDS, ROUTING_ORDER, touchpoint_id_of
from schemas.placeholders import is_placeholder

SMALLEST: dict[str, Any] = {"message_id": "m-1", "name": "page_viewed", "occurred_at": "2026-11-22T10:15:30.123Z"}
AT = 1795342530123


def decoded(item: dict[str, Any], *headers: tuple[str, bytes]) -> Decoded:
    found = decode_touchpoint(json.dumps(item).encode(), headers)
    assert isinstance(found, Decoded), found
    return found


def refused(value: bytes | dict[str, Any], *headers: tuple[str, bytes]) -> Invalid:
    found = decode_touchpoint(value if isinstance(value, bytes) else json.dumps(value).encode(), headers)
    assert isinstance(found, Invalid)
    return found


VALUES = st.sampled_from(["a-1", "undefined", " NULL ", "0-0", "O-7", "'guest'", "zz", "ann@shop.de", "+4915123456789"])
READABLE = {"email": ["ann@shop.de"], "phone": ["+4915123456789"]}


@given(st.dictionaries(st.sampled_from((*ROUTING_ORDER, "account_id")), VALUES), st.booleans())
def test_routing_device_user_and_keys_follow_from_the_usable_identifiers(sent: dict[str, str], about: bool) -> None:
    subject = {"kind": "store", "id": "berlin-3"} if about else None
    found = decoded(SMALLEST | {"identifiers": sent, "subject": subject})
    usable = {
        kind: value
        for kind, value in sent.items()
        if kind != "account_id" and not is_placeholder(value) and value in READABLE.get(kind, [value])
    }
    first = [f"{kind}:{usable[kind]}" for kind in ROUTING_ORDER if kind in usable]
    assert found.usable == usable
    assert found.routing == [*first, "store:berlin-3" if about else "message:m-1"][0]
    devices = [one for one in first if one.startswith(("anonymous_id:", "device_id:"))]
    assert found.device == (devices[0] if devices else None)
    assert found.user_id == usable.get("user_id")
    assert found.keys == {kind: usable[kind] for kind in BUSINESS_KINDS if kind in usable}
    assert found.contacts == tuple(f"{kind}:{usable[kind]}" for kind in CONTACT_KINDS if kind in usable)
    assert all(getattr(found.identifiers, kind) == sent.get(kind) for kind in (*ROUTING_ORDER, "account_id"))


def test_headers_say_where_it_came_from_and_when() -> None:
    headers = (("source", b"till"), ("channel", b"store"), ("sent_at", b"5"), ("received_at", b"6"))
    found = decoded(SMALLEST | {"sent_at": "2026-11-22T10:15:31Z"}, *headers)
    assert (found.source, found.channel, found.sent_at, found.received_at) == ("till", "store", 5, 6)
    found = decoded(SMALLEST | {"sent_at": "2026-11-22T10:15:31Z", "channel": "web"})
    assert (found.source, found.channel, found.sent_at, found.received_at) == ("kafka", "web", AT + 877, None)
    assert found.occurred_at_sent == AT


def test_the_id_follows_from_source_message_and_bytes() -> None:
    value = json.dumps(SMALLEST).encode()
    assert decoded(SMALLEST, ("source", b"till")).touchpoint_id == touchpoint_id_of("till", "m-1", value)
    assert decoded(SMALLEST).touchpoint_id != decoded(SMALLEST | {"sequence": 1}).touchpoint_id


@pytest.mark.parametrize(
    ("value", "failure", "field"),
    [
        (b"", "malformed", None),
        (b"\xff", "malformed", None),
        (b"[]", "contract_violation", None),
        (b" " * (TOUCHPOINT_BYTES_MAX + 1), "size_violation", None),
        (SMALLEST | {"format_version": 2}, "unsupported_format", "format_version"),
        (SMALLEST | {"format_version": "secret"}, "contract_violation", "format_version"),
        (SMALLEST | {"secret value": 1}, "contract_violation", None),
        (SMALLEST | {"color": 1}, "contract_violation", "color"),
        (SMALLEST | {"subject": {"kind": "secret", "id": "1"}}, "contract_violation", "subject.kind"),
        (SMALLEST | {"subject": {"kind": "store"}}, "contract_violation", "subject.id"),
        (SMALLEST | {"identifiers": {"email": ["secret"]}}, "contract_violation", "identifiers.email"),
        (SMALLEST | {"occurred_at": "secret"}, "contract_violation", "occurred_at"),
        (SMALLEST | {"properties": {"secret": 2**63}}, "contract_violation", "properties"),
    ],
)
def test_bad_data_is_a_value_that_names_the_place_and_quotes_nothing(
    value: bytes | dict[str, Any], failure: Failure, field: str | None
) -> None:
    found = refused(value)
    assert (found.failure, found.field) == (failure, field)
    assert "secret" not in found.detail


@pytest.mark.parametrize(
    ("header", "field", "failure"),
    [
        (("format", b"avro"), "header format", "unsupported_format"),
        (("source", b"\xff"), "header source", "contract_violation"),
        (("channel", b""), "header channel", "contract_violation"),
        (("sent_at", b"-5"), "header sent_at", "contract_violation"),
        (("received_at", b"1" * 16), "header received_at", "contract_violation"),
        (("trust", b"bank"), "header trust", "contract_violation"),
    ],
)
def test_bad_headers_are_refused(header: tuple[str, bytes], field: str, failure: Failure) -> None:
    found = refused(SMALLEST, header)
    assert (found.failure, found.field) == (failure, field)


def test_a_record_without_a_value_is_malformed() -> None:
    assert decode_touchpoint(None) == Invalid("malformed", None, "a record without a value")


@pytest.mark.parametrize("levels", range(1, 25))
@pytest.mark.parametrize("where", ["properties", "context"])
@pytest.mark.parametrize("container", ["object", "array", "both"])
def test_a_value_is_checked_however_deep_it_lies(levels: int, where: str, container: str) -> None:
    """The quick way trusts the types for documents of few containers; every depth must give the same verdicts."""

    def nested(value: Any) -> dict[str, Any]:
        for level in range(levels):
            in_array = container == "array" or (container == "both" and level % 2)
            value = [value] if in_array else {"below": value}
        return SMALLEST | {where: {"a": value}}

    if levels + 2 > DEPTH_MAX:
        assert refused(nested(1)).failure == "size_violation"
        return
    assert decoded(nested(2**63 - 1))
    assert decoded(nested(-(2**63)))
    assert refused(nested(2**63)).field is not None
    assert refused(nested(-(2**63) - 1)).field is not None
    assert refused(json.dumps(nested("huge")).replace('"huge"', "1e999").encode())
