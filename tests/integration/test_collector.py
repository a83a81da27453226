"""The collector as a process against a real broker: unmodified SDKs, the native route, tail, beats, health."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from segment.analytics.client import Client

from schemas.identifiers import partition_of
from tests.integration.collector_rig import (
    ADMIN_TOKEN,
    PARTITIONS,
    SECRET,
    SHOP_KEY,
    TILL_KEY,
    WEB_KEY,
    Rig,
    create_topic,
    eventually,
    read_topic,
    running_collector,
)
from tests.integration.npm_packages import npm_packages
from tests.integration.patience import PATIENCE_SECONDS

NODE = Path(__file__).with_name("segment_node")


@pytest.fixture
def rig(kafka: str, topic_prefix: str, tmp_path: Path) -> Iterator[Rig]:
    create_topic(kafka, f"{topic_prefix}touchpoints.raw")
    with running_collector(kafka, topic_prefix, tmp_path) as running:
        yield running


def touchpoint(number: int, **changed: object) -> dict[str, object]:
    return {
        "message_id": f"m-{number}",
        "name": "product_viewed",
        "occurred_at": "2026-01-02T03:04:05Z",
        "identifiers": {"anonymous_id": f"browser-{number}"},
    } | changed


def item(number: int) -> dict[str, Any]:
    return {
        "type": "track",
        "messageId": f"m-{number}",
        "anonymousId": f"browser-{number % 7}",
        "event": "Product Viewed",
        "timestamp": "2026-01-02T03:04:05Z",
    }


def test_segment_python(rig: Rig) -> None:
    errors: list[object] = []
    client = Client(
        SHOP_KEY,
        host=rig.url,
        gzip=True,
        upload_interval=0.05,
        on_error=lambda error, _: errors.append(error),
        max_retries=3,
    )
    for number in range(120):
        client.track(
            f"user-{number % 7}", "Product Viewed", {"number": number, "name": "Füller"}, message_id=f"py-{number}"
        )
    client.flush()
    client.join()
    assert errors == []
    records = rig.records()
    assert {json.loads(r.value)["messageId"] for r in records} == {f"py-{n}" for n in range(120)}
    for record in records:
        headers = dict(record.headers)
        assert record.partition == partition_of(record.key.decode(), PARTITIONS)
        assert record.key.decode() == f"user_id:{json.loads(record.value)['userId']}"
        assert (headers["format"], headers["source"], headers["channel"]) == (b"segment", b"web_shop", b"web")
        assert abs(int(headers["sent_at"]) - int(headers["received_at"])) < 60_000
        assert "log_time" not in headers


def test_segment_node(rig: Rig) -> None:
    npm_packages(NODE)
    command = ["node", "send.mjs", rig.url, WEB_KEY, "100"]
    done = subprocess.run(command, cwd=NODE, check=True, timeout=PATIENCE_SECONDS, capture_output=True)
    told = json.loads(done.stdout)
    sent = {f"node-{number}" for number in range(100)} | {"node-identify"}
    assert told["errors"] == []
    assert set(told["delivered"]) == sent
    assert {json.loads(record.value)["messageId"] for record in rig.records()} == sent


@pytest.mark.parametrize(
    ("path", "content_type"),
    [("/v1/batch", "application/x-www-form-urlencoded"), ("/v1/b", "text/plain")],
)
def test_a_batch_is_stored_as_sent_whatever_its_content_type(rig: Rig, path: str, content_type: str) -> None:
    pieces = [json.dumps(item(n), indent=n % 3).encode() for n in range(40)]
    body = b'{"sentAt":"2026-01-02T03:04:06.5Z","writeKey":"%s","batch":[%s]}' % (WEB_KEY.encode(), b" , ".join(pieces))
    answer = rig.ask(
        path, gzip.compress(body), None, headers={"Content-Type": content_type, "Content-Encoding": "gzip"}
    )
    assert (answer.status, answer.body) == (200, b'{"success":true}')
    records = rig.records()
    assert sorted(record.value for record in records) == sorted(pieces)
    assert {dict(record.headers)["sent_at"] for record in records} == {b"1767323046500"}
    order = [json.loads(r.value)["messageId"] for r in records if r.key == b"anonymous_id:browser-3"]
    assert order == [f"m-{n}" for n in range(40) if n % 7 == 3], "one device's touchpoints keep their order"


def test_single_routes_and_the_rest_of_the_api(rig: Rig) -> None:
    for name in ("track", "identify", "page", "screen", "group", "alias", "t", "i", "p", "s", "g", "a"):
        body = {"messageId": f"one-{name}", "anonymousId": "browser-1", "writeKey": WEB_KEY}
        assert rig.ask(f"/v1/{name}", json.dumps(body).encode(), None).body == b'{"success":true}'
    assert len(rig.records()) == 12
    assert rig.ask("/v1/m", b'{"series":[]}', None).json == {"success": True}
    settings = rig.ask(f"/v1/projects/{WEB_KEY}/settings", key=None, headers={"Origin": "https://shop.example"})
    assert settings.json["integrations"]["Segment.io"]["apiHost"] == f"127.0.0.1:{rig.port}/v1"
    assert settings.headers["Access-Control-Allow-Origin"] == "https://shop.example"
    assert rig.ask("/v1/projects/stranger/settings", key=None).status == 404
    preflight = rig.ask("/v1/t", key=None, method="OPTIONS", headers={"Origin": "https://shop.example"})
    assert preflight.status == 200
    assert "authorization" in preflight.headers["Access-Control-Allow-Headers"]
    assert rig.ask("/v1/batch", key=None).status == 405
    assert set(rig.ask("/nowhere", key=None).json) == {"code", "message"}


def test_an_invalid_item_does_not_spoil_its_batch(rig: Rig) -> None:
    pieces = [
        b'{"type":"track"}',
        b"17",
        json.dumps(item(1)).encode(),
        b'{"type":"track","event":"\xff"}',
        b"x" * 40_000,
    ]
    pieces[4] = json.dumps(item(2) | {"properties": {"text": "y" * 500_000}}).encode()
    answer = rig.ask("/v1/batch", b'{"batch":[' + b",".join(pieces) + b"]}")
    assert answer.status == 200
    assert sorted(record.value for record in rig.records()) == sorted(pieces)


def test_native_verdicts_stand_in_order_and_only_accepted_ones_are_stored(rig: Rig) -> None:
    sent = [touchpoint(0), touchpoint(1, occurred_at="yesterday"), touchpoint(2), touchpoint(3, colour="red")]
    sent.append(touchpoint(4, properties={"text": "y" * 1_500_000}))
    answer = rig.ask(
        "/v1/touchpoints", json.dumps({"touchpoints": sent, "sent_at": "2026-01-02T03:04:06Z"}).encode(), TILL_KEY
    )
    assert (answer.status, answer.json["accepted"], answer.json["refused"]) == (207, 2, 3)
    verdicts = answer.json["verdicts"]
    assert [v["message_id"] for v in verdicts] == [f"m-{n}" for n in range(5)]
    assert [v["verdict"] for v in verdicts] == ["accepted", "refused", "accepted", "refused", "refused"]
    assert [v["field"] for v in verdicts[:4]] == [None, "occurred_at", None, "colour"]
    assert [v["failure"] for v in verdicts][1:] == ["contract_violation", None, "contract_violation", "size_violation"]
    assert all(v["detail"] for v in verdicts if v["verdict"] == "refused")
    assert all(len(v["touchpoint_id"]) == 32 for v in verdicts if v["verdict"] == "accepted")
    records = rig.records()
    assert {json.loads(r.value)["message_id"] for r in records} == {"m-0", "m-2"}
    assert {dict(r.headers)["format"] for r in records} == {b"touchline"}
    assert rig.ask("/v1/touchpoints", json.dumps(touchpoint(9)).encode()).status == 200
    lines = b"\n".join([json.dumps(touchpoint(n)).encode() for n in (10, 11)] + [b"{"])
    answer = rig.ask("/v1/touchpoints", lines, headers={"Content-Type": "application/x-ndjson"})
    assert [v["verdict"] for v in answer.json["verdicts"]] == ["accepted", "accepted", "refused"]
    assert answer.json["verdicts"][2]["failure"] == "malformed"
    assert len(rig.records()) == 5


def test_tail_shows_verdicts_and_no_personal_data(rig: Rig) -> None:
    def post(number: int, key: str, **changed: object) -> None:
        rig.ask(
            "/v1/touchpoints", json.dumps(touchpoint(number, properties={"secret": "s3cret"}, **changed)).encode(), key
        )

    post(0, TILL_KEY)
    watching = http.client.HTTPConnection("127.0.0.1", rig.port, timeout=PATIENCE_SECONDS)
    watching.request("GET", "/v1/tail?recent=5", headers={"Authorization": f"Bearer {ADMIN_TOKEN}"})
    stream = watching.getresponse()
    first = json.loads(stream.readline())
    assert (first["message_id"], first["source"], first["verdict"]) == ("m-0", "tills", "accepted")
    post(1, WEB_KEY, channel="app")
    post(2, WEB_KEY, occurred_at="never")
    live = [json.loads(stream.readline()) for _ in range(2)]
    assert [line["verdict"] for line in live] == ["accepted", "refused"]
    assert (live[0]["channel"], live[0]["name"], len(live[0]["touchpoint_id"])) == ("app", "product_viewed", 32)
    assert (live[1]["failure"], live[1]["field"]) == ("contract_violation", "occurred_at")
    assert all(word not in json.dumps([first, *live]) for word in ("browser-", "s3cret"))
    watching.close()
    own = http.client.HTTPConnection("127.0.0.1", rig.port, timeout=PATIENCE_SECONDS)
    own.request(
        "GET", "/v1/tail?recent=50", headers={"Authorization": f"Bearer {WEB_KEY}", "Accept": "text/event-stream"}
    )
    events = own.getresponse()
    assert events.headers["Content-Type"] == "text/event-stream"
    assert json.loads(events.readline().removeprefix(b"data: "))["source"] == "web_shop"
    own.close()
    assert rig.ask("/v1/tail", key="nobody-1").status == 401


def test_beats_go_to_every_partition_with_their_proof(rig: Rig) -> None:
    def beats() -> list[Any]:
        return [r for r in read_topic(rig.bootstrap, rig.topic) if dict(r.headers).get("control") == b"beat"]

    eventually(lambda: len(beats()) >= 3 * PARTITIONS, "three beats for each partition")
    found, key = beats(), hashlib.blake2b(SECRET.encode()).digest()
    assert {record.partition for record in found} == set(range(PARTITIONS))
    for record in found:
        signed = b"beat\0%d\0%s" % (record.partition, record.value)
        assert dict(record.headers)["mac"].decode() == hashlib.blake2b(signed, key=key, digest_size=32).hexdigest()
        assert abs(json.loads(record.value)["log_time"] - record.timestamp) < 60_000


def test_a_simulation_brings_its_own_time_and_does_not_beat(kafka: str, topic_prefix: str, tmp_path: Path) -> None:
    create_topic(kafka, f"{topic_prefix}touchpoints.raw")
    with running_collector(kafka, topic_prefix, tmp_path, environment={"TOUCHLINE_RUN": "simulation"}) as rig:
        body = json.dumps(touchpoint(1)).encode()
        assert rig.ask("/v1/touchpoints", body, headers={"X-Touchline-Log-Time": "1767323046500"}).status == 200
        answer = rig.ask("/v1/touchpoints", body, headers={"X-Touchline-Log-Time": "today"})
        assert (answer.status, answer.json["field"]) == (400, "X-Touchline-Log-Time")
        assert rig.ask("/v1/touchpoints", body).status == 400, "without it resolve could not place the touchpoint"
        [record] = read_topic(kafka, rig.topic)
    headers = dict(record.headers)
    assert (headers["log_time"], headers["received_at"]) == (b"1767323046500", b"1767323046500")


def test_a_live_collector_does_not_believe_a_log_time(rig: Rig) -> None:
    headers = {"X-Touchline-Log-Time": "1767323046500"}
    assert rig.ask("/v1/touchpoints", json.dumps(touchpoint(1)).encode(), headers=headers).status == 200
    [record] = rig.records()
    assert "log_time" not in dict(record.headers)
    assert abs(int(dict(record.headers)["received_at"]) - record.timestamp) < 60_000


def test_metrics_count_by_route_and_source(rig: Rig) -> None:
    rig.ask("/v1/touchpoints", json.dumps({"touchpoints": [touchpoint(1), {}]}).encode())
    rig.ask("/v1/touchpoints", b"{")
    text = rig.ask("/metrics", key=None).body.decode()
    for line in (
        'touchline_collector_touchpoints_total{source="web_shop",verdict="accepted"} 1.0',
        'touchline_collector_touchpoints_total{source="web_shop",verdict="refused"} 1.0',
        'touchline_collector_requests_total{code="207",route="/v1/touchpoints"} 1.0',
        'touchline_collector_requests_total{code="400",route="/v1/touchpoints"} 1.0',
        "touchline_collector_in_flight_bytes 0.0",
        "touchline_collector_kafka_ready 1.0",
    ):
        assert line in text
