"""A whole deployment on this machine: Kafka, ClickHouse, collector, workers, loader, notifier.

Two engines, and our own parts beside them (`own_parts`). Owned ones die with this process, however it dies; detached
ones live until `touchline down`. What is set in the environment (KAFKA_BOOTSTRAP_SERVERS, CLICKHOUSE_URL) is used
instead of the embedded engine.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from deploy.embedded import kafka as embedded_kafka
from deploy.embedded.clickhouse import launch as embedded_clickhouse
from deploy.embedded.process import EmbeddedError
from deploy.keys import Secrets, load_secrets
from deploy.own_parts import OwnParts, Progress
from deploy.part import Part, Surroundings, parts_of, write_keys_of
from deploy.reach import reach_clickhouse, reach_kafka
from deploy.topics import ensure
from schemas.identity_files import identity_rules_of
from schemas.identity_reader import IdentityReader, IdentitySecrets
from schemas.settings import DATABASE, Settings, address_of, kafka_client_options
from sources.simulation.tills import TILLS
from sources.simulation.wire import PERSONAL_KEY, PROOF_SECRET

KILLABLE: Final = ("worker", "loader", "broker", "clickhouse", "collector")
GIVEN_SECRETS: Final = ("control_secret", "admin_token", "personal_key", "proof_secret")


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

    def __init__(
        self,
        settings: Settings,
        *,
        workers: int = 1,
        detached: bool = False,
        webhook_url: str = "",
        routes_file: Path | None = None,
    ) -> None:
        self.settings = settings
        self.workers = workers
        self.detached = detached
        self.webhook_url = webhook_url
        self.routes_file = routes_file
        self.home = settings.data_dir.absolute()
        self._own = OwnParts(self.home, detached)
        self._kafka: embedded_kafka.RunningKafka | None = None
        self._clickhouse: embedded_clickhouse.RunningClickHouse | None = None

    @property
    def parts(self) -> dict[str, Part]:
        """Our own processes, by name; what stands here can be revived."""
        return self._own.parts

    @cached_property
    def secrets(self) -> Secrets:
        """Made when first needed: a look at a directory in which nothing runs leaves nothing there. What is set counts
        before what was made. A simulation has its own, so that the same seed gives the same bytes.
        """
        simulated = self.settings.run == "simulation"
        found = load_secrets(self.home, TILLS if simulated else ())
        if simulated:
            found = replace(found, personal_key=PERSONAL_KEY, proof_secret=PROOF_SECRET)
        given = {name: getattr(self.settings, name) for name in GIVEN_SECRETS}
        return replace(found, **{name: one.get_secret_value() for name, one in given.items() if one is not None})

    def identity(self) -> IdentityReader:
        """As the parts of this deployment read identifiers. Raises DefinitionError.

        Where nothing was made yet nothing is made: a look leaves nothing there.
        """
        given: list[bytes | None] = []
        for name in ("personal_key", "proof_secret"):
            one = getattr(self.settings, name)
            if one is not None:
                given.append(one.get_secret_value().encode())
            else:
                made = (self.home / "secrets.json").exists()
                given.append(getattr(self.secrets, name).encode() if made else None)
        return IdentityReader(identity_rules_of(self.settings), IdentitySecrets(*given))

    @property
    def write_keys_file(self) -> Path:
        return write_keys_of(self.home, self.settings)

    # -- start -------------------------------------------------------------------------------------------------------

    def start(self, progress: Progress) -> Places:
        """Blocks until every part is ready. Raises EmbeddedError, and what the engines raise."""
        for problem in self.yours().values():
            if problem is not None:
                raise problem
        self.start_kafka(progress)
        self.start_clickhouse(progress)
        progress("topics: checking")
        ensure(self.kafka_options(), self.settings.topic_prefix)
        around = Surroundings(
            self.settings,
            self.home,
            self.bootstrap,
            self.clickhouse_url,
            self.secrets,
            self.webhook_url,
            self.routes_file,
        )
        self._own.parts = {part.name: part for part in parts_of(around, self.workers)}
        for name in self.parts:
            progress(f"{name}: {'starting' if self._own.start(name) else 'runs already'}")
        for name in self.parts:
            self._own.await_ready(name)
        progress("everything is ready")
        return self.places()

    def start_kafka(self, progress: Progress) -> None:
        if not self._kafka_is_yours:
            self._kafka = embedded_kafka.start_kafka(
                self.home, detached=self.detached, short_lived=not self.detached, progress=progress
            )

    def start_clickhouse(self, progress: Progress) -> None:
        if self.settings.clickhouse_url is None:
            self._clickhouse = embedded_clickhouse.start_clickhouse(
                self.home, detached=self.detached, progress=progress
            )

    @property
    def _kafka_is_yours(self) -> bool:
        return bool(os.environ.get("KAFKA_BOOTSTRAP_SERVERS"))

    def yours(self) -> dict[str, EmbeddedError | None]:
        """The engines that are not embedded, and why they do not answer; None when they do. Blocks for some seconds."""
        asked: dict[str, Callable[[], None]] = {}
        if self._kafka_is_yours:
            asked["kafka"] = lambda: reach_kafka(self.kafka_options())
        if self.settings.clickhouse_url is not None:
            asked["clickhouse"] = lambda: reach_clickhouse(address_of(self.clickhouse_url))
        return {name: _problem_of(ask) for name, ask in asked.items()}

    def kafka_options(self) -> dict[str, Any]:
        """For kafka-python and aiokafka alike."""
        return {"bootstrap_servers": self.bootstrap, **kafka_client_options(self.settings)}

    @property
    def bootstrap(self) -> str:
        if self._kafka is None or self._kafka_is_yours:
            return self.settings.kafka_bootstrap_servers
        return self._kafka.bootstrap

    @property
    def clickhouse_url(self) -> str:
        if self.settings.clickhouse_url is not None:
            return self.settings.clickhouse_url.get_secret_value()
        if (found := self._clickhouse) is None:
            raise EmbeddedError(
                f"ClickHouse does not run in {self.home}: `touchline up` starts it, or set CLICKHOUSE_URL"
            )
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
        if self._clickhouse is not None and self.settings.clickhouse_url is None:
            return "127.0.0.1", self._clickhouse.port, self._clickhouse.bi_user, self._clickhouse.bi_password, False
        address = address_of(self.clickhouse_url)
        return address.host, address.port, address.user, "", address.secure

    def attach(self) -> list[str]:
        """Find the parts that run already in this data directory. Returns their names, engines included."""
        self._kafka = embedded_kafka.find_running(self.home)
        self._clickhouse = embedded_clickhouse.find_running(self.home)
        engines = {"kafka": self._kafka, "clickhouse": self._clickhouse}
        return [name for name, found in engines.items() if found is not None] + self._own.attach()

    def fallen(self) -> dict[str, str]:
        """What ended though nobody stopped it, and its last words."""
        return self._fallen_engines() | self._own.fallen()

    def _fallen_engines(self) -> dict[str, str]:
        ended = {
            "kafka": embedded_kafka.why_ended(self.home),
            "clickhouse": embedded_clickhouse.why_ended(self.home),
        }
        return {name: why for name, why in ended.items() if why is not None}

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
            self._own.kill(_part_named(what))

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
            self._own.start(_part_named(what))
            self._own.await_ready(_part_named(what))

    def revive_fallen(self) -> list[str]:
        """Start again what has ended by itself (a worker that lost Kafka does). Returns names and last words."""
        return self._own.revive_fallen()

    def stop(self, progress: Progress = lambda _: None) -> None:
        """Our own parts first, all at once; then the engines. Safe to call twice."""
        self._own.stop(progress)
        fallen = self._fallen_engines()
        if self._clickhouse is not None or "clickhouse" in fallen:
            progress("ClickHouse: stopping")
            embedded_clickhouse.stop_clickhouse(self.home)
        if self._kafka is not None or "kafka" in fallen:
            progress("Kafka: stopping")
            embedded_kafka.stop_kafka(self.home)


def _part_named(what: str) -> str:
    return "worker-1" if what == "worker" else what


def _problem_of(ask: Callable[[], None]) -> EmbeddedError | None:
    try:
        ask()
    except EmbeddedError as error:
        return error
    return None
