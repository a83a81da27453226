"""The routes with their addresses and secrets, as the settings, the routes file and the environment give them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Literal
from urllib.parse import urlsplit

from schemas.routes import (
    SETTINGS_ROUTE,
    AlertmanagerTarget,
    Filter,
    RoutesFile,
    SlackTarget,
    WebhookTarget,
    load_routes,
)
from schemas.routes import Route as RouteEntry
from schemas.settings import Settings, SettingsError
from sinks.notify import alertmanager, slack
from sinks.notify.incident import Incident, Labels
from sinks.notify.quiet import Quiet
from sinks.notify.windows import Windows

Kind = Literal["webhook", "slack", "alertmanager"]


@dataclass(frozen=True, slots=True)
class Route:
    """`per_minute` None: as fast as the target answers. A user makes the secret a password. `template`: of a webhook
    without one the body is the message itself.
    """

    name: str
    kind: Kind
    url: str = field(repr=False)
    secret: bytes = field(default=b"", repr=False)
    username: str | None = None
    wanted: Filter = field(default_factory=Filter)
    template: str = ""
    per_minute: int | None = None
    runbooks: RoutesFile | None = field(default=None, repr=False)

    @property
    def key(self) -> str:
        """Its name in the outbox: a route that changes its kind is another one."""
        return f"{self.kind}:{self.name}"

    def takes(self, labels: Labels) -> bool:
        return labels.passes(self.wanted)

    def runbook(self, incident: Incident) -> str | None:
        """The definition's own, else the file's."""
        return incident.runbook or self.runbook_of(incident.labels)

    def runbook_of(self, labels: Labels) -> str | None:
        """The file's."""
        return self.runbooks.runbook(labels.journey, labels.break_name) if self.runbooks else None


def routes_of(settings: Settings, environ: Mapping[str, str]) -> tuple[Route, ...]:
    """The settings' own webhook first. Raises DefinitionError or SettingsError."""
    found = []
    file = None if settings.routes_file is None else load_routes(settings.routes_file, environ)
    if settings.webhook_url is not None:
        secret = settings.webhook_secret.get_secret_value().encode()
        found.append(Route(SETTINGS_ROUTE, "webhook", str(settings.webhook_url), secret, runbooks=file))
    if file is not None:
        found += [_route(name, entry, file, environ) for name, entry in file.routes.items()]
    return tuple(found)


def quiet_of(settings: Settings, environ: Mapping[str, str]) -> Quiet:
    """The file's maintenance windows, and what flaps. Raises DefinitionError."""
    if settings.routes_file is None:
        return Quiet()
    file = load_routes(settings.routes_file, environ)
    return Quiet(windows=Windows(file.maintenance), flapping=file.flapping)


def _route(name: str, entry: RouteEntry, file: RoutesFile, environ: Mapping[str, str]) -> Route:
    make = partial(Route, name, wanted=entry.match, per_minute=entry.per_minute, runbooks=file)
    match entry.target:
        case WebhookTarget(url=url, url_env=url_env, secret_env=secret_env):
            return make(
                "webhook",
                url=_address(url_env, environ) if url_env else str(url),
                secret=_secret(secret_env, environ),
                template=entry.template or "",
            )
        case SlackTarget(url_env=url_env):
            return make(
                "slack",
                url=_address(url_env, environ),
                template=entry.template or slack.TEMPLATE,
                per_minute=entry.per_minute or slack.PER_MINUTE,
            )
        case AlertmanagerTarget(url=url, secret_env=secret_env, username=username):
            return make(
                "alertmanager",
                url=str(url).rstrip("/") + alertmanager.PATH,
                secret=_secret(secret_env, environ),
                username=username,
                template=entry.template or alertmanager.SUMMARY,
            )


def _secret(variable: str | None, environ: Mapping[str, str]) -> bytes:
    return environ[variable].encode() if variable else b""


def _address(variable: str, environ: Mapping[str, str]) -> str:
    parts = urlsplit(environ[variable])
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(f"{variable}: must be an address that begins with https:// (it is a secret, not shown)")
    return environ[variable]
