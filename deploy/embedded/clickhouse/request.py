"""One HTTP request of a ClickHouse client as a value.

Pure. The statement may stand in `?query=`, in the body, or begin in the one and go on in the other; the data of
an INSERT follow it. Every other query parameter that is not part of the transport is a setting of the engine.
"""

import binascii
import zlib
from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from typing import Final
from urllib.parse import parse_qsl

import lz4.frame
import zstandard

from deploy.embedded.clickhouse import framing
from deploy.embedded.clickhouse.insert import split_insert

SYNTAX_ERROR: Final = 62
NOT_IMPLEMENTED: Final = 48
BAD_ARGUMENTS: Final = 36
CANNOT_DECOMPRESS: Final = 271
TOO_LARGE: Final = 307
MAX_STATEMENT_BYTES: Final = 256 * 1024

# Parameters of the transport. They are no settings of the engine; those not read below ask for what is always
# or never done here: every answer waits for its first block, there are no sessions and no roles.
_TRANSPORT: Final = frozenset(
    {
        *(
            "query",
            "database",
            "default_format",
            "query_id",
            "session_id",
            "session_timeout",
            "session_check",
        ),
        *("user", "password", "compress", "decompress", "wait_end_of_query", "client_protocol_version"),
        *("enable_http_compression", "buffer_size", "quota_key", "role", "send_progress_in_http_headers"),
        *("http_headers_progress_interval_ms", "network_compression_method", "http_zlib_compression_level"),
        *("cancel_http_readonly_queries_on_client_close", "http_write_exception_in_output_format"),
        *("http_response_buffer_size", "add_http_cors_header", "stacktrace", "close_session"),
    }
)
_FORM: Final = "application/x-www-form-urlencoded"


class BadRequest(Exception):
    """The request cannot be read. Carries the code of ClickHouse for it and the HTTP status."""

    def __init__(self, text: str, code: int = BAD_ARGUMENTS, status: int = 400) -> None:
        super().__init__(text)
        self.code = code
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """`data` is what an INSERT stores, `insert_format` how it is written; both None for other statements."""

    sql: str
    data: bytes | None = None
    insert_format: str | None = None
    database: str | None = None
    default_format: str = "TabSeparated"
    query_id: str | None = None
    read_only: bool = False
    framed: bool = False
    http_compression: bool = False
    parameters: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)


def parse(
    method: str,
    query: Iterable[tuple[str, str]],
    headers: Mapping[str, str],
    body: bytes,
    *,
    max_body_bytes: int,
) -> Request:
    """`headers` have names in lower case. Raises BadRequest."""
    fields = dict(query)
    body = decompressed(body, headers.get("content-encoding", ""), max_bytes=max_body_bytes)
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        fields |= _multipart(body, headers["content-type"])
        body = b""
    elif kind == _FORM and body.startswith(b"query="):
        fields |= dict(parse_qsl(_text(body)))
        body = b""
    if fields.get("decompress") == "1" and body:
        try:
            body = framing.unframe(body, max_bytes=max_body_bytes)
        except framing.FramingError as error:
            raise BadRequest(str(error), CANNOT_DECOMPRESS) from error
    sql, data, insert_format = _statement(fields.get("query", ""), body)
    return Request(
        sql=sql,
        data=data,
        insert_format=insert_format,
        database=fields.get("database") or headers.get("x-clickhouse-database") or None,
        default_format=fields.get("default_format") or headers.get("x-clickhouse-format") or "TabSeparated",
        query_id=fields.get("query_id") or None,
        read_only=method in ("GET", "HEAD"),
        framed=fields.get("compress") == "1",
        http_compression=fields.get("enable_http_compression") == "1",
        parameters={name[6:]: value for name, value in fields.items() if name.startswith("param_")},
        settings={n: v for n, v in fields.items() if n not in _TRANSPORT and not n.startswith("param_")},
    )


def _statement(query: str, body: bytes) -> tuple[str, bytes | None, str | None]:
    head = query.encode()
    insert = split_insert(head) if head else None
    if insert is not None:
        data = insert.data + body
        return _text(insert.head), data, insert.format
    insert = split_insert(body if not head else head + b"\n" + body)
    if insert is not None:
        return _text(insert.head), insert.data, insert.format
    whole = head + b"\n" + body if head and body else head or body
    if not whole.strip():
        raise BadRequest("Empty query; send the statement in the body or in ?query=", SYNTAX_ERROR)
    if len(whole) > MAX_STATEMENT_BYTES:
        raise BadRequest(
            f"the statement has more than {MAX_STATEMENT_BYTES} bytes; insert large data with FORMAT",
            SYNTAX_ERROR,
        )
    return _text(whole), None, None


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(f"the statement is not UTF-8 at byte {error.start}; send it as UTF-8", SYNTAX_ERROR) from error


def _multipart(body: bytes, content_type: str) -> dict[str, str]:
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1")
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    found: dict[str, str] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        if part.get_filename() is not None or not isinstance(payload, bytes):
            raise BadRequest(
                f"external data ({name}) are not available in the embedded ClickHouse; insert them into a table first",
                NOT_IMPLEMENTED,
                501,
            )
        found[str(name)] = _text(payload)
    return found


def decompressed(body: bytes, encoding: str, *, max_bytes: int) -> bytes:
    """Undoes one Content-Encoding; never makes more than max_bytes. Raises BadRequest."""
    wanted = encoding.strip().lower()
    try:
        plain = _plain(body, wanted, max_bytes)
    except (zlib.error, zstandard.ZstdError, RuntimeError, EOFError) as error:
        raise BadRequest(f"the body is not valid {wanted}: {error}", CANNOT_DECOMPRESS) from error
    if len(plain) > max_bytes:
        raise BadRequest(f"the body has more than {max_bytes} bytes; send smaller batches", TOO_LARGE, 413)
    return plain


def _plain(body: bytes, encoding: str, max_bytes: int) -> bytes:
    if encoding in ("", "identity"):
        return body
    if encoding in ("gzip", "deflate"):
        raw_deflate = encoding == "deflate" and body[:1] not in (b"\x78", b"\x58", b"\x48", b"\x38")
        inflater = zlib.decompressobj(-zlib.MAX_WBITS if raw_deflate else zlib.MAX_WBITS | 32)
        plain = inflater.decompress(body, max_bytes + 1)
        if not inflater.eof and len(plain) <= max_bytes:
            raise EOFError("it is cut off")
        return plain
    if encoding == "zstd":
        with zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True) as reader:
            return reader.read(max_bytes + 1)
    if encoding == "lz4":
        unpacker = lz4.frame.LZ4FrameDecompressor()
        unpacked: bytes = unpacker.decompress(body, max_length=max_bytes + 1)
        if not unpacker.eof and len(unpacked) <= max_bytes:
            raise EOFError("it is cut off")
        return unpacked
    raise BadRequest(f"Content-Encoding {encoding} is not known; use gzip, deflate, lz4 or zstd", NOT_IMPLEMENTED, 501)


def login(query: Mapping[str, str], headers: Mapping[str, str]) -> tuple[str, str] | None:
    """User and password as sent: X-ClickHouse headers, else Basic, else parameters. None when none is sent."""
    if "x-clickhouse-user" in headers:
        return headers["x-clickhouse-user"], headers.get("x-clickhouse-key", "")
    scheme, _, encoded = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            user, _, password = b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise BadRequest("the Authorization header is not valid Basic authentication") from error
        return user, password
    if "user" in query or "password" in query:
        return query.get("user", "default"), query.get("password", "")
    return None
