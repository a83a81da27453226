"""`GET /v1/tail`: what is accepted and refused, live, one JSON line each; as server-sent events when the
client asks for them.

With a write key a client sees its own source, with the deployment's admin token all of them. `?recent=N`
begins with the last N lines. A client too slow for its queue loses lines and is told how many: `{"dropped":
n}`.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable, Iterable
from typing import Final

import msgspec
from aiohttp import web

from sources.collector.door import Door
from sources.collector.keys import key_of_header
from sources.collector.recent import KEPT_MAX, Line, TooManyClients, Watcher
from sources.collector.refusal import busy, malformed

LINES_AT_ONCE: Final = 100
QUIET_SECONDS: Final = 10.0
"""After so long without a line an empty one goes out, which finds out whether the client is still there."""
SSE: Final = "text/event-stream"


def tail_routes(door: Door, admin_token: str | None, stopping: asyncio.Event) -> list[web.RouteDef]:
    async def handle(request: web.Request) -> web.StreamResponse:
        key = key_of_header(request.headers.get("Authorization", "")) or ""
        scope = _scope(door, key, admin_token)
        count = request.query.get("recent", "0")
        if not count.isascii() or not count.isdigit() or len(count) > 6:
            raise malformed("`recent` is not a whole number.", "recent")

        def allowed() -> bool:
            """Still: keys may be withdrawn while a client watches."""
            return scope is None or ((source := door.keys.find(key)) is not None and source.name == scope)

        try:
            with door.recent.watching(scope) as watcher:
                door.metrics.tail_clients.set(door.recent.watchers)
                return await _stream(door, request, watcher, min(int(count), KEPT_MAX), stopping, allowed)
        except TooManyClients:
            raise busy("Too many clients watch already.") from None
        finally:
            door.metrics.tail_clients.set(door.recent.watchers)

    return [web.get("/v1/tail", handle)]


def _scope(door: Door, key: str, admin_token: str | None) -> str | None:
    """The source that this client may see; None for all."""
    if admin_token and hmac.compare_digest(key.encode(errors="replace"), admin_token.encode()):
        return None
    return door.source_of(key).name


async def _stream(
    door: Door,
    request: web.Request,
    watcher: Watcher,
    count: int,
    stopping: asyncio.Event,
    allowed: Callable[[], bool],
) -> web.StreamResponse:
    events = SSE in request.headers.get("Accept", "")
    response = web.StreamResponse(
        headers={
            "Content-Type": SSE if events else "application/x-ndjson",
            "Cache-Control": "no-store",
            "Access-Control-Allow-Origin": request.headers.get("Origin", "*"),
        }
    )
    await response.prepare(request)
    try:
        await response.write(_text(door.recent.kept(watcher.source, count), events))
        while not stopping.is_set():
            lines: list[object] = list(await _next_lines(watcher))
            if not allowed():
                break
            if watcher.dropped:
                lines.append({"dropped": watcher.dropped})
                watcher.dropped = 0
            await response.write(_text(lines, events) if lines else (b":\n\n" if events else b"\n"))
    except ConnectionError:
        pass  # The client is gone, which ends the watching.
    return response


async def _next_lines(watcher: Watcher) -> list[Line]:
    """At least one line, or none after QUIET_SECONDS or at a stop."""
    try:
        async with asyncio.timeout(QUIET_SECONDS):
            lines = [await watcher.queue.get()]
    except TimeoutError:
        return []
    while len(lines) < LINES_AT_ONCE and not watcher.queue.empty():
        lines.append(watcher.queue.get_nowait())
    return [line for line in lines if line is not None]


def _text(lines: Iterable[object], events: bool) -> bytes:
    frame = b"data: %s\n\n" if events else b"%s\n"
    return b"".join(frame % msgspec.json.encode(line) for line in lines)
