"""A backtest of the definitions in force gives what they gave: the demo's world, real stages, a real ClickHouse.

The same ticks on both sides. What moved to another customer cannot be the same: live it was told under both. Only the
state of such alerts, and what was withdrawn because of the move, may differ; there are few of them.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner

from deploy.backtest.figures import end_of
from deploy.backtest.run import NothingStored, Report, Setting, Wish, backtest
from deploy.backtest.stored import Store
from deploy.backtest.ticks import Ticks
from deploy.cli.main import app
from deploy.embedded.clickhouse.launch import RunningClickHouse
from schemas.definition import Definition
from schemas.sources import NOTHING_WATCHED
from schemas.times import from_ms, to_ms
from sources.simulation.plan import DAY, HOUR, MINUTE, Plan
from sources.simulation.script import Script, write_script
from tests.integration.backtest_world import (
    BROWSERS,
    CATALOGUE,
    READER,
    SOURCES,
    TICK_MS,
    Deployment,
    Questions,
    product,
)
from tests.integration.clickhouse_fixture import clickhouse as clickhouse
from tests.integration.tables_rig import Tables, tables_of
from tests.integration.test_cli import TOUCHLINE

SETTING = Setting(72 * HOUR, READER.usable_of, Ticks(TICK_MS), sources=SOURCES)
PRODUCT = product()
NAMES = [definition.journey for definition in PRODUCT.definitions]


@dataclass(frozen=True)
class World:
    script: Script
    tables: Tables

    @property
    def store(self) -> Store:
        questions = Questions(self.tables.client, self.tables.address.database)
        return Store(questions.ask, questions.stream, BROWSERS)

    def wish(self, definition: Definition, **more: Any) -> Wish:
        return Wish(definition, CATALOGUE, **({"since": self.script.start, "until": self.script.end} | more))

    def stored(self, name: str) -> dict[tuple[str, str, int], tuple[str, int]]:
        """The end, and the log time at which it fired first, maybe under another customer."""
        rows = self.tables.select(
            "SELECT anchor, break_name, occurrence, state, reason, toUnixTimestamp64Milli(fired_at) FROM DB.v_alerts "
            f"WHERE definition = '{name}' AND run = 'simulation'"
        )
        first: dict[tuple[str, str, int], int] = {}
        for *subject, _, _, fired_at in rows:
            key = (subject[0], subject[1], subject[2])
            first[key] = min(fired_at, first.get(key, fired_at))
        # One that moved counts as withdrawn, if none stands in its place.
        ends = {(row[0], row[1], row[2]): "withdrawn" for row in rows}
        ends |= {(row[0], row[1], row[2]): end_of(row[3], row[4]) for row in rows if row[3] != "moved"}
        return {subject: (end, first[subject]) for subject, end in ends.items()}


@pytest.fixture(scope="module")
def world(clickhouse: RunningClickHouse) -> Iterator[World]:
    script, deployment = write_script(11, 2_000), Deployment(PRODUCT)
    deployment.play(script)
    for tables in tables_of(clickhouse):
        deployment.store(tables.store)
        yield World(script, tables)


def definition(name: str) -> Definition:
    return next(one for one in PRODUCT.definitions if one.journey == name)


def run(world: World, wish: Wish, setting: Setting = SETTING) -> Report:
    seen: list[tuple[int, int]] = []
    report = backtest(wish, world.store, setting, lambda *progress: seen.append(progress))
    assert seen == sorted(seen)
    return report


def ends(report: Report) -> dict[str, int]:
    names = ("open", "cleared", "cleared_at_once", "expired", "withdrawn", "moved")
    return {name: sum(getattr(found, name) for found in report.breaks.values()) for name in names}


@pytest.mark.parametrize("name", NAMES)
def test_the_definition_in_force_raises_what_it_raised(world: World, name: str) -> None:
    report, stored = run(world, world.wish(definition(name))), world.stored(name)
    assert report.difference.only_here == report.difference.only_there == 0, report.difference
    assert report.difference.both == len(stored)
    assert report.difference.ended_otherwise == report.difference.at_once_otherwise == 0, report.difference
    assert stored or name.startswith("answer_"), "a definition that raises nothing shows nothing"
    live: dict[str, int] = dict.fromkeys(ends(report), 0)
    for end, _ in stored.values():
        live[end] += 1
    assert ends(report) == live
    assert sum(found.alerts for found in report.breaks.values()) == len(stored)


def test_what_a_replay_has_stored_is_none_of_the_alerts_of_the_time(world: World) -> None:
    database, name = world.tables.address.database, "service_case"
    before = run(world, world.wish(definition(name))).difference
    world.tables.client.command(
        f"INSERT INTO {database}.alerts SELECT * REPLACE (concat('replayed', alert_id) AS alert_id, 'replay' AS run,"
        f" concat(anchor, '-replayed') AS anchor) FROM {database}.alerts WHERE definition = '{name}'"
    )
    assert run(world, world.wish(definition(name))).difference == before
    assert before.only_there == 0


ORDERED: Final = 22 * DAY
"""Long after the first day: neither a journey's lifetime nor the horizon reaches back to it."""


def opted_out_and_ordered(start: int) -> list[Plan]:
    """Two people who are never asked; the second one has said long before that she wants no question."""
    plans = []
    for person in ("asked", "declined"):
        user = {"user_id": f"user-{person}"}
        order = {"order_id": f"order-{person}"}
        there = {**order, "store_id": "store-01"}

        def plan(name: str, at: int, said: dict[str, str], emitter: str = "crm", **properties: str) -> Plan:
            message_id = f"{name}-{person}"  # noqa: B023  called in this round only
            channel = "store" if emitter.startswith("till") else None
            return Plan(emitter, name, start + at, start + at, said, message_id, channel, properties)

        if person == "declined":
            plans.append(plan("feedback_declined", HOUR, user))
        placed = {**order, "fulfilment": "pickup"}
        plans += [
            plan("order_placed", ORDERED, user | order, "payments", **placed),
            plan("payment_captured", ORDERED + MINUTE, order, "payments", **order),
            plan("ready_for_pickup", ORDERED + HOUR, order, "till-store-01", **there),
            plan("picked_up", ORDERED + 2 * HOUR, order, "till-store-01", **there),
        ]
    return sorted(plans, key=lambda one: one.arrives_at)


def test_who_opted_out_long_before_is_not_asked(clickhouse: RunningClickHouse) -> None:
    start, deployment = to_ms("2026-03-02T08:00:00.000Z"), Deployment(replace(PRODUCT, sources=NOTHING_WATCHED))
    for plan in opted_out_and_ordered(start):
        deployment.beat(plan.arrives_at - 1)
        deployment.arrive(plan)
    end = start + ORDERED + 4 * DAY
    for at in range(start + ORDERED + 3 * HOUR, end + 1, HOUR):
        deployment.beat(at)
    for tables in tables_of(clickhouse):
        deployment.store(tables.store)
        world = World(write_script(11, 500), tables)
        wish = world.wish(definition("click_and_collect"), since=start + ORDERED - DAY, until=end)
        report = run(world, wish, Setting(72 * HOUR, READER.usable_of, Ticks(HOUR)))
        assert to_ms(report.run_up_from) > start + HOUR, "or the test shows nothing"
        assert [(one.anchor, one.break_name) for one in report.alerts] == [("order_id:order-asked", "asked")]
        assert report.difference.only_here == report.difference.only_there == 0


def test_silent_sources_hold_back_what_they_held_back(world: World) -> None:
    """The same without sources.yaml tells of customers whom a silent till explains."""
    assert world.tables.select("SELECT count() FROM DB.v_alerts WHERE kind = 'silent_source'")[0][0] > 0
    report = run(
        world, world.wish(definition("click_and_collect")), Setting(72 * HOUR, READER.usable_of, Ticks(TICK_MS))
    )
    assert report.difference.only_here > 0
    assert report.difference.only_there == 0


def test_slices_of_the_customers_change_nothing(world: World) -> None:
    wish = world.wish(definition("click_and_collect"))
    whole, cut = (
        run(world, wish),
        run(world, wish, Setting(72 * HOUR, READER.usable_of, Ticks(TICK_MS), slice_rows=50, sources=SOURCES)),
    )
    for report in (whole, cut):
        for found in report.breaks.values():
            found.samples.clear()
    assert cut == whole


def test_a_time_in_the_middle_knows_what_was_under_way(world: World) -> None:
    since, until = world.script.start + DAY, world.script.start + 2 * DAY + 2 * HOUR
    """By day: at night nothing that is stored tells that a till is heard (docs/backtest.md)."""
    report = run(world, world.wish(definition("click_and_collect"), since=since, until=until))
    expected = [key for key, (_, at) in world.stored("click_and_collect").items() if since <= at <= until]
    assert report.run_up_from < from_ms(since)
    assert (report.difference.both, report.difference.only_here, report.difference.only_there) == (len(expected), 0, 0)
    assert len(expected) > 5


def test_a_stricter_definition_is_compared_with_the_one_in_force(world: World) -> None:
    in_force = definition("click_and_collect")
    steps = {
        name: step.model_copy(update={"within": "1m"} if name == "paid" else {})
        for name, step in in_force.steps.items()
    }
    stricter = in_force.model_copy(update={"version": in_force.version + 1, "steps": steps, "mode": "shadow"})
    with_stored = run(world, world.wish(stricter)).difference
    with_file = run(world, world.wish(stricter, against=in_force)).difference
    assert with_stored.only_here == with_file.only_here > 0
    assert with_stored.only_there == with_file.only_there == 0
    assert with_file.against == f"click_and_collect@{in_force.version}"
    assert {sample.break_name for sample in with_file.samples_here} == {"paid"}
    assert run(world, world.wish(in_force, against=in_force)).difference.only_here == 0


def test_nothing_is_stored_or_changed(world: World) -> None:
    before = [world.tables.count(table) for table in ("touchpoints", "journeys", "alerts")]
    run(world, world.wish(definition("checkout")))
    assert [world.tables.count(table) for table in ("touchpoints", "journeys", "alerts")] == before


def test_a_time_without_touchpoints_says_which_there_are(world: World) -> None:
    with pytest.raises(NothingStored, match="those that are stored arrived 2026-03-02"):
        run(
            world,
            world.wish(definition("checkout"), since=world.script.end + 30 * DAY, until=world.script.end + 31 * DAY),
        )


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.fixture
def environment(world: World, clickhouse: RunningClickHouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As the read-only user of an embedded ClickHouse, with the limits of one."""
    client, database = world.tables.client, world.tables.address.database
    user = f"{clickhouse.bi_user}:{clickhouse.bi_password}"
    client.command("SELECT 1")
    monkeypatch.setenv("CLICKHOUSE_URL", f"http://{user}@127.0.0.1:{clickhouse.port}/{database}")
    monkeypatch.setenv("TOUCHLINE_DATA_DIR", str(tmp_path))
    assert "TOUCHLINE_PERSONAL_KEY" not in os.environ, "a backtest asks for no secret"


@pytest.mark.usefixtures("environment")
def test_the_command_as_the_read_only_user() -> None:
    found = CliRunner().invoke(app, ["backtest", "journeys/click_and_collect.yaml", "--to", "2026-03-05"])
    assert found.exit_code == 0, found.output
    assert "compared with the stored alerts of live versions" in found.stdout
    found = CliRunner().invoke(app, ["backtest", "journeys/service_case.yaml", "--against", "service_case", "--json"])
    assert found.exit_code == 0, found.output
    report = json.loads(found.stdout)
    assert report["difference"]["only_here"] == report["difference"]["only_there"] == 0
    assert report["difference"]["both"] == sum(one["alerts"] for one in report["breaks"].values()) > 0


@pytest.mark.usefixtures("environment")
def test_nothing_in_the_time_is_told_with_exit_code_1() -> None:
    wanted = ["backtest", "journeys/checkout.yaml", "--from", "2031-01-01", "--to", "2031-01-02"]
    assert CliRunner().invoke(app, wanted).exit_code == 1


def touchline(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"TOUCHLINE_DATA_DIR": str(tmp_path)}
    return subprocess.run([TOUCHLINE, "backtest", *arguments], env=env, capture_output=True, text=True, timeout=60)


def test_flaws_of_the_definition_are_told_by_line(tmp_path: Path) -> None:
    text = Path("journeys/checkout.yaml").read_text()
    (tmp_path / "tried.yaml").write_text(text.replace("checkout_started", "checkout_startet"))
    done = touchline(tmp_path, str(tmp_path / "tried.yaml"))
    assert done.returncode == 2
    assert re.search(r"tried\.yaml:\d+:\d+: .*checkout_started", done.stderr), done.stderr


def test_without_clickhouse_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    done = touchline(tmp_path, "journeys/checkout.yaml")
    assert done.returncode == 2
    assert "ClickHouse does not run in" in done.stderr
    assert len(done.stderr.splitlines()) == 1
