from __future__ import annotations

import re
from pathlib import Path

import pytest

from schemas.settings import (
    Settings,
    SettingsError,
    address_of,
    heartbeat_ms,
    kafka_client_options,
    read_settings,
    settings_table,
)

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_every_setting_is_documented() -> None:
    assert settings_table() in PAGE.read_text("utf-8"), "write schemas.settings.settings_table() into docs/settings.md"
    assert all(info.description for info in Settings.model_fields.values())


def test_options_count_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOUCHLINE_COLLECTOR_PORT", "9000")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "broker:9092")
    monkeypatch.setenv("KAFKA_SASL_USERNAME", "")
    settings = read_settings(topic_prefix="test.")
    assert (settings.collector_port, settings.kafka_bootstrap_servers) == (9000, "broker:9092")
    assert (settings.topic_prefix, settings.kafka_sasl_username, settings.horizon_ms) == ("test.", None, 259_200_000)
    assert read_settings(collector_port=1, kafka_bootstrap_servers="b:1").kafka_bootstrap_servers == "b:1"


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("TOUCHLINE_DATADIR", "x", "Did you mean TOUCHLINE_DATA_DIR"),
        ("TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS", "x", "Did you mean KAFKA_BOOTSTRAP_SERVERS"),
        ("TOUCHLINE_HORIZON_MS", "hunter2", "TOUCHLINE_HORIZON_MS: "),
        ("TOUCHLINE_CONTROL_SECRET", "hunter2", "TOUCHLINE_CONTROL_SECRET: needs 16"),
        ("KAFKA_SECURITY_PROTOCOL", "SASL_SSL", "SASL_SSL needs KAFKA_SASL_MECHANISM"),
        ("CLICKHOUSE_URL", "ftp://me:hunter2@host", "CLICKHOUSE_URL: must look like"),
        ("CLICKHOUSE_URL", "http://me:hunter2@host:port/db", "CLICKHOUSE_URL: "),
    ],
)
def test_an_error_names_the_variable_and_hides_the_value(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, complaint: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as refused:
        read_settings()
    assert complaint in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_kafka_options_follow_the_protocol() -> None:
    plain = read_settings()
    assert kafka_client_options(plain) == {"security_protocol": "PLAINTEXT"}
    sasl = read_settings(
        kafka_security_protocol="SASL_SSL",
        kafka_sasl_mechanism="SCRAM-SHA-512",
        kafka_sasl_username="me",
        kafka_sasl_password="hunter2",
    )
    options = kafka_client_options(sasl)
    assert options["sasl_plain_password"] == "hunter2"
    assert options["ssl_context"].check_hostname
    assert "hunter2" not in repr(sasl)


def test_the_parts_of_an_address() -> None:
    address = address_of("https://me:p%40ss@host/db")
    assert (address.secure, address.host, address.port, address.user, address.database) == (
        True,
        "host",
        8443,
        "me",
        "db",
    )
    assert address.password == "p@ss"
    assert "p@ss" not in f"{address!r} {address}"
    plain = address_of("http://host")
    assert (plain.host, plain.port, plain.user, plain.database) == ("host", 8123, "default", "touchline")


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_of_certificates_that_cannot_be_used_is_named(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    settings = read_settings(kafka_security_protocol="SSL", kafka_ssl_cafile=file)
    with pytest.raises(SettingsError, match=rf"KAFKA_SSL_CAFILE: {re.escape(str(file))} is no file of PEM"):
        kafka_client_options(settings)


@pytest.mark.parametrize(("session_ms", "beat_ms"), [(300, 100), (1_000, 200), (10_000, 2_000), (300_000, 3_000)])
def test_a_member_hears_soon_of_a_rebalance_however_long_its_session(session_ms: int, beat_ms: int) -> None:
    assert heartbeat_ms(session_ms) == beat_ms
