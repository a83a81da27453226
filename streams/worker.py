"""One worker process: `run_worker(settings, stages)`, called by the entry point (`streams.main`).

Exit codes: 0 after a clean stop; 1 after a crash (restart it); 2 when it was refused (a person is needed); 3 when a
stop took too long.

SIGTERM and SIGINT go to a thread of their own that waits for them, so they are seen even when the main loop hangs;
from then on the clock runs, and past `stop_timeout_ms` the process is ended by force. Killing it is safe at any time.
The process always leaves through `os._exit`: Faust's consumer thread is no daemon, and would keep a process that
stopped while it joined its group.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Coroutine, Sequence
from time import monotonic
from typing import Any, NoReturn, TypeVar

import uvloop
from kafka.errors import KafkaError as AdminKafkaError

from schemas.settings import no_place
from streams.app import build_app
from streams.checkpoint import Refused
from streams.guard import code_lines
from streams.health import PULSE_SECONDS, HealthServer, Vitals
from streams.metrics import WorkerMetrics
from streams.settings import StageSpec, WorkerSettings
from streams.shell import Shell
from streams.topics import TopicFacts, describe_topics, needed

log = logging.getLogger(__name__)
T = TypeVar("T")

CLEAN, CRASHED, REFUSED, FORCED = 0, 1, 2, 3
SIGNALS = (signal.SIGTERM, signal.SIGINT)
GC_THRESHOLD = (50_000, 20, 100)
"""State is many small objects that live long: collecting as often as by default costs a tenth of the CPU."""
OUTAGE_PAUSE_SECONDS = (0.5, 1.0, 2.0, 5.0)


def run_worker(settings: WorkerSettings, stages: Sequence[StageSpec]) -> NoReturn:
    """Until a signal, or an error that needs a restart. Never returns."""
    gc.set_threshold(*GC_THRESHOLD)
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # before any thread starts: they inherit it
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())  # also for the thread in which Faust consumes
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    stopping = asyncio.Event()
    threading.Thread(target=_escalate, args=(settings, loop, stopping), name="signals", daemon=True).start()
    serving = loop.create_task(_serve(settings, stages, stopping))
    loop.run_until_complete(asyncio.wait([serving]))
    error = serving.exception()
    if error is None:
        _leave(serving.result())
    if isinstance(error, Refused):
        log.critical("%s", error)
        _leave(REFUSED)
    log.critical("%s at %s", type(error).__name__, code_lines(error))
    _leave(CRASHED)


def _escalate(settings: WorkerSettings, loop: asyncio.AbstractEventLoop, stopping: asyncio.Event) -> None:
    number = signal.sigwait(SIGNALS)
    log.info("signal %s: stopping", signal.Signals(number).name)
    loop.call_soon_threadsafe(stopping.set)
    if threading.Event().wait(settings.stop_timeout_ms / 1000):
        raise AssertionError("nobody sets this event")
    log.critical(
        "the worker did not stop within %d ms and is ended by force; what is not checkpointed is redone",
        settings.stop_timeout_ms,
    )
    _leave(FORCED)


def _leave(code: int) -> NoReturn:
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


async def _serve(settings: WorkerSettings, stages: Sequence[StageSpec], stopping: asyncio.Event) -> int:
    vitals, metrics = Vitals(), WorkerMetrics()
    if settings.health_port is not None:
        server = HealthServer(vitals, metrics, settings.health_host, settings.health_port)
        try:
            server.start()
        except OSError as error:
            port = settings.health_port
            raise Refused(
                str(no_place("TOUCHLINE_HEALTH_HOST", "TOUCHLINE_HEALTH_PORT", settings.health_host, port, error))
            ) from error
        log.info("health on http://%s:%d", settings.health_host, server.port)
    waiting = asyncio.create_task(_pulse(vitals, None))
    facts = await _or_stop(_find_topics(settings, stages), stopping)
    waiting.cancel()
    if facts is None:
        return CLEAN
    shell = Shell(settings, stages, metrics)
    vitals.phase = "joining the group"
    pulse = asyncio.create_task(_pulse(vitals, shell))
    try:
        return await _work(shell, facts, stopping, vitals)
    finally:
        pulse.cancel()


async def _work(shell: Shell, facts: dict[str, TopicFacts], stopping: asyncio.Event, vitals: Vitals) -> int:
    await shell.start(facts)
    app = build_app(shell)
    starting = asyncio.create_task(app.start())
    ended = asyncio.create_task(app.wait_until_stopped())
    stop = asyncio.create_task(stopping.wait())
    await asyncio.wait([stop, ended, starting], return_when=asyncio.FIRST_COMPLETED)
    if not stop.done() and not app.should_stop:
        await starting
        await asyncio.wait([stop, ended], return_when=asyncio.FIRST_COMPLETED)
    vitals.stopping = True
    if not shell.joined and not app.should_stop:
        log.info("stopped before the group was joined: there is nothing to finish")
        return CLEAN  # Faust may hang when it is stopped while it joins
    if not app.crashed:
        await app.stop()
        await shell.stop()
    if app.crashed:  # a stop may crash too
        log.critical(
            "the worker crashed (%s); start it again, what is not checkpointed is redone",
            type(app.crash_reason).__name__,
        )
        return CRASHED
    return CLEAN


async def _find_topics(settings: WorkerSettings, stages: Sequence[StageSpec]) -> dict[str, TopicFacts]:
    """Waits through an outage."""
    failures = 0
    while True:
        try:
            return await describe_topics(settings, needed(settings, stages))
        except AdminKafkaError as error:
            log.warning("Kafka at %s does not answer (%s); trying again", settings.bootstrap, type(error).__name__)
            await asyncio.sleep(OUTAGE_PAUSE_SECONDS[min(failures, len(OUTAGE_PAUSE_SECONDS) - 1)])
            failures += 1


async def _or_stop(work: Coroutine[Any, Any, T], stopping: asyncio.Event) -> T | None:
    task, stop = asyncio.create_task(work), asyncio.create_task(stopping.wait())
    await asyncio.wait([task, stop], return_when=asyncio.FIRST_COMPLETED)
    if not task.done():
        task.cancel()
        return None
    stop.cancel()
    return task.result()


async def _pulse(vitals: Vitals, shell: Shell | None) -> None:
    while True:
        vitals.pulse_at = monotonic()
        if shell is not None:
            vitals.states, vitals.joined = shell.states(), shell.joined
        await asyncio.sleep(PULSE_SECONDS)
