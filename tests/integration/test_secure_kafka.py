"""A Kafka that wants user, password and TLS: the settings alone reach it, with every client library that is used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.embedded.process import EmbeddedError
from deploy.reach import reach_kafka
from deploy.topics import ensure
from schemas.settings import kafka_client_options, read_settings
from sinks.log_reader import Committed, KafkaLog, KafkaOptions, Polled
from tests.integration.collector_rig import eventually, running_collector
from tests.integration.secure_kafka import SecureKafka, secure_kafka


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
