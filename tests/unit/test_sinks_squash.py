"""The statements of a squash, and its pace; what they do is tested on a real ClickHouse."""

from __future__ import annotations

from threading import Event
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from sinks.clickhouse.errors import Rejected, Unavailable
from sinks.clickhouse.metrics import LoaderMetrics
from sinks.clickhouse.rows import COLUMNS
from sinks.clickhouse.squash import Bounds, Squash, removal
from sinks.clickhouse.squash_rounds import SquashRounds

STATEMENT_BYTES = 262_144


class Log:
    """Keeps the statements; `found` touchpoints are to be removed, and as many to be written."""

    def __init__(self, found: int = 0, broken: bool = False) -> None:
        self.done: list[str] = []
        self.asked: list[str] = []
        self._found, self._broken = found, broken

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        if self._broken:
            raise Unavailable("away")
        self.asked.append(query)
        if "max(log_time)" in query:
            return [(10**12,)]
        if query.startswith("SELECT count()"):
            return [(self._found,)]
        return [(f"{n:032x}", 2**64 - 1) for n in range(self._found)]

    def do(self, statement: str) -> None:
        self.done.append(statement)


def test_the_text_of_a_removal_fits_a_statement_and_holds_our_ids_only() -> None:
    most = removal("database", [("f" * 32, 2**64 - 1)] * Bounds().at_once)
    assert len(most) < STATEMENT_BYTES
    with pytest.raises(Rejected, match="not ours"):
        removal("database", [("x') OR (1", 1)])


def test_a_pass_removes_first_and_writes_all_columns_of_the_table() -> None:
    log = Log(found=5)
    done = Squash(log, "d", Bounds(rows=5, at_once=2)).run()
    assert (done.removed, done.written, done.more) == (5, 5, True)
    assert [statement.split()[0] for statement in log.done] == ["DELETE", "DELETE", "DELETE", "INSERT"]
    assert all(f"t.{column}" in log.done[-1] or f"a.{column}" in log.done[-1] for column in COLUMNS["touchpoints"])
    assert "$" not in "".join(log.done + log.asked)


def test_a_stop_is_heard_between_two_statements() -> None:
    log = Log(found=5)
    squash = Squash(log, "d", Bounds(at_once=2), stopped=lambda: bool(log.done))
    done = squash.run()
    assert (done.removed, done.written, len(log.done)) == (2, 0, 1)


@pytest.mark.parametrize(
    ("log", "rows", "expected"), [(Log(3), 100, 3_600.0), (Log(3), 3, 60.0), (Log(broken=True), 3, 3_600.0)]
)
def test_the_next_pass_comes_sooner_when_there_is_more(log: Log, rows: int, expected: float) -> None:
    metrics = LoaderMetrics(CollectorRegistry())
    rounds = SquashRounds(Squash(log, "d", Bounds(rows=rows)), metrics, lambda: True, 3_600.0, Event())
    assert rounds.once() == expected
