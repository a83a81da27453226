"""A Kafka that wants user, password and TLS: the settings alone reach it, with every client library that is used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from deploy.embedded.process import EmbeddedError
from deploy.reach import reach_kafka
from deploy.stack import Stack
from deploy.topics import ensure
from schemas.settings import kafka_client_options, read_settings
from sinks.log_reader import Committed, KafkaLog, KafkaOptions, Polled
from tests.integration.collector_rig import eventually, running_collector
from tests.integration.secure_kafka import SecureKafka, secure_kafka
from tests.integration.test_run import CATALOGUE, DEFINITION, NO_SOURCES, _order


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    with secure_kafka(tmp_path_factory.mktemp("secure")) as found:
        yield found


def set_all(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> dict[str, object]:
    """The options that clients get when this is the environment."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    found = read_settings()
    return {"bootstrap_servers": found.kafka_bootstrap_servers, **kafka_client_options(found)}


@pytest.mark.parametrize("how", ["SCRAM", "PLAIN over TLS"])
def test_topics_are_made_touchpoints_stored_and_read(
    secure: SecureKafka, how: str, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The admin client, the collector's producer, and the group member that loader and notifier are."""
    options = set_all(monkeypatch, dict(secure.settings[how]))
    reach_kafka(options)
    assert f"{topic_prefix}touchpoints.raw" in ensure(options, topic_prefix)
    bootstrap, topic = str(options.pop("bootstrap_servers")), f"{topic_prefix}touchpoints.raw"
    with running_collector(bootstrap, topic_prefix, tmp_path) as rig:
        item = {"type": "page", "messageId": "m-1", "anonymousId": "a-1"}
        assert rig.ask("/v1/batch", json.dumps({"batch": [item]}).encode()).status == 200
        assert secure.settings[how]["KAFKA_SASL_PASSWORD"] not in rig.log.read_text()

    member = KafkaLog(KafkaOptions(bootstrap, f"{topic_prefix}loader", (topic,), security=options))
    seen: list[bytes] = []

    def read_on() -> bool:
        polled: Polled = member.poll(200, 500)
        for place, records in polled.records.items():
            seen.extend(record.value or b"" for record in records)
            member.commit({place: Committed(records[-1].offset + 1, "")})
        return any(b'"m-1"' in value for value in seen)

    try:
        eventually(read_on, "the touchpoint is read back")
    finally:
        member.close()


@pytest.mark.parametrize("how", ["SCRAM", "PLAIN over TLS"])
def test_a_touchpoint_becomes_a_journey(
    secure: SecureKafka, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole deployment, the worker's own producer and consumer among it."""
    monkeypatch.delenv("CLICKHOUSE_URL", raising=False)
    for name, value in secure.settings[how].items():
        monkeypatch.setenv(name, value)
    (tmp_path / "journeys").mkdir()
    (tmp_path / "journeys" / "purchase.yaml").write_text(DEFINITION)
    (tmp_path / "touchpoints.yaml").write_text(CATALOGUE)
    (tmp_path / "sources.yaml").write_text(NO_SOURCES)
    stack = Stack(
        read_settings(
            data_dir=tmp_path / "data",
            topic_prefix=f"{tmp_path.name}.",
            definitions_dir=tmp_path / "journeys",
            catalogue_file=tmp_path / "touchpoints.yaml",
            sources_file=tmp_path / "sources.yaml",
        )
    )
    try:
        places = stack.start(lambda _: None)
        assert not (tmp_path / "data" / "kafka").exists()
        assert _order(places.collector_url, stack.secrets.write_keys["web"])["accepted"] == 1
        sql = b"SELECT definition, anchor FROM touchline.v_journeys_now FORMAT TSV"
        who = {"X-ClickHouse-User": places.bi_user, "X-ClickHouse-Key": places.bi_password}

        def journeys() -> bytes:
            with urlopen(Request(f"{places.clickhouse_url}/", sql, who), timeout=60) as answer:
                return bytes(answer.read())

        eventually(lambda: journeys() == b"purchase\torder_id:7788\n", "the journey is in ClickHouse")
    finally:
        stack.stop()


@pytest.mark.parametrize(
    "wrong",
    [
        {"KAFKA_SASL_PASSWORD": "not-the-pass-word"},
        {"KAFKA_SECURITY_PROTOCOL": "PLAINTEXT"},
        {"KAFKA_SSL_CAFILE": ""},
    ],
    ids=["password", "protocol", "trust"],
)
def test_what_kafka_refuses_is_told_in_one_sentence(
    secure: SecureKafka, wrong: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = set_all(monkeypatch, dict(secure.settings["PLAIN over TLS"]) | wrong)
    with pytest.raises(EmbeddedError) as caught:
        reach_kafka(options, bootstrap_ms=3_000)
    assert "Correct KAFKA_SECURITY_PROTOCOL, KAFKA_SASL_*, KAFKA_SSL_CAFILE" in str(caught.value)
    assert "pass" not in str(caught.value)
