"""The notifier's HTTP server: a thread with a loop and an outbox connection of its own, so that it answers when the
notifier waits for Kafka, and a slow client holds up nobody.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from threading import Event, Thread
from typing import Final

from aiohttp import web

from schemas.settings import no_place

START_SECONDS: Final = 10.0
STOP_SECONDS: Final = 5.0
IDLE_SECONDS: Final = 30.0


class Server:
    """Listens from the beginning, answers from `start`. Port 0 takes a free one. Raises SettingsError."""

    def __init__(self, host: str, port: int, port_setting: str) -> None:
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self._socket = socket.create_server((host, port), family=family)
        except OSError as error:
            raise no_place("TOUCHLINE_HEALTH_HOST", port_setting, host, port, error) from error
        self.port: int = self._socket.getsockname()[1]
        self._started = Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread: Thread | None = None

    def start(self, make: Callable[[], tuple[web.Application, Callable[[], None]]]) -> None:
        """`make` is called in the server's thread; it returns the application, and what closes its things."""
        self._thread = Thread(target=lambda: asyncio.run(self._serve(make)), name="http", daemon=True)
        self._thread.start()
        self._started.wait(START_SECONDS)

    def is_alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    async def _serve(self, make: Callable[[], tuple[web.Application, Callable[[], None]]]) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            await self._serve_until(self._stop, *make())
        finally:
            self._started.set()

    async def _serve_until(self, stop: asyncio.Event, app: web.Application, close: Callable[[], None]) -> None:
        runner = web.AppRunner(
            app, access_log=None, keepalive_timeout=IDLE_SECONDS, shutdown_timeout=STOP_SECONDS, handle_signals=False
        )
        await runner.setup()
        try:
            await web.SockSite(runner, self._socket).start()
            self._started.set()
            await stop.wait()
        finally:
            await runner.cleanup()
            close()

    def stop(self) -> None:
        if self._loop is not None and self._stop is not None and self.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            assert self._thread is not None
            self._thread.join(STOP_SECONDS * 2)
        self._socket.close()
