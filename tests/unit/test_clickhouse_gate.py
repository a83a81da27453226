"""Who may run which statement: the rules, on trees as the engine prints them.

That these trees are what the engine prints, and that nothing slips through, is tested against the engine in
tests/integration/test_embedded_clickhouse_access.py.
"""

import pytest

from deploy.embedded.clickhouse import gate, syntax
from deploy.embedded.clickhouse.gate import Role
from deploy.embedded.clickhouse.limits import Limits, SettingRefused, settings_of

SELECT = "SelectWithUnionQuery (children 1)"


def select_from(source: str, text: str = "SELECT * FROM t") -> syntax.Statement:
    tree = [SELECT, "ExpressionList", "SelectQuery", "TablesInSelectQuery", "TablesInSelectQueryElement"]
    lines = [" " * depth + line for depth, line in enumerate([*tree, "TableExpression (children 1)", source])]
    return syntax.statement(text, "\n".join(lines))


def reader(statement: syntax.Statement, database: str | None = None) -> str:
    return gate.refusal(Role.READER, statement, database) or ""


def writer(statement: syntax.Statement) -> str:
    return gate.refusal(Role.WRITER, statement, None) or ""


def test_a_select_from_a_table_is_open() -> None:
    statement = select_from("TableIdentifier touchpoints (alias t)")
    assert reader(statement) == writer(statement) == ""
    assert gate.is_read(statement)


@pytest.mark.parametrize("name", ["numbers", "generateSeries", "values", "view"])
def test_table_functions_without_a_source_are_open(name: str) -> None:
    assert reader(select_from(f"Function {name} (children 1)")) == ""


@pytest.mark.parametrize("name", ["url", "s3", "remote", "merge", "a_function_of_tomorrow", "File", "URL"])
def test_other_table_functions_are_closed_to_the_reader(name: str) -> None:
    assert f"table function {name}" in reader(select_from(f"Function {name} (alias x) (children 1)"))


@pytest.mark.parametrize(
    "name",
    ["system.processes", "SYSTEM.server_settings", "system.named_collections", "system.tables_of_tomorrow"],
)
def test_system_tables_outside_of_the_list_are_closed_to_the_reader(name: str) -> None:
    assert "is not available" in reader(select_from(f"TableIdentifier {name}"))
    assert "is not available" in reader(select_from(f"Identifier {name}"))
    assert writer(select_from(f"TableIdentifier {name}")) == ""


@pytest.mark.parametrize("name", ["system.tables", "system.one", "INFORMATION_SCHEMA.tables", "default.system"])
def test_what_tools_list_is_open(name: str) -> None:
    assert reader(select_from(f"TableIdentifier {name}")) == ""


@pytest.mark.parametrize("name", ["/etc/passwd", "default.a.csv", "../x", "a*", "http://host/x"])
def test_names_of_files_are_no_tables(name: str) -> None:
    assert "table name" in reader(select_from(f"TableIdentifier {name}"))


def test_unqualified_names_cannot_reach_system_tables() -> None:
    assert "database cannot be system" in reader(select_from("TableIdentifier processes"), "System")


@pytest.mark.parametrize(
    "text",
    [
        "SELECT file('/etc/passwd')",
        "SELECT `file`('/x')",
        "SELECT FILE ('/x')",
        "SELECT * APPLY file FROM t",
        "SELECT * APPLY(file) FROM t",
        "SELECT aiGenerate('x')",
        "SELECT arrayMap(x -> file(x), a) FROM t",
        "SELECT sleepEachRow(1)",
    ],
)
def test_functions_that_reach_outside_are_closed_to_the_reader(text: str) -> None:
    assert "function" in reader(select_from("TableIdentifier t", text))


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 'file(1)', file FROM t",
        "SELECT filesize('x')",
        "SELECT 'OUTFILE'",
        "SELECT 'it\\'s file(', airport(1)",
    ],
)
def test_words_in_strings_and_columns_are_open(text: str) -> None:
    assert reader(select_from("TableIdentifier t", text)) == ""


@pytest.mark.parametrize(
    "root",
    [
        "InsertQuery",
        "CreateQuery t",
        "DropQuery",
        "AlterQuery",
        "KillQueryQuery",
        "SystemQuery",
        "Set",
        "UseQuery x",
    ]
    + ["ParallelWithQuery 2", "ExecuteAsQuery", "ShowProcesslistQuery", "ShowGrantsQuery", "QueryOfTomorrow"],
)
def test_the_reader_only_reads(root: str) -> None:
    assert "only reads" in reader(syntax.statement("X", f"{root} (children 1)\n {SELECT}"))


@pytest.mark.parametrize(
    ("head", "inner"),
    [("EXPLAIN", "CreateQuery x"), ("EXPLAIN AST", "InsertQuery"), ("EXPLAIN TABLE OVERRIDE", SELECT)]
    + [("EXPLAIN CURRENT TRANSACTION", SELECT)],
)
def test_the_reader_explains_selects_only(head: str, inner: str) -> None:
    tree = f"Explain {head} (children 1)\n {inner}"
    assert "explain a SELECT" in reader(syntax.statement("EXPLAIN X", tree))
    assert reader(syntax.statement("EXPLAIN SELECT 1", f"Explain EXPLAIN (children 1)\n {SELECT}")) == ""


def test_the_reader_changes_no_settings_at_any_depth() -> None:
    tree = f"{SELECT}\n ExpressionList\n  SelectQuery\n   Subquery\n    Set"
    assert "SETTINGS" in reader(syntax.statement("SELECT 1", tree))


def test_show_takes_no_functions_and_no_closed_tables() -> None:
    assert "SHOW" in reader(syntax.statement("SHOW TABLES WHERE file('/x') = ''", "ShowTables"))
    assert "system.users" in reader(syntax.statement("SHOW CREATE TABLE system.users", "ShowCreateTableQuery  users"))
    assert reader(syntax.statement("SHOW TABLES FROM d LIKE 'a%'", "ShowTables (children 1)\n Identifier d")) == ""


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE z (a Int8) ENGINE = File(CSV, '/etc/passwd')",
        "CREATE DICTIONARY d (a Int8) PRIMARY KEY a SOURCE(FILE(PATH '/x' FORMAT 'CSV'))",
        "CREATE DICTIONARY d (a Int8) PRIMARY KEY a SOURCE(EXECUTABLE(COMMAND 'ls'))",
        "INSERT INTO FUNCTION file('/x') SELECT 1",
        "INSERT INTO t SELECT * FROM executable('ls', CSV, 'a String')",
        "ATTACH TABLE t FROM '/x' (a Int8)",
        "SET max_threads = 1",
        "USE other",
        "CREATE TEMPORARY TABLE t (a Int8)",
        "SYSTEM SHUTDOWN",
        "INSERT INTO t SELECT * FROM input('a Int8') FORMAT CSV",
    ],
)
def test_the_writer_gets_no_host_files_and_nothing_without_effect(text: str) -> None:
    root = {"INSERT": "InsertQuery", "SET": "Set", "USE": "UseQuery"}.get(text.split()[0], "CreateQuery")
    assert "not available" in writer(syntax.statement(text, root)) or "no effect" in writer(
        syntax.statement(text, root)
    )


def test_the_writer_may_move_data_to_a_server() -> None:
    assert writer(syntax.statement("INSERT INTO FUNCTION remote('host', d.t) SELECT * FROM t", "InsertQuery")) == ""


@pytest.mark.parametrize("text", ["SELECT 1 INTO OUTFILE '/x'", "SHOW TABLES INTO OUTFILE '/x' TRUNCATE"])
def test_files_on_the_host_are_refused_before_the_engine_explains(text: str) -> None:
    assert "INTO OUTFILE" in (gate.lexical_refusal(tuple(syntax.tokens(text))) or "")


def test_the_word_outfile_alone_is_no_clause() -> None:
    for text in (
        "SELECT 'INTO OUTFILE'",
        "SELECT outfile, `INTO OUTFILE` FROM t",
        "SELECT into AS outfile FROM t",
    ):
        assert gate.lexical_refusal(tuple(syntax.tokens(text))) is None


@pytest.mark.parametrize(
    ("canonical", "text", "name"),
    [
        ("SELECT 1 FORMAT JSON", "SELECT 1", "JSON"),
        ("SELECT 1 FORMAT JSON SETTINGS a = 1", "SELECT 1 SETTINGS a = 1", "JSON"),
        ("SELECT 1 SETTINGS a = 1 FORMAT JSON", "SELECT 1 SETTINGS a = 1", "JSON"),
        ("SELECT 'x FORMAT JSON'", "SELECT 'x FORMAT JSON'", None),
        ("SELECT 1 AS FORMAT FROM t", "SELECT 1 AS FORMAT FROM t", None),
        ("SELECT (SELECT 1 AS FORMAT, x)", "SELECT (SELECT 1 AS FORMAT, x)", None),
    ],
)
def test_the_format_clause_is_taken_off(canonical: str, text: str, name: str | None) -> None:
    assert syntax.split_format(canonical) == (text, name)


def test_a_line_break_in_a_name_cannot_hide_a_node() -> None:
    tree = f"{SELECT}\n Literal 1 (alias a\n Function numbers)\n TableExpression\n  Function url (children 1)"
    assert "table function url" in reader(syntax.statement("SELECT 1", tree))


def settings(role: Role, **chosen: str) -> dict[str, str]:
    return settings_of(role, chosen, Limits(execution_seconds=30), reads=True, get=False, whole=False)


def test_a_reader_lowers_limits_and_never_raises_them() -> None:
    assert settings(Role.READER, max_execution_time="5")["max_execution_time"] == "5"
    for more in ("60", "0", "", "-1", "many", "1e99"):
        assert settings(Role.READER, max_execution_time=more)["max_execution_time"] == "30"


def test_a_reader_is_read_only_last_whatever_it_asks_for() -> None:
    for asked in ("0", "2"):
        assert list(settings(Role.READER, readonly=asked, max_threads="1").items())[-1] == ("readonly", "1")


@pytest.mark.parametrize("name", ["allow_ddl", "output_format_schema", "format_schema", "max_parser_backtracks", "a b"])
def test_a_reader_cannot_choose_other_settings(name: str) -> None:
    with pytest.raises(SettingRefused, match=name):
        settings(Role.READER, **{name: "1"})


def test_get_of_the_writer_is_read_only() -> None:
    sent = settings_of(Role.WRITER, {"readonly": "0"}, Limits(), reads=True, get=True, whole=False)
    assert sent["readonly"] == "2"
    assert settings(Role.WRITER, insert_deduplication_token="a") == {"insert_deduplication_token": "a"}
    with pytest.raises(SettingRefused):
        settings(Role.WRITER, **{"a = 1, b": "1"})
