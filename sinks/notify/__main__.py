"""`python -m sinks.notify`. Settings: docs/settings.md."""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import sqlite3
import sys
from collections.abc import Sequence
from functools import partial
from threading import Event
from time import time
from typing import Final

import stamina
import structlog
from kafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError
from prometheus_client import CollectorRegistry

from schemas.settings import Settings, kafka_client_options, read_settings
from sinks.health import Checks, HealthServer
from sinks.log_reader import KafkaLog, KafkaOptions, TopicsMissing
from sinks.notify.metrics import NotifierMetrics
from sinks.notify.notifier import TOPIC, Notifier
from sinks.notify.outbox import Outbox, OutboxError
from sinks.notify.sender import Sender, SenderThread, send_until
from sinks.notify.webhook import Receiver, Webhook

STALLED_SECONDS: Final = 120.0
START_SECONDS: Final = 600.0

log = structlog.get_logger()


def now_ms() -> int:
    return int(time() * 1000)


def send(receiver: Receiver, metrics: NotifierMetrics, outbox: Outbox, stop: Event) -> None:
    """Runs until `stop`, in a thread of its own: a slow receiver holds up nothing else."""

    async def run() -> None:
        webhook = Webhook(receiver, time)
        try:
            jitter = partial(random.uniform, 0.5, 1.0)
            await send_until(stop, Sender(outbox, webhook, metrics, now_ms=now_ms, jitter=jitter))
        finally:
            await webhook.close()

    asyncio.run(run())


def _receiver(settings: Settings) -> Receiver | None:
    if settings.webhook_url is None:
        log.warning("no webhook is configured: alerts are decided upon and counted, nobody is told")
        return None
    secret = settings.webhook_secret.get_secret_value()
    if not secret:
        log.warning("the webhook has no secret: notifications are not signed")
    return Receiver(str(settings.webhook_url), secret.encode(), settings.webhook_timeout_ms)


def run(settings: Settings, stop: Event) -> None:
    """Runs until `stop`. Raises OutboxError, TopicsMissing, sqlite3.Error or kafka.errors.KafkaError."""
    registry = CollectorRegistry()
    metrics = NotifierMetrics(registry)
    path = settings.data_dir / "notify" / "outbox.sqlite"
    outbox = Outbox(path)
    receiver = _receiver(settings)
    sender = SenderThread(path, partial(send, receiver, metrics)) if receiver else None
    notifier: Notifier | None = None

    def unhealthy() -> list[str]:
        age = time() - notifier.last_step_at if notifier else 0.0
        return [f"no round for {age:.0f} s"] if age > STALLED_SECONDS else []

    def unready() -> list[str]:
        return notifier.unready() if notifier else ["starting: waits for Kafka"]

    health = HealthServer(settings.health_host, settings.notifier_health_port, Checks(unhealthy, unready), registry)
    health.start()
    log.info("notifier starts", health_port=health.port)
    try:
        if sender:
            sender.start()
        kafka = _connected(settings, stop)
        notifier = Notifier(kafka, outbox, metrics, deliver=receiver is not None, now_ms=now_ms)
        while not stop.is_set():
            if sender and not sender.is_alive():
                raise OutboxError("the sender ended unexpectedly; see the log above")
            notifier.step()
        notifier.close()
    finally:
        if sender and sender.is_alive():
            sender.stop(settings.webhook_timeout_ms / 1000 + 5)
        health.stop()
        outbox.close()


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
    except (ValueError, OutboxError, TopicsMissing, sqlite3.Error, KafkaError) as error:
        print(f"error: {error or type(error).__name__}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
