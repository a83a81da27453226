"""The collector as an aiohttp application: routes, error bodies, CORS, health, and the life of its producer
and beats."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from schemas.identity_reader import DEFAULT_READER, IdentityReader
from schemas.topics import PARTITIONS
from sources.collector.beats import BeatRecord, Beats, ready
from sources.collector.body import InFlight
from sources.collector.connection import Connection
from sources.collector.door import Door
from sources.collector.key_file import KeyFile
from sources.collector.metrics import Metrics
from sources.collector.native import native_routes
from sources.collector.produce import RawLog
from sources.collector.refusal import Refusal
from sources.collector.segment import segment_routes
from sources.collector.tail import tail_routes

DRAIN_SECONDS: Final = 5.0
PREFLIGHT: Final = {
    "Access-Control-Allow-Headers": "authorization,content-type,content-encoding,x-retry-count",
    "Access-Control-Allow-Methods": "GET,POST,OPTIONS",
    "Access-Control-Max-Age": "86400",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Options:
    """`beat_record` None: no beats, as in a simulation, where the driver alone lets time pass."""

    bootstrap: str
    topic: str
    partitions: int = PARTITIONS
    simulation: bool = False
    beat_record: BeatRecord | None = None
    beat_interval_ms: int = 250
    admin_token: str | None = None
    produce_seconds: float = 5.0
    in_flight_bytes_max: int = 64 << 20
    in_flight_requests_max: int = 512
    kafka: Mapping[str, Any] = field(default_factory=dict)
    reader: IdentityReader = DEFAULT_READER


@dataclass(frozen=True, slots=True)
class Collector:
    """The parts of a running collector, for those who start it: tests, the demo, `__main__`."""

    app: web.Application
    door: Door
    raw_log: RawLog
    connection: Connection
    keys: KeyFile


def build_collector(options: Options, keys: KeyFile, now: Callable[[], int]) -> Collector:
    """Does nothing until the application starts. `now`: ms since the epoch."""
    metrics = Metrics()
    connection = Connection(options.bootstrap, options.topic, options.partitions, metrics, options.kafka)
    raw_log = RawLog(connection, options.partitions, clock=time.monotonic)
    in_flight = InFlight(options.in_flight_bytes_max, options.in_flight_requests_max)
    metrics.in_flight_bytes.set_function(lambda: in_flight.bytes)
    metrics.in_flight_requests.set_function(lambda: in_flight.requests)
    door = Door(keys, raw_log, metrics, now, options.simulation, options.produce_seconds, in_flight, options.reader)
    beats = None
    if options.beat_record is not None and not options.simulation:
        interval_ms = options.beat_interval_ms
        beats = Beats(raw_log, options.beat_record, interval_ms=interval_ms, now=now, metrics=metrics)
    stopping = asyncio.Event()

    async def stop_watchers(_: web.Application) -> None:
        stopping.set()
        door.recent.wake()

    app = web.Application(middlewares=[_answered(metrics)])
    app.add_routes(segment_routes(door))
    app.add_routes(native_routes(door))
    app.add_routes(tail_routes(door, options.admin_token, stopping))
    app.add_routes(_health_routes(raw_log, beats, metrics))
    app.on_shutdown.append(stop_watchers)
    app.cleanup_ctx.append(_life(connection, raw_log, beats, keys, metrics))
    return Collector(app, door, raw_log, connection, keys)


def _life(
    connection: Connection, raw_log: RawLog, beats: Beats | None, keys: KeyFile, metrics: Metrics
) -> Callable[[web.Application], AsyncIterator[None]]:
    async def live(_: web.Application) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(connection.run()), asyncio.create_task(keys.watch(metrics))]
        if beats is not None:
            tasks.insert(0, asyncio.create_task(beats.run()))
        yield
        await raw_log.drain(DRAIN_SECONDS)
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    return live


def _answered(metrics: Metrics) -> Any:
    """Turns refusals into JSON, adds CORS, counts."""

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            response = await _preflight(request) if request.method == "OPTIONS" else await handler(request)
        except Refusal as refusal:
            response = web.Response(
                status=refusal.status, body=refusal.body(), content_type="application/json", headers=refusal.headers()
            )
        except web.HTTPException as error:
            unknown = Refusal(error.status, error.reason.lower().replace(" ", "_"), "There is no such route or method.")
            response = web.Response(status=error.status, body=unknown.body(), content_type="application/json")
        if not response.prepared:
            response.headers["Access-Control-Allow-Origin"] = request.headers.get("Origin", "*")
            response.headers["Vary"] = "Origin"
        resource = request.match_info.route.resource
        metrics.requests.labels(resource.canonical if resource is not None else "other", response.status).inc()
        return response

    return answer


async def _preflight(_: web.Request) -> web.Response:
    return web.Response(status=200, headers=PREFLIGHT)


def _health_routes(raw_log: RawLog, beats: Beats | None, metrics: Metrics) -> list[web.RouteDef]:
    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def readyz(_: web.Request) -> web.Response:
        problems = ready(raw_log, beats)
        content = {"status": "ready"} if not problems else {"status": "not ready", "problems": problems}
        return web.Response(
            status=503 if problems else 200, body=msgspec.json.encode(content), content_type="application/json"
        )

    async def show_metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return [web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", show_metrics)]
