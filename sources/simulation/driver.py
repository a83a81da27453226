"""Sends a script as its clients would, and lets log time pass.

Web and app speak to the Segment routes, tills and payment providers to the JSON route, the CRM writes to Kafka itself
without a key. Requests that fail are sent again with the same bytes, as SDKs do. The driver alone moves log time:
beat(T) goes out after everything that arrives by T is acknowledged. Every request and its answer is written down.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import IO, Any

import aiohttp
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from sources.simulation.plan import MINUTE, SECOND, Plan
from sources.simulation.script import Script
from sources.simulation.wire import bytes_of, rfc3339

BATCH_MAX = 50
WINDOW_MS = 30 * SECOND
BEAT_MS = 5 * MINUTE
PULSE_BEAT_MS = 250
PULSE_WINDOW_MS = 50
"""Beats lie on multiples of their time, also where nothing is sent: whoever runs the stored touchpoints again can let
time pass at the same moments (deploy.demo.again).
"""
IN_FLIGHT_MAX = 24
RETRY_SECONDS = 0.2
GIVE_UP_SECONDS = 180

SendBeat = Callable[[int], Awaitable[None]]


class DeliveryFailed(Exception):
    """The front door did not take a request for longer than GIVE_UP_SECONDS."""


@dataclass(frozen=True, slots=True)
class Door:
    """Where the script goes. `kafka` are the client options of the CRM's own producer."""

    collector_url: str
    write_keys: dict[str, str]
    raw_topic: str
    kafka: dict[str, Any]


@dataclass(slots=True)
class Tally:
    """What was sent so far. `log_time` is where the run's clock stands."""

    total: int
    log_time: int
    emitted: int = 0
    accepted: int = 0
    refused: int = 0
    retries: int = 0
    pulse_wall_start_ms: int = 0
    by_emitter: dict[str, int] = field(default_factory=lambda: defaultdict(int))


@dataclass(frozen=True, slots=True)
class _Request:
    emitter: str
    log_time: int
    skew_ms: int
    plans: tuple[Plan, ...]


class Driver:
    """One run. `record` receives one JSON line for each request with its bytes and its answer."""

    def __init__(self, script: Script, door: Door, record: IO[str], beat: SendBeat) -> None:
        self.script = script
        self.door = door
        self.tally = Tally(len(script.plans), script.start)
        self._record = record
        self._beat = beat
        self._slots = asyncio.Semaphore(IN_FLIGHT_MAX)
        self._number = 0
        self._milestones: list[tuple[int, asyncio.Event]] = []

    async def run(self) -> Tally:
        """Blocks until everything is sent and acknowledged. Raises DeliveryFailed."""
        script, plans = self.script, self.script.plans
        first, last = (
            bisect_right(plans, moment, key=lambda plan: plan.arrives_at)
            for moment in (script.pulse_start, script.pulse_end)
        )
        async with self._connected():
            await self._beat(script.start - 1)
            await self._run_fast(plans[:first])
            await self._pass_time(script.pulse_start)
            await self.caught_up(script.pulse_start)
            await self._run_pulse(plans[first:last])
            await self._run_fast(plans[last:])
            await self._pass_time(script.end)
        return self.tally

    async def _run_fast(self, plans: Sequence[Plan]) -> None:
        looks = deque(look for look in self.script.looks if look > self.tally.log_time)
        for until, chunk in _chunks(plans, BEAT_MS):
            if until - BEAT_MS > self.tally.log_time:
                await self._pass_time(until - BEAT_MS)
            await self._send_all(chunk, WINDOW_MS)
            await self._pass_time(until)
            if looks and looks[0] <= until:
                looks.popleft()
                await self.caught_up(until)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[None]:
        async with aiohttp.ClientSession() as web, _producer(self.door.kafka) as crm:
            self._web, self._crm = web, crm
            yield

    async def emitted(self, count: int) -> None:
        """Waits until so many touchpoints are sent and answered."""
        reached = asyncio.Event()
        self._milestones.append((count, reached))
        await reached.wait()

    async def caught_up(self, log_time: int) -> None:
        """The demo waits here until all readers are so far: the pulse measures latency and not a backlog, and a silence
        is seen while it lasts.
        """

    async def _pass_time(self, until: int) -> None:
        await self._beat(until)
        self.tally.log_time = until

    async def _send_all(self, plans: Sequence[Plan], window_ms: int) -> None:
        await asyncio.gather(*(self._send(request) for request in _requests(plans, window_ms)))

    async def _run_pulse(self, plans: Sequence[Plan]) -> None:
        """Log time at speed 1: each window leaves when its time has come, whatever the one before it waits for. A beat
        waits for everything that arrives before it, as always.
        """
        began = time.monotonic()
        self.tally.pulse_wall_start_ms = time.time_ns() // 1_000_000
        start, end = self.script.pulse_start, self.script.pulse_end
        windows = dict(_chunks(plans, PULSE_WINDOW_MS))
        under_way: set[asyncio.Task[None]] = set()
        beats: list[asyncio.Task[None]] = []
        for until in range(start + PULSE_WINDOW_MS, end + 1, PULSE_WINDOW_MS):
            await self._pause((until - start) / 1000 - (time.monotonic() - began))
            task = asyncio.create_task(self._send_all(windows.get(until, ()), PULSE_WINDOW_MS))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            if until % PULSE_BEAT_MS == 0:
                beats.append(asyncio.create_task(self._beat_after(until, [*under_way, *beats[-1:]])))
        await asyncio.gather(*under_way, *beats)

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))

    async def _beat_after(self, until: int, earlier: Sequence[asyncio.Task[None]]) -> None:
        await asyncio.gather(*earlier)
        await self._pass_time(until)

    async def _send(self, request: _Request) -> None:
        async with self._slots:
            self._number += 1
            number, items = self._number, [bytes_of(plan) for plan in request.plans]
            status, answer = await self._until_taken(request, items)
        self._write_down(number, request, items, status, answer)

    async def _until_taken(self, request: _Request, items: list[bytes]) -> tuple[int, Any]:
        send = self._to_kafka if request.emitter == "crm" else self._over_http
        give_up = time.monotonic() + GIVE_UP_SECONDS
        while True:
            try:
                status, answer = await send(request, items)
                if status not in (429, 500, 502, 503, 504):
                    return status, answer
            except (aiohttp.ClientError, TimeoutError, KafkaError, ConnectionError):
                pass
            if time.monotonic() > give_up:
                raise DeliveryFailed(f"a request of {request.emitter} was not taken for {GIVE_UP_SECONDS} s")
            self.tally.retries += 1
            await asyncio.sleep(RETRY_SECONDS)

    async def _over_http(self, request: _Request, items: list[bytes]) -> tuple[int, Any]:
        sent_at = rfc3339(request.log_time + request.skew_ms).encode()
        joined = b",".join(items)
        if request.emitter in ("web", "app"):
            path, body = "/v1/batch", b'{"batch":[' + joined + b'],"sentAt":"' + sent_at + b'"}'
        else:
            path, body = "/v1/touchpoints", b'{"touchpoints":[' + joined + b'],"sent_at":"' + sent_at + b'"}'
        async with self._web.post(
            self.door.collector_url + path,
            data=body,
            auth=aiohttp.BasicAuth(self.door.write_keys[request.emitter], ""),
            headers={"Content-Type": "application/json", "X-Touchline-Log-Time": str(request.log_time)},
            timeout=aiohttp.ClientTimeout(total=30),
        ) as response:
            return response.status, await response.json(content_type=None)

    async def _to_kafka(self, request: _Request, items: list[bytes]) -> tuple[int, Any]:
        headers = [("source", b"crm"), ("log_time", str(request.log_time).encode())]
        await asyncio.gather(
            *[await self._crm.send(self.door.raw_topic, value=item, headers=headers) for item in items]
        )
        return 200, {"acknowledged": len(items)}

    def _write_down(self, number: int, request: _Request, items: list[bytes], status: int, answer: Any) -> None:
        accepted = _accepted(request, status, answer)
        self.tally.emitted += len(items)
        self.tally.accepted += accepted
        self.tally.refused += len(items) - accepted
        self.tally.by_emitter[request.emitter] += len(items)
        for count, reached in self._milestones:
            if self.tally.emitted >= count:
                reached.set()
        line = {
            "request": number,
            "emitter": request.emitter,
            "log_time": request.log_time,
            "sent_at": None if request.emitter == "crm" else request.log_time + request.skew_ms,
            "status": status,
            "answer": answer,
            "items": [base64.b64encode(item).decode() for item in items],
        }
        self._record.write(json.dumps(line, separators=(",", ":")) + "\n")


def _accepted(request: _Request, status: int, answer: Any) -> int:
    if status not in (200, 207):
        return 0
    if request.emitter not in ("web", "app", "crm"):
        return sum(verdict["verdict"] == "accepted" for verdict in answer["verdicts"])
    return len(request.plans)


def _chunks(plans: Sequence[Plan], every_ms: int) -> Iterator[tuple[int, list[Plan]]]:
    """What arrives after one multiple of `every_ms` and until the next one, with the latter; without empty ones."""
    for number, chunk in groupby(plans, key=lambda plan: -(-plan.arrives_at // every_ms)):
        yield number * every_ms, list(chunk)


def _requests(plans: Sequence[Plan], window_ms: int) -> Iterator[_Request]:
    """A client collects for a window, then sends what it has; a client with a wrong clock is a client of its own."""
    waiting: dict[tuple[str, int, int], list[Plan]] = defaultdict(list)
    for plan in plans:
        waiting[plan.emitter, plan.skew_ms, plan.arrives_at // window_ms].append(plan)
    for (emitter, skew_ms, _), group in waiting.items():
        for first in range(0, len(group), BATCH_MAX):
            batch = tuple(group[first : first + BATCH_MAX])
            yield _Request(emitter, max(plan.arrives_at for plan in batch), skew_ms, batch)


class _producer:
    """The CRM's own Kafka client: no key, so the partition is any."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._producer = AIOKafkaProducer(**options, enable_idempotence=True, linger_ms=5)

    async def __aenter__(self) -> AIOKafkaProducer:
        await self._producer.start()
        return self._producer

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()
