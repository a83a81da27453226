"""Replies as ClickHouse writes them: headers, summary, errors. Pure, apart from making aiohttp's objects."""

import json
from dataclasses import asdict
from typing import Final

from aiohttp import web

from deploy.embedded.clickhouse import formats
from deploy.embedded.clickhouse.engine import Counts

TOO_MANY_SIMULTANEOUS: Final = 202
AUTHENTICATION_FAILED: Final = 516
REQUIRED_PASSWORD: Final = 194

_STATUS: Final = {
    REQUIRED_PASSWORD: 401,
    AUTHENTICATION_FAILED: 403,
    TOO_MANY_SIMULTANEOUS: 503,
    497: 403,  # ACCESS_DENIED
    164: 403,  # READONLY
    159: 408,  # TIMEOUT_EXCEEDED
    307: 413,  # TOO_MANY_BYTES
    48: 501,  # NOT_IMPLEMENTED
    243: 507,  # NOT_ENOUGH_SPACE
    # the statement or its data are wrong
    **dict.fromkeys((6, 26, 27, 36, 38, 41, 42, 43, 53, 62, 69, 70, 72, 117, 130, 131, 167, 271, 306, 456, 457), 400),
    # something it names is not there
    **dict.fromkeys((16, 46, 47, 50, 56, 60, 73, 78, 81, 115), 404),
}


def status_of(code: int) -> int:
    return _STATUS.get(code, 500)


def summary(counts: Counts, elapsed_ns: int) -> str:
    # JDBC takes result_rows above 0 as the sign that there is an answer to read.
    numbers = asdict(counts) | {"total_rows_to_read": counts.read_rows, "elapsed_ns": elapsed_ns}
    return json.dumps({name: str(value) for name, value in numbers.items()})


def headers(
    *, query_id: str, chosen: str, timezone: str, counts: Counts, elapsed_ns: int, framed: bool
) -> dict[str, str]:
    return {
        "Content-Type": "application/octet-stream" if framed else formats.content_type(chosen),
        "X-ClickHouse-Query-Id": query_id,
        "X-ClickHouse-Format": chosen,
        "X-ClickHouse-Timezone": timezone,
        "X-ClickHouse-Server-Display-Name": "touchline",
        "X-ClickHouse-Summary": summary(counts, elapsed_ns),
    }


def failure(text: str, code: int, *, query_id: str, status: int | None = None) -> web.Response:
    prefixed = text if text.startswith("Code: ") else f"Code: {code}. DB::Exception: {text}"
    known = {"X-ClickHouse-Exception-Code": str(code), "X-ClickHouse-Query-Id": query_id}
    if code == REQUIRED_PASSWORD:
        known["WWW-Authenticate"] = 'Basic realm="ClickHouse"'
    if code == TOO_MANY_SIMULTANEOUS:
        known["Retry-After"] = "1"
    return web.Response(status=status or status_of(code), text=prefixed + "\n", headers=known)
