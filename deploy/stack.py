"""A whole deployment on this machine: Kafka, ClickHouse, collector, workers, loader, notifier.

Each part is a process of its own with a log below the data directory. Owned parts die with this process, however it
dies; detached ones live
until `touchline down`. What is set in the environment (KAFKA_BOOTSTRAP_SERVERS, CLICKHOUSE_URL) is used instead of the
embedded engine.
"""

from __future__ import annotations

import os
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from deploy.embedded import kafka as embedded_kafka
from deploy.embedded import process
from deploy.embedded.clickhouse import launch as embedded_clickhouse
from deploy.embedded.process import EmbeddedError, Record
from deploy.keys import Secrets, load_secrets
from deploy.topics import ensure
from schemas.settings import DATABASE, Settings, address_of, kafka_client_options

READY_SECONDS: Final = 60.0
STOP_SECONDS: Final = 40.0
KILLABLE: Final = ("worker", "loader", "broker", "clickhouse", "collector")
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Part:
    """One of our own processes. `health_port` answers /readyz."""

    name: str
    argv: tuple[str, ...]
    health_port: int
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything answers."""

    kafka: str
    clickhouse_url: str
    bi_user: str
    bi_password: str
    clickhouse_host: str
    clickhouse_port: int
    collector_url: str
    worker_ports: tuple[int, ...]
    loader_port: int
    notifier_port: int


class Stack:
    """Starts and stops the parts of one data directory. Not thread-safe."""

    def __init__(self, settings: Settings, *, workers: int = 1, detached: bool = False, webhook_url: str = "") -> None:
        self.settings = settings
        self.workers = workers
        self.detached = detached
        self.webhook_url = webhook_url
        self.home = settings.data_dir.absolute()
        self.parts: dict[str, Part] = {}
        self._records: dict[str, Record] = {}
        self._spawning = threading.Lock()
        self._kafka: embedded_kafka.RunningKafka | None = None
        self._clickhouse: embedded_clickhouse.RunningClickHouse | None = None

    @cached_property
    def secrets(self) -> Secrets:
        """Made when first needed: a look at a directory in which nothing runs leaves nothing there."""
        return load_secrets(self.home)

    # -- start -------------------------------------------------------------------------------------------------------

    def start(self, progress: Progress) -> Places:
        """Blocks until every part is ready. Raises EmbeddedError, and what the engines raise."""
        self.start_kafka(progress)
        self.start_clickhouse(progress)
        progress("topics: checking")
        ensure(self.kafka_options(), self.settings.topic_prefix)
        self.parts = {part.name: part for part in self._parts()}
        for part in self.parts.values():
            progress(f"{part.name}: starting")
            self._spawn(part)
        for part in self.parts.values():
            self._await_ready(part)
        progress("everything is ready")
        return self.places()

    def start_kafka(self, progress: Progress) -> None:
        if "KAFKA_BOOTSTRAP_SERVERS" not in os.environ:
            self._kafka = embedded_kafka.start_kafka(
                self.home, detached=self.detached, short_lived=not self.detached, progress=progress
            )

    def start_clickhouse(self, progress: Progress) -> None:
        if self.settings.clickhouse_url is None:
            self._clickhouse = embedded_clickhouse.start_clickhouse(
                self.home, detached=self.detached, progress=progress
            )

    def kafka_options(self) -> dict[str, Any]:
        """For kafka-python and aiokafka alike."""
        return {"bootstrap_servers": self.bootstrap, **kafka_client_options(self.settings)}

    @property
    def bootstrap(self) -> str:
        return self._kafka.bootstrap if self._kafka else self.settings.kafka_bootstrap_servers

    @property
    def clickhouse_url(self) -> str:
        if self._clickhouse is None:
            assert self.settings.clickhouse_url is not None
            return self.settings.clickhouse_url.get_secret_value()
        found = self._clickhouse
        return f"http://{found.writer_user}:{found.writer_password}@127.0.0.1:{found.port}/{DATABASE}"

    def reader(self) -> tuple[int, str, str] | None:
        """Port, user and password of the embedded ClickHouse's read-only user; None when it does not run."""
        found = self._clickhouse
        return None if found is None else (found.port, found.bi_user, found.bi_password)

    def places(self) -> Places:
        ports = {name: part.health_port for name, part in self.parts.items()}
        host, port, user, password, secure = self._reader_door()
        return Places(
            kafka=self.bootstrap,
            clickhouse_url=f"http{'s' if secure else ''}://{host}:{port}",
            bi_user=user,
            bi_password=password,
            clickhouse_host=host,
            clickhouse_port=port,
            collector_url=f"http://127.0.0.1:{ports['collector']}",
            worker_ports=tuple(port for name, port in ports.items() if name.startswith("worker")),
            loader_port=ports["loader"],
            notifier_port=ports["notifier"],
        )

    def _reader_door(self) -> tuple[str, int, str, str, bool]:
        """Host, port, user, password, TLS. Of a ClickHouse of yours only the user that writes is known: no password."""
        if self._clickhouse is not None:
            return "127.0.0.1", self._clickhouse.port, self._clickhouse.bi_user, self._clickhouse.bi_password, False
        address = address_of(self.clickhouse_url)
        return address.host, address.port, address.user, "", address.secure

    # -- parts -------------------------------------------------------------------------------------------------------

    def _parts(self) -> Iterator[Part]:
        taken: set[int] = set()

        def port(name: str) -> int:
            found = process.free_port(f"{self.home}/{name}", avoid=frozenset(taken))
            taken.add(found)
            return found

        common = self._environment()
        collector_port, loader_port, notifier_port = port("collector"), port("loader"), port("notifier")
        yield Part(
            "collector",
            ("-m", "sources.collector"),
            collector_port,
            common
            | {
                "TOUCHLINE_COLLECTOR_PORT": str(collector_port),
                "TOUCHLINE_WRITE_KEYS_FILE": str(self.home / "write-keys.yaml"),
                "TOUCHLINE_ADMIN_TOKEN": self.secrets.admin_token,
            },
        )
        for number in range(1, self.workers + 1):
            health = port(f"worker-{number}")
            own = {"TOUCHLINE_WORKER_ID": f"worker-{number}", "TOUCHLINE_HEALTH_PORT": str(health)}
            yield Part(f"worker-{number}", ("-m", "streams.main"), health, common | own)
        yield Part(
            "loader",
            ("-m", "sinks.clickhouse", "load", *self._declared()),
            loader_port,
            common
            | {"CLICKHOUSE_URL": self.clickhouse_url, "TOUCHLINE_LOADER_HEALTH_PORT": str(loader_port)}
            | {"TOUCHLINE_INSTANCE": "loader-1"},
        )
        webhook = {"TOUCHLINE_WEBHOOK_URL": self.webhook_url, "TOUCHLINE_WEBHOOK_SECRET": self.secrets.admin_token}
        yield Part(
            "notifier",
            ("-m", "sinks.notify"),
            notifier_port,
            common
            | {"TOUCHLINE_NOTIFIER_HEALTH_PORT": str(notifier_port), "TOUCHLINE_INSTANCE": "notifier-1"}
            | (webhook if self.webhook_url else {}),
        )

    def _declared(self) -> tuple[str, ...]:
        folder, catalogue = self.settings.definitions_dir.absolute(), self.settings.catalogue_file.absolute()
        return ("--journeys", str(folder), "--touchpoints", str(catalogue))

    def _environment(self) -> dict[str, str]:
        settings = self.settings
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TOUCHLINE_")}
        kept |= {name: value for name, value in os.environ.items() if name.startswith("TOUCHLINE_TEST_")}
        return kept | {
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
            "TOUCHLINE_DATA_DIR": str(self.home),
            "TOUCHLINE_TOPIC_PREFIX": settings.topic_prefix,
            "TOUCHLINE_RUN": settings.run,
            "TOUCHLINE_CONTROL_SECRET": self.secrets.control_secret,
            "TOUCHLINE_HORIZON_MS": str(settings.horizon_ms),
            "TOUCHLINE_DEFINITIONS_DIR": str(settings.definitions_dir.absolute()),
            "TOUCHLINE_CATALOGUE_FILE": str(settings.catalogue_file.absolute()),
        }

    def _log(self, name: str) -> Path:
        return self.home / "logs" / f"{name}.log"

    def _record_file(self, name: str) -> Path:
        return self.home / "run" / f"{name}.json"

    def _spawn(self, part: Part) -> None:
        """A part that runs already stays as it is. Two threads may want the same one back."""
        with self._spawning:
            self._spawn_once(part)

    def _spawn_once(self, part: Part) -> None:
        found = process.read_record(self._record_file(part.name))
        if found is not None:
            self.parts[part.name] = replace(part, health_port=found.ports["health"])
            self._records[part.name] = found
            return
        for folder in ("logs", "run"):
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        record = process.spawn(
            [sys.executable, *part.argv],
            log_path=self._log(part.name),
            ports={"health": part.health_port},
            detached=self.detached,
            grace_seconds=STOP_SECONDS,
            env=part.env,
        )
        process.write_record(self._record_file(part.name), record)
        self._records[part.name] = record

    def _await_ready(self, part: Part) -> None:
        def over() -> bool:
            return is_ready(self.parts[part.name].health_port) or not process.is_alive(self._records[part.name])

        process.wait_until(over, READY_SECONDS)
        if not is_ready(self.parts[part.name].health_port):
            state = "is not ready" if process.is_alive(self._records[part.name]) else "has ended"
            log = self._log(part.name)
            raise EmbeddedError(f"{part.name} {state}; its last words: {last_line(log)} (all of them: {log})")

    def attach(self) -> list[str]:
        """Find the parts that run already in this data directory. Returns their names, engines included."""
        self._kafka = embedded_kafka.find_running(self.home)
        self._clickhouse = embedded_clickhouse.find_running(self.home)
        for file in sorted((self.home / "run").glob("*.json")):
            record = process.read_record(file)
            if record is not None:
                self._records[file.stem] = record
                self.parts[file.stem] = Part(file.stem, (), record.ports["health"])
        engines = {"kafka": self._kafka, "clickhouse": self._clickhouse}
        return [name for name, found in engines.items() if found is not None] + sorted(self._records)

    # -- faults and stop ---------------------------------------------------------------------------------------------

    def kill(self, what: str) -> None:
        """SIGKILL, with whatever is under way."""
        if what == "broker":
            assert self._kafka is not None
            embedded_kafka.kill_kafka(self._kafka)
        elif what == "clickhouse":
            assert self._clickhouse is not None
            embedded_clickhouse.kill_clickhouse(self._clickhouse)
        else:
            process.kill(self._records[self._part_named(what)])

    def revive(self, what: str, progress: Progress = lambda _: None) -> None:
        """Start it again where it was. Blocks until it is ready."""
        if what == "broker":
            assert self._kafka is not None
            self._kafka = embedded_kafka.start_kafka(
                self.home, port=self._kafka.port, short_lived=True, progress=progress
            )
        elif what == "clickhouse":
            assert self._clickhouse is not None
            self._clickhouse = embedded_clickhouse.start_clickhouse(
                self.home, port=self._clickhouse.port, progress=progress
            )
        else:
            part = self.parts[self._part_named(what)]
            self._spawn(part)
            self._await_ready(part)

    def revive_fallen(self) -> list[str]:
        """Start again what has ended by itself (a worker that lost Kafka does). Returns names and last words."""
        fallen = [name for name, record in self._records.items() if not process.is_alive(record)]
        words = [f"{name} ({last_line(self._log(name))})" for name in fallen]
        for name in fallen:
            self._spawn(self.parts[name])
        return words

    def _part_named(self, what: str) -> str:
        return "worker-1" if what == "worker" else what

    def stop(self, progress: Progress = lambda _: None) -> None:
        """Our own parts first, all at once; then the engines. Safe to call twice."""
        records, self._records = self._records, {}
        if records:
            progress(f"{', '.join(records)}: stopping")
            with ThreadPoolExecutor(len(records)) as pool:
                list(pool.map(lambda record: process.terminate(record, grace_seconds=STOP_SECONDS), records.values()))
            for name in records:
                self._record_file(name).unlink(missing_ok=True)
        if self._clickhouse is not None:
            progress("ClickHouse: stopping")
            embedded_clickhouse.stop_clickhouse(self.home)
        if self._kafka is not None:
            progress("Kafka: stopping")
            embedded_kafka.stop_kafka(self.home)


def is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def last_line(log: Path) -> str:
    try:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        return "none"
    return lines[-1] if lines else "none"
