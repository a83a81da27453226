"""The ClickHouse HTTP interface around the engine.

One request: who sends it, what it asks (request), what the engine says it means (engine.parse), whether that
user may (gate), then a place in the queue (admission) and the engine's threads. A reply streams: a block is
fetched from the engine only after the one before it went out, so memory stays bounded by blocks. An error after
the first block cannot change the status: its text is written and the connection is cut, as ClickHouse does.
"""

import asyncio
import time
import uuid
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Final, TypeVar

from aiohttp import web

from deploy.embedded.clickhouse import formats, framing, gate, replies, syntax
from deploy.embedded.clickhouse.admission import Admission, TooMany
from deploy.embedded.clickhouse.credentials import Credentials
from deploy.embedded.clickhouse.engine import ACCESS_DENIED, Block, Call, Counts, Engine, EngineError
from deploy.embedded.clickhouse.gate import Role
from deploy.embedded.clickhouse.limits import Limits, SettingRefused, settings_of
from deploy.embedded.clickhouse.request import TOO_LARGE, BadRequest, Request, login, parse

MAX_BODY_BYTES: Final = 128 << 20
SMALL_BODY_BYTES: Final = 16 << 10  # read on the event loop; a larger one might hold it up
SEND_SECONDS: Final = 60.0
READONLY: Final = 164
UNKNOWN_FORMAT: Final = 73
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Config:
    readers: int = 4
    waiting: int = 32
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class _Job:
    """A request that was let in: what it is, whose, and how it runs."""

    request: Request
    statement: syntax.Statement
    format: str
    call: Call
    query_id: str
    started: float

    def elapsed_ns(self) -> int:
        return int((time.monotonic() - self.started) * 1e9)


class Server:
    def __init__(self, engine: Engine, users: Credentials, config: Config) -> None:
        self._engine = engine
        self._users = users
        self._config = config
        self._admission = Admission(readers=config.readers, waiting=config.waiting)
        # Readers, the writer, and two for short work: parsing and cancelling.
        self._threads = ThreadPoolExecutor(config.readers + 1, thread_name_prefix="statement")
        self._short = ThreadPoolExecutor(2, thread_name_prefix="short")

    def app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_get("/ping", _pong)
        app.router.add_get("/replicas_status", _pong)
        app.router.add_route("*", "/", self._handle)
        return app

    def close(self) -> None:
        """Waits for what runs; statements of readers end by their time limit."""
        self._threads.shutdown()
        self._short.shutdown()

    async def _handle(self, http: web.Request) -> web.StreamResponse:
        query_id = http.query.get("query_id") or str(uuid.uuid4())
        if http.method in ("GET", "HEAD") and not http.query_string:
            return await _pong(http)
        try:
            role = self._role(http)
            async with self._admission.request():
                return await self._run(http, role, query_id)
        except EngineError as error:
            return replies.failure(str(error), error.code, query_id=query_id)
        except BadRequest as error:
            return replies.failure(str(error), error.code, query_id=query_id, status=error.status)
        except SettingRefused as error:
            return replies.failure(str(error), READONLY, query_id=query_id)
        except TooMany as error:
            return replies.failure(str(error), replies.TOO_MANY_SIMULTANEOUS, query_id=query_id)
        except _LoginRefused as error:
            return replies.failure(str(error), error.code, query_id=query_id)
        except web.HTTPRequestEntityTooLarge:
            text = f"the body has more than {MAX_BODY_BYTES} bytes; send smaller batches"
            return replies.failure(text, TOO_LARGE, query_id=query_id)

    def _role(self, http: web.Request) -> Role:
        sent = login(http.query, {name.lower(): value for name, value in http.headers.items()})
        if sent is None:
            raise _LoginRefused(
                "a user and a password are required; credentials.json holds them", replies.REQUIRED_PASSWORD
            )
        role = self._users.role(*sent)
        if role is None:
            text = "Authentication failed: wrong user or password; credentials.json in the data directory holds them"
            raise _LoginRefused(text, replies.AUTHENTICATION_FAILED)
        return role

    async def _run(self, http: web.Request, role: Role, query_id: str) -> web.StreamResponse:
        started = time.monotonic()
        headers = {name.lower(): value for name, value in http.headers.items()}
        body = await http.read()
        read = partial(parse, http.method, http.query.items(), headers, body, max_body_bytes=MAX_BODY_BYTES)
        request = read() if len(body) < SMALL_BODY_BYTES else await self._briefly(read)
        statement = await self._briefly(lambda: self._engine.parse(request.sql, request.parameters))
        reason = gate.refusal(role, statement, request.database)
        if reason is not None:
            raise EngineError(reason, ACCESS_DENIED)
        job = self._job(request, statement, role, query_id, started)
        if gate.is_read(statement):
            async with self._admission.reading():
                return await self._read(http, job)
        if request.read_only:
            raise EngineError("GET only reads; send this statement with POST", READONLY)
        async with self._admission.writing():
            return await self._write(job)

    def _job(self, request: Request, statement: syntax.Statement, role: Role, query_id: str, started: float) -> _Job:
        chosen = request.insert_format or statement.format or request.default_format
        if not formats.is_known(chosen):
            raise EngineError(f"Unknown format {chosen[:40]!r}; use one of system.formats", UNKNOWN_FORMAT)
        settings = settings_of(
            role,
            request.settings,
            self._config.limits,
            reads=gate.is_read(statement),
            get=request.read_only,
            whole=not formats.streams(chosen),
        )
        mark = f"touchline {uuid.uuid4().hex}"
        call = Call(mark, request.database, settings, request.parameters)
        return _Job(request, statement, chosen, call, query_id, started)

    async def _read(self, http: web.Request, job: _Job) -> web.StreamResponse:
        blocks = self._engine.read(job.statement, job.format, job.call)
        ready = await self._fetch(blocks, job, 2)
        if len(ready) < 2:  # the usual case: it has ended, and the counts in the head are exact
            return self._whole(http, job, ready[0] if ready else Block(b"", Counts()))
        try:
            return await self._send(http, job, blocks, ready)
        finally:
            await _settled(self._in_thread(blocks.close))

    async def _fetch(self, blocks: Generator[Block, None, None], job: _Job, most: int) -> list[Block]:
        """The next blocks; fewer than `most` are the last. A client that goes away ends its statement."""
        fetching = self._in_thread(lambda: list(islice(blocks, most)))
        try:
            return await asyncio.shield(fetching)
        except asyncio.CancelledError:
            await self._briefly(lambda: self._engine.cancel(job.call.mark))
            await asyncio.wait([fetching])
            fetching.exception()  # it was stopped: nobody is left to tell
            raise

    def _whole(self, http: web.Request, job: _Job, block: Block) -> web.Response:
        data = framing.frame(block.data) if job.request.framed else block.data
        reply = web.Response(body=data, headers=self._headers(job, block.counts))
        _compress(http, job, reply)
        return reply

    async def _send(
        self, http: web.Request, job: _Job, blocks: Generator[Block, None, None], ready: list[Block]
    ) -> web.StreamResponse:
        reply = web.StreamResponse(headers=self._headers(job, ready[0].counts))
        _compress(http, job, reply)
        await reply.prepare(http)
        try:
            while ready:
                for block in ready:
                    await _write(reply, job, block.data)
                ready = await self._fetch(blocks, job, 1)
        except EngineError as error:
            await _write(reply, job, f"\r\n{error}\n".encode())
            _cut(http)
            return reply
        except TimeoutError:
            _cut(http)
            return reply
        await reply.write_eof()
        return reply

    async def _write(self, job: _Job) -> web.Response:
        request = job.request
        if request.data is not None:
            data = request.data
            insert = self._in_thread(lambda: self._engine.insert(job.statement, job.format, data, job.call))
            counts, body = await _settled(insert), b""
            counts = replace(counts, read_rows=counts.written_rows, read_bytes=counts.written_bytes)
        else:
            execute = self._in_thread(lambda: self._engine.execute(job.statement, job.call))
            block = await _settled(execute)
            counts, body = block.counts, block.data
        if request.framed and body:
            body = framing.frame(body)
        return web.Response(body=body, headers=self._headers(job, counts))

    def _headers(self, job: _Job, counts: Counts) -> dict[str, str]:
        return replies.headers(
            query_id=job.query_id,
            chosen=job.format,
            timezone=self._engine.timezone,
            counts=counts,
            elapsed_ns=job.elapsed_ns(),
            framed=job.request.framed,
        )

    def _in_thread(self, work: Callable[[], _T]) -> "asyncio.Future[_T]":
        return asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _briefly(self, work: Callable[[], _T]) -> "asyncio.Future[_T]":
        return asyncio.get_running_loop().run_in_executor(self._short, work)


class _LoginRefused(Exception):
    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


async def _pong(_: web.Request) -> web.Response:
    """Served only after the engine has answered: the port opens after that."""
    return web.Response(text="Ok.\n")


async def _settled(work: "asyncio.Future[_T]") -> _T:
    """Waits for work in a thread to end, also when the client goes away: its place must not be free before."""
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        work.exception()
        raise


def _cut(http: web.Request) -> None:
    """No last chunk: the client sees that the reply is incomplete."""
    if http.transport is not None:
        http.transport.close()


async def _write(reply: web.StreamResponse, job: _Job, data: bytes) -> None:
    """A client that takes nothing for SEND_SECONDS loses its place. Raises TimeoutError."""
    for plain in (data[at : at + framing.BLOCK_BYTES] for at in range(0, len(data), framing.BLOCK_BYTES)):
        packed = framing.frame(plain) if job.request.framed else plain
        await asyncio.wait_for(reply.write(packed), SEND_SECONDS)


def _compress(http: web.Request, job: _Job, reply: web.StreamResponse) -> None:
    if job.request.http_compression and "gzip" in http.headers.get("Accept-Encoding", "").lower():
        reply.enable_compression(web.ContentCoding.gzip)
