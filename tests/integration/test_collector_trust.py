"""What the collector writes of trust and of personal values, read from the broker; and a whole deployment in which no
topic and no table holds an e-mail address or a phone number in clear.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import urllib.request
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from deploy.stack import Stack
from schemas.identifiers import partition_of
from schemas.settings import read_settings
from schemas.times import from_ms
from tests.integration.collector_rig import (
    PARTITIONS,
    PERSONAL_KEY,
    PROOF_SECRET,
    TILL_KEY,
    WEB_KEY,
    Rig,
    create_topic,
    eventually,
    running_collector,
)
from tests.integration.patience import PATIENCE_SECONDS

CLEAR = (b"clear.", b"Clear.", b"CLEAR.", b"151 2345", b"15123456789")
"""Parts of every address and number below, in each of their spellings."""
EMAIL, PHONE = "Clear.Ann@Shop.de", "+49 151 23456789"


@pytest.fixture
def rig(kafka: str, topic_prefix: str, tmp_path: Path) -> Iterator[Rig]:
    create_topic(kafka, f"{topic_prefix}touchpoints.raw")
    with running_collector(kafka, topic_prefix, tmp_path) as running:
        yield running


def hashed(normal: str, key: str = PERSONAL_KEY) -> str:
    return "hmac:" + hmac.new(key.encode(), normal.encode(), hashlib.sha256).hexdigest()


def native(number: int, **changed: object) -> dict[str, Any]:
    whole = {"message_id": f"m-{number}", "name": "product_viewed", "occurred_at": "2026-01-02T03:04:05Z"}
    return whole | changed


def post(rig: Rig, key: str, *items: bytes) -> Any:
    return rig.ask("/v1/touchpoints", b'{"touchpoints": [%s]}' % b",".join(items), key).json


def test_every_record_says_whether_a_browser_sent_it(rig: Rig) -> None:
    for key in (WEB_KEY, TILL_KEY):
        post(rig, key, json.dumps(native(1, identifiers={"anonymous_id": f"of-{key}"})).encode())
    trust = {dict(record.headers)["source"]: dict(record.headers)["trust"] for record in rig.records()}
    assert trust == {b"web_shop": b"browser", b"tills": b"server"}


def test_only_the_values_change_and_all_the_rest_is_as_it_came(rig: Rig) -> None:
    """Members that stand twice, blanks, odd spellings of numbers too. What has no such field is not touched at all."""
    plain = b'{ "message_id":"a", "name":"seen",\t"occurred_at":"2026-01-02T03:04:05Z","properties":{"x":1.50,"x":1e2}}'
    before = (
        b'{"message_id":"b","name":"seen","occurred_at":"2026-01-02T03:04:05Z", "properties" : { "x":1.50,"x":1e2, '
    )
    value = f'"customerEmail" :  "{EMAIL}"'.encode()
    after = b',"email_sent":true, "phone":null,"z":"\\u00e9 \xc3\xa9" }  }'
    verdicts = post(rig, TILL_KEY, plain, before + value + after)["verdicts"]
    stored = {json.loads(record.value)["message_id"]: record.value for record in rig.records()}
    instead = f'"customerEmail" :  "{hashed("clear.ann@shop.de")}"'.encode()
    assert stored == {"a": plain, "b": before + instead + after}
    for verdict in verdicts:
        content = stored[verdict["message_id"]] + b"\x00tills\x00" + verdict["message_id"].encode()
        assert verdict["touchpoint_id"] == hashlib.blake2b(content, digest_size=16).hexdigest()


def test_contacts_route_a_servers_touchpoints_by_their_hash_and_a_browsers_not_at_all(rig: Rig) -> None:
    item = json.dumps(native(1, identifiers={"email": EMAIL, "phone": "nonsense"})).encode()
    for key in (TILL_KEY, WEB_KEY):
        assert post(rig, key, item)["accepted"] == 1
    keys = {dict(record.headers)["source"]: (record.key.decode(), record.partition) for record in rig.records()}
    routing = f"email:{hashed('clear.ann@shop.de')}"
    assert keys[b"tills"] == (routing, partition_of(routing, PARTITIONS))
    assert keys[b"web_shop"] == ("message:m-1", partition_of("message:m-1", PARTITIONS))
    for record in rig.records():
        said = json.loads(record.value)["identifiers"]
        assert said["email"] == hashed("clear.ann@shop.de")
        assert said["phone"].startswith("unusable:")


def test_a_proof_lets_a_browser_name_its_user(rig: Rig) -> None:
    proof = hmac.new(PROOF_SECRET.encode(), b"u-1", hashlib.sha256).hexdigest()
    for number, user_proof in enumerate((proof, "0" * 64)):
        item = native(number, identifiers={"user_id": "u-1"}, context={"user_proof": user_proof})
        post(rig, WEB_KEY, json.dumps(item).encode())
    assert [record.key for record in sorted(rig.records(), key=lambda one: json.loads(one.value)["message_id"])] == [
        b"user_id:u-1",
        b"message:m-1",
    ]


SEGMENT: tuple[dict[str, Any], ...] = (
    {"type": "identify", "userId": "u-1", "traits": {"email": EMAIL, "Phone": PHONE, "plan": "gold"}},
    {
        "type": "track",
        "event": "Order Placed",
        "properties": {"contact": {"customerEmail": [EMAIL]}, "order_id": "o-1"},
    },
    {"type": "group", "groupId": "acme", "traits": {"e_mail": EMAIL}},
    {"type": "page", "context": {"traits": {"emailAddress": EMAIL, "phone": 4915123456789}}},
    {"type": "track", "properties": {"email": EMAIL}},
    {"type": "page", "timestamp": "yesterday", "traits": {"email": f"Dr. {EMAIL}"}},
    {"type": "page", "properties": {"text": "x" * 40_000, "email": EMAIL}},
    {"type": "nonsense", "userId": 1.5, "traits": {"email": EMAIL}},
)
"""The last four end as dead letters."""


def test_refused_items_too_hold_nothing_in_clear(rig: Rig) -> None:
    items = [one | {"messageId": f"s-{number}", "anonymousId": "d-1"} for number, one in enumerate(SEGMENT)]
    for key in (WEB_KEY, TILL_KEY):
        assert rig.ask("/v1/batch", json.dumps({"batch": items}).encode(), key).status == 200
    single = {"messageId": "s-9", "anonymousId": "d-1", "traits": {"email": EMAIL}}
    assert rig.ask("/v1/identify", json.dumps(single).encode(), TILL_KEY).status == 200
    records = rig.records()
    assert len(records) == 2 * len(items) + 1
    assert sum(record.key is None for record in records) == 2 * 4
    assert not [clear for record in records for clear in CLEAR if clear in record.value + (record.key or b"")]


def test_no_topic_and_no_table_holds_personal_values_in_clear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Worker and loader among it. What a team writes to Kafka itself in clear stays on touchpoints.raw alone."""
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "CLICKHOUSE_URL"):
        monkeypatch.delenv(name, raising=False)
    stack = Stack(read_settings(data_dir=tmp_path / "data"))
    try:
        places = stack.start(lambda _: None)
        now = from_ms(time.time_ns() // 1_000_000)
        for key in ("web", "till"):
            items = [one | {"messageId": f"s-{n}", "anonymousId": "d-1"} for n, one in enumerate(SEGMENT)]
            timed = [one if "timestamp" in one else one | {"timestamp": now} for one in items]
            _send(f"{places.collector_url}/v1/batch", stack.secrets.write_keys[key], {"batch": timed})
            touchpoint = native(1, occurred_at=now, identifiers={"email": EMAIL, "phone": PHONE, "user_id": "u-1"})
            body = {"touchpoints": [touchpoint | {"properties": {"billing": {"e_mail": EMAIL}}}]}
            _send(f"{places.collector_url}/v1/touchpoints", stack.secrets.write_keys[key], body)
        options = stack.kafka_options()
        eventually(lambda: _stored(stack) == (10, 8), "all is resolved and loaded", 90.0)
        assert _places_in_clear(options) == set()

        producer = KafkaProducer(**options)
        direct = native(2, occurred_at=now, identifiers={"email": EMAIL}, properties={"phone": PHONE})
        producer.send("touchpoints.raw", json.dumps(direct).encode())
        producer.send("touchpoints.raw", json.dumps(direct | {"colour": "blue"}).encode())
        producer.flush()
        eventually(lambda: _stored(stack) == (11, 9), "the direct ones are resolved and loaded", 90.0)
        assert _places_in_clear(options) == {"touchpoints.raw"}
        stored = _ask(stack, "SELECT * FROM touchpoints FORMAT TSV") + _ask(
            stack, "SELECT * FROM dead_letters FORMAT TSV"
        )
        assert not [clear for clear in CLEAR if clear in stored]
        normal = hashed("clear.ann@shop.de", stack.secrets.personal_key)
        same = _ask(stack, f"SELECT count() FROM touchpoints WHERE email = '{normal}'")
        assert int(same) >= 5, "one hash for one address, whoever hashed it"
    finally:
        stack.stop()


def _send(url: str, key: str, body: Mapping[str, Any]) -> None:
    headers = {"Content-Type": "application/json", "Authorization": "Basic " + b64encode(f"{key}:".encode()).decode()}
    with urllib.request.urlopen(
        urllib.request.Request(url, json.dumps(body).encode(), headers), timeout=PATIENCE_SECONDS
    ) as reply:
        assert reply.status == 200


def _ask(stack: Stack, sql: str) -> bytes:
    reader = stack.reader()
    assert reader is not None
    port, user, password = reader
    headers = {"X-ClickHouse-User": user, "X-ClickHouse-Key": password}
    url = f"http://127.0.0.1:{port}/?database=touchline"
    with urllib.request.urlopen(urllib.request.Request(url, sql.encode(), headers), timeout=PATIENCE_SECONDS) as reply:
        return bytes(reply.read())


def _stored(stack: Stack) -> tuple[int, int]:
    counts = [_ask(stack, f"SELECT count() FROM {table} FINAL") for table in ("touchpoints", "dead_letters")]
    return int(counts[0]), int(counts[1])


def _places_in_clear(options: Mapping[str, Any]) -> set[str]:
    """The topics with a record that holds one of the clear values, of all topics there are, changelogs too."""
    consumer = KafkaConsumer(**options, group_id=None, enable_auto_commit=False)
    found: set[str] = set()
    try:
        for topic in consumer.topics():
            parts = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
            consumer.assign(parts)
            consumer.seek_to_beginning(*parts)
            ends = consumer.end_offsets(parts)
            give_up = time.monotonic() + PATIENCE_SECONDS
            while any(consumer.position(part) < ends[part] for part in parts):
                assert time.monotonic() < give_up, f"{topic} could not be read to its end"
                for records in consumer.poll(timeout_ms=100).values():
                    for record in records:
                        whole = (record.key or b"") + (record.value or b"") + _opened(record.value or b"")
                        whole += b"".join(content for _, content in record.headers)
                        if any(clear in whole for clear in CLEAR):
                            found.add(topic)
    finally:
        consumer.close()
    return found


def _opened(value: bytes) -> bytes:
    """The bytes that a dead letter carries in base64."""
    try:
        payload = json.loads(value).get("payload")
    except (ValueError, AttributeError):
        return b""
    if not isinstance(payload, str):
        return b""
    return b64decode(payload)
