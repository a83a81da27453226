"""The notifier's API as the commands use it. What it says is read by the same contracts that it answers with."""

from __future__ import annotations

import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Final, TypeVar
from urllib.parse import quote, urlencode

from pydantic import ValidationError

from deploy.stack import Stack
from schemas.settings import SettingsError
from schemas.touchpoint import Contract
from sinks.notify.forms import AlertView, Answered, Listed, Refusal, SilenceForm, Silences, SilenceView, WordForm

ANSWER_SECONDS: Final = 30.0
Answer = TypeVar("Answer", bound=Contract)


class NotReached(Exception):
    """The notifier is not there, or does not let us in; the text says what to do."""


class NotSo(Exception):
    """What was asked for is not so: no such alert, one of several, a silence that makes no sense."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.error)
        self.candidates = refusal.candidates


@dataclass(frozen=True, slots=True)
class Client:
    """Every method blocks ANSWER_SECONDS at most, and raises NotReached or NotSo."""

    url: str
    token: str = field(repr=False)

    def listed(self, state: str, incident: str | None, limit: int) -> Listed:
        query = {"state": state, "limit": str(limit)} | ({"incident": incident} if incident else {})
        return self._ask("GET", f"/v1/alerts?{urlencode(query)}", Listed)

    def show(self, alert: str) -> AlertView:
        return self._ask("GET", f"/v1/alerts/{_part(alert)}", AlertView)

    def say(self, alert: str, word: str, form: WordForm) -> Answered:
        return self._ask("POST", f"/v1/alerts/{_part(alert)}/{word}", Answered, form)

    def say_of_incident(self, incident: str, form: WordForm) -> Answered:
        return self._ask("POST", f"/v1/incidents/{_part(incident)}/acknowledge", Answered, form)

    def silences(self) -> Silences:
        return self._ask("GET", "/v1/silences", Silences)

    def silence(self, form: SilenceForm) -> SilenceView:
        return self._ask("POST", "/v1/silences", SilenceView, form)

    def unsilence(self, silence: str) -> SilenceView:
        return self._ask("DELETE", f"/v1/silences/{_part(silence)}", SilenceView)

    def _ask(self, method: str, path: str, answer: type[Answer], form: Contract | None = None) -> Answer:
        body = None if form is None else form.model_dump_json(by_alias=True).encode()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data=body, headers=headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as reply:  # noqa: S310  # http(s) by contract.
                return answer.model_validate_json(reply.read())
        except urllib.error.HTTPError as error:
            raise self._refused(error.code, error.read()) from None
        except (OSError, ValidationError) as error:
            why = "answers what is not the notifier's" if isinstance(error, ValidationError) else "does not answer"
            raise NotReached(
                f"the notifier at {self.url} {why}. Is it up? `touchline status` tells; where it is: "
                "TOUCHLINE_NOTIFIER_URL"
            ) from error

    def _refused(self, status: int, body: bytes) -> NotReached | NotSo:
        try:
            refusal = Refusal.model_validate_json(body)
        except ValidationError:
            return NotReached(f"what answers at {self.url} is no notifier of this version (status {status})")
        if status in (401, 403, 503):
            return NotReached(f"the notifier at {self.url}: {refusal.error}")
        return NotSo(refusal)


def _part(name: str) -> str:
    """Of an address. An empty one would be another address, and `.` and `..` are taken for folders. Raises NotSo."""
    if name.strip(" .") == "":
        raise NotSo(Refusal(error=f"{name!r} is no id; `touchline alerts list` and `silences` show them"))
    return quote(name, safe="")


def client_of(stack: Stack) -> Client:
    """Of the deployment of this data directory, or of what the settings say. Raises SettingsError."""
    settings = stack.settings
    url, token = settings.notifier_url, settings.notifier_token
    here = stack.parts.get("notifier")
    port = settings.notifier_health_port if here is None else here.health_port
    host = "127.0.0.1" if settings.health_host in ("0.0.0.0", "::") else settings.health_host  # noqa: S104
    found = str(url).rstrip("/") if url is not None else f"http://{host}:{port}"
    if token is not None:
        return Client(found, token.get_secret_value())
    if url is None and (stack.home / "secrets.json").exists():
        return Client(found, stack.secrets.admin_token)
    raise SettingsError("TOUCHLINE_NOTIFIER_TOKEN: required, the same as the notifier's, or TOUCHLINE_DATA_DIR of its")
