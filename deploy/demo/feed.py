"""The customers of the live demo: script after script, each with a new seed and a later start, without an end.

Log time runs faster than the clock on the wall, but hours and days of the definitions stay what they are. It stands
still while the workers are far behind, so the demo slows down on a slow machine and breaks nothing. People, orders and
messages of one script never meet those of another.
"""

from __future__ import annotations

import asyncio
import io
import threading
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

import aiohttp
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from deploy.demo.beats import beat_sender
from sources.simulation.driver import DeliveryFailed, Door, Driver, SendBeat, Tally
from sources.simulation.plan import HOUR, MINUTE, Plan
from sources.simulation.script import PULSE_MAX, PULSE_PART, START, STOPS, Script, write_script
from sources.simulation.tills import ALONE, BEAT, FIRST_DAY, LENGTH

EVERY_MS: Final = 24 * HOUR
"""Log time from the start of one script to the start of the next. Each begins journeys for about forty hours."""
BEAT_SECONDS: Final = 0.25
STEP_SECONDS_MAX: Final = 1.0
AHEAD_SECONDS: Final = 15
CLOCK_KEPT: Final = 4_096


@dataclass(frozen=True, slots=True)
class Incident:
    """A planted one, in log time."""

    text: str
    begins: int
    ends: int


def incidents_of(start: int) -> tuple[Incident, ...]:
    """What sources.simulation.script plants in every script."""
    return (
        Incident("payment outage", start + 4 * HOUR, start + 4 * HOUR + 40 * MINUTE),
        Incident(f"{STOPS} confirms no pick-up", start + 8 * HOUR, start + 24 * HOUR),
        Incident(f"the till of {ALONE} is dead", start + FIRST_DAY, start + FIRST_DAY + LENGTH),
        Incident("checkout goes in circles", start + 25 * HOUR, start + 26 * HOUR + 30 * MINUTE),
    )


def touchpoints_of(rate: float, pace: float) -> int:
    """How many a script needs for `rate` touchpoints a second at `pace` minutes of log time a second."""
    wanted = round(rate * EVERY_MS / MINUTE / pace)
    return max(1_000, wanted + min(PULSE_MAX, wanted // (PULSE_PART - 1)))


def renamed(plan: Plan, number: int) -> Plan:
    """The same act by other people, with another order."""
    if number == 0:
        return plan

    def other(value: str) -> str:
        return value if value == "null" else f"{value}-{number}"

    properties = dict(plan.properties)
    if "order_id" in properties:
        properties["order_id"] = other(properties["order_id"])
    return replace(
        plan,
        message_id=other(plan.message_id),
        repeats=None if plan.repeats is None else other(plan.repeats),
        identifiers={kind: other(value) for kind, value in plan.identifiers.items()},
        properties=properties,
    )


def plans_of(script: Script, number: int) -> list[Plan]:
    """Without those that measure latency at speed 1. Signs of life only of its own day: the next script has more."""
    own_day = script.start + EVERY_MS
    return [
        renamed(plan, number)
        for plan in script.plans
        if plan.arrives_at < (own_day if plan.name == BEAT else script.pulse_start)
    ]


class Clock:
    """When log time came how far. Written by the feed, read by another thread."""

    def __init__(self) -> None:
        self._reached: deque[tuple[int, int]] = deque(maxlen=CLOCK_KEPT)
        self._lock = threading.Lock()

    def reached(self, log_time: int, wall_ms: int) -> None:
        with self._lock:
            self._reached.append((log_time, wall_ms))

    def wall_of(self, log_time: int) -> int | None:
        """Ms since the epoch when log time had come so far; None when that is long ago or still to come."""
        with self._lock:
            moments = list(self._reached)
        at = bisect_left(moments, (log_time, 0))
        return moments[at][1] if moments and moments[0][0] <= log_time and at < len(moments) else None


class _Nowhere(io.StringIO):
    """The demo keeps no record of what it sent."""

    def write(self, text: str, /) -> int:
        return len(text)


class Endless(Driver):
    """Sends until `stop` is set. `behind` tells whether log time has to wait."""

    def __init__(
        self, first: Script, door: Door, beat: SendBeat, stop: threading.Event, behind: Callable[[], bool], pace: float
    ) -> None:
        super().__init__(first, door, _Nowhere(), beat)
        self.clock = Clock()
        self.waiting = False
        self._stop, self._behind, self._pace = stop, behind, pace
        self._seed, self._size = first.seed, len(first.plans)
        self._rounds = 1
        self._pending: deque[Plan] = deque(plans_of(first, 0))

    async def run(self) -> Tally:
        async with self._connected():
            await self._pass_time(self.script.start - 1)
            last = time.monotonic()
            coming: asyncio.Task[list[Plan]] | None = None
            while not self._stop.is_set():
                await asyncio.sleep(BEAT_SECONDS)
                now = time.monotonic()
                step, last = min(now - last, STEP_SECONDS_MAX), now
                self.waiting = self._behind()
                if not self.waiting:
                    await self._advance(round(step * self._pace * MINUTE))
                coming = await self._look_ahead(coming)
            if coming is not None:
                await coming
        return self.tally

    async def _advance(self, step_ms: int) -> None:
        until = self.tally.log_time + step_ms
        chunk: list[Plan] = []
        while self._pending and self._pending[0].arrives_at <= until:
            chunk.append(self._pending.popleft())
        await self._send_all(chunk, step_ms)
        await self._pass_time(until)
        self.clock.reached(until, time.time_ns() // 1_000_000)

    async def _look_ahead(self, coming: asyncio.Task[list[Plan]] | None) -> asyncio.Task[list[Plan]] | None:
        """Writes the next script before its time has come, aside."""
        start = START + self._rounds * EVERY_MS
        ahead = round(AHEAD_SECONDS * self._pace * MINUTE)
        if coming is None and self.tally.log_time > start - ahead:
            return asyncio.create_task(asyncio.to_thread(self._write, self._rounds, start))
        if coming is not None and (coming.done() or self.tally.log_time > start - ahead // 3):
            self._pending = deque(merged(self._pending, await coming))
            self._rounds += 1
            return None
        return coming

    def _write(self, number: int, start: int) -> list[Plan]:
        return plans_of(write_script(self._seed + number, self._size, start), number)

    def incidents(self) -> tuple[str, ...]:
        """Planted ones under way now."""
        now = self.tally.log_time
        return tuple(
            incident.text
            for number in range(max(0, self._rounds - 3), self._rounds)
            for incident in incidents_of(START + number * EVERY_MS)
            if incident.begins <= now <= incident.ends
        )


def merged(pending: Iterable[Plan], more: Iterable[Plan]) -> list[Plan]:
    """In order of arrival."""
    return sorted((*pending, *more), key=lambda plan: plan.arrives_at)


class Feed:
    """The driver in a thread of its own."""

    def __init__(self, script: Script, door: Door, secret: bytes, pace: float, behind: Callable[[], bool]) -> None:
        self._failure: str | None = None
        self.driver: Endless | None = None
        self._script, self._door, self._secret, self._pace, self._behind = script, door, secret, pace, behind
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="feed", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, seconds: float = 5.0) -> None:
        """Blocks until the thread has ended, `seconds` at most."""
        self._stop.set()
        self._thread.join(seconds)

    @property
    def failure(self) -> str | None:
        """Why it ended, in one sentence, if it did so by itself."""
        if self._failure is None and not self._thread.is_alive() and not self._stop.is_set():
            return "the simulated customers stopped; the trace above says why"
        return self._failure

    def _work(self) -> None:
        try:
            asyncio.run(self._run())
        except (DeliveryFailed, KafkaError, aiohttp.ClientError, OSError) as error:
            self._failure = f"the simulated customers stopped: {type(error).__name__}: {error}"

    async def _run(self) -> None:
        options: dict[str, Any] = self._door.kafka
        producer = AIOKafkaProducer(**options, enable_idempotence=True)
        await producer.start()
        try:
            beat = beat_sender(producer, self._door.raw_topic, self._secret)
            self.driver = Endless(self._script, self._door, beat, self._stop, self._behind, self._pace)
            await self.driver.run()
        finally:
            await producer.stop()
