"""`python -m sinks.notify`. Settings: docs/settings.md."""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sqlite3
import sys
from collections.abc import Callable, Sequence
from functools import partial
from threading import Event
from time import time
from typing import Final

import stamina
import structlog
from aiohttp import web
from kafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError
from prometheus_client import CollectorRegistry

from schemas.settings import Settings, kafka_client_options, read_settings
from schemas.yaml_file import DefinitionError
from sinks.health import Checks
from sinks.log_reader import KafkaLog, KafkaOptions, TopicsMissing
from sinks.notify.acknowledge import KafkaWords
from sinks.notify.alertmanager import Pace
from sinks.notify.api import application
from sinks.notify.desk import Desk
from sinks.notify.incident import Labels
from sinks.notify.metrics import NotifierMetrics
from sinks.notify.notifier import TOPIC, Notifier
from sinks.notify.outbox import Outbox, OutboxError
from sinks.notify.post import Post
from sinks.notify.reporter import Reporter
from sinks.notify.routing import Route, quiet_of, routes_of
from sinks.notify.sender import Sender, SenderThread, Sends, send_all_until
from sinks.notify.server import Server

STALLED_SECONDS: Final = 120.0
START_SECONDS: Final = 600.0

log = structlog.get_logger()


def now_ms() -> int:
    return int(time() * 1000)


def send(settings: Settings, routes: Sequence[Route], metrics: NotifierMetrics, outbox: Outbox, stop: Event) -> None:
    """Runs until `stop`, in a thread of its own: a slow receiver holds up nothing else."""

    async def run() -> None:
        posts = [(route, Post(route, settings.webhook_timeout_ms, time)) for route in routes]
        try:
            await send_all_until(stop, [_sender(settings, route, post, metrics, outbox) for route, post in posts])
        finally:
            for _, post in posts:
                await post.close()

    asyncio.run(run())


def _sender(settings: Settings, route: Route, post: Post, metrics: NotifierMetrics, outbox: Outbox) -> Sends:
    jitter = partial(random.uniform, 0.5, 1.0)
    if route.kind != "alertmanager":
        return Sender(outbox, route, post, metrics, now_ms=now_ms, jitter=jitter)
    pace = Pace(settings.alertmanager_refresh_ms, settings.alertmanager_ends_after_ms)
    generator_url = str(settings.generator_url) if settings.generator_url else None
    return Reporter(outbox, route, post, metrics, pace=pace, generator_url=generator_url, now_ms=now_ms, jitter=jitter)


def _routes(settings: Settings) -> tuple[Route, ...]:
    routes = routes_of(settings, os.environ)
    if not routes:
        log.warning("no webhook and no routes are configured: alerts are decided upon and counted, nobody is told")
    for route in routes:
        log.info("route", route=route.name, kind=route.kind, per_minute=route.per_minute)
        if route.kind == "webhook" and not route.secret:
            log.warning("the webhook has no secret: notifications are not signed", route=route.name)
    return routes


def run(settings: Settings, stop: Event) -> None:
    """Runs until `stop`. Raises DefinitionError, SettingsError, OutboxError, TopicsMissing, sqlite3.Error or
    kafka.errors.KafkaError."""
    registry = CollectorRegistry()
    metrics = NotifierMetrics(registry)
    path = settings.data_dir / "notify" / "outbox.sqlite"
    routes, rules = _routes(settings), quiet_of(settings, os.environ)
    outbox = Outbox(path, routes, rules)
    if gone := outbox.adopt(now_ms()):
        log.error("notifications of routes that are gone were parked", count=gone)
    sender = SenderThread(partial(Outbox, path, routes), partial(send, settings, routes, metrics)) if routes else None
    notifier: Notifier | None = None

    def unhealthy() -> list[str]:
        age = time() - notifier.last_step_at if notifier else 0.0
        return [f"no round for {age:.0f} s"] if age > STALLED_SECONDS else []

    def unready() -> list[str]:
        return notifier.unready() if notifier else ["starting: waits for Kafka"]

    def door() -> tuple[web.Application, Callable[[], None]]:
        own = Outbox(path, routes, rules)
        return _door(settings, routes, own, Checks(unhealthy, unready), registry)

    server = Server(settings.health_host, settings.notifier_health_port, "TOUCHLINE_NOTIFIER_HEALTH_PORT")
    server.start(door)
    log.info("notifier starts", health_port=server.port)
    try:
        if sender:
            sender.start()
        kafka = _connected(settings, stop)
        notifier = Notifier(kafka, outbox, metrics, now_ms=now_ms)
        while not stop.is_set():
            if not server.is_alive():
                raise OutboxError("the HTTP server ended unexpectedly; see the log above")
            if sender and not sender.is_alive():
                raise OutboxError("the sender ended unexpectedly; see the log above")
            notifier.step()
        notifier.close()
    finally:
        if sender and sender.is_alive():
            sender.stop(settings.webhook_timeout_ms / 1000 + 5)
        server.stop()
        outbox.close()


def _door(
    settings: Settings, routes: Sequence[Route], outbox: Outbox, checks: Checks, registry: CollectorRegistry
) -> tuple[web.Application, Callable[[], None]]:
    """The HTTP application with an outbox connection of its own, and what closes both."""
    secret, token, words = settings.control_secret, settings.notifier_token, None
    if secret is not None:
        kafka = {"bootstrap_servers": settings.kafka_bootstrap_servers, **kafka_client_options(settings)}
        words = KafkaWords(kafka, settings.topic_prefix, secret.get_secret_value().encode())

    def runbook(labels: Labels) -> str | None:
        return next((found for route in routes if (found := route.runbook_of(labels))), None)

    def close() -> None:
        outbox.close()
        if words is not None:
            words.close()

    desk = Desk(outbox, words, runbook, now_ms)
    return application(desk, token.get_secret_value() if token else None, checks, registry), close


def _connected(settings: Settings, stop: Event) -> KafkaLog:
    prefix = settings.topic_prefix
    options = KafkaOptions(
        bootstrap=settings.kafka_bootstrap_servers,
        group=prefix + settings.notifier_group,
        topics=(prefix + TOPIC,),
        instance=settings.instance,
        security=kafka_client_options(settings),
    )

    def worth_waiting(error: Exception) -> bool:
        return isinstance(error, KafkaConnectionError | KafkaTimeoutError | TopicsMissing) and not stop.is_set()

    return stamina.retry(on=worth_waiting, attempts=None, timeout=START_SECONDS, wait_max=5.0)(KafkaLog)(options)


def main(argv: Sequence[str] | None = None) -> int:
    argparse.ArgumentParser(prog="sinks.notify", description="Tell people about alerts.").parse_args(argv)
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        run(read_settings(), stop)
    except (ValueError, DefinitionError, OutboxError, TopicsMissing, sqlite3.Error, KafkaError) as error:
        print(f"error: {error or type(error).__name__}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
