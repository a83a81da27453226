"""The loader against a real broker and a real ClickHouse: nothing lost, nothing twice, whatever dies and when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from deploy.embedded.clickhouse.launch import RunningClickHouse
from sinks.clickhouse.errors import Unavailable
from sinks.clickhouse.rows import Row
from sinks.clickhouse.store import ClickHouseStore
from tests.integration.clickhouse_fixture import clickhouse as clickhouse
from tests.integration.loader_rig import Rig, rigs, until
from tests.sink_records import alert, attach, customer, dead_letter, detach, journey, resolved, tick

pytestmark = pytest.mark.timeout(120)


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it, nothing is tidied up."""


@pytest.fixture
def rig(kafka: str, clickhouse: RunningClickHouse, topic_prefix: str) -> Iterator[Rig]:
    yield from rigs(kafka, clickhouse, topic_prefix)


def test_each_record_is_one_row_in_its_table_and_shows_once(rig: Rig) -> None:
    rig.produce("touchpoints", [resolved(n) for n in range(20)] + [tick(1)])
    rig.produce("touchpoints", [resolved(n, partition=1) for n in range(20, 30)], partition=1)
    rig.produce("journeys", [journey(1, offset=1), journey(1, offset=2, status="succeeded")])
    rig.produce("alerts", [alert(1, offset=5), alert(1, "resolved", offset=9), alert(2, offset=10)])
    rig.produce("dead_letters", [dead_letter(1)])
    loader = rig.loader()
    until(lambda: rig.count("touchpoints") == 30 and rig.count("dead_letters") == 1, "30 touchpoints", work=loader.step)
    until(lambda: rig.count("alerts") == 3 and rig.count("journeys") > 0, "alerts, journeys", work=loader.step)
    assert rig.count("v_touchpoints") == 30
    assert rig.select("SELECT status FROM v_journeys_now") == [("succeeded",)]
    assert sorted(rig.select("SELECT state, anchor FROM v_alerts")) == [("firing", "order_id:2"), ("resolved", "order_id:1")]
    assert rig.select("SELECT anchor FROM v_broken_journeys_now") == [("order_id:2",)]
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
    lane = rig.prefix + "touchpoints", 0
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

    until(lambda: len(one.lanes) == len(two.lanes) == 4, "a share each", work=both)
    rig.produce("touchpoints", [resolved(n, offset=n + 50) for n in range(100, 150)])
    until(lambda: rig.count("touchpoints") >= 150, "150 rows", work=both)
    rig.loaders.remove(one)
    one.close()
    rig.produce("touchpoints", [resolved(n, offset=n + 50) for n in range(150, 160)])
    rig.produce("touchpoints", [resolved(n, partition=1) for n in range(160, 170)], partition=1)
    until(lambda: rig.count("touchpoints") >= 170, "170 rows", work=two.step)
    assert rig.count("touchpoints") == 170
