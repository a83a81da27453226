"""The official Node and Java clients work with the embedded ClickHouse unchanged.

They come by package name through npm and Maven; both must be on the machine.
"""

import json
import shutil
import subprocess
from pathlib import Path

from deploy.embedded.clickhouse.launch import RunningClickHouse
from tests.integration import clickhouse_fixture

clickhouse = clickhouse_fixture.clickhouse
HERE = Path(__file__).parent


def run(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_node_client(clickhouse: RunningClickHouse, tmp_path: Path) -> None:
    for name in ("package.json", "tour.mjs"):
        shutil.copy(HERE / "node" / name, tmp_path)
    run("npm", "install", "--no-audit", "--no-fund", "--silent", cwd=tmp_path)
    login = (clickhouse.url, clickhouse.writer_user, clickhouse.writer_password)
    said = json.loads(run("node", "tour.mjs", *login, cwd=tmp_path))
    assert said == {
        "ping": True,
        "counted": [{"rows": 1980, "top": 999}],  # the batches a, a, b: two are stored
        "streamed": 2000,
        "large": 500_001,  # with the line of names
        "error": {"code": "47", "type": "UNKNOWN_IDENTIFIER"},
    }


def class_path(directory: Path) -> str:
    shutil.copy(HERE / "java" / "pom.xml", directory)
    run("mvn", "-q", "-B", "dependency:build-classpath", "-Dmdep.outputFile=classpath", cwd=directory)
    return (directory / "classpath").read_text()


def test_java_client(clickhouse: RunningClickHouse, tmp_path: Path) -> None:
    tour = str(HERE / "java" / "Tour.java")
    classpath = class_path(tmp_path)
    login = (clickhouse.url.removeprefix("http:"), clickhouse.writer_user, clickhouse.writer_password)
    for compress in ("true", "false"):
        said = run("java", "-cp", classpath, tour, *login, compress, cwd=tmp_path).splitlines()
        assert said == [
            "version 26",
            "selected 1 1700000000042 it's 42",
            "streamed 500000 124999750000",
            "none false",
            "error UNKNOWN_IDENTIFIER",
            "table java_tour",
            "column id",
            "column ts",
            "column name",
        ]


def test_java_client_of_the_reader(clickhouse: RunningClickHouse, tmp_path: Path) -> None:
    """BI tools come this way; the driver sends settings with each statement that a reader cannot change."""
    reader = str(HERE / "java" / "Reader.java")
    login = (clickhouse.url.removeprefix("http:"), clickhouse.bi_user, clickhouse.bi_password)
    said = run("java", "-cp", class_path(tmp_path), reader, *login, cwd=tmp_path).splitlines()
    assert said == ["selected 45", "schema default", "refused"]
