"""The process that owns the engine: `python -m deploy.embedded.clickhouse --data-dir D --port P`.

Started by `launch`. It listens only once the engine has answered, on loopback unless told otherwise. SIGTERM
ends it in order: no new requests, running statements finish, the engine flushes and closes.
"""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Final

from aiohttp import web

from deploy.embedded.clickhouse.credentials import credentials
from deploy.embedded.clickhouse.engine import Engine, EngineUnavailable
from deploy.embedded.clickhouse.limits import Limits
from deploy.embedded.clickhouse.server import Config, Server
from deploy.embedded.process import LOOPBACK, EmbeddedError

FAILED: Final = 3
SHUTDOWN_SECONDS: Final = 5.0


def arguments() -> argparse.ArgumentParser:
    usual = Config()
    parser = argparse.ArgumentParser(description="ClickHouse in one process, over HTTP.")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default=LOOPBACK)
    parser.add_argument("--readers", type=int, default=usual.readers)
    parser.add_argument("--waiting", type=int, default=usual.waiting)
    parser.add_argument("--memory-bytes", type=int, default=usual.limits.engine_memory_bytes)
    parser.add_argument("--query-memory-bytes", type=int, default=usual.limits.query_memory_bytes)
    parser.add_argument("--query-seconds", type=int, default=usual.limits.execution_seconds)
    return parser


async def serve(app: web.Application, host: str, port: int) -> None:
    # Bodies are unpacked by `request`, with a bound; a client that leaves ends its statement.
    runner = web.AppRunner(
        app,
        auto_decompress=False,
        handler_cancellation=True,
        shutdown_timeout=SHUTDOWN_SECONDS,
        access_log=None,
    )
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        await stop.wait()
    finally:
        await runner.cleanup()


def main() -> int:
    given = arguments().parse_args()
    home = given.data_dir / "clickhouse"
    limits = Limits(given.memory_bytes, given.query_memory_bytes, given.query_seconds)
    try:
        users = credentials(given.data_dir)
        engine = Engine(home / "data", memory_bytes=limits.engine_memory_bytes)
    except (EmbeddedError, EngineUnavailable) as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    # Relative names of files mean nothing here.
    (home / "empty").mkdir(exist_ok=True)
    os.chdir(home / "empty")
    server = Server(engine, users, Config(given.readers, given.waiting, limits))
    try:
        asyncio.run(serve(server.app(), given.host, given.port))
    except OSError as error:
        print(
            f"error: port {given.port} on {given.host} cannot be used: {error.strerror}; give another",
            file=sys.stderr,
        )
        return FAILED
    finally:
        server.close()
        engine.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
