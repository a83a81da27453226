"""Segment's HTTP tracking API, and with it RudderStack's, for unmodified SDKs.

The answer is all or nothing: exactly 200 `{"success":true}` once Kafka has every item. An item that breaks
the contract does not spoil its batch: its bytes are stored too, and resolve makes a dead letter of it. The
body is JSON whatever its Content-Type says.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from aiohttp import web

from sources.collector.body import Hold
from sources.collector.door import Door
from sources.collector.judge import time_or_none
from sources.collector.refusal import Refusal, too_large
from sources.collector.split import Parcel, split_segment_batch, split_segment_single

BODY_BYTES_MAX: Final = 4 << 20
ITEM_BYTES_MAX: Final = 512_000
"""Segment's limit for a whole batch: the dead letter of an item, in base64, must fit into a Kafka record."""
SUCCESS: Final = b'{"success":true}'
KINDS: Final = ("track", "identify", "page", "screen", "group", "alias")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def segment_routes(door: Door) -> list[web.RouteDef]:
    singles = [web.post(f"/v1/{name}", _single(door, kind)) for kind in KINDS for name in (kind, kind[0])]
    return [
        web.post("/v1/batch", _batch(door)),
        web.post("/v1/b", _batch(door)),
        *singles,
        web.post("/v1/m", _sdk_metrics),
        web.get("/v1/projects/{write_key}/settings", _settings(door)),
    ]


def _batch(door: Door) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        return await _take(door, request, split_segment_batch)

    return handle


def _single(door: Door, kind: str) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        return await _take(door, request, lambda body: split_segment_single(body, kind))

    return handle


async def _take(door: Door, request: web.Request, split: Callable[[bytes], Parcel]) -> web.Response:
    arrival = door.arrival(request)
    with Hold(door.in_flight) as hold:
        source = door.source_of_header(request)
        parcel = split(await door.read(request, hold, BODY_BYTES_MAX))
        source = source or door.source_of(parcel.write_key)
        for number, item in enumerate(parcel.items):
            if len(item) > ITEM_BYTES_MAX:
                raise too_large(f"Item {number}", ITEM_BYTES_MAX)
        stamp = door.stamp("segment", source, arrival, time_or_none(parcel.sent_at))
        judged = await door.judge(parcel.items, stamp)
        await door.store(one.record for one in judged)
        door.report(judged, source)
    return web.Response(body=SUCCESS, content_type="application/json")


async def _sdk_metrics(_: web.Request) -> web.Response:
    """Numbers of the SDKs about themselves. They are for Segment; the body is not read."""
    return web.Response(body=SUCCESS, content_type="application/json")


def _settings(door: Door) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        key = request.match_info["write_key"]
        if door.keys.find(key) is None:
            raise Refusal(404, "unknown_write_key", "No source has this write key.")
        content = {
            "integrations": {
                "Segment.io": {"apiKey": key, "apiHost": f"{request.host}/v1", "protocol": request.scheme}
            },
            "plan": {"track": {"__default": {"enabled": True, "integrations": {}}}},
            "metrics": {"sampleRate": 0},
        }
        return web.Response(body=msgspec.json.encode(content), content_type="application/json")

    return handle
