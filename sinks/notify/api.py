"""The notifier's HTTP application: `/healthz`, `/readyz`, `/metrics` for everybody, `/v1/...` for who has the token.

| request | does |
|---|---|
| GET /v1/alerts?state=open&incident=&limit= | open alerts, the worst first, bounded |
| GET /v1/alerts/{id} | one; an id, its beginning, or an anchor |
| POST /v1/alerts/{id}/acknowledge, .../close | `{by, reason}`; 202: the workers were told |
| POST /v1/incidents/{incident}/acknowledge | the same for all its open alerts, bounded |
| GET, POST /v1/silences; DELETE /v1/silences/{id} | `{matchers, from, until, reason, by}` |

An error is `{error, candidates}`. Without a token in the settings all of `/v1` is refused.
"""

from __future__ import annotations

import asyncio
from hmac import compare_digest
from typing import Final, TypeVar

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from kafka.errors import KafkaError
from prometheus_client import CollectorRegistry
from pydantic import ValidationError

from schemas.records import Alert
from schemas.touchpoint import Contract
from sinks.health import Checks, answer
from sinks.notify.desk import Desk, Refused
from sinks.notify.forms import LISTED, LISTED_MAX, Answered, Refusal, SilenceForm, WordForm

BODY_BYTES_MAX: Final = 64 * 1024
PATH_MAX: Final = 400
Form = TypeVar("Form", bound=Contract)

log = structlog.get_logger()


def application(desk: Desk, token: str | None, checks: Checks, registry: CollectorRegistry) -> web.Application:
    """Use inside the loop of one thread: the desk is not thread-safe."""
    app = web.Application(middlewares=[_guard(token)], client_max_size=BODY_BYTES_MAX)
    pages = _Pages(desk)

    async def probe(request: web.Request) -> web.Response:
        status, body = answer(request.path, checks, registry)
        return web.Response(status=status, body=body, content_type="text/plain", charset="utf-8")

    app.add_routes(
        [
            *(web.get(path, probe) for path in ("/healthz", "/readyz", "/metrics")),
            web.get("/v1/alerts", pages.listed),
            web.get("/v1/alerts/{alert}", pages.show),
            web.post("/v1/alerts/{alert}/{word:acknowledge|close}", pages.say),
            web.post("/v1/incidents/{incident:.+}/acknowledge", pages.say_of_incident),
            web.get("/v1/silences", pages.silences),
            web.post("/v1/silences", pages.silence),
            web.delete("/v1/silences/{silence}", pages.unsilence),
        ]
    )
    return app


def _guard(token: str | None) -> Middleware:
    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/v1/") and (why := _not_let_in(request, token)):
            return _refusal(why)
        try:
            return await handler(request)
        except Refused as refused:
            return _refusal(refused)
        except KafkaError as error:
            return _refusal(Refused(503, f"Kafka did not take it ({type(error).__name__}): say it again later"))
        except web.HTTPException as error:
            if not request.path.startswith("/v1/"):
                raise
            return _refusal(Refused(error.status, f"{error.reason}; see docs/notifications.md"))

    return guard


def _not_let_in(request: web.Request, token: str | None) -> Refused | None:
    if token is None:
        return Refused(403, "this notifier has no token: set TOUCHLINE_NOTIFIER_TOKEN (docs/settings.md)")
    said = request.headers.get("Authorization", "")
    if compare_digest(said.encode(), f"Bearer {token}".encode()):
        return None
    return Refused(401, "not the token of this notifier: send Authorization: Bearer and TOUCHLINE_NOTIFIER_TOKEN")


def _refusal(refused: Refused) -> web.Response:
    return _json(Refusal(error=str(refused), candidates=list(refused.candidates)), refused.status)


def _json(content: Contract, status: int = 200) -> web.Response:
    headers = {"Cache-Control": "no-store"} | ({"WWW-Authenticate": "Bearer"} if status == 401 else {})
    body = content.model_dump_json().encode()
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


class _Pages:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._sending = asyncio.Lock()

    async def listed(self, request: web.Request) -> web.Response:
        unknown = set(request.query) - {"state", "incident", "limit"}
        if unknown:
            raise Refused(400, f"{min(unknown)[:40]}: no such parameter; there are state, incident and limit")
        limit = request.query.get("limit", str(LISTED))
        if not limit.isdecimal() or not 1 <= int(limit[:9]) <= LISTED_MAX:
            raise Refused(400, f"limit: a number from 1 to {LISTED_MAX}")
        state, incident = request.query.get("state", "open"), request.query.get("incident")
        return _json(self._desk.listed(state, incident, int(limit)))

    async def show(self, request: web.Request) -> web.Response:
        return _json(self._desk.show(_named(request, "alert")))

    async def say(self, request: web.Request) -> web.Response:
        form, closes = await _form(request, WordForm), request.match_info["word"] == "close"
        return await self._sent(*self._desk.say(_named(request, "alert"), form, closes=closes), form, closes)

    async def say_of_incident(self, request: web.Request) -> web.Response:
        form = await _form(request, WordForm)
        return await self._sent(*self._desk.say_of_incident(_named(request, "incident")), form, False)

    async def _sent(self, answered: Answered, alerts: list[Alert], form: WordForm, closes: bool) -> web.Response:
        async with self._sending:
            await asyncio.to_thread(self._desk.send, alerts, form, closes=closes)
        for alert in alerts:
            log.info("a person's word", alert_id=alert.alert_id, word=answered.word)
        return _json(answered, 202 if alerts else 200)

    async def silences(self, _: web.Request) -> web.Response:
        return _json(self._desk.silences())

    async def silence(self, request: web.Request) -> web.Response:
        made = self._desk.silence(await _form(request, SilenceForm))
        log.info("silence made", silence_id=made.silence_id, until=made.until)
        return _json(made, 201)

    async def unsilence(self, request: web.Request) -> web.Response:
        removed = self._desk.unsilence(_named(request, "silence"))
        log.info("silence removed", silence_id=removed.silence_id)
        return _json(removed)


def _named(request: web.Request, part: str) -> str:
    said = request.match_info[part]
    if len(said) > PATH_MAX:
        raise Refused(400, f"the name of the {part} is longer than {PATH_MAX} characters")
    return said


async def _form(request: web.Request, form: type[Form]) -> Form:
    try:
        return form.model_validate_json(await request.read())
    except ValidationError as error:
        problem = error.errors(include_input=False)[0]
        where = ".".join(map(str, problem["loc"]))
        said = str(problem["msg"]).removeprefix("Value error, ")
        raise Refused(400, f"{where}: {said}" if where else said) from None
