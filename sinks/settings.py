"""Settings of the sinks, from the environment. The same names for embedded and real Kafka and ClickHouse."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, HttpUrl, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

Port = Annotated[int, Field(ge=0, le=65535)]


class KafkaSettings(BaseSettings):
    """Where Kafka is and how to log in. `SASL_*` counts with a security protocol that begins with SASL."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    kafka_bootstrap_servers: str = "127.0.0.1:9092"
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_sasl_username: str = ""
    kafka_sasl_password: SecretStr = SecretStr("")
    kafka_ssl_cafile: str = ""
    touchline_topic_prefix: str = ""
    touchline_instance: str | None = None
    touchline_health_host: str = "127.0.0.1"

    def security(self) -> dict[str, str]:
        found: dict[str, str] = {"security_protocol": self.kafka_security_protocol}
        if self.kafka_security_protocol.startswith("SASL"):
            found["sasl_mechanism"] = self.kafka_sasl_mechanism
            found["sasl_plain_username"] = self.kafka_sasl_username
            found["sasl_plain_password"] = self.kafka_sasl_password.get_secret_value()
        if self.kafka_ssl_cafile:
            found["ssl_cafile"] = self.kafka_ssl_cafile
        return found


class ClickHouseSettings(BaseSettings):
    """`CLICKHOUSE_URL` = http[s]://user:password@host:port/database. It holds a password, so it is a secret."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    clickhouse_url: SecretStr = SecretStr("http://127.0.0.1:8123/touchline")
    clickhouse_cluster: str | None = None


class LoaderSettings(KafkaSettings, ClickHouseSettings):
    touchline_loader_port: Port = 9102
    touchline_loader_group: str = "loader"


class NotifierSettings(KafkaSettings):
    """Without a webhook alerts are decided upon and counted, and nobody is told."""

    touchline_notifier_port: Port = 9103
    touchline_notifier_group: str = "notifier"
    touchline_data_dir: Path = Path(".touchline")
    touchline_webhook_url: HttpUrl | None = None
    touchline_webhook_secret: SecretStr = SecretStr("")
    touchline_webhook_timeout_ms: Annotated[int, Field(ge=100, le=60_000)] = 5_000
