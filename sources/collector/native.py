"""`POST /v1/touchpoints`: the contract of schemas/touchpoint.py as JSON, answered touchpoint by touchpoint.

200 when all are accepted, 207 when one is refused; the verdicts stand in the order of the touchpoints. What
is accepted is on Kafka. What is refused is not stored: the sender has been told the field, and sends it again
when it is right.
"""

from __future__ import annotations

from typing import Final

import msgspec
from aiohttp import web

from sources.collector.body import INFLATED_BYTES_MAX, Hold
from sources.collector.door import Door
from sources.collector.judge import Judged, time_or_none
from sources.collector.refusal import malformed
from sources.collector.split import split_native

ALL_ACCEPTED: Final = 200
SOME_REFUSED: Final = 207


def native_routes(door: Door) -> list[web.RouteDef]:
    async def handle(request: web.Request) -> web.Response:
        arrival = door.arrival(request)
        with Hold(door.in_flight) as hold:
            source = door.source_of_header(request) or door.source_of(None)
            parcel = split_native(await door.read(request, hold, INFLATED_BYTES_MAX), request.content_type.lower())
            sent_at = time_or_none(parcel.sent_at)
            if parcel.sent_at is not None and sent_at is None:
                raise malformed("`sent_at` is not a time as in RFC 3339, with an offset.", "sent_at")
            judged = await door.judge(parcel.items, door.stamp("touchline", source, arrival, sent_at))
            await door.store(one.record for one in judged if one.line.verdict == "accepted")
            door.report(judged, source)
        return _answer(judged)

    return [web.post("/v1/touchpoints", handle)]


def _answer(judged: list[Judged]) -> web.Response:
    accepted = sum(one.line.verdict == "accepted" for one in judged)
    content = {"accepted": accepted, "refused": len(judged) - accepted, "verdicts": [_verdict(one) for one in judged]}
    status = ALL_ACCEPTED if accepted == len(judged) else SOME_REFUSED
    return web.Response(status=status, body=msgspec.json.encode(content), content_type="application/json")


def _verdict(one: Judged) -> dict[str, str | None]:
    line = one.line
    return {
        "message_id": line.message_id,
        "verdict": line.verdict,
        "failure": line.failure,
        "field": line.field,
        "detail": one.detail,
        "touchpoint_id": line.touchpoint_id,
    }
