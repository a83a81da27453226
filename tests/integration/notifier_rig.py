"""A notifier of its own process, the alerts it reads, and a receiver that keeps what it was sent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from time import time

from kafka import KafkaProducer
from prometheus_client import CollectorRegistry

from schemas.fast import encode
from schemas.records import Alert
from sinks.log_reader import KafkaLog, KafkaOptions
from sinks.notify.metrics import NotifierMetrics
from sinks.notify.notifier import Notifier
from sinks.notify.outbox import Outbox
from sinks.notify.routing import Route
from tests.integration.loader_rig import make_topics
from tests.integration.patience import PATIENCE_SECONDS

WEBHOOK = Route("webhook", "webhook", "http://127.0.0.1/hook")
Answer = tuple[int, str | None]
"""Status and Retry-After."""


@dataclass
class Alerts:
    bootstrap: str
    prefix: str
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        make_topics(self.bootstrap, [self.prefix + "alerts"], 2)
        self._producer = KafkaProducer(bootstrap_servers=self.bootstrap, acks="all")

    def produce(self, alerts: Iterable[Alert]) -> None:
        for found in alerts:
            self._producer.send(self.prefix + "alerts", encode(found), partition=0)
        self._producer.flush()

    def notifier(self, path: Path, failpoint: Callable[[str], None] = lambda _: None) -> Notifier:
        options = KafkaOptions(self.bootstrap, self.prefix + "notifier", (self.prefix + "alerts",), "one", 6_000)
        metrics = NotifierMetrics(CollectorRegistry())
        return Notifier(
            KafkaLog(options),
            Outbox(path, [WEBHOOK]),
            metrics,
            now_ms=lambda: int(time() * 1000),
            failpoint=failpoint,
        )

    def process(self, data_dir: Path, more: Mapping[str, str]) -> subprocess.Popen[bytes]:
        environment = os.environ | {
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
            "TOUCHLINE_TOPIC_PREFIX": self.prefix,
            "TOUCHLINE_INSTANCE": "one",
            "TOUCHLINE_DATA_DIR": str(data_dir),
            "TOUCHLINE_NOTIFIER_HEALTH_PORT": "0",
        }
        environment |= more
        with (data_dir / "log.txt").open("ab") as log:
            process = subprocess.Popen([sys.executable, "-m", "sinks.notify"], env=environment, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def close(self) -> None:
        self._producer.close()
        for process in self.processes:
            killed(process)


def killed(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(PATIENCE_SECONDS)


def ended(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    process.wait(PATIENCE_SECONDS)


@contextmanager
def served(take: Callable[[dict[str, str], bytes], Answer], port: int = 0) -> Iterator[int]:
    """An HTTP server on loopback that hands each POST (headers, body) to `take`; yields its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, retry_after = take(dict(self.headers), self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            if retry_after:
                self.send_header("Retry-After", retry_after)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
