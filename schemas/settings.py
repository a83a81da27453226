"""What a deployment sets: environment variables, read once by the shells. docs/settings.md lists them all (a
test compares).

`TOUCHLINE_<FIELD>` for our own, and the usual names for Kafka and ClickHouse. An unknown TOUCHLINE_ variable
is an error, because a typing error in a variable name would silently leave a default in force.
"""

from __future__ import annotations

import errno
import os
import ssl
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import Field, HttpUrl, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.records import Run

PREFIX: Final = "TOUCHLINE_"
SECRET_LENGTH_MIN: Final = 16
HEARTBEAT_MS_MIN: Final = 100
HEARTBEAT_MS_MAX: Final = 3_000
DATABASE: Final = "touchline"
DATABASE_CHARACTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_")
Port = Annotated[int, Field(ge=0, le=65_535)]
TopicPrefix = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]*$", max_length=100)]


class SettingsError(ValueError):
    """The environment cannot be used; the text says which variable and what to do."""


class Settings(BaseSettings):
    """Frozen. Durations are ms."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    data_dir: Path = Field(
        Path(".touchline"), description="Where embedded mode keeps its data and the secrets it made."
    )
    topic_prefix: TopicPrefix = Field("", description="Put before every topic and consumer group.")
    run: Run = Field("live", description="Kind of run. A replay or backfill notifies nobody.")
    control_secret: SecretStr | None = Field(
        None, description="Key of the MAC on control records, 16 characters or more. Embedded mode makes its own."
    )
    horizon_ms: Annotated[int, Field(ge=60_000, le=30 * 86_400_000)] = Field(
        72 * 3_600_000, description="How late a touchpoint may arrive and still count."
    )
    definitions_dir: Path = Field(Path("journeys"), description="Journey definitions, one YAML file each.")
    catalogue_file: Path = Field(Path("touchpoints.yaml"), description="The touchpoint catalogue.")
    identity_file: Path | None = Field(
        None,
        description="Which identifiers count, and what they join. Default: identity.yaml where it lies here, else the "
        "built-in rules, which are the same as those in the file that is shipped.",
    )
    sources_file: Path | None = Field(
        None,
        description="Which sources are watched for silence: docs/sources.md. Default: sources.yaml where it lies here, "
        "else none is.",
    )
    personal_key: SecretStr | None = Field(
        None,
        description="Key of the hashes that stand for e-mail addresses and phone numbers, 16 characters or more. "
        "Embedded mode makes its own. With another key all of them are other customers.",
    )
    proof_secret: SecretStr | None = Field(
        None,
        description="Key of the proofs that a shop's server gives its browsers, 16 characters or more. Embedded mode "
        "makes its own. None: a user_id from a browser never counts.",
    )
    worker_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$", max_length=100)] = Field(
        "worker-1", description="The same in every life of this worker, different from every other worker."
    )
    collector_host: str = Field("127.0.0.1", description="Address the collector listens on.")
    collector_port: Port = Field(8080, description="Port of the collector. 0: any free port.")
    health_host: str = Field("127.0.0.1", description="Address of the workers' health and metrics pages.")
    health_port: Port = Field(8081, description="Port of the worker's health and metrics pages. 0: any free port.")
    loader_health_port: Port = Field(8082, description="The same for the loader.")
    notifier_health_port: Port = Field(8083, description="The same for the notifier.")
    write_keys_file: Path = Field(
        Path("write-keys.yaml"), description="Sources, their trust, and the hashes of their write keys."
    )
    admin_token: SecretStr | None = Field(
        None, description="Bearer token that sees all sources in the collector's tail. None: nobody does."
    )
    beats: Literal["collector", "worker"] = Field("collector", description="Who writes beats, which let time pass.")
    beat_interval_ms: Annotated[int, Field(ge=50, le=60_000)] = Field(250, description="Time between two beats.")
    session_timeout_ms: Annotated[int, Field(ge=1_000, le=300_000)] = Field(
        10_000, description="After this silence Kafka gives a worker's partitions to another."
    )
    drain_timeout_ms: Annotated[int, Field(ge=1_000, le=300_000)] = Field(
        15_000, description="How long a worker may finish its batches when partitions move."
    )
    stop_timeout_ms: Annotated[int, Field(ge=1_000, le=600_000)] = Field(
        30_000, description="How long a stop may take before it is forced."
    )
    kafka_bootstrap_servers: str = Field(
        "127.0.0.1:9092",
        validation_alias="KAFKA_BOOTSTRAP_SERVERS",
        description="Brokers, host:port, separated by commas.",
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", validation_alias="KAFKA_SECURITY_PROTOCOL", description="How to talk to the brokers."
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, validation_alias="KAFKA_SASL_MECHANISM", description="Required with a SASL protocol."
    )
    kafka_sasl_username: str | None = Field(
        None, validation_alias="KAFKA_SASL_USERNAME", description="Required with a SASL protocol."
    )
    kafka_sasl_password: SecretStr | None = Field(
        None, validation_alias="KAFKA_SASL_PASSWORD", description="Required with a SASL protocol."
    )
    kafka_ssl_cafile: Path | None = Field(
        None, validation_alias="KAFKA_SSL_CAFILE", description="Certificates to trust, PEM. Default: the system's."
    )
    clickhouse_url: SecretStr | None = Field(
        None,
        validation_alias="CLICKHOUSE_URL",
        description="http[s]://user:password@host:port/database. Default: the embedded ClickHouse.",
    )

    clickhouse_cluster: str | None = Field(
        None, validation_alias="CLICKHOUSE_CLUSTER", description="Create tables ON CLUSTER, replicated."
    )
    loader_group: str = Field("loader", description="Consumer group of the loaders, without the prefix.")
    squash_interval_ms: Annotated[int, Field(ge=0, le=604_800_000)] = Field(
        3_600_000, description="How often a loader moves old attributions into their touchpoints. 0: never."
    )
    squash_after_ms: Annotated[int, Field(ge=0, le=31_536_000_000)] = Field(
        172_800_000, description="How much older than the newest touchpoint those touchpoints are, by log time."
    )
    notifier_group: str = Field("notifier", description="Consumer group of the notifiers, without the prefix.")
    instance: str | None = Field(
        None, description="Of a loader or notifier: the same in every life, so that a restart need not wait."
    )
    webhook_url: HttpUrl | None = Field(None, description="Where alerts are sent. Without it they are only counted.")
    webhook_secret: SecretStr = Field(SecretStr(""), description="Key of the notifications' signature.")
    webhook_timeout_ms: Annotated[int, Field(ge=100, le=60_000)] = Field(
        5_000, description="How long a receiver may take to answer."
    )
    routes_file: Path | None = Field(
        None, description="Who hears of what: docs/notifications.md. The webhook above stays beside it."
    )
    alertmanager_refresh_ms: Annotated[int, Field(ge=100, le=3_600_000)] = Field(
        60_000, description="How often an open incident is sent to Alertmanager again."
    )
    alertmanager_ends_after_ms: Annotated[int, Field(ge=200, le=86_400_000)] = Field(
        300_000, description="Without a refresh for so long Alertmanager ends an incident. Twice the refresh or more."
    )
    notifier_token: SecretStr | None = Field(
        None,
        description="Bearer token of who may acknowledge, close and silence. Embedded mode uses its admin token. None: "
        "nobody may, from outside.",
    )
    notifier_url: HttpUrl | None = Field(
        None, description="Where `touchline alerts` finds the notifier. Default: on this machine."
    )
    generator_url: HttpUrl | None = Field(
        None, description="Where an alert in Alertmanager links to, as its source. Without it there is no link."
    )

    @field_validator("control_secret", "personal_key", "proof_secret")
    @classmethod
    def _long_enough(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(secret.get_secret_value()) < SECRET_LENGTH_MIN:
            raise ValueError(f"needs {SECRET_LENGTH_MIN} characters or more")
        return secret

    @field_validator("clickhouse_url")
    @classmethod
    def _readable(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            address_of(url.get_secret_value())
        return url

    @model_validator(mode="after")
    def _refreshed_in_time(self) -> Self:
        if self.alertmanager_ends_after_ms < 2 * self.alertmanager_refresh_ms:
            raise ValueError(f"{variable_of('alertmanager_ends_after_ms')} must be twice the refresh or more")
        return self

    @model_validator(mode="after")
    def _sasl_is_complete(self) -> Self:
        if self.kafka_security_protocol.startswith("SASL"):
            for field in ("kafka_sasl_mechanism", "kafka_sasl_username", "kafka_sasl_password"):
                if getattr(self, field) is None:
                    raise ValueError(f"{self.kafka_security_protocol} needs {variable_of(field)}")
        return self


@dataclass(frozen=True, slots=True)
class Address:
    """Where ClickHouse is: the parts of CLICKHOUSE_URL."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str = DATABASE
    secure: bool = False

    def __str__(self) -> str:
        return f"{self.host}:{self.port}/{self.database}"


def address_of(url: str) -> Address:
    """Raises ValueError, without the password."""
    parts = urlsplit(url)
    database = parts.path.strip("/")
    if parts.scheme not in ("http", "https") or not parts.hostname or "/" in database or parts.query:
        raise ValueError("must look like http[s]://user:password@host:port/database")
    if database and (not set(database) <= DATABASE_CHARACTERS or database[0].isdigit()):
        raise ValueError("the database may hold lower-case letters, digits and _ only")
    secure = parts.scheme == "https"
    return Address(
        host=parts.hostname,
        port=parts.port or (8443 if secure else 8123),
        user=unquote(parts.username or "default"),
        password=unquote(parts.password or ""),
        database=unquote(database) or DATABASE,
        secure=secure,
    )


def variable_of(field: str) -> str:
    alias = Settings.model_fields[field].validation_alias
    return alias if isinstance(alias, str) else PREFIX + field.upper()


def read_settings(**options: Any) -> Settings:
    """From the environment; `options` (of a command, by field name) count before it. Raises SettingsError."""
    variables = [variable_of(field) for field in Settings.model_fields]
    for variable in os.environ:
        if variable.upper().startswith(PREFIX) and variable.upper() not in variables:
            near = get_close_matches(variable.upper(), variables, 1, 0.5)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise SettingsError(f"{variable} is not a setting.{hint} All settings: docs/settings.md.")
    try:
        return Settings(**options)
    except ValidationError as error:
        raise SettingsError("; ".join(map(_complaint, error.errors(include_input=False)))) from None


def _complaint(fault: ErrorDetails) -> str:
    place = str(fault["loc"][0]) if fault["loc"] else ""
    variable = variable_of(place) if place in Settings.model_fields else place
    reason = fault["msg"].removeprefix("Value error, ")
    return f"{variable}: {reason}" if variable else reason


def heartbeat_ms(session_timeout_ms: int) -> int:
    """How often a member of a consumer group shows that it lives. A member hears of a rebalance by the answer, so this
    stays short however long the session may be.
    """
    return min(max(session_timeout_ms // 5, HEARTBEAT_MS_MIN), HEARTBEAT_MS_MAX)


def kafka_client_options(settings: Settings) -> dict[str, Any]:
    """How to reach the brokers, in the names that aiokafka and kafka-python share; without `bootstrap_servers`.

    Raises SettingsError.
    """
    options: dict[str, Any] = {"security_protocol": settings.kafka_security_protocol}
    if settings.kafka_security_protocol in ("SSL", "SASL_SSL"):
        options["ssl_context"] = _trusted(settings.kafka_ssl_cafile)
    if settings.kafka_sasl_password is not None and settings.kafka_security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = settings.kafka_sasl_mechanism
        options["sasl_plain_username"] = settings.kafka_sasl_username
        options["sasl_plain_password"] = settings.kafka_sasl_password.get_secret_value()
    return options


def _trusted(cafile: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=cafile)
    except OSError as error:  # of the file, or of what is in it: ssl.SSLError is one
        raise SettingsError(f"KAFKA_SSL_CAFILE: {cafile} is no file of PEM certificates that can be read") from error


def settings_table() -> str:
    """The table of docs/settings.md."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, info in Settings.model_fields.items():
        default = "" if info.default is None or info.default == "" else f"`{info.default}`"
        rows.append(f"| `{variable_of(name)}` | {default} | {info.description} |")
    return "\n".join(rows) + "\n"


def no_place(host_setting: str, port_setting: str, host: str, port: int, error: OSError) -> SettingsError:
    """What to say where a server cannot listen."""
    if error.errno == errno.EADDRINUSE:
        return SettingsError(
            f"{port_setting}: port {port} on {host} is taken: end the program that holds it, or set another"
        )
    why = str(error) if error.errno is None else os.strerror(error.errno) if error.errno > 0 else "unknown host"
    return SettingsError(f"{host_setting}: cannot listen on {host} port {port} ({why}): set an address of this machine")
