"""Migrations and views as text: split, rendered, numbered, safe to run twice."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from schemas.definition import step_order
from schemas.definition_files import load_catalogue, load_definitions
from schemas.settings import address_of
from sinks.clickhouse.errors import MigrationError, Rejected, Unavailable, loader_error
from sinks.clickhouse.migrate import Applied, Migration, outstanding, shipped, shipped_views
from sinks.clickhouse.statements import Target, render, split
from sinks.clickhouse.view_builder import definition_views

ROOT = Path(__file__).parents[2]
ONE = Migration(1, "0001_a.sql", "SELECT 1")
TWO = Migration(2, "0002_b.sql", "SELECT 2")
TWICE = re.compile(
    r"CREATE (TABLE|DATABASE) IF NOT EXISTS |CREATE OR REPLACE VIEW "
    r"|ALTER TABLE \S+ .*(ADD|DROP|MODIFY|COMMENT|MATERIALIZE) \w+ IF (NOT )?EXISTS "
)


def applied(*migrations: Migration) -> list[Applied]:
    return [Applied(found.number, found.name, found.checksum) for found in migrations]


def test_semicolons_in_quotes_and_comments_end_nothing() -> None:
    text = "SELECT ';' -- one; two\n; /* a;\nb */ SELECT \"a;b\", `c;d`, 'it''s;', 'back\\';slash';;\n"
    assert split(text) == ["SELECT ';'", "SELECT \"a;b\", `c;d`, 'it''s;', 'back\\';slash'"]


def test_every_statement_can_run_twice() -> None:
    for target in (Target("d"), Target("d", "c")):
        migrations = [statement for migration in shipped() for statement in render(migration.text, target)]
        for statement in [*migrations, *shipped_views(target)]:
            assert TWICE.match(statement), statement[:80]
            assert "$" not in statement


def test_a_cluster_gets_replicated_tables_on_all_its_servers() -> None:
    for migration in shipped():
        for statement in render(migration.text, Target("d", "main")):
            assert "ON CLUSTER 'main'" in statement
            if statement.startswith("ALTER"):
                continue
            assert "ENGINE = Replicated" in statement
            assert "    replicated_deduplication_window" in statement.replace("SETTINGS ", "    ")
    with pytest.raises(ValueError, match="no name of a cluster"):
        render("SELECT 1", Target("d", "x' ; DROP"))


def test_what_is_outstanding() -> None:
    assert outstanding([ONE, TWO], []) == [ONE, TWO]
    assert outstanding([ONE, TWO], applied(ONE)) == [TWO]
    assert outstanding([ONE, TWO], applied(ONE, TWO)) == []


def test_a_changed_a_missing_and_an_unknown_migration_are_errors() -> None:
    with pytest.raises(MigrationError, match=r"0001_a\.sql was changed"):
        outstanding([Migration(1, "0001_a.sql", "SELECT 3"), TWO], applied(ONE))
    with pytest.raises(MigrationError, match="newer version"):
        outstanding([ONE], applied(ONE, TWO))
    with pytest.raises(MigrationError, match=r"0001_a\.sql is missing"):
        outstanding([ONE, TWO], applied(TWO))


def test_line_ends_do_not_change_a_migration() -> None:
    assert Migration(1, "a", "x\r\ny").checksum == Migration(1, "a", "x\ny").checksum


def test_a_funnel_follows_after_not_the_lines() -> None:
    definitions = load_definitions(ROOT / "journeys", load_catalogue(ROOT / "touchpoints.yaml"))
    collect = next(found for found in definitions if found.journey == "click_and_collect")
    order = ["start", *step_order(collect)]
    assert order != ["start", *collect.steps], "the lines say something else"
    assert all(order.index(step.after) < order.index(name) for name, step in collect.steps.items())
    older = collect.model_copy(update={"version": collect.version + 1, "steps": {"paid": collect.steps["paid"]}})
    views = definition_views([collect, older], Target("d"))
    assert [view.split()[4] for view in views] == [
        "d.v_funnel_click_and_collect",
        "d.v_step_durations_click_and_collect",
    ]
    for view in views:
        assert all(f"'{version.version}/paid'" in view for version in (collect, older)), "versions stand side by side"
        assert f"'{older.version}/answered'" not in view


def test_the_address_of_clickhouse() -> None:
    address = address_of("https://us%40er:p%2Fw@ch.example:9000/db_1")
    assert (address.host, address.port, address.user, address.password) == ("ch.example", 9000, "us@er", "p/w")
    assert (address.database, address.secure) == ("db_1", True)
    assert address_of("http://localhost").port == 8123
    assert "p/w" not in repr(address)
    for wrong in ("localhost:8123", "http://h/data base", "tcp://h", "http://h/1x"):
        with pytest.raises(ValueError, match=r"must|may"):
            address_of(wrong)


def test_the_code_decides_between_waiting_and_stopping() -> None:
    assert isinstance(loader_error("x", 117, "INCORRECT_DATA"), Rejected)
    for code in (None, 241, 252, 999, 123_456):
        assert isinstance(loader_error("x", code, None), Unavailable)
