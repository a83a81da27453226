"""Who hears of what: the routes of the notifier, data in a YAML file. The meaning of each field:
docs/notifications.md.

A secret never stands in the file, only the name of the environment variable that holds it; a Slack address is a
secret itself. What is wrong is named by file, line and column, all of it at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, Field, HttpUrl, StringConstraints, ValidationError
from ruamel.yaml.scalarstring import LiteralScalarString

from schemas.definition import Word
from schemas.quiet_times import Flapping, QuietTime
from schemas.records import AlertScope, BreakKind, Severity
from schemas.templates import BodyFault, body_fault, fields_in, template_fault
from schemas.touchpoint import Contract
from schemas.yaml_file import (
    DefinitionError,
    Flaw,
    Path_,
    empty_places,
    flaws_at,
    nearest,
    place,
    plain,
    read_mapping,
    refuse,
)

SEVERITIES: Final[tuple[Severity, ...]] = ("info", "warning", "error", "critical")
SETTINGS_ROUTE: Final = "webhook"
ROUTES_MAX: Final = 50
WINDOWS_MAX: Final = 50
TEMPLATE_MAX: Final = 4_000


def _not_ours(name: str) -> str:
    if name.startswith("TOUCHLINE_"):
        raise ValueError("names that begin with TOUCHLINE_ are settings. Choose another name")
    return name


Url = Annotated[HttpUrl, Field(strict=False)]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$", max_length=100), AfterValidator(_not_ours)]
Template = Annotated[str, Field(min_length=1, max_length=TEMPLATE_MAX)]


class Filter(Contract):
    """All that is given must hold; nothing given takes everything."""

    journeys: Annotated[list[Word], Field(min_length=1, max_length=200)] | None = None
    breaks: Annotated[list[Word], Field(min_length=1, max_length=200)] | None = None
    kinds: Annotated[list[BreakKind], Field(min_length=1)] | None = None
    scopes: Annotated[list[AlertScope], Field(min_length=1)] | None = None
    owners: Annotated[list[str], Field(min_length=1, max_length=200)] | None = None
    severity_at_least: Severity = "info"

    def takes(
        self,
        journey: str,
        break_name: str,
        kind: BreakKind,
        owner: str,
        severity: Severity,
        scope: AlertScope = "journey",
    ) -> bool:
        wanted = ((self.journeys, journey), (self.breaks, break_name), (self.kinds, kind), (self.owners, owner))
        if any(known is not None and found not in known for known, found in (*wanted, (self.scopes, scope))):
            return False
        return SEVERITIES.index(severity) >= SEVERITIES.index(self.severity_at_least)


class WebhookTarget(Contract):
    """One notification for each change of each alert, signed with the secret. Its address stands in the file, or, where
    it is a secret itself, in the environment.
    """

    kind: Literal["webhook"]
    url: Url | None = None
    url_env: Variable | None = None
    secret_env: Variable | None = None


class SlackTarget(Contract):
    """An incoming webhook of Slack: its address is the secret."""

    kind: Literal["slack"]
    url_env: Variable


class AlertmanagerTarget(Contract):
    """The address without `/api/v2/alerts`. The secret is a bearer token, or the password of `username`."""

    kind: Literal["alertmanager"]
    url: Url
    username: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    secret_env: Variable | None = None


Target = Annotated[WebhookTarget | SlackTarget | AlertmanagerTarget, Field(discriminator="kind")]


class Route(Contract):
    """`per_minute`: requests in any sixty seconds; what is over it is put together with what comes next."""

    match: Filter = Filter()
    target: Target
    template: Template | None = None
    per_minute: Annotated[int, Field(ge=1, le=600)] | None = None


class MaintenanceWindow(QuietTime):
    """While it lasts nobody hears of what `match` takes."""

    match: Filter = Filter()


class RoutesFile(Contract):
    """Every route that takes something gets it. `runbooks`: an address for `journey` or `journey/break`."""

    routes: Annotated[dict[Word, Route], Field(min_length=1, max_length=ROUTES_MAX)]
    runbooks: Annotated[dict[str, Url], Field(max_length=1_000)] = {}
    maintenance: Annotated[dict[Word, MaintenanceWindow], Field(max_length=WINDOWS_MAX)] = {}
    flapping: Flapping = Flapping()

    def runbook(self, journey: str, break_name: str) -> str | None:
        found = self.runbooks.get(f"{journey}/{break_name}") or self.runbooks.get(journey)
        return str(found) if found else None


def load_routes(file: Path, environ: Mapping[str, str]) -> RoutesFile:
    """Raises DefinitionError. A variable that the file names and `environ` lacks is a flaw of the file."""
    document = read_mapping(file)
    refuse(file, document, ((path, f"{'.'.join(map(str, path))} has no value.") for path in empty_places(document)))
    try:
        routes = RoutesFile.model_validate(plain(document))
    except ValidationError as error:
        found = [(_path(problem["loc"]), _explained(problem)) for problem in error.errors(include_input=False)]
        raise DefinitionError(flaws_at(file, document, found)) from None
    flaws = [*flaws_at(file, document, _beyond_shape(routes, environ)), *_bodies(file, document, routes)]
    if flaws:
        raise DefinitionError(flaws)
    return routes


def _beyond_shape(routes: RoutesFile, environ: Mapping[str, str]) -> Iterator[tuple[Path_, str]]:
    for name, route in routes.routes.items():
        path = ("routes", name)
        if name == SETTINGS_ROUTE:
            yield path, f"{name!r} is the name of the route that the settings make. Give this one another name."
        if isinstance(route.target, WebhookTarget):
            if (route.target.url is None) == (route.target.url_env is None):
                yield (
                    (*path, "target"),
                    "a webhook needs an address: url, or url_env where it is a secret; one of them.",
                )
        elif route.template is not None and (fault := template_fault(route.template)):
            yield (*path, "template"), f"{'.'.join(path)}.template: {fault}."
        for part in ("url_env", "secret_env"):
            variable = getattr(route.target, part, None)
            if variable is not None and not environ.get(variable):
                yield (*path, "target", part), f"the environment variable {variable} is not set, or empty."
        if isinstance(route.target, AlertmanagerTarget) and route.target.username and not route.target.secret_env:
            yield (*path, "target", "username"), "a user needs a password. Add secret_env."


def _bodies(file: Path, document: Any, routes: RoutesFile) -> Iterator[Flaw]:
    """What is wrong with the bodies of webhooks, each at its line."""
    for name, route in routes.routes.items():
        if route.template is None or not isinstance(route.target, WebhookTarget):
            continue
        path = ("routes", name, "template")
        line, column = place(document, path)
        fault = body_fault(route.template)
        if fault is None and "secret" in fields_in(route.template) and route.target.secret_env is None:
            fault = BodyFault(1, "{secret} is the value of secret_env, which this target lacks")
        if fault is not None:
            is_block = isinstance(document["routes"][name]["template"], LiteralScalarString)
            text = f"{'.'.join(path)}, line {fault.line}: {fault.text}."
            yield Flaw(str(file), line + fault.line if is_block else line, column, text)


def _path(loc: Path_) -> Path_:
    """Without pydantic's own words: the tag of the target, which is no key of the file, and `[key]`."""
    path = tuple(part for part in loc if part != "[key]")
    return path[:3] + path[4:] if len(path) > 3 and path[0] == "routes" and path[2] == "target" else path


def _explained(problem: Any) -> str:
    path = _path(problem["loc"])
    where, last = ".".join(map(str, path)), str(path[-1]) if path else ""
    match problem["type"]:
        case "extra_forbidden":
            return f"{where}: unknown word.{nearest(last, _words())}"
        case "missing":
            return f"{where} is missing."
        case "union_tag_not_found" | "union_tag_invalid":
            return f"{where}: kind must be webhook, slack or alertmanager."
        case "string_pattern_mismatch":
            return f"{where}: expected {_EXAMPLES.get(last, 'a name such as checkout_room')}."
        case _:
            return f"{where}: {problem['msg'].removeprefix('Value error, ')}."


_EXAMPLES: Final = {
    "url_env": "a name such as SLACK_URL",
    "secret_env": "a name such as SLACK_URL",
    "within": "a duration such as 90s, 15m or 1h",
    "steady_for": "a duration such as 90s, 15m or 1h",
    "lasts": "a duration such as 30m or 2h",
}


def _words() -> set[str]:
    models: tuple[type[BaseModel], ...] = (
        RoutesFile, Route, Filter, WebhookTarget, SlackTarget, AlertmanagerTarget, MaintenanceWindow, Flapping,
    )  # fmt: skip
    return {name for model in models for name in model.model_fields}
