"""`touchline demo`: a whole deployment and its simulated customers on this machine, on one screen, until Ctrl-C.

Everything it starts is owned: it ends with this process, however that ends. What it writes lies in one folder below
the temporary one; a folder that a killed demo left is removed by the next.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from rich.console import Console, Group
from rich.live import Live

from deploy.demo.feed import Feed, touchpoints_of
from deploy.demo.once import RunFailed
from deploy.demo.screen import Addresses, Flow, View, lines_of, plain_line, query_lines
from deploy.demo.watch import Watch
from deploy.embedded.process import EmbeddedError, start_time
from deploy.stack import Stack
from schemas.settings import DATABASE, read_settings
from schemas.topics import TOPICS
from sources.simulation.driver import Door, Tally
from sources.simulation.script import Script, write_script

FRAMES_PER_SECOND: Final = 4
LINE_SECONDS: Final = 5.0
RATE_SECONDS: Final = 6.0
BEHIND_SECONDS: Final = 8.0
"""Log time waits while resolve has more left to do than arrives in this time."""
FOLDER: Final = "touchline-demo-"
OWNER: Final = "owner"
PARTITION_BYTES_MAX: Final = 64 << 20
"""A demo left alone over night must not fill the disk."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LiveWish:
    """`pace`: minutes of log time a second. `rate`: touchpoints a second, about. `seconds` None: until Ctrl-C."""

    seed: int
    pace: float
    rate: float
    workers: int
    seconds: float | None = None
    routes_file: Path | None = None


class Meter:
    """Turns totals into totals and rates over the last seconds."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque(maxlen=round(RATE_SECONDS * FRAMES_PER_SECOND))

    def take(self, now: float, total: int) -> Flow:
        self._samples.append((now, total))
        began, before = self._samples[0]
        return Flow(total, (total - before) / (now - began) if now > began else 0.0)


def run_live(wish: LiveWish, screen: Console, say: Say) -> None:
    """Blocks until Ctrl-C (KeyboardInterrupt is the ordinary end) or `wish.seconds`. Raises EmbeddedError."""
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "CLICKHOUSE_URL"):
        if name in os.environ:
            raise EmbeddedError(f"the demo brings its own Kafka and ClickHouse, but {name} is set: unset it first")
    home = make_folder(Path(tempfile.gettempdir()))
    stack = Stack(
        read_settings(data_dir=home, run="simulation", topic_prefix=""),
        workers=wish.workers,
        routes_file=wish.routes_file,
    )
    try:
        script = write_script(wish.seed, touchpoints_of(wish.rate, wish.pace))
        stack.start(say)
        bound_size(stack)
        session = _Session(stack, wish, script)
        try:
            session.show(screen)
        finally:
            session.stop()
    finally:
        say("stopping everything")
        stack.stop(say)
        shutil.rmtree(home, ignore_errors=True)


class _Session:
    def __init__(self, stack: Stack, wish: LiveWish, script: Script) -> None:
        self._stack, self._wish = stack, wish
        self._began = time.monotonic()
        self._lag_max = max(1_000.0, wish.rate * BEHIND_SECONDS)
        self._meters = {name: Meter() for name in ("sent", "resolved", "stored")}
        self._addresses = addresses_of(stack)
        raw = stack.settings.topic_prefix + "touchpoints.raw"
        door = Door(self._addresses.collector, dict(stack.secrets.write_keys), raw, stack.kafka_options())
        self._feed = Feed(script, door, stack.secrets.control_secret.encode(), wish.pace, self._is_behind)
        self._watch = Watch(stack, self._wall_of)
        self._script = script

    def show(self, screen: Console) -> None:
        """Raises RunFailed when the feed ends by itself."""
        self._watch.start()
        self._feed.start()
        if screen.is_terminal:
            with Live(console=screen, screen=True, auto_refresh=False) as live:
                for view in self._views(1 / FRAMES_PER_SECOND):
                    live.update(Group(*lines_of(view, screen.width, screen.height)), refresh=True)
            screen.print(plain_line(view), markup=False, highlight=False, soft_wrap=True)
        else:
            for line in ("to look inside:", *query_lines(self._addresses)):
                screen.print(line, markup=False, highlight=False, soft_wrap=True)
            for view in self._views(LINE_SECONDS):
                screen.print(plain_line(view), markup=False, highlight=False, soft_wrap=True)

    def stop(self) -> None:
        self._feed.stop()
        self._watch.stop()

    def _views(self, every_seconds: float) -> Iterator[View]:
        end = None if self._wish.seconds is None else self._began + self._wish.seconds
        while end is None or time.monotonic() < end:
            if self._feed.failure is not None:
                raise RunFailed(self._feed.failure)
            yield self._view()
            time.sleep(every_seconds)

    def _view(self) -> View:
        now = time.monotonic()
        seen, driver = self._watch.seen(), self._feed.driver
        tally = driver.tally if driver else Tally(0, self._script.start)
        counts = seen.counts
        totals = {"sent": tally.emitted, "resolved": counts.get("resolved", 0), "stored": seen.stored}
        return View(
            seconds=now - self._began,
            log_time=tally.log_time,
            pace=self._wish.pace,
            waiting=driver is not None and driver.waiting,
            planted=driver.incidents() if driver else (),
            **{name: meter.take(now, totals[name]) for name, meter in self._meters.items()},
            open_journeys=seen.open_journeys,
            journeys=seen.journeys,
            refused=tally.refused,
            duplicates=counts.get("duplicates", 0),
            dead_letters=counts.get("dead_letters", 0),
            too_late=counts.get("too_late", 0),
            suppressed=counts.get("suppressed", 0),
            lag=seen.lag,
            latency=seen.latency,
            open_alerts=seen.open_alerts,
            alert_states=seen.alert_states,
            changes=seen.changes,
            trouble=seen.trouble,
            addresses=self._addresses,
        )

    def _is_behind(self) -> bool:
        return self._watch.seen().lag.get("touchline touchpoints.raw", 0) > self._lag_max

    def _wall_of(self, log_time: int) -> int | None:
        return self._feed.driver.clock.wall_of(log_time) if self._feed.driver else None


def addresses_of(stack: Stack) -> Addresses:
    places = stack.places()
    return Addresses(
        data_dir=str(stack.home),
        collector=places.collector_url,
        kafka=places.kafka,
        clickhouse=places.clickhouse_url,
        user=places.bi_user,
        password=places.bi_password,
        database=DATABASE,
    )


def bound_size(stack: Stack) -> None:
    """Compacted topics bound themselves."""
    size = {"retention.bytes": str(PARTITION_BYTES_MAX), "segment.bytes": str(PARTITION_BYTES_MAX // 4)}
    names = [topic.name for topic in TOPICS.values() if topic.config.get("cleanup.policy") == "delete"]
    admin = KafkaAdminClient(**stack.kafka_options())
    try:
        admin.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, stack.settings.topic_prefix + name, size) for name in names]
        )
    finally:
        admin.close()


def make_folder(parent: Path) -> Path:
    """A new one that names its owner. Those of owners that live no more are removed."""
    for folder in parent.glob(f"{FOLDER}*"):
        owner = read_owner(folder)
        if owner is not None and start_time(owner[0]) != owner[1]:
            shutil.rmtree(folder, ignore_errors=True)
    home = Path(tempfile.mkdtemp(prefix=FOLDER, dir=parent))
    (home / OWNER).write_text(f"{os.getpid()} {start_time(os.getpid())}")
    return home


def read_owner(folder: Path) -> tuple[int, str] | None:
    """Pid and start time; None when the folder names nobody."""
    try:
        pid, _, started = (folder / OWNER).read_text().partition(" ")
        return int(pid), started
    except (OSError, ValueError):
        return None
