"""One statement over plain HTTP, without a client library in between."""

import http.client
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlencode

from deploy.embedded.clickhouse.launch import RunningClickHouse


class Reply(NamedTuple):
    status: int
    code: str | None
    text: str


def ask(
    running: RunningClickHouse,
    body: str | bytes,
    parameters: Mapping[str, str] | None = None,
    *,
    user: str = "touchline",
    password: str | None = None,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
) -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
    login = {"X-ClickHouse-User": user, "X-ClickHouse-Key": password or running.writer_password}
    data = body.encode() if isinstance(body, str) else body
    connection.request(method, f"/?{urlencode(parameters or {})}", data, login | dict(headers or {}))
    reply = connection.getresponse()
    code = reply.headers.get("X-ClickHouse-Exception-Code")
    text = reply.read().decode()
    connection.close()
    return Reply(reply.status, code, text)
