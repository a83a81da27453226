"""`touchline alerts`: what is open, who looks after it, and what shall be quiet. Talks to the notifier
(docs/notifications.md).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Final

import typer
from pydantic import ValidationError
from rich.console import Console

from deploy.author import author
from deploy.cli.alerts_client import Client, NotSo, client_of
from deploy.cli.alerts_screens import answered_line, list_screen, matches, minute, show_screen, silences_screen
from deploy.identity.asked import Unclear
from deploy.stack import Stack
from schemas.settings import read_settings
from schemas.times import from_ms, to_ms
from sinks.notify.forms import LISTED, LISTED_MAX, Answered, SilenceForm, WordForm

POLL_SECONDS: Final = 0.3
UNIT_MS: Final = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}
console = Console(highlight=False)

AlertArgument = Annotated[
    str, typer.Argument(metavar="ALERT", help="its id, the beginning of it, or its order_id:4711")
]
By = Annotated[str | None, typer.Option(help="who looks after it; your login name without it")]
Wait = Annotated[int, typer.Option(min=0, max=600, help="seconds to wait until the workers have taken it")]
AsJson = Annotated[bool, typer.Option("--json", help="as JSON, for programs")]
Yes = Annotated[bool, typer.Option("--yes", help="do not ask, for scripts")]


def register(app: typer.Typer) -> None:
    commands = typer.Typer(
        no_args_is_help=True,
        rich_markup_mode=None,
        help="Open alerts: list, show, acknowledge, close, silence (docs/notifications.md).",
    )
    commands.command("list")(list_)
    for command in (show, acknowledge, close, silence, silences, unsilence):
        commands.command()(command)
    app.add_typer(commands, name="alerts")


@contextmanager
def _client() -> Iterator[Client]:
    """What is not so ends with exit code 1, and what may have been meant."""
    stack = Stack(read_settings())
    stack.attach()
    errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    try:
        yield client_of(stack)
    except NotSo as error:
        hint = f". Did you mean {' or '.join(error.candidates)}?" if error.candidates else ""
        errors.print(f"touchline: {error}{hint}")
        raise typer.Exit(1) from None


# -- looking -----------------------------------------------------------------------------------------------------------


def list_(
    state: Annotated[str, typer.Option(help="open, firing or acknowledged")] = "open",
    incident: Annotated[str | None, typer.Option(metavar="NAME", help="of this incident alone")] = None,
    limit: Annotated[int, typer.Option(min=1, max=LISTED_MAX)] = LISTED,
    as_json: AsJson = False,
) -> None:
    """What is open, the worst first: who looks after it, and why nobody hears of it if nobody does."""
    with _client() as client:
        found = client.listed(state, incident, limit)
    if as_json:
        typer.echo(found.model_dump_json())
    else:
        console.print(list_screen(found))


def show(alert: AlertArgument, as_json: AsJson = False) -> None:
    """One open alert: what it says, its evidence, its runbook."""
    with _client() as client:
        found = client.show(alert)
    if as_json:
        typer.echo(found.model_dump_json())
    else:
        console.print(show_screen(found))


# -- a word on them ----------------------------------------------------------------------------------------------------


def acknowledge(
    alert: Annotated[
        str | None, typer.Argument(metavar="ALERT", help="its id, the beginning of it, or its anchor")
    ] = None,
    incident: Annotated[str | None, typer.Option(metavar="NAME", help="all open alerts of this incident")] = None,
    reason: Annotated[str, typer.Option(help="what you do about it")] = "",
    by: By = None,
    wait: Wait = 15,
) -> None:
    """Say that somebody looks after it: it stays open, and is not told again."""
    if (alert is None) == (incident is None):
        raise Unclear("say which: ALERT, or --incident NAME; `touchline alerts list` shows both")
    form = _word(by, reason)
    with _client() as client:
        if incident is not None:
            answered = client.say_of_incident(incident, form)
        else:
            answered = client.say(alert or "", "acknowledge", form)
        _await(client, answered, wait)


def close(
    alert: AlertArgument,
    reason: Annotated[str, typer.Option(help="why: whoever looks next will read it")] = "",
    by: By = None,
    yes: Yes = False,
    wait: Wait = 15,
) -> None:
    """End an alert for good, whatever the touchpoints say. Shows it, then asks."""
    if not reason.strip():
        raise Unclear("say why it is closed, with --reason: that is for good")
    with _client() as client:
        found = client.show(alert)
        if not yes:
            console.print(show_screen(found))
            typer.confirm("Close it for good?", abort=True)
        _await(client, client.say(found.alert_id, "close", _word(by, reason)), wait)


def _word(by: str | None, reason: str) -> WordForm:
    try:
        return WordForm(by=author(by), reason=reason.strip())
    except ValidationError as error:
        problem = error.errors(include_input=False)[0]
        raise Unclear(f"--{problem['loc'][0]}: {problem['msg']}") from None


def _await(client: Client, answered: Answered, seconds: int) -> None:
    console.print(answered_line(answered))
    waiting, give_up = set(answered.asked), time.monotonic() + seconds
    while waiting and time.monotonic() < give_up:
        waiting = {alert for alert in waiting if _is_open_still(client, alert, answered.word)}
        if waiting:
            time.sleep(POLL_SECONDS)
    if seconds and waiting:
        console.print(
            f"{len(waiting):,} not taken by the workers after {seconds} s: `touchline status` tells whether they run",
            style="yellow",
        )
        raise typer.Exit(1)


def _is_open_still(client: Client, alert: str, word: str) -> bool:
    try:
        return client.show(alert).state == "firing" or word == "close"
    except NotSo:
        return False


# -- silences ----------------------------------------------------------------------------------------------------------


def silence(
    definition: Annotated[str | None, typer.Option(help="the journey; sources or catalogue for what is none")] = None,
    break_name: Annotated[str | None, typer.Option("--break", help="the break, as Slack names it")] = None,
    kind: Annotated[str | None, typer.Option(help="as in missing_step")] = None,
    severity: Annotated[str | None, typer.Option(help="exactly this one")] = None,
    owner: Annotated[str | None, typer.Option(help="the team")] = None,
    scope: Annotated[str | None, typer.Option(help="journey, source or touchpoint")] = None,
    anchor: Annotated[str | None, typer.Option(help="one order, as in order_id:4711")] = None,
    customer_id: Annotated[str | None, typer.Option("--customer", help="one customer's id")] = None,
    lasts: Annotated[str | None, typer.Option("--for", metavar="DURATION", help="30m, 2h or 7d")] = None,
    begins: Annotated[str | None, typer.Option("--from", metavar="TIME", help="as in 2026-06-01T22:00:00Z")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="instead of --for")] = None,
    reason: Annotated[str, typer.Option(help="why: whoever looks next will read it")] = "",
    by: By = None,
) -> None:
    """Tell nobody of what matches all that is given, for a while. What is open when it ends is told then."""
    matchers = {
        "definition": definition, "break": break_name, "kind": kind, "severity": severity, "owner": owner,
        "scope": scope, "anchor": anchor, "customer_id": customer_id,
    }  # fmt: skip
    given = {
        "matchers": {name: value for name, value in matchers.items() if value is not None},
        "from": begins,
        "until": _end(begins, lasts, until),
        "reason": reason,
        "by": author(by),
    }
    try:
        form = SilenceForm.model_validate(given)
    except ValidationError as error:
        problem = error.errors(include_input=False)[0]
        last = str(problem["loc"][-1])
        option = {"customer_id": "customer"}.get(last, last)
        if last == "reason" and not reason.strip():
            raise Unclear("say why with --reason: whoever looks next will read it") from None
        said = str(problem["msg"]).removeprefix("Value error, ")
        raise Unclear(said if last == "matchers" else f"--{option}: {said}") from None
    with _client() as client:
        made = client.silence(form)
    console.print(
        f"silence {made.silence_id}: {matches(made)} until {minute(made.until)} UTC", markup=False, soft_wrap=True
    )


def _end(begins: str | None, lasts: str | None, until: str | None) -> str:
    if (lasts is None) == (until is None):
        raise Unclear("say how long: --for 2h, or --until 2026-06-01T22:00:00Z")
    if lasts is None:
        return until or ""
    number, unit = lasts[:-1], lasts[-1:]
    if not (number.isdecimal() and len(number) <= 5 and unit in UNIT_MS):
        raise Unclear("--for: a duration such as 30m, 2h or 7d")
    try:
        start = int(time.time() * 1000) if begins is None else to_ms(begins)
    except ValueError as error:
        raise Unclear(f"--from: {error}") from None
    return from_ms(start + int(number) * UNIT_MS[unit])


def silences(as_json: AsJson = False) -> None:
    """The silences that stand, and how many alerts each holds back."""
    with _client() as client:
        found = client.silences()
    if as_json:
        typer.echo(found.model_dump_json())
    else:
        console.print(silences_screen(found.silences))


def unsilence(
    silence: Annotated[str, typer.Argument(metavar="SILENCE", help="its id, or the beginning of it")],
) -> None:
    """End a silence now: what it held back is told, if it is open still."""
    with _client() as client:
        removed = client.unsilence(silence)
    console.print(f"silence {removed.silence_id} is over: {matches(removed)}", markup=False, soft_wrap=True)
