"""Old attributions move into the rows of their touchpoints, so that the views join few of them, whatever the age.

A pass removes the attributions that the rows already say, and then writes rows anew with their current customer and
rev. So what a pass writes loses its attribution in a later pass only: a query that is under way, and a replica that
lags, has seen the row by then. No view changes at any moment, for of a touchpoint's row and its attribution the greater
rev counts, and a row written anew says the same as the attribution that it repeats. An attribution or a row that is
delivered again has no greater rev and changes nothing.

Everything a pass does follows from what the tables hold, so it may stop anywhere and run again, also twice at once and
beside loaders. Removal names its rows one by one (touchpoint and rev): it is the same on every replica, and what
arrives meanwhile stays. On a cluster replication carries both, as it carries the loader's inserts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from string import Template
from typing import Any, Final, Protocol

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error

from schemas.settings import Address
from sinks.clickhouse.errors import Rejected, loader_error
from sinks.clickhouse.rows import COLUMNS
from sinks.clickhouse.store import connect

DAY_MS: Final = 86_400_000
STATEMENT_SECONDS: Final = 600

_NEWEST: Final = Template("SELECT toUnixTimestamp64Milli(max(log_time)) FROM ${database}.touchpoints")
_MOVED: Final = """
FROM ${database}.touchpoints AS t FINAL
INNER JOIN (SELECT touchpoint_id, customer_id, attributed_by, rev FROM ${database}.attributions FINAL) AS a
    ON a.touchpoint_id = t.touchpoint_id
-- Before FINAL, so that nothing else is read of the others; allowed because the id is part of the key.
PREWHERE t.touchpoint_id IN (SELECT touchpoint_id FROM ${database}.attributions)
WHERE t.log_time < fromUnixTimestamp64Milli(toInt64(${before}), 'UTC') AND ${which}
LIMIT ${limit}"""
_SAME: Final = "a.customer_id = t.customer_id AND a.attributed_by = t.attributed_by"
_SAID: Final = f"(a.rev < t.rev OR (a.rev = t.rev AND {_SAME}))"
_UNSAID: Final = f"(a.rev > t.rev OR (a.rev = t.rev AND NOT ({_SAME})))"
_FIND: Final = Template("SELECT a.touchpoint_id, a.rev" + _MOVED)
_COUNT: Final = Template("SELECT count()" + _MOVED)
_WRITE: Final = Template("INSERT INTO ${database}.touchpoints (${columns}) SELECT ${values}" + _MOVED)
# One text, split by the server: a list of 4,000 tuples takes it ten times as long.
_REMOVE: Final = Template(
    "DELETE FROM ${database}.attributions"
    " WHERE concat(touchpoint_id, ' ', toString(rev)) IN splitByChar(',', '${pairs}')"
)

Pair = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Bounds:
    """`keep_ms`: attributions of touchpoints younger than this stay, by log time, counted back from the newest
    touchpoint. `rows`: at most so many are removed in a pass, and at most so many written. `at_once`: removed by one
    DELETE, whose text stays under ClickHouse's 256 KB."""

    keep_ms: int = 2 * DAY_MS
    rows: int = 50_000
    at_once: int = 4_000


@dataclass(frozen=True, slots=True)
class Squashed:
    """What one pass did. `more`: it reached its bound, so the next one finds work at once."""

    removed: int
    written: int
    more: bool


class Tables(Protocol):
    """Runs one statement. Raises LoaderError; blocks STATEMENT_SECONDS at most."""

    def ask(self, query: str) -> list[tuple[Any, ...]]: ...
    def do(self, statement: str) -> None: ...


class Squash:
    """`stopped` is asked between two statements; a pass that ends early is simply shorter."""

    def __init__(
        self, tables: Tables, database: str, bounds: Bounds, stopped: Callable[[], bool] = lambda: False
    ) -> None:
        self._tables, self._database, self._bounds, self._stopped = tables, database, bounds, stopped

    def run(self) -> Squashed:
        """One pass. Raises LoaderError; what was done until then stays done."""
        before = self._before()
        removed = self.remove(before)
        written = 0 if self._stopped() else self.write(before)
        return Squashed(removed, written, max(removed, written) >= self._bounds.rows)

    def _before(self) -> int:
        (newest,) = self._tables.ask(_NEWEST.substitute(database=self._database))[0]
        return int(newest) - self._bounds.keep_ms

    def remove(self, before: int) -> int:
        """Attributions that say nothing which the touchpoint's row does not say."""
        found: list[Pair] = [(str(name), int(rev)) for name, rev in self._tables.ask(self._of(_FIND, _SAID, before))]
        removed = 0
        while removed < len(found) and not self._stopped():
            some = found[removed : removed + self._bounds.at_once]
            self._tables.do(removal(self._database, some))
            removed += len(some)
        return removed

    def write(self, before: int) -> int:
        """Rows anew for touchpoints whose attribution says something else. Returns how many."""
        ((found,),) = self._tables.ask(self._of(_COUNT, _UNSAID, before))
        if found:
            self._tables.do(self._of(_WRITE, _UNSAID, before))
        return min(int(found), self._bounds.rows)

    def _of(self, template: Template, which: str, before: int) -> str:
        columns = COLUMNS["touchpoints"]
        inner = {"database": self._database, "before": before, "which": which, "limit": self._bounds.rows}
        return template.substitute(inner, columns=", ".join(columns), values=", ".join(map(_value, columns)))


def _value(column: str) -> str:
    return f"a.{column}" if column in ("customer_id", "attributed_by", "rev") else f"t.{column}"


def removal(database: str, pairs: list[Pair]) -> str:
    """Raises Rejected for an id that none of our stages makes: it would become part of the statement."""
    for name, _ in pairs:
        if not name.isalnum():
            raise Rejected("a touchpoint_id in `attributions` is not made of letters and digits; it is not ours")
    return _REMOVE.substitute(database=database, pairs=",".join(f"{name} {rev}" for name, rev in pairs))


class ClickHouseTables:
    """A connection of its own, opened at the first statement: the loader does not wait for a pass."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._client: Client | None = None

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        try:
            return [tuple(row) for row in self._connected().query(query).result_rows]
        except Error as error:
            raise loader_error("cannot look for old attributions", error.code, error.name) from error

    def do(self, statement: str) -> None:
        try:
            self._connected().command(statement, settings=_SETTINGS)
        except Error as error:
            what = " ".join(statement.split()[:3])
            raise loader_error(f"{what} ...", error.code, error.name) from error

    def _connected(self) -> Client:
        if self._client is None:
            self._client = connect(self._address, STATEMENT_SECONDS)
        return self._client

    def close(self) -> None:
        if self._client is not None:
            self._client.close()


_SETTINGS: Final[dict[str, Any]] = {
    # A block that equals an older one is meant: the same rows may have to be written again.
    "insert_deduplicate": 0,
    # Moved touchpoints may be of many months.
    "max_partitions_per_insert_block": 500,
    "lightweight_deletes_sync": 1,
}
