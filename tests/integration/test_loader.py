"""The loader against a real broker and a real ClickHouse: nothing lost, nothing twice, whatever dies and when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from deploy.embedded.clickhouse.launch import RunningClickHouse
from schemas.definition_files import load_catalogue, load_definitions
from sinks.clickhouse.errors import Unavailable
from sinks.clickhouse.lane import Limits
from sinks.clickhouse.migrate import ClickHouseDatabase, migrate, shipped
from sinks.clickhouse.rows import COLUMNS, Row
from sinks.clickhouse.statements import Target
from sinks.clickhouse.store import ClickHouseStore, connect
from sinks.clickhouse.view_builder import deployment_views
from sinks.log_reader import Partition
from tests.integration.clickhouse_fixture import clickhouse as clickhouse
from tests.integration.loader_rig import Rig, rigs, until
from tests.integration.patience import PATIENCE_SECONDS
from tests.sink_records import (
    about_source,
    acknowledged,
    alert,
    attach,
    customer,
    dead_letter,
    detach,
    journey,
    resolved,
    switched,
    tick,
)

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(120)


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it, nothing is tidied up."""


@pytest.fixture
def rig(kafka: str, clickhouse: RunningClickHouse, topic_prefix: str) -> Iterator[Rig]:
    yield from rigs(kafka, clickhouse, topic_prefix)


def test_each_record_is_one_row_in_its_table_and_shows_once(rig: Rig) -> None:
    rig.produce("touchpoints", [resolved(n) for n in range(20)] + [tick(1)])
    rig.produce("touchpoints", [resolved(n, partition=1) for n in range(20, 30)], partition=1)
    for partition in range(2):  # What people say goes to every partition, and to that of the customer.
        rig.produce("touchpoints", [switched(7, ordinal=partition), acknowledged(1, offset=8)], partition=partition)
    rig.produce("journeys", [journey(1, offset=1), journey(1, offset=2, status="succeeded")])
    rig.produce("alerts", [alert(1, offset=5), alert(1, "resolved", offset=9), alert(2, offset=10)])
    rig.produce("alerts", [about_source(3, "till-7", offset=3)])
    rig.produce("dead_letters", [dead_letter(1)])
    loader = rig.loader()
    until(lambda: rig.count("touchpoints") == 30 and rig.count("dead_letters") == 1, "30 touchpoints", work=loader.step)
    until(lambda: rig.count("alerts") == 4 and rig.count("journeys") > 0, "alerts, journeys", work=loader.step)
    assert rig.count("v_touchpoints") == 30
    assert rig.select("SELECT status FROM v_journeys_now") == [("succeeded",)]
    assert sorted(rig.select("SELECT state, anchor FROM v_alerts")) == [
        ("firing", "order_id:2"),
        ("firing", "source:till-7"),
        ("resolved", "order_id:1"),
    ]
    assert rig.select("SELECT anchor FROM v_broken_journeys_now") == [("order_id:2",)]
    assert rig.select("SELECT source, entry FROM v_sources_silent") == [("till-7", "till-{store_id}")]
    until(lambda: rig.count("definition_modes") >= 2, "a switch of each partition", work=loader.step)
    assert rig.select("SELECT version, mode, decided_by FROM definition_modes FINAL") == [(1, "live", "anna")]
    assert not loader.unready()


def test_a_moved_touchpoint_shows_once_with_its_new_customer(rig: Rig) -> None:
    records = [resolved(1), resolved(2), detach([1], 1, offset=7, moved_to=30), attach([1], 30, offset=7)]
    records += [attach([2], 40, offset=8, scope="order_id:2"), detach([2], 2, offset=9)]
    rig.produce("touchpoints", records)
    loader = rig.loader()
    until(lambda: rig.count("attributions") == 2, "two attributions", work=loader.step)
    found = dict(rig.select("SELECT message_id, customer_id FROM v_touchpoints"))
    assert found == {"m1": customer(30), "m2": ""}
    assert rig.select(f"SELECT what, name FROM v_customer_timeline WHERE customer_id = '{customer(30)}'") == [
        ("touchpoint", "order_placed")
    ]


def test_a_redo_upstream_adds_no_rows(rig: Rig) -> None:
    """Not even physical ones: the positions drop them before the insert."""
    first = [resolved(n) for n in range(10)]
    rig.produce("touchpoints", first)
    loader = rig.loader()
    until(lambda: rig.count("touchpoints") == 10, "10 rows", work=loader.step)
    rig.produce("touchpoints", [*first, resolved(10), *first, resolved(11)])
    until(lambda: rig.count("touchpoints") >= 12, "12 rows", work=loader.step)
    assert rig.count("touchpoints") == 12


@pytest.mark.parametrize("step", ["announcing", "inserting", "confirming", "confirmed"])
def test_a_kill_between_any_two_steps_loses_and_doubles_nothing(rig: Rig, step: str) -> None:
    rig.produce("touchpoints", [resolved(n) for n in range(100)] + [attach([1, 2], 3, offset=200)])

    def die(reached: str) -> None:
        if reached == step:
            raise Killed(step)

    doomed = rig.loader(failpoint=die)
    with pytest.raises(Killed):
        until(lambda: False, "the kill", work=doomed.step)
    rig.abandon(doomed)
    # More records arrive, so that a careless successor would form a longer range.
    rig.produce("touchpoints", [resolved(n, offset=n + 300) for n in range(100, 150)])
    heir = rig.loader()
    until(lambda: rig.count("touchpoints") >= 150, "150 rows", work=heir.step)
    assert rig.count("touchpoints") == 150
    assert rig.count("attributions") == 2


class DiesAfter:
    """Stores the first table of a range, and then the process is gone."""

    def __init__(self, inner: ClickHouseStore, table: str) -> None:
        self._inner, self._table = inner, table

    def insert(self, table: str, rows: Sequence[Row], token: str) -> None:
        if table != self._table:
            raise Killed(table)
        self._inner.insert(table, rows, token)


@pytest.mark.parametrize("table", ["touchpoints", "attributions"])
def test_a_kill_between_two_tables_of_one_range(rig: Rig, table: str) -> None:
    rig.produce("touchpoints", [resolved(n) for n in range(100)] + [attach([1, 2], 3, offset=200)])
    doomed = rig.loader(store=DiesAfter(ClickHouseStore(rig.address), table))
    with pytest.raises(Killed):
        until(lambda: False, "the kill", work=doomed.step)
    rig.abandon(doomed)
    rig.produce("touchpoints", [resolved(n, offset=n + 300) for n in range(100, 150)])
    heir = rig.loader()
    until(lambda: rig.count("touchpoints") >= 150, "150 rows", work=heir.step)
    assert (rig.count("touchpoints"), rig.count("attributions")) == (150, 2)


class LosesAnswers:
    """The insert happened, the answer did not arrive: what a broken connection looks like."""

    def __init__(self, inner: ClickHouseStore) -> None:
        self._inner, self.left = inner, 3

    def insert(self, table: str, rows: Sequence[Row], token: str) -> None:
        self._inner.insert(table, rows, token)
        if self.left:
            self.left -= 1
            raise Unavailable("the connection broke")


def test_a_lost_answer_stores_nothing_twice(rig: Rig) -> None:
    rig.produce("touchpoints", [resolved(n) for n in range(50)])
    store = LosesAnswers(ClickHouseStore(rig.address))
    loader = rig.loader(store=store)
    lane = Partition(rig.prefix + "touchpoints", 0)
    until(lambda: lane in loader.lanes and loader.lanes[lane].state.done.offset == 50, "offset 50", work=loader.step)
    assert store.left == 0
    assert rig.count("touchpoints") == 50


def test_two_loaders_share_and_take_over(rig: Rig) -> None:
    rig.produce("touchpoints", [resolved(n) for n in range(50)])
    rig.produce("touchpoints", [resolved(n, partition=1) for n in range(50, 100)], partition=1)
    one, two = rig.loader(instance=None), rig.loader(instance=None)

    def both() -> None:
        one.step()
        two.step()

    until(lambda: len(one.lanes) == len(two.lanes) == 5, "a share each", work=both)
    rig.produce("touchpoints", [resolved(n, offset=n + 50) for n in range(100, 150)])
    until(lambda: rig.count("touchpoints") >= 150, "150 rows", work=both)
    rig.loaders.remove(one)
    one.close()
    rig.produce("touchpoints", [resolved(n, offset=n + 50) for n in range(150, 160)])
    rig.produce("touchpoints", [resolved(n, partition=1) for n in range(160, 170)], partition=1)
    until(lambda: rig.count("touchpoints") >= 170, "170 rows", work=two.step)
    assert rig.count("touchpoints") == 170


def test_kill_9_of_the_process_at_random_moments(rig: Rig) -> None:
    random = Random(3)
    produced = 0
    for _ in range(4):
        rig.produce("touchpoints", [resolved(n) for n in range(produced, produced + 500)])
        produced += 500
        process = rig.process()
        enough = random.randrange(produced)
        until(lambda enough=enough: rig.count("touchpoints") >= enough, f"{enough} rows")  # type: ignore[misc]
        process.kill()
        process.wait(PATIENCE_SECONDS)
    process = rig.process()
    until(lambda: rig.count("touchpoints") >= produced, f"{produced} rows")
    process.terminate()
    assert process.wait(PATIENCE_SECONDS) == 0
    assert rig.count("touchpoints") == produced


class Down:
    """ClickHouse that is away until told otherwise."""

    def __init__(self, inner: ClickHouseStore) -> None:
        self._inner, self.down, self.tries = inner, True, 0

    def insert(self, table: str, rows: Sequence[Row], token: str) -> None:
        if self.down:
            self.tries += 1
            raise Unavailable("away")
        self._inner.insert(table, rows, token)


def test_an_outage_holds_memory_shows_lag_and_is_made_good(rig: Rig) -> None:
    store = Down(ClickHouseStore(rig.address))
    limits = Limits(linger_ms=50, linger_behind_ms=50, batch_rows=300, poll_records=200)
    loader = rig.loader(store=store, limits=limits)
    rig.produce("touchpoints", [resolved(n) for n in range(5_000)])
    until(lambda: store.tries >= 4, "four tries", work=loader.step)
    lane = loader.lanes[Partition(rig.prefix + "touchpoints", 0)]
    assert lane.is_full
    assert lane.bytes <= 600 * 1_200
    assert lane.state.done.offset == 0
    assert loader.metrics.lag.labels("touchpoints")._value.get() == 5_000
    assert loader.unready() == ["the last insert into ClickHouse failed"]
    store.down = False
    until(lambda: rig.count("touchpoints") >= 5_000, "5,000 rows", work=loader.step)
    assert rig.count("touchpoints") == 5_000


def test_a_record_of_another_version_stops_its_partition_only(rig: Rig) -> None:
    rig.produce("alerts", [journey(1, offset=1)])
    rig.produce("touchpoints", [resolved(1)])
    loader = rig.loader()
    until(lambda: rig.count("touchpoints") == 1, "the touchpoint", work=loader.step)
    stopped = Partition(rig.prefix + "alerts", 0)
    until(lambda: loader.lanes[stopped].stopped is not None, "the stop", work=loader.step)
    assert "offset 0 is not of this version" in loader.unready()[0]


def test_definition_views_count_what_the_journeys_say(rig: Rig) -> None:
    target = Target(rig.address.database)
    catalogue = load_catalogue(ROOT / "touchpoints.yaml")
    definitions = load_definitions(ROOT / "journeys", catalogue)
    views = deployment_views(definitions, catalogue, target)
    migrate(ClickHouseDatabase(rig.client, target), target, views=views)
    shipped_now = next(one for one in definitions if one.journey == "click_and_collect").version
    journeys = [journey(n, offset=n, version=shipped_now) for n in range(10)]
    journeys += [journey(n, offset=20 + n, version=shipped_now, started_at=None) for n in range(10, 12)]
    journeys += [journey(9, offset=40, version=shipped_now, status="moved")]
    rig.produce("journeys", journeys)
    loader = rig.loader()
    until(lambda: rig.count("journeys") >= 12, "the journeys", work=loader.step)
    funnel = rig.select(
        "SELECT step_no, step, sum(journeys), sum(reached), sum(waiting) FROM v_funnel_click_and_collect"
        " GROUP BY step_no, step ORDER BY step_no"
    )
    assert funnel == [(0, "start", 9, 9, 0), (2, "paid", 9, 9, 0), (3, "ready", 9, 0, 9)]
    durations = "SELECT DISTINCT step, after, duration_ms, within_ms, in_time FROM v_step_durations_click_and_collect"
    assert rig.select(durations) == [("paid", "start", 60_000, 600_000, True)]
    assert len(rig.select("SELECT step FROM journey_steps")) == 22


def test_the_bi_user_reads_every_view(rig: Rig, clickhouse: RunningClickHouse) -> None:
    bi = connect(replace(rig.address, user=clickhouse.bi_user, password=clickhouse.bi_password))
    found = bi.query(f"SELECT name FROM system.tables WHERE database = '{rig.address.database}' AND engine = 'View'")
    views = [str(name) for (name,) in found.result_rows]
    assert len(views) >= 8
    for view in views:
        bi.query(f"SELECT * FROM {rig.address.database}.{view} LIMIT 1")
    described = bi.query(
        "SELECT concat(table, '.', name) FROM system.columns"
        f" WHERE database = '{rig.address.database}' AND comment = ''"
    )
    assert described.result_rows == []
    bi.close()


def test_rows_fit_the_tables(rig: Rig) -> None:
    for table, columns in COLUMNS.items():
        found = rig.client.query(
            f"SELECT name FROM system.columns WHERE database = '{rig.address.database}' AND table = '{table}'"
            " ORDER BY position"
        )
        assert [str(name) for (name,) in found.result_rows] == list(columns)


@pytest.mark.timeout(600)
def test_migrations_go_on_after_an_interruption_at_any_statement(rig: Rig) -> None:
    """Views are alike, so of them every fifth."""
    target = Target(rig.address.database + "_again")
    database = ClickHouseDatabase(rig.client, target)
    statements: list[str] = []
    try:
        migrate(database, target, before=statements.append)
        assert migrate(database, target) == []
        for stop_at, stopped in enumerate(statements):
            if stopped.startswith("CREATE OR REPLACE VIEW") and stop_at % 5:
                continue
            rig.client.command(f"DROP DATABASE IF EXISTS {target.database} SYNC")
            left = iter(range(stop_at))

            def interrupt(statement: str, left: Iterator[int] = left) -> None:
                if next(left, None) is None:
                    raise Killed(statement)

            with pytest.raises(Killed):
                migrate(database, target, before=interrupt)
            migrate(database, target)
            assert len(database.applied()) == len(shipped())
    finally:
        rig.client.command(f"DROP DATABASE IF EXISTS {target.database} SYNC")
