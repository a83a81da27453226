"""What the read-only user of the embedded ClickHouse cannot do, against the real engine.

Each statement is a way around read-only access that the engine alone leaves open, or a disguise of one.
"""

import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from deploy.embedded.clickhouse.gate import DENIED_FUNCTIONS, SYSTEM_TABLES
from deploy.embedded.clickhouse.launch import RunningClickHouse
from tests.integration import clickhouse_fixture
from tests.integration.clickhouse_http import Reply, ask

clickhouse = clickhouse_fixture.clickhouse
SECRET = "only the host may read this"
REFUSED = {"497", "164", "62"}


@pytest.fixture
def host_file(tmp_path: Path) -> Path:
    path = tmp_path / "secret.csv"
    path.write_text(SECRET)
    return path


@pytest.fixture(scope="module")
def stored(clickhouse: RunningClickHouse) -> RunningClickHouse:
    created = "CREATE TABLE access_kept (a UInt64, b String, outfile UInt8) ENGINE = MergeTree ORDER BY a"
    assert ask(clickhouse, created).status == 200
    assert ask(clickhouse, "INSERT INTO access_kept VALUES (1, 'OUTFILE', 3)").status == 200
    return clickhouse


def bi(running: RunningClickHouse, sql: str, **parameters: str) -> Reply:
    return ask(running, sql, parameters, user=running.bi_user, password=running.bi_password)


WRITES = [
    "INSERT INTO access_kept VALUES (2, 'x', 1)",
    "INSERT INTO access_kept SELECT 2, 'x', 1",
    "INSERT INTO FUNCTION file('{file}') SELECT 1",
    "/* SELECT */ INSERT INTO access_kept VALUES (2, 'x', 1)",
    "-- SELECT\nINSERT INTO access_kept (a) FORMAT CSV\n2\n",
    "CREATE TABLE access_new (a Int8) ENGINE = Memory",
    "CREATE TEMPORARY TABLE access_new (a Int8)",
    "CREATE VIEW access_new AS SELECT 1",
    "CREATE FUNCTION access_new AS x -> x",
    "CREATE DICTIONARY access_new (a UInt64, b String) PRIMARY KEY a SOURCE(FILE(PATH '{file}' FORMAT 'CSV'))"
    " LIFETIME(0) LAYOUT(FLAT)",
    "DROP TABLE access_kept",
    "TRUNCATE TABLE access_kept",
    "DETACH TABLE access_kept",
    "RENAME TABLE access_kept TO access_lost",
    "ALTER TABLE access_kept DELETE WHERE 1",
    "DELETE FROM access_kept WHERE 1",
    "OPTIMIZE TABLE access_kept",
    "SYSTEM FLUSH LOGS",
    "SYSTEM SHUTDOWN",
    "KILL QUERY WHERE 1",
    "KILL MUTATION WHERE 1",
    "BACKUP TABLE access_kept TO File('{file}.backup')",
    "EXPLAIN INSERT INTO access_kept SELECT 2, 'x', 1",
    "SELECT 1 PARALLEL WITH TRUNCATE TABLE access_kept",
    "EXECUTE AS default TRUNCATE TABLE access_kept",
    "BEGIN TRANSACTION",
    "CHECK TABLE access_kept",
]
FILES = [
    "SELECT file('{file}')",
    "SELECT `file`('{file}')",
    "SELECT FiLe /**/ ('{file}')",
    "WITH file('{file}') AS x SELECT x",
    "SELECT 1 WHERE file('{file}') != ''",
    "SELECT arrayMap(x -> file(x), ['{file}'])",
    "SELECT * APPLY(file) FROM (SELECT '{file}')",
    "SELECT * APPLY file FROM (SELECT '{file}')",
    "SHOW TABLES WHERE file('{file}') != ''",
    "SHOW COLUMNS FROM access_kept WHERE file('{file}') != ''",
    "EXPLAIN SYNTAX SELECT file('{file}')",
    "SELECT * FROM file('{file}', LineAsString)",
    "SELECT * FROM view(SELECT * FROM file('{file}', LineAsString))",
    "SELECT (SELECT * FROM file('{file}', LineAsString))",
    "WITH x AS (SELECT * FROM file('{file}', LineAsString)) SELECT * FROM x",
    "SELECT '1' UNION ALL SELECT * FROM file('{file}', LineAsString)",
    "SELECT '1' EXCEPT SELECT * FROM file('{file}', LineAsString)",
    "SELECT 1 IN (SELECT * FROM file('{file}', LineAsString))",
    "SELECT * FROM access_kept AS a, file('{file}', LineAsString) AS b",
    "FROM file('{file}', LineAsString) SELECT *",
    "SELECT * FROM `{file}`",
    "SELECT * FROM default.`{file}`",
    "DESCRIBE TABLE file('{file}')",
    "DESCRIBE (SELECT * FROM file('{file}', LineAsString))",
    "SELECT * FROM fileCluster('default', '{file}', LineAsString)",
    "SELECT * FROM executable('cat {file}', LineAsString, 'line String')",
    "SELECT * FROM filesystem('{file}')",
    "SELECT * FROM python(os)",
    "SELECT * FROM sqlite('{file}', 'a')",
    "SELECT * FROM icebergLocal('{file}')",
    "SELECT catboostEvaluate('{file}', 1)",
    "SELECT * FROM input('a String')",
    "SELECT * FROM eval('SELECT 1')",
    "SELECT * FROM format(Template, 'a String', '1') SETTINGS format_template_row = '{file}'",
]
OUTFILES = [
    "SELECT 1 INTO OUTFILE '{out}'",
    "SELECT 1 /* x */ INTO /* y */ OUTFILE '{out}'",
    "SELECT 1 INTO -- x\n OUTFILE '{out}' TRUNCATE FORMAT CSV",
    "(SELECT 1) UNION ALL (SELECT 2) INTO OUTFILE '{out}'",
    "SELECT 1 INTO OUTFILE '{out}' AND STDOUT",
    "SHOW TABLES INTO OUTFILE '{out}'",
    "EXPLAIN SELECT 1 INTO OUTFILE '{out}'",
    "DESCRIBE access_kept INTO OUTFILE '{out}'",
    "EXISTS TABLE access_kept INTO OUTFILE '{out}'",
    "WITH 1 AS x SELECT x INTO OUTFILE '{out}' SETTINGS max_threads = 1",
]
NETWORK = [
    "SELECT * FROM url('{url}', LineAsString)",
    "DESCRIBE url('{url}')",
    "SELECT * FROM s3('{url}/bucket/a.csv')",
    "DESCRIBE s3('{url}/bucket/a.csv', NOSIGN)",
    "SELECT * FROM remote('{host}', system.one)",
    "SELECT * FROM remoteSecure('{host}', system.one)",
    "SELECT * FROM mysql('{host}', 'a', 'b', 'c', 'd')",
    "SELECT * FROM postgresql('{host}', 'a', 'b', 'c', 'd')",
    "SELECT * FROM redis('{host}', 'k', 'k String')",
    "SELECT * FROM mongodb('mongodb://{host}/a', 'b')",
    "SELECT * FROM deltaLake('{url}/bucket/t')",
    "SELECT * FROM hudi('{url}/bucket/t')",
    "SELECT * FROM iceberg('{url}/bucket/t')",
    "SELECT * FROM clusterAllReplicas('default', system.one)",
    "SELECT * FROM cluster('default', system, one)",
    "SELECT * FROM `{url}`",
    "SELECT aiGenerate('hello')",
]
DISCLOSURES = [
    *("SELECT * FROM system.processes", "SELECT * FROM system.server_settings", "SELECT * FROM system.disks"),
    *(
        "SELECT * FROM system.named_collections",
        "SELECT * FROM system.users",
        "SELECT * FROM system.stack_trace",
    ),
    *(
        "SELECT * FROM system.parts",
        "SELECT * FROM system.user_directories",
        "SELECT * FROM system.dictionaries",
    ),
    *(
        "SELECT * FROM `system`.`processes`",
        "SELECT 1 IN system.users",
        "SELECT 1 IN (SELECT 1 FROM system.users)",
    ),
    *("SELECT * FROM merge('system', 'processes')", "SELECT * FROM loop(system.users)", "SHOW PROCESSLIST"),
    *("SHOW GRANTS", "SHOW CREATE TABLE system.processes", "DESCRIBE system.processes"),
    *("EXPLAIN SELECT * FROM system.processes", "SELECT getServerSetting('path')", "SELECT hostName()"),
    *("SELECT FQDN()", "SELECT getMacro('x')", "SELECT showCertificate()", "SELECT sleepEachRow(1)"),
]
ESCALATIONS = [
    *("SET readonly = 0", "SELECT 1 SETTINGS readonly = 0", "SELECT 1 SETTINGS max_execution_time = 0"),
    *("SELECT 1 FORMAT JSON SETTINGS readonly = 2", "SELECT * FROM (SELECT 1 SETTINGS max_memory_usage = 0)"),
    *(
        "SELECT 1 IN (SELECT 1 SETTINGS readonly = 0)",
        "WITH x AS (SELECT 1 SETTINGS max_threads = 9) SELECT * FROM x",
    ),
    *(
        "SELECT 1 UNION ALL (SELECT 2 SETTINGS max_execution_time = 0)",
        "SELECT * FROM view(SELECT 1 SETTINGS final = 1)",
    ),
    *("SELECT (SELECT 1 SETTINGS readonly = 0)", "EXPLAIN SELECT 1 SETTINGS readonly = 0"),
    *(
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE access_kept",
        "SELECT 1 /*;*/ ; SET readonly = 0",
        "SET ROLE ALL",
    ),
    *("USE system", "SELECT '1\\'; DROP TABLE access_kept", "SELECT $x$a$x$; DROP TABLE access_kept"),
]


@pytest.mark.parametrize("sql", WRITES + ESCALATIONS + DISCLOSURES)
def test_the_reader_is_refused(stored: RunningClickHouse, host_file: Path, sql: str) -> None:
    reply = bi(stored, sql.replace("{file}", str(host_file)))
    assert reply.code in REFUSED, reply
    assert sorted(entry.name for entry in host_file.parent.iterdir()) == [host_file.name]
    assert bi(stored, "SELECT count(), any(a) FROM access_kept").text == "1\t1\n"
    assert "access_new" not in ask(stored, "SHOW TABLES").text


@pytest.mark.parametrize("sql", FILES)
def test_the_reader_sees_no_file_of_the_host(stored: RunningClickHouse, host_file: Path, sql: str) -> None:
    reply = bi(stored, sql.replace("{file}", str(host_file)))
    assert reply.code in REFUSED, reply
    assert SECRET not in reply.text


@pytest.mark.parametrize("sql", OUTFILES)
@pytest.mark.parametrize("user", ["reader", "writer"])
def test_nobody_writes_files_of_the_host(stored: RunningClickHouse, tmp_path: Path, user: str, sql: str) -> None:
    statement = sql.replace("{out}", str(tmp_path / "out"))
    reply = bi(stored, statement) if user == "reader" else ask(stored, statement)
    assert reply.code in REFUSED, reply
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def knocks() -> Iterator[tuple[str, list[str]]]:
    """A server on loopback and the list of requests that reached it."""
    seen: list[str] = []

    class Listener(BaseHTTPRequestHandler):
        def handle(self) -> None:
            seen.append(str(self.client_address))

    server = HTTPServer(("127.0.0.1", 0), Listener)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}", seen
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("sql", NETWORK)
def test_the_reader_reaches_no_server(stored: RunningClickHouse, knocks: tuple[str, list[str]], sql: str) -> None:
    host, seen = knocks
    reply = bi(stored, sql.replace("{url}", f"http://{host}").replace("{host}", host))
    assert reply.code in REFUSED, reply
    assert seen == []


@pytest.mark.parametrize(
    "parameters",
    [{"readonly": "0", "max_threads": "1"}, {"readonly": "2"}, {"max_execution_time": "0"}],
)
def test_parameters_of_the_request_do_not_lift_limits(stored: RunningClickHouse, parameters: dict[str, str]) -> None:
    asked = "SELECT getSetting('readonly'), getSetting('max_execution_time')"
    assert bi(stored, asked, **parameters).text == "1\t30\n"


@pytest.mark.parametrize("name", ["allow_ddl", "format_schema", "output_format_schema", "user_files_path", "no_such"])
def test_other_settings_are_refused_to_the_reader(stored: RunningClickHouse, name: str) -> None:
    assert bi(stored, "SELECT 1", **{name: "1"}).code == "164"


@pytest.mark.parametrize("database", ["system", "SYSTEM"])
def test_the_database_parameter_does_not_open_system_tables(stored: RunningClickHouse, database: str) -> None:
    assert bi(stored, "SELECT * FROM processes", database=database).code == "497"


def test_a_parameter_that_names_a_table_is_judged_like_one(stored: RunningClickHouse) -> None:
    sql = "SELECT * FROM {db:Identifier}.{t:Identifier}"
    assert bi(stored, sql, param_db="system", param_t="processes").code == "497"
    assert bi(stored, sql, param_db="default", param_t="access_kept").text == "1\tOUTFILE\t3\n"


def test_an_open_read_only_connection_is_not_poisoned_by_refusals(stored: RunningClickHouse) -> None:
    for sql in ("SET readonly = 0", "USE system", "SELECT 1 SETTINGS readonly = 2", "SELECT nope"):
        assert bi(stored, sql).status >= 400
        assert bi(stored, "SELECT currentDatabase(), getSetting('readonly')").text == "default\t1\n"
        assert ask(stored, "SELECT currentDatabase(), getSetting('readonly')").text == "default\t0\n"


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        ("SELECT b FROM access_kept WHERE b = 'OUTFILE'", "OUTFILE\n"),
        ("SELECT 'INTO OUTFILE \\'/x\\''", "INTO OUTFILE \\'/x\\'\n"),
        ("SELECT outfile FROM access_kept -- INTO OUTFILE 'x'", "3\n"),
        ("SELECT 'file(1); DROP TABLE x', \"outfile\" FROM access_kept;", "file(1); DROP TABLE x\t3\n"),
        ("WITH file AS (SELECT 7 AS x) SELECT x FROM file", "7\n"),
        ("SELECT sum(number) FROM numbers(10)", "45\n"),
        ("SELECT name FROM system.tables WHERE name = 'access_kept'", "access_kept\n"),
        (
            "SELECT table_name FROM information_schema.tables WHERE table_name = 'access_kept'",
            "access_kept\n",
        ),
        ("SHOW TABLES LIKE 'access_kept'", "access_kept\n"),
        ("EXISTS TABLE access_kept", "1\n"),
        ("SELECT * FROM view(SELECT 1)", "1\n"),
        ("SELECT 1 EXCEPT SELECT 2", "1\n"),
        ("EXPLAIN SYNTAX SELECT 1", "SELECT 1\\nFROM system.one\n"),
        ("SELECT length({a:String})", "4\n"),
    ],
)
def test_what_only_looks_like_a_hole_works(stored: RunningClickHouse, sql: str, text: str) -> None:
    assert bi(stored, sql, param_a="it's") == Reply(200, None, text)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_get_writes_nothing_even_for_the_writer(stored: RunningClickHouse, method: str) -> None:
    for sql in (
        "CREATE TABLE access_new (a Int8) ENGINE = Memory",
        "INSERT INTO access_kept SELECT 2, 'x', 1",
    ):
        reply = ask(stored, "", {"query": sql}, method=method)
        assert (reply.status, reply.code) == (403, "164")
    assert ask(stored, "", {"query": "SELECT count() FROM access_kept"}, method="GET").text == "1\n"


@pytest.mark.parametrize(
    ("user", "password", "status", "code"),
    [
        ("bi", "wrong", 403, "516"),
        ("nobody", "", 403, "516"),
        ("touchline", "", 403, "516"),
        (None, None, 401, "194"),
    ],
)
def test_a_wrong_login_is_refused(
    stored: RunningClickHouse, user: str | None, password: str | None, status: int, code: str
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", stored.port)
    headers = {"X-ClickHouse-User": user, "X-ClickHouse-Key": password or ""} if user else {}
    connection.request("POST", "/", "SELECT 1", headers)
    reply = connection.getresponse()
    assert (reply.status, reply.headers["X-ClickHouse-Exception-Code"]) == (status, code)
    connection.close()


def test_the_password_of_one_user_does_not_open_the_other(stored: RunningClickHouse) -> None:
    assert ask(stored, "SELECT 1", password=stored.bi_password).code == "516"
    assert bi(stored, "SELECT 1").text == "1\n"


def test_functions_that_a_new_engine_brings_are_looked_at(stored: RunningClickHouse) -> None:
    """Each function whose name speaks of the outside is denied, or known to be harmless."""
    harmless = {
        *("basename", "cutfragment", "path", "pathfull", "currentrequesturl", "currenthandler"),
        *("jsonallpaths", "jsondynamicpaths", "jsonshareddatapaths", "blocknumber"),
        *("currentprofiles", "defaultprofiles", "enabledprofiles", "servertimezone", "getclienthttpheader"),
    }
    suspicious = ask(
        stored,
        "SELECT lower(name) FROM system.functions WHERE NOT is_aggregate AND origin = 'System'"
        " AND match(lower(name), 'file|http|server|remote|host|exec|shell|script|catboost|macro|certificate|sleep')",
    ).text.split()
    unknown = set(suspicious) - DENIED_FUNCTIONS - harmless
    assert unknown == set()
    listed = ask(stored, "SELECT name FROM system.tables WHERE database = 'system'").text.split()
    assert set(listed) >= SYSTEM_TABLES
