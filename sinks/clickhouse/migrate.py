"""Brings a database to the tables and views of this version: numbered files, each applied once and recorded.

A migration is recorded after its last statement. An interruption anywhere, or two migrators at once, are
harmless because every statement can run twice (IF NOT EXISTS, CREATE OR REPLACE). A file that was applied never
changes; its checksum is over the template, so the same record holds for one server and for a cluster. Views
hold no data: those of `VIEWS`, of the definitions and of the catalogue are written anew at every run, and the rows of
the catalogue are added where they are new.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final, Protocol, get_args

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error

from schemas.records import BreakKind
from sinks.clickhouse.errors import MigrationError, loader_error
from sinks.clickhouse.statements import Target, render

_OF_JOURNEYS: Final = [kind for kind in get_args(BreakKind) if kind not in ("silent_source", "broken_contract")]
KINDS: Final = f"{', '.join(_OF_JOURNEYS[:-1])} or {_OF_JOURNEYS[-1]}"
_LIVE: Final = {
    "view": "v_broken_journeys_now",
    "whose": "of a journey of mode live",
    "which": "mode = 'live'",
    "kinds": KINDS,
}
_TRIED: Final = {
    "view": "v_shadow_breaks_now",
    "whose": "of a journey of a version that is tried: nobody is told",
    "which": "mode != 'live'",
    "kinds": KINDS,
}
VIEWS: Final[tuple[tuple[str, Mapping[str, str]], ...]] = (
    ("views.sql", {}),
    ("views_alerts.sql", {"kinds": KINDS}),
    ("view_open_breaks.sql", _LIVE),
    ("view_open_breaks.sql", _TRIED),
    ("views_identity.sql", {}),
)
"""Files, and what they ask for beside the target. In this order: later ones read earlier ones."""
_NAME: Final = re.compile(r"(?P<number>\d{4})_[a-z0-9_]+\.sql")
_MIGRATIONS_TABLE: Final = """
CREATE DATABASE IF NOT EXISTS ${database} ${on_cluster};
CREATE TABLE IF NOT EXISTS ${database}._migrations ${on_cluster}
(
    number     UInt32 COMMENT 'Number of the migration',
    name       String COMMENT 'Name of its file',
    checksum   String COMMENT 'SHA-256 of its text; an applied file must not change',
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was applied'
)
ENGINE = ${replicated}ReplacingMergeTree(applied_at)
ORDER BY number
SETTINGS ${dedup_window}
COMMENT 'Migrations that this database has';
"""


@dataclass(frozen=True, slots=True)
class Migration:
    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.replace("\r\n", "\n").encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Applied:
    number: int
    name: str
    checksum: str


class Database(Protocol):
    """What a migrator needs. Raises MigrationError or LoaderError."""

    def run(self, statement: str) -> None: ...
    def applied(self) -> Sequence[Applied]: ...
    def record(self, migration: Migration) -> None: ...


def shipped() -> list[Migration]:
    """The migrations of this version, in order. Raises MigrationError when the numbers are not 1, 2, 3, ..."""
    folder = files("sinks.clickhouse") / "migrations"
    found = []
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        match = _NAME.fullmatch(file.name)
        if match:
            found.append(Migration(int(match["number"]), file.name, file.read_text("utf-8")))
    numbers = [migration.number for migration in found]
    if numbers != list(range(1, len(found) + 1)):
        raise MigrationError(
            f"the migrations are numbered {numbers}; they must be 1, 2, 3, ... without gap or repetition"
        )
    return found


def shipped_views(target: Target) -> Iterator[str]:
    """The statements of the views of this version, in order."""
    for name, given in VIEWS:
        yield from render((files("sinks.clickhouse") / name).read_text("utf-8"), target, given)


def outstanding(migrations: Sequence[Migration], applied: Iterable[Applied]) -> list[Migration]:
    """What is still to be applied. Raises MigrationError when the database has something else than this version."""
    known = {migration.number: migration for migration in migrations}
    done: Mapping[int, Applied] = {record.number: record for record in applied}
    for number, record in sorted(done.items()):
        migration = known.get(number)
        if migration is None:
            raise MigrationError(
                f"the database has migration {record.name}, which this version lacks; use a newer version"
            )
        if migration.checksum != record.checksum:
            raise MigrationError(
                f"{migration.name} was changed after it was applied; restore it and add a new migration"
            )
    missing = [migration for migration in migrations if migration.number not in done]
    if missing and done and missing[0].number < max(done):
        raise MigrationError(
            f"{missing[0].name} is missing in the database, although {done[max(done)].name} was applied"
        )
    return missing


def migrate(
    database: Database,
    target: Target,
    *,
    views: Sequence[str] = (),
    migrations: Sequence[Migration] | None = None,
    before: Callable[[str], None] = lambda _: None,
) -> list[str]:
    """Applies what is outstanding, then all views; returns the names of what was applied. `before` sees each
    statement."""

    def run(statements: Iterable[str]) -> None:
        for statement in statements:
            before(statement)
            database.run(statement)

    run(render(_MIGRATIONS_TABLE, target))
    todo = outstanding(shipped() if migrations is None else migrations, database.applied())
    for migration in todo:
        run(render(migration.text, target))
        before(f"record {migration.name}")
        database.record(migration)
    run(shipped_views(target))
    run(views)
    return [migration.name for migration in todo]


class ClickHouseDatabase:
    """A database reached through a client. Reads `_migrations` with FINAL: a record may have been written twice."""

    def __init__(self, client: Client, target: Target) -> None:
        self._client = client
        self._database = target.database

    def run(self, statement: str) -> None:
        what = " ".join(statement.split()[:6])
        try:
            self._client.command(statement)
        except Error as error:
            if error.code is None:
                raise loader_error(f"{what} ...", None, None) from error
            # The statement is ours, so ClickHouse's text quotes no data.
            raise MigrationError(f"{what} ...: {error}") from error

    def applied(self) -> list[Applied]:
        try:
            found = self._client.query(
                # The name of the database was checked when the address was parsed.
                f"SELECT number, name, checksum FROM {self._database}._migrations FINAL ORDER BY number"  # noqa: S608
            )
        except Error as error:
            raise loader_error("cannot read the applied migrations", error.code, error.name) from error
        return [Applied(*row) for row in found.result_rows]

    def record(self, migration: Migration) -> None:
        try:
            self._client.insert(
                f"{self._database}._migrations",
                [[migration.number, migration.name, migration.checksum]],
                column_names=["number", "name", "checksum"],
                settings={"insert_deduplication_token": f"{migration.number}-{migration.checksum}"},
            )
        except Error as error:
            raise loader_error(f"cannot record {migration.name}", error.code, error.name) from error
