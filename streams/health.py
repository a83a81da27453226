"""The worker's own small HTTP port: `/healthz`, `/readyz`, `/metrics`. In a thread with a loop of its own, so that it
answers when the main loop hangs, and says so.

- healthy: the main loop turned within the last `STALL_SECONDS`. If not, the process should be killed.
- ready: healthy, not stopping, the group has answered, and every partition it gave us makes progress. A worker
  without a partition is ready.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic

from aiohttp import web

from streams.metrics import WorkerMetrics
from streams.partition import State
from streams.settings import Place

STALL_SECONDS = 10.0
PULSE_SECONDS = 0.5
START_SECONDS = 5.0


@dataclass
class Vitals:
    """Written by the main loop twice a second, read by the health thread. Each assignment is atomic."""

    pulse_at: float = field(default_factory=monotonic)
    phase: str = "waiting for Kafka"
    joined: bool = False
    stopping: bool = False
    states: Mapping[Place, State] = field(default_factory=dict)


def health(vitals: Vitals, now: float) -> tuple[bool, str]:
    stalled = now - vitals.pulse_at
    return (
        stalled <= STALL_SECONDS,
        f"the main loop has not turned for {stalled:.1f} s" if stalled > STALL_SECONDS else "ok",
    )


def readiness(vitals: Vitals, now: float) -> tuple[bool, str]:
    """Pure: the answer of `/readyz`, with the reason."""
    healthy, why = health(vitals, now)
    if not healthy:
        return False, why
    if vitals.stopping:
        return False, "stopping"
    if not vitals.joined:
        return False, vitals.phase
    waiting = [
        f"{place.topic}/{place.partition} is {state.value}"
        for place, state in vitals.states.items()
        if state is not State.RUNNING
    ]
    return not waiting, "; ".join(waiting) or "ok"


class HealthServer:
    """Started before anything else; port 0 takes any free one. Ends with the process (a daemon thread)."""

    def __init__(self, vitals: Vitals, metrics: WorkerMetrics, host: str, port: int) -> None:
        self.port = port
        self._vitals, self._metrics, self._host = vitals, metrics, host
        self._started = threading.Event()
        self._error: OSError | None = None

    def start(self) -> None:
        """Raises OSError when the port is taken."""
        threading.Thread(target=lambda: asyncio.run(self._serve()), name="health", daemon=True).start()
        if not self._started.wait(START_SECONDS):
            raise TimeoutError(f"the health server on {self._host}:{self.port} did not start in {START_SECONDS} s")
        if self._error is not None:
            raise self._error

    async def _serve(self) -> None:
        app = web.Application()
        app.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._show_metrics),
            ]
        )
        runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self.port).start()
        except OSError as error:
            self._error = error
            self._started.set()
            return
        self.port = runner.addresses[0][1]
        self._started.set()
        await asyncio.Event().wait()

    async def _healthz(self, _: web.Request) -> web.Response:
        return self._answer(*health(self._vitals, monotonic()))

    async def _readyz(self, _: web.Request) -> web.Response:
        return self._answer(*readiness(self._vitals, monotonic()))

    @staticmethod
    def _answer(good: bool, why: str) -> web.Response:
        return web.Response(
            status=200 if good else 503, text=json.dumps({"ok": good, "why": why}), content_type="application/json"
        )

    async def _show_metrics(self, _: web.Request) -> web.Response:
        return web.Response(
            body=self._metrics.text(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        )
