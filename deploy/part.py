"""Our own processes: what each is started with, whether it answers, what it said last."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from deploy.embedded import process
from deploy.keys import Secrets
from schemas.identity_files import identity_file_of
from schemas.settings import Settings, variable_of
from schemas.sources_files import sources_file_of

ANSWER_SECONDS: Final = 2.0
WORDS_BYTES: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class Part:
    """`health_port` answers /readyz."""

    name: str
    argv: tuple[str, ...]
    health_port: int
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the parts of one deployment have in common."""

    settings: Settings
    home: Path
    bootstrap: str
    clickhouse_url: str
    secrets: Secrets
    webhook_url: str
    routes_file: Path | None = None


def parts_of(around: Surroundings, workers: int) -> Iterator[Part]:
    """On the ports of the settings, or on some that are free now."""
    taken: set[int] = set()

    def port(name: str, field: str) -> int:
        given = int(_given(around.settings).get(field, 0))
        if given:  # 0 is any free port, and here it must be known which
            return given
        found = process.free_port(f"{around.home}/{name}", avoid=frozenset(taken))
        taken.add(found)
        return found

    common, secrets = _environment(around), around.secrets
    collector_port = port("collector", "collector_port")
    loader_port, notifier_port = port("loader", "loader_health_port"), port("notifier", "notifier_health_port")
    yield Part(
        "collector",
        ("-m", "sources.collector"),
        collector_port,
        common
        | {
            "TOUCHLINE_COLLECTOR_PORT": str(collector_port),
            "TOUCHLINE_WRITE_KEYS_FILE": str(write_keys_of(around.home, around.settings)),
            "TOUCHLINE_ADMIN_TOKEN": secrets.admin_token,
        },
    )
    for number in range(1, workers + 1):
        health = port(f"worker-{number}", "health_port" if workers == 1 else "")
        own = {"TOUCHLINE_WORKER_ID": f"worker-{number}", "TOUCHLINE_HEALTH_PORT": str(health)}
        yield Part(f"worker-{number}", ("-m", "streams.main"), health, common | own)
    yield Part(
        "loader",
        ("-m", "sinks.clickhouse", "load", *_declared(around.settings)),
        loader_port,
        common
        | {"CLICKHOUSE_URL": around.clickhouse_url, "TOUCHLINE_LOADER_HEALTH_PORT": str(loader_port)}
        | {"TOUCHLINE_INSTANCE": "loader-1"},
    )
    routes = {} if around.routes_file is None else {"TOUCHLINE_ROUTES_FILE": str(around.routes_file.absolute())}
    webhook = {"TOUCHLINE_WEBHOOK_URL": around.webhook_url, "TOUCHLINE_WEBHOOK_SECRET": secrets.admin_token}
    yield Part(
        "notifier",
        ("-m", "sinks.notify"),
        notifier_port,
        common
        | {"TOUCHLINE_NOTIFIER_HEALTH_PORT": str(notifier_port), "TOUCHLINE_INSTANCE": "notifier-1"}
        | {"TOUCHLINE_NOTIFIER_TOKEN": _given(around.settings).get("notifier_token", secrets.admin_token)}
        | (webhook if around.webhook_url else {})
        | routes,
    )


def write_keys_of(home: Path, settings: Settings) -> Path:
    return Path(_given(settings).get("write_keys_file", home / "write-keys.yaml"))


def _given(settings: Settings) -> dict[str, str]:
    """What somebody has set, as text, by field. Nothing in a simulation: a demo is the same whatever is set."""
    if settings.run != "live":
        return {}
    values = {field: getattr(settings, field) for field in settings.model_fields_set}
    return {field: _text(value) for field, value in values.items() if value is not None}


def _text(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(value.absolute() if isinstance(value, Path) else value)


def _declared(settings: Settings) -> tuple[str, ...]:
    folder, catalogue = settings.definitions_dir.absolute(), settings.catalogue_file.absolute()
    return ("--journeys", str(folder), "--touchpoints", str(catalogue))


def _environment(around: Surroundings) -> dict[str, str]:
    settings = around.settings
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOUCHLINE_")}
    kept |= {name: value for name, value in os.environ.items() if name.startswith("TOUCHLINE_TEST_")}
    kept |= {variable_of(field): text for field, text in _given(settings).items()}
    identity_file = identity_file_of(settings)
    if identity_file is not None:
        kept["TOUCHLINE_IDENTITY_FILE"] = str(identity_file.absolute())
    sources_file = sources_file_of(settings)
    if sources_file is not None:
        kept["TOUCHLINE_SOURCES_FILE"] = str(sources_file.absolute())
    return kept | {
        "KAFKA_BOOTSTRAP_SERVERS": around.bootstrap,
        "TOUCHLINE_DATA_DIR": str(around.home),
        "TOUCHLINE_TOPIC_PREFIX": settings.topic_prefix,
        "TOUCHLINE_RUN": settings.run,
        "TOUCHLINE_CONTROL_SECRET": around.secrets.control_secret,
        "TOUCHLINE_PERSONAL_KEY": around.secrets.personal_key,
        "TOUCHLINE_PROOF_SECRET": around.secrets.proof_secret,
        "TOUCHLINE_HORIZON_MS": str(settings.horizon_ms),
        "TOUCHLINE_DEFINITIONS_DIR": str(settings.definitions_dir.absolute()),
        "TOUCHLINE_CATALOGUE_FILE": str(settings.catalogue_file.absolute()),
    }


def is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=ANSWER_SECONDS) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def last_line(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - WORDS_BYTES))
            lines = [line for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    except OSError:
        return "none"
    return lines[-1] if lines else "none"
