"""`python -m sinks.clickhouse load | migrate`. Settings: docs/settings.md."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event
from time import time
from typing import Final, TypeVar

import stamina
import structlog
from kafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError
from prometheus_client import CollectorRegistry

from schemas.definition_files import DefinitionError, load_catalogue, load_definitions
from schemas.identity_files import identity_rules_of
from schemas.settings import Address, Settings, address_of, kafka_client_options, read_settings
from sinks.clickhouse.errors import MigrationError, Rejected, Unavailable
from sinks.clickhouse.loader import TOPICS, Loader
from sinks.clickhouse.metrics import LoaderMetrics
from sinks.clickhouse.migrate import ClickHouseDatabase, migrate
from sinks.clickhouse.squash import Bounds, ClickHouseTables, Squash
from sinks.clickhouse.squash_rounds import SquashRounds
from sinks.clickhouse.statements import Target
from sinks.clickhouse.store import ClickHouseStore, connect
from sinks.clickhouse.view_builder import deployment_views
from sinks.health import Checks, HealthServer
from sinks.log_reader import KafkaLog, KafkaOptions, Partition, TopicsMissing

STALLED_SECONDS: Final = 180.0
START_SECONDS: Final = 600.0
STOP_SECONDS: Final = 5.0
LOCAL_URL: Final = "http://127.0.0.1:8123/touchline"

T = TypeVar("T")

log = structlog.get_logger()


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sinks.clickhouse", description="Load Touchline's topics into ClickHouse.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("load", "migrate, then load until a signal comes"),
        ("migrate", "create or update tables and views, then end"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--journeys", type=Path, help="folder of journey definitions; their views are created")
        command.add_argument(
            "--touchpoints", type=Path, default=Path("touchpoints.yaml"), help="the touchpoint catalogue"
        )
    return parser


def run_migrations(address: Address, target: Target, views: Sequence[str]) -> None:
    """Raises Unavailable, Rejected or MigrationError."""
    client = connect(address)
    try:
        for name in migrate(ClickHouseDatabase(client, target), target, views=views):
            log.info("migration applied", name=name, database=address.database)
    finally:
        client.close()


def load(settings: Settings, address: Address, target: Target, stop: Event, views: Sequence[str]) -> None:
    """Runs until `stop`. While Kafka or ClickHouse do not answer at the start it waits for them, ready to be
    asked why."""
    registry = CollectorRegistry()
    metrics = LoaderMetrics(registry)
    starting = ["starting: waits for ClickHouse and Kafka"]
    loader: Loader | None = None

    def unhealthy() -> list[str]:
        age = time() - loader.last_step_at if loader else 0.0
        return [f"no round for {age:.0f} s"] if age > STALLED_SECONDS else []

    def unready() -> list[str]:
        return loader.unready() if loader else starting

    checks = Checks(unhealthy, unready)
    port = settings.loader_health_port
    health = HealthServer(settings.health_host, port, "TOUCHLINE_LOADER_HEALTH_PORT", checks, registry)
    health.start()
    log.info("loader starts", health_port=health.port, clickhouse=str(address))
    try:
        _patiently(stop, lambda: run_migrations(address, target, views))
        kafka = _patiently(stop, lambda: KafkaLog(_options(settings)))
        store = ClickHouseStore(address)
        loader = Loader(kafka, store, metrics, prefix=settings.topic_prefix)
        squash = _squash_rounds(settings, address, loader, stop)
        while not stop.is_set():
            loader.step()
        loader.close()
        store.close()
        if squash is not None:
            squash.wait(STOP_SECONDS)
    finally:
        health.stop()


def _squash_rounds(settings: Settings, address: Address, loader: Loader, stop: Event) -> SquashRounds | None:
    """Started. None: the settings want none."""
    if not settings.squash_interval_ms:
        return None
    first = Partition(f"{settings.topic_prefix}touchpoints", 0)
    bounds = Bounds(keep_ms=settings.squash_after_ms)
    squash = Squash(ClickHouseTables(address), address.database, bounds, stop.is_set)
    seconds = settings.squash_interval_ms / 1000
    rounds = SquashRounds(squash, loader.metrics, lambda: first in loader.lanes, seconds, stop)
    rounds.start()
    return rounds


def _patiently(stop: Event, action: Callable[[], T]) -> T:
    """Again and again while ClickHouse or Kafka do not answer, for START_SECONDS at most."""

    def worth_waiting(error: Exception) -> bool:
        outage = isinstance(error, Unavailable | KafkaConnectionError | KafkaTimeoutError | TopicsMissing)
        return outage and not stop.is_set()

    return stamina.retry(on=worth_waiting, attempts=None, timeout=START_SECONDS, wait_max=5.0)(action)()


def _options(settings: Settings) -> KafkaOptions:
    prefix = settings.topic_prefix
    return KafkaOptions(
        bootstrap=settings.kafka_bootstrap_servers,
        group=prefix + settings.loader_group,
        topics=tuple(prefix + topic for topic in TOPICS),
        instance=settings.instance,
        security=kafka_client_options(settings),
    )


def _views(journeys: Path, touchpoints: Path, target: Target) -> list[str]:
    """Raises DefinitionError."""
    catalogue = load_catalogue(touchpoints, target.kinds)
    return deployment_views(load_definitions(journeys, catalogue), catalogue, target)


def main(argv: Sequence[str] | None = None) -> int:
    given = arguments().parse_args(argv)
    try:
        settings = read_settings()
        address = address_of(settings.clickhouse_url.get_secret_value() if settings.clickhouse_url else LOCAL_URL)
        target = Target(address.database, settings.clickhouse_cluster, identity_rules_of(settings).kinds)
        views = _views(given.journeys, given.touchpoints, target) if given.journeys else []
        if given.command == "migrate":
            run_migrations(address, target, views)
            return 0
        stop = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        load(settings, address, target, stop, views)
    except (ValueError, DefinitionError, MigrationError, Unavailable, Rejected, TopicsMissing, KafkaError) as error:
        print(f"error: {error or type(error).__name__}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
