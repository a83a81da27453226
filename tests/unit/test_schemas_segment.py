from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.decode import Decoded, Invalid, decode_touchpoint
from schemas.snake_case import snake_case

TIME = "2026-11-22T10:15:30.123Z"
AT = 1795342530123
RECEIVED = ("received_at", b"1795342530999")


def decode(item: dict[str, Any], *headers: tuple[str, bytes]) -> Decoded | Invalid:
    return decode_touchpoint(json.dumps(item).encode(), [("format", b"segment"), ("source", b"shop"), *headers])


def decoded(item: dict[str, Any], *headers: tuple[str, bytes]) -> Decoded:
    found = decode({"messageId": "s-1", "timestamp": TIME, "anonymousId": "a-1"} | item, *headers)
    assert isinstance(found, Decoded), found
    return found


@pytest.mark.parametrize(
    ("event", "name"),
    [
        ("Order Completed", "order_completed"),
        ("orderCompleted", "order_completed"),
        ("order_completed", "order_completed"),
        ("  Order - completed! ", "order_completed"),
        ("HTTPError Seen", "http_error_seen"),
        ("Step2Done", "step2_done"),
        ("Größe gewählt", "größe_gewählt"),
        ("!!!", ""),
    ],
)
def test_names_become_snake_case(event: str, name: str) -> None:
    assert snake_case(event) == name
    assert snake_case(name) == name


@pytest.mark.parametrize(
    ("item", "name", "properties"),
    [
        ({"type": "track", "event": "Order Completed", "properties": {"csat": 2}}, "order_completed", {"csat": 2}),
        ({"type": "page", "name": "Home", "properties": {"path": "/"}}, "page_viewed", {"name": "Home", "path": "/"}),
        ({"type": "page", "name": "Home", "properties": {"name": "Start"}}, "page_viewed", {"name": "Start"}),
        ({"type": "screen", "name": "Basket", "properties": None}, "screen_viewed", {"name": "Basket"}),
        ({"type": "identify", "traits": {"plan": "gold", "email": "e@x.org"}}, "identified", {"plan": "gold"}),
        ({"type": "group", "groupId": 7, "traits": {"size": 3}}, "grouped", {"size": 3, "group_id": "7"}),
        ({"type": "alias", "previousId": "a-0"}, "aliased", {"previous_id": "a-0"}),
    ],
)
def test_every_type_is_a_touchpoint(item: dict[str, Any], name: str, properties: dict[str, Any]) -> None:
    found = decoded(item)
    assert (found.name, found.properties, found.occurred_at_sent) == (name, properties, AT)


def test_identifiers_come_from_the_places_where_sdks_put_them() -> None:
    found = decoded(
        {
            "type": "track",
            "event": "x",
            "userId": 81723,
            "properties": {"orderId": 7, "receipt_id": "R-1", "ticketId": True, "claim_id": 1.5},
            "context": {"device": {"id": "d-1"}, "traits": {"email": "e@x.org", "phone": "", "loyaltyCard": 9}},
        }
    )
    assert found.usable == {
        **{"user_id": "81723", "anonymous_id": "a-1", "device_id": "d-1", "email": "e@x.org", "loyalty_card": "9"},
        **{"order_id": "7", "receipt_id": "R-1"},
    }
    assert found.keys == {"order_id": "7", "receipt_id": "R-1"}
    assert "email" not in decoded({"type": "group", "groupId": "g", "traits": {"email": "e@x.org"}}).usable


@pytest.mark.parametrize(
    ("item", "account"),
    [
        ({"type": "group", "groupId": "acme"}, "acme"),
        ({"type": "group", "groupId": 7, "context": {"groupId": "other"}}, "7"),
        ({"type": "page", "context": {"groupId": "acme"}}, "acme"),
        ({"type": "page", "groupId": "", "context": {"groupId": True}}, None),
        ({"type": "page"}, None),
    ],
)
def test_a_group_is_an_account_that_names_nobody(item: dict[str, Any], account: str | None) -> None:
    found = decoded(item)
    assert found.identifiers.account_id == account
    assert found.usable == {"anonymous_id": "a-1"}
    assert found.routing == "anonymous_id:a-1"


@pytest.mark.parametrize(
    ("item", "channel"),
    [
        ({"channel": "browser"}, "web"),
        ({"channel": "mobile"}, "app"),
        ({"channel": "server"}, "mail"),
        ({}, "mail"),
        ({"channel": "browser", "properties": {"channel": "store"}}, "store"),
        ({"properties": {"channel": 7}}, "mail"),
    ],
)
def test_the_channel_is_the_most_special_one(item: dict[str, Any], channel: str) -> None:
    assert decoded({"type": "page"} | item, ("channel", b"mail")).channel == channel


def test_the_act_is_timed_by_the_clients_clock_else_by_our_receipt() -> None:
    both = {"type": "page", "timestamp": "2026-11-22T10:15:31Z", "originalTimestamp": TIME}
    assert decoded(both).occurred_at_sent == AT
    untimed = {"type": "page", "timestamp": None}
    received = decoded(untimed, RECEIVED)
    assert (received.occurred_at_sent, received.sent_at) == (AT + 876, AT + 876)
    assert received.timed_here
    sent = decoded(untimed | {"sentAt": TIME}, RECEIVED)
    assert (sent.occurred_at_sent, sent.sent_at) == (AT, AT)
    assert not sent.timed_here
    told = decoded(untimed | {"sentAt": TIME}, RECEIVED, ("sent_at", b"7"))
    assert (told.occurred_at_sent, told.sent_at) == (7, 7)
    missing = decode({"type": "page"})
    assert isinstance(missing, Invalid)
    assert missing.field == "timestamp"


def test_a_repeated_request_is_the_same_touchpoint() -> None:
    item = {"type": "page", "sentAt": "2026-11-22T10:15:31Z", "_metadata": {"retryCount": 0}}
    again = {"type": "page", "sentAt": "2026-11-22T10:15:41Z", "_metadata": {"retryCount": 1}}
    assert decoded(item).touchpoint_id == decoded(again).touchpoint_id
    assert decoded(item).touchpoint_id != decoded(item | {"name": "Home"}).touchpoint_id


def test_a_missing_message_id_follows_from_the_content() -> None:
    timed, untimed = {"messageId": None, "type": "page"}, {"messageId": None, "type": "page", "timestamp": None}
    later = ("received_at", b"1795342531999")
    assert decoded(timed, RECEIVED).touchpoint_id == decoded(timed, later).touchpoint_id
    assert decoded(untimed, RECEIVED).touchpoint_id != decoded(untimed, later).touchpoint_id


@pytest.mark.parametrize(
    ("item", "field"),
    [
        ({"type": "track"}, "event"),
        ({"type": "track", "event": "?!"}, "event"),
        ({"type": "page", "timestamp": "secret"}, "timestamp"),
        ({"type": "page", "properties": {"order_id": "secret" * 40}}, "properties.order_id"),
        ({"type": "page", "userId": 1.5}, "userId"),
        ({"type": "page", "context": {"device": {"id": "secret" * 40}}}, "context.device.id"),
        ({"type": "secret"}, "type"),
    ],
)
def test_what_cannot_be_a_touchpoint_is_refused_by_field(item: dict[str, Any], field: str) -> None:
    found = decode({"messageId": "s-1", "timestamp": TIME} | item)
    assert isinstance(found, Invalid)
    assert (found.failure, found.field) == ("contract_violation", field)
    assert "secret" not in found.detail
