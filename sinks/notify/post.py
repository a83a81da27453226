"""One attempt to deliver a notification: a POST to the address of the route and to no other. Redirects are not
followed.

The whole attempt has a time limit, however slowly the receiver answers; of the answer only status and
`Retry-After` are read.
"""

from __future__ import annotations

import contextlib
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import aiohttp

from sinks.notify.message import CONTENT_HEADERS, headers_of
from sinks.notify.routing import Route

RETRY_AFTER_MAX_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver has it."""


@dataclass(frozen=True, slots=True)
class Again:
    """Try later. `after_ms` is what the receiver asked for."""

    cause: str
    after_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The receiver will never take it."""

    cause: str


Outcome = Delivered | Again | Refused


class Channel(Protocol):
    async def send(self, key: str, body: bytes) -> Outcome: ...


class Post:
    """Use inside one event loop; `close` it there. `now_seconds` is the wall clock of the signature."""

    def __init__(self, route: Route, timeout_ms: int, now_seconds: Callable[[], float]) -> None:
        self._route = route
        self._now_seconds = now_seconds
        timeout = aiohttp.ClientTimeout(total=timeout_ms / 1000)
        self._session = aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())

    async def send(self, key: str, body: bytes) -> Outcome:
        headers = headers_for(self._route, key, body, int(self._now_seconds()))
        try:
            async with self._session.post(
                self._route.url, data=body, headers=headers, allow_redirects=False
            ) as response:
                return outcome_of(response.status, response.headers.get("Retry-After"))
        except TimeoutError:
            return Again("timeout")
        except aiohttp.ClientError as error:
            return Again(type(error).__name__)

    async def close(self) -> None:
        await self._session.close()


def headers_for(route: Route, key: str, body: bytes, now_seconds: int) -> dict[str, str]:
    if route.kind == "webhook":
        return headers_of(key, body, now_seconds, route.secret)
    if not route.secret:
        return CONTENT_HEADERS
    if route.username is None:
        return CONTENT_HEADERS | {"Authorization": f"Bearer {route.secret.decode()}"}
    pair = b64encode(route.username.encode() + b":" + route.secret).decode()
    return CONTENT_HEADERS | {"Authorization": f"Basic {pair}"}


def outcome_of(status: int, retry_after: str | None) -> Outcome:
    if 200 <= status < 300:
        return Delivered()
    if status == 429 or status >= 500:
        return Again(f"status {status}", _retry_after_ms(retry_after))
    return Refused(f"status {status}")


def _retry_after_ms(text: str | None) -> int | None:
    """Seconds only; a date is answered with our own backoff."""
    with contextlib.suppress(ValueError):
        return min(max(int(text or ""), 0) * 1000, RETRY_AFTER_MAX_MS)
    return None
