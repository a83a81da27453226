"""One HTTP request of a ClickHouse client: where its statement ends, how its body is unpacked, who sends it."""

import gzip
import json
import stat
import zlib
from base64 import b64encode
from pathlib import Path

import lz4.frame
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from deploy.embedded.clickhouse import formats, framing
from deploy.embedded.clickhouse.credentials import credentials
from deploy.embedded.clickhouse.gate import Role
from deploy.embedded.clickhouse.insert import Insert, split_insert
from deploy.embedded.clickhouse.request import BadRequest, Request, login, parse
from deploy.embedded.process import EmbeddedError

MEGABYTE = 1 << 20
HEADS = [
    "INSERT INTO t FORMAT Native",
    "insert into t (a, `FORMAT`, b) format Native",
    "INSERT INTO TABLE db.t (a) SETTINGS insert_deduplication_token = 'FORMAT X SELECT' FORMAT Native",
    "/* FORMAT CSV */ -- SELECT 1\n INSERT INTO `format` FORMAT Native",
    "INSERT INTO format FORMAT Native",
    'INSERT INTO "select" (* EXCEPT(values)) FORMAT Native',
]


def posted(body: bytes, *, query: str = "", headers: dict[str, str] | None = None) -> Request:
    fields = [tuple(pair.split("=", 1)) for pair in query.split("&") if pair]
    return parse("POST", [(n, v) for n, v in fields], headers or {}, body, max_body_bytes=MEGABYTE)


@given(st.sampled_from(HEADS), st.binary(max_size=200))
def test_data_of_an_insert_come_out_as_they_went_in(head: str, data: bytes) -> None:
    assert split_insert(head.encode() + b"\n" + data) == Insert(head.encode(), data, "Native")


@pytest.mark.parametrize("head", HEADS)
def test_an_insert_in_the_query_takes_the_whole_body_as_data(head: str) -> None:
    request = parse("POST", [("query", head)], {}, b"\n\n\x00data", max_body_bytes=MEGABYTE)
    assert (request.sql, request.data, request.insert_format) == (head, b"\n\n\x00data", "Native")


def test_values_follow_the_statement_at_once() -> None:
    assert split_insert(b"INSERT INTO t (a) VALUES (1), ('FORMAT')") == Insert(
        b"INSERT INTO t (a) VALUES", b" (1), ('FORMAT')", "Values"
    )


@pytest.mark.parametrize(
    "sql",
    [
        b"SELECT 'INSERT INTO t FORMAT CSV'",
        b"INSERT INTO t SELECT 1 FORMAT CSV",
        b"INSERT INTO t WITH x AS (SELECT 1) SELECT * FROM x",
        b"CREATE TABLE insert_values (a Int8) ENGINE = Memory",
        b"",
        b"INSERT INTO t (a",
        b"INSERT INTO 'unfinished",
    ],
)
def test_other_statements_have_no_data(sql: bytes) -> None:
    assert split_insert(sql) is None


def test_the_statement_may_begin_in_the_query_and_go_on_in_the_body() -> None:
    assert posted(b"1 + 1", query="query=SELECT").sql == "SELECT\n1 + 1"


def test_parameters_settings_and_transport_are_told_apart() -> None:
    request = posted(
        b"SELECT {a:UInt8}",
        query="param_a=1&max_threads=2&database=d&query_id=q&default_format=JSON&session_id=s&compress=1",
        headers={"x-clickhouse-format": "CSV", "x-clickhouse-database": "other"},
    )
    assert request.parameters == {"a": "1"}
    assert request.settings == {"max_threads": "2"}
    assert (request.database, request.query_id, request.default_format, request.framed) == (
        "d",
        "q",
        "JSON",
        True,
    )
    assert not request.read_only


def test_headers_say_what_parameters_do_not() -> None:
    headers = {"x-clickhouse-format": "CSV", "x-clickhouse-database": "other"}
    request = posted(b"SELECT 1", headers=headers)
    assert (request.database, request.default_format) == ("other", "CSV")


def test_get_reads_only() -> None:
    assert parse("GET", [("query", "SELECT 1")], {}, b"", max_body_bytes=1).read_only


def test_a_form_carries_the_statement() -> None:
    kind = {"content-type": "application/x-www-form-urlencoded"}
    request = posted(b"query=SELECT+%7Ba%3AString%7D&param_a=x%26y", headers=kind)
    assert (request.sql, request.parameters) == ("SELECT {a:String}", {"a": "x&y"})
    assert posted(b"SELECT 1", headers=kind).sql == "SELECT 1"  # what curl sends


def multipart(*parts: tuple[str, str]) -> bytes:
    lines = [f'--B\r\nContent-Disposition: form-data; name="{n}"{f}\r\n\r\nvalue of {n}\r\n' for n, f in parts]
    return "".join([*lines, "--B--\r\n"]).encode()


def test_multipart_fields_are_parameters() -> None:
    kind = {"content-type": "multipart/form-data; boundary=B"}
    request = posted(multipart(("param_a", "")), query="query=SELECT 1", headers=kind)
    assert request.parameters == {"a": "value of param_a"}


def test_external_data_are_refused_by_name() -> None:
    kind = {"content-type": "multipart/form-data; boundary=B"}
    with pytest.raises(BadRequest, match=r"external data \(ext\)") as refused:
        posted(multipart(("ext", '; filename="ext"')), query="query=SELECT 1", headers=kind)
    assert refused.value.status == 501


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("lz4", lz4.frame.compress),
        ("zstd", zstandard.compress),
        ("", lambda body: body),
    ],
)
def test_bodies_are_unpacked_up_to_a_bound(encoding: str, pack: "type[bytes]") -> None:
    headers = {"content-encoding": encoding}
    assert posted(pack(b"SELECT 1"), headers=headers).sql == "SELECT 1"
    with pytest.raises(BadRequest) as refused:
        posted(pack(b" " * (MEGABYTE + 1)), headers=headers)
    assert refused.value.status == 413


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "lz4", "zstd"])
def test_a_broken_body_is_named(encoding: str) -> None:
    with pytest.raises(BadRequest, match=encoding):
        posted(b"\x00 not packed at all", headers={"content-encoding": encoding})


def test_a_body_that_is_cut_off_is_refused() -> None:
    with pytest.raises(BadRequest, match="cut off"):
        posted(gzip.compress(b"SELECT 1" * 100)[:-12], headers={"content-encoding": "gzip"})


def test_unknown_encodings_empty_and_foreign_statements_are_refused() -> None:
    with pytest.raises(BadRequest, match="br is not known"):
        posted(b"x", headers={"content-encoding": "br"})
    with pytest.raises(BadRequest, match="Empty query"):
        posted(b"  ")
    with pytest.raises(BadRequest, match="not UTF-8 at byte 8"):
        posted(b"SELECT '\xff'")
    with pytest.raises(BadRequest, match="more than 262144 bytes"):
        posted(b"SELECT " + b"1+" * 200_000 + b"1")


@given(st.binary(max_size=3 * MEGABYTE // 1000).map(lambda part: part * 1000))
def test_frames_are_undone(data: bytes) -> None:
    assert framing.unframe(framing.frame(data), max_bytes=len(data)) == data


def test_a_frame_is_checked_at_each_byte() -> None:
    whole = framing.frame(b"some rows and more rows")
    for at in range(len(whole)):
        broken = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        with pytest.raises(framing.FramingError):
            framing.unframe(broken, max_bytes=MEGABYTE)
        if at:
            with pytest.raises(framing.FramingError, match="cut off"):
                framing.unframe(whole[:at], max_bytes=MEGABYTE)


def test_framed_bodies_are_read_and_bounded() -> None:
    assert posted(framing.frame(b"1,x\n"), query="query=INSERT INTO t FORMAT CSV&decompress=1").data == b"1,x\n"
    with pytest.raises(BadRequest, match="smaller batches"):
        posted(framing.frame(b" " * (MEGABYTE + 1)), query="query=INSERT INTO t FORMAT CSV&decompress=1")


def test_a_login_is_found_in_each_of_its_places() -> None:
    basic = {"authorization": "Basic " + b64encode(b"bi:a:b").decode()}
    assert login({}, basic) == ("bi", "a:b")
    assert login({}, {"x-clickhouse-user": "bi", "x-clickhouse-key": "k", **basic}) == ("bi", "k")
    assert login({"user": "bi", "password": "p"}, {}) == ("bi", "p")
    assert login({}, {}) is None
    with pytest.raises(BadRequest, match="Basic"):
        login({}, {"authorization": "Basic !"})


def test_credentials_are_made_once_kept_private_and_can_be_replaced(tmp_path: Path) -> None:
    first = credentials(tmp_path / "data")
    assert credentials(tmp_path / "data") == first
    assert stat.S_IMODE((tmp_path / "data" / "credentials.json").stat().st_mode) == 0o600
    replaced = credentials(tmp_path / "data", reader_password="chosen")
    assert replaced.writer_password == first.writer_password
    assert credentials(tmp_path / "data").reader_password == "chosen"
    assert "chosen" not in repr(replaced)


def test_a_user_is_known_by_its_own_password_only(tmp_path: Path) -> None:
    kept = credentials(tmp_path, writer_password="w", reader_password="r")
    assert kept.role("touchline", "w") is Role.WRITER
    assert kept.role("bi", "r") is Role.READER
    assert [kept.role(*wrong) for wrong in (("bi", "w"), ("touchline", "r"), ("", ""), ("bi", "ü"))] == [None] * 4


@pytest.mark.parametrize("text", ["{", json.dumps(["bi"]), json.dumps({"bi": 1})])
def test_a_broken_credentials_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "credentials.json").write_text(text)
    with pytest.raises(EmbeddedError, match=r"credentials\.json"):
        credentials(tmp_path)


@pytest.mark.parametrize(
    ("name", "header", "rows"),
    [
        ("TabSeparatedWithNames", b"a\tb\n", b"1\t2\n"),
        ("TSVWithNamesAndTypes", b"a\nInt8\n", b"1\n"),
        ("CSVWithNames", b'"a","odd\nname"\n', b"1,2\n"),
        ("CSVWithNamesAndTypes", b'"a\n"\n"Int8"\n', b"1\n"),
        ("JSONCompactEachRowWithNames", b'["a"]\n', b"[1]\n"),
        ("RowBinaryWithNames", b"\x01\x01a", b"\x01"),
        ("RowBinaryWithNamesAndTypes", b"\x01\x81\x01" + b"a" * 129 + b"\x04Int8", b"\x01"),
        ("JSONEachRow", b"", b'{"a":1}\n'),
        ("CSVWithNames", b'"a"\n', b""),
    ],
)
def test_the_header_of_a_block_is_measured(name: str, header: bytes, rows: bytes) -> None:
    assert formats.streams(name)
    assert formats.header_length(name, header + rows) == len(header)


def test_formats_with_a_footer_do_not_stream() -> None:
    assert not any(map(formats.streams, ("JSON", "JSONCompact", "Parquet", "Arrow", "ArrowStream", "XML", "Pretty")))
