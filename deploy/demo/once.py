"""`touchline demo --once`: one run from a seed, from start to a verdict, without a terminal."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer
from kafka.errors import KafkaError

from deploy.demo.again import run_again
from deploy.demo.beats import beat_sender
from deploy.demo.judge import Verdict, judge
from deploy.demo.lag import Lag, is_drained
from deploy.demo.receiver import Receiver
from deploy.demo.results import ClickHouseDoor, read_results, read_topic, write_lines
from deploy.stack import Stack
from schemas.settings import DATABASE, Settings
from schemas.sources_files import sources_file_of
from sources.simulation.driver import Door, Driver, Tally
from sources.simulation.script import Script, write_script
from sources.simulation.wire import PERSONAL_KEY, PROOF_SECRET

STILL_SECONDS = 300
"""A run is given up when it has not come nearer to its end for so long: a large one takes as long as it needs."""
KILLS = 3
DOWN_SECONDS = 1.0
Progress = Callable[[str], None]


class RunFailed(Exception):
    """The run did not come to its end; says where it stood."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks for. `kill`: the part to be killed three times; `directory`: where to export;
    `backtest`: run the definitions over what is stored, too.
    """

    seed: int
    touchpoints: int
    directory: Path
    kill: str | None = None
    workers: int = 1
    routes_file: Path | None = None
    backtest: bool = False


def run_once(settings: Settings, wish: Wish, progress: Progress) -> Verdict:
    """Blocks until the run is judged; everything it started is stopped. Raises RunFailed, EmbeddedError,
    DeliveryFailed.
    """
    began = time.monotonic()
    script = write_script(wish.seed, wish.touchpoints)
    write_script_file(script, wish.directory)
    keep_definitions(settings, wish.directory / "definitions")
    progress(
        f"script: {len(script.plans)} touchpoints of {len(script.persons)} people, {len(script.expected)} journeys"
    )
    receiver = Receiver()
    stack = Stack(settings, workers=wish.workers, webhook_url=receiver.url, routes_file=wish.routes_file)
    try:
        stack.start(progress)
        kills: list[dict[str, Any]] = []
        tally = asyncio.run(_send(stack, script, wish, kills, progress))
        _await_drained(stack, script.end, progress)
        progress("reading the results")
        places = stack.places()
        door = ClickHouseDoor(
            places.clickhouse_host, places.clickhouse_port, places.bi_user, places.bi_password, DATABASE
        )
        alerts_topic = settings.topic_prefix + "alerts"
        results = read_results(door, stack.kafka_options(), alerts_topic, wish.directory, len(script.plans), progress)
        counts = _counts(stack)
        (wish.directory / "results" / "counts.json").write_text(json.dumps(counts, indent=1) + "\n")
        write_lines(wish.directory / "results" / "notifications.jsonl", list(receiver.notifications.values()))
        progress("comparing with the script")
        verdict = judge(script, tally, counts, results, killed=wish.kill is not None)
        verdict.figures |= {
            "alerts_sent": len(receiver.notifications),
            "kills": kills,
            "retries": tally.retries,
            "seconds": round(time.monotonic() - began, 1),
        }
        if wish.backtest:
            _add_backtest(stack, script, verdict, progress)
        return verdict
    finally:
        stack.stop(progress)
        receiver.close()


def _add_backtest(stack: Stack, script: Script, verdict: Verdict, progress: Progress) -> None:
    began = time.monotonic()
    again = run_again(stack, script, progress)
    figures = msgspec.to_builtins(again)
    verdict.differences += figures.pop("differences")
    verdict.figures["backtest"] = figures | {"seconds": round(time.monotonic() - began, 1)}


async def _send(stack: Stack, script: Script, wish: Wish, kills: list[dict[str, Any]], progress: Progress) -> Tally:
    producer = AIOKafkaProducer(**stack.kafka_options(), enable_idempotence=True)
    await producer.start()
    raw = stack.settings.topic_prefix + "touchpoints.raw"
    beat = beat_sender(producer, raw, stack.secrets.control_secret.encode())
    door = Door(stack.places().collector_url, dict(stack.secrets.write_keys), raw, stack.kafka_options())
    try:
        with (wish.directory / "sent.jsonl").open("w") as record:
            driver = _Driver(script, door, record, beat)
            driver.wait = lambda log_time: _await_drained(stack, log_time, progress)
            tasks = [asyncio.create_task(_tell(driver, progress)), asyncio.create_task(_keep_up(stack, progress))]
            if wish.kill is not None:
                tasks.append(asyncio.create_task(_kill(stack, wish, driver, kills, progress)))
            try:
                return await driver.run()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        await producer.stop()


class _Driver(Driver):
    wait: Callable[[int], None]

    async def caught_up(self, log_time: int) -> None:
        await asyncio.to_thread(self.wait, log_time)


async def _tell(driver: Driver, progress: Progress) -> None:
    while True:
        await asyncio.sleep(5)
        tally = driver.tally
        progress(f"sent {tally.emitted} of {tally.total}, {tally.retries} tries repeated")


async def _keep_up(stack: Stack, progress: Progress) -> None:
    """What a supervisor does in production: start a worker again that ended by itself."""
    while True:
        await asyncio.sleep(1)
        for name in await asyncio.to_thread(stack.revive_fallen):
            progress(f"{name}: had ended, started again")


def moments(seed: int, total: int) -> list[int]:
    """After how many touchpoints to kill: one moment in each third of the way."""
    rng = Random(seed)
    return [int(total * (part + rng.uniform(0.1, 0.9)) * 0.8 / KILLS) for part in range(KILLS)]


async def _kill(stack: Stack, wish: Wish, driver: Driver, kills: list[dict[str, Any]], progress: Progress) -> None:
    """Three times, at seeded points of the way, while touchpoints are under way."""
    assert wish.kill is not None
    for count in moments(wish.seed, driver.tally.total):
        await driver.emitted(count)
        kills.append({"part": wish.kill, "at_touchpoint": driver.tally.emitted, "log_time": driver.tally.log_time})
        progress(f"killing the {wish.kill} at touchpoint {driver.tally.emitted}")
        began = time.monotonic()
        await asyncio.to_thread(stack.kill, wish.kill)
        await asyncio.sleep(DOWN_SECONDS)
        await asyncio.to_thread(stack.revive, wish.kill)
        kills[-1]["ready_again_seconds"] = round(time.monotonic() - began, 1)


def _await_drained(stack: Stack, end: int, progress: Progress) -> None:
    nearest, moved_at, told = "", time.monotonic(), 0.0
    with Lag(stack.kafka_options(), stack.settings.topic_prefix) as lag:
        while not is_drained(lag, end):
            stack.revive_fallen()
            if time.monotonic() - told > 5:
                told, still = time.monotonic(), _open(lag)
                if still != nearest:
                    nearest, moved_at = still, told
                progress(f"still to do: {still}")
            if time.monotonic() - moved_at > STILL_SECONDS:
                raise RunFailed(
                    f"nothing has moved for {STILL_SECONDS} s; still to do: {_open(lag)}; logs: {stack.home}/logs"
                )
            time.sleep(0.2)


def _open(lag: Lag) -> str:
    try:
        return ", ".join(f"{name} {count}" for name, count in lag.by_reader().items() if count) or "the last tick"
    except KafkaError as error:
        return f"unknown, Kafka says {type(error).__name__}"


def _counts(stack: Stack) -> dict[str, int]:
    """The workers' own counts, part of their state: the last report of each partition."""
    last: dict[int, dict[str, int]] = {}
    for report in read_topic(stack.kafka_options(), stack.settings.topic_prefix + "progress"):
        last[report["at"][1]] = report["counts"]
    total: Counter[str] = Counter()
    for counts in last.values():
        total.update(counts)
    return dict(total)


def write_script_file(script: Script, directory: Path) -> None:
    """Bit by bit: the text of a million plans is larger than they are."""
    directory.mkdir(parents=True, exist_ok=True)
    keys = {"personal_key": PERSONAL_KEY, "proof_secret": PROOF_SECRET}
    (directory / "identity-keys.json").write_text(json.dumps(keys) + "\n")
    encode = msgspec.json.Encoder().encode
    with (directory / "script.json").open("wb") as out:
        for field in fields(script):
            value = getattr(script, field.name)
            out.write(b"{" if field.name == "seed" else b",")
            out.write(encode(field.name) + b":")
            if not isinstance(value, tuple):
                out.write(encode(value))
                continue
            for number, one in enumerate(value):
                out.write((b"," if number else b"[") + encode(one))
            out.write(b"]" if value else b"[]")
        out.write(b"}\n")


def keep_definitions(settings: Settings, target: Path) -> None:
    """What the run is judged by, as it is now: whoever looks at it later may have changed the files."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(settings.definitions_dir, target / "journeys", ignore=lambda _, names: _no_yaml(names))
    for name, file in (("touchpoints.yaml", settings.catalogue_file), ("sources.yaml", sources_file_of(settings))):
        if file is not None and file.exists():
            shutil.copy(file, target / name)


def _no_yaml(names: list[str]) -> list[str]:
    return [name for name in names if not name.endswith(".yaml")]
