"""`touchline identity`: which identifiers are one customer, why a touchpoint is whose it is, and decisions by hand.

Here is only what talks: arguments, questions, drawings. What is known and decided comes from `deploy.identity`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec
import typer
from rich.console import Console

from deploy.author import author
from deploy.cli.identity_screens import preview_screen, show_screen, why_screen
from deploy.identity import refusals, texts
from deploy.identity.asked import Identifier, Unclear, read_id, read_identifier, read_linkable, read_user
from deploy.identity.decide import REASON_MAX, decision_of, has_arrived, moved, send, user_to_lift
from deploy.identity.judge import in_force
from deploy.identity.preview import preview
from deploy.identity.read import Source
from deploy.identity.setting import Setting, setting_of
from deploy.identity.show import show as shown_of
from deploy.identity.show import whole
from deploy.identity.why import why as why_of
from deploy.rows import Rows
from deploy.stack import Stack
from schemas.control_records import Decision, DecisionKind
from schemas.settings import read_settings
from streams.identity.decisions import MOST

POLL_SECONDS: Final = 0.5
SETTLE_SECONDS: Final = 20.0
console = Console(highlight=False, soft_wrap=False)

IdArgument = Annotated[
    str, typer.Argument(metavar="ID", help="kind:value, or the UUID of a customer (8 digits will do)")
]
Identified = Annotated[str, typer.Argument(metavar="IDENTIFIER", help="kind:value, as in loyalty_card:2900-17")]
UserArgument = Annotated[str, typer.Argument(metavar="USER", help="the user_id")]
Reason = Annotated[str, typer.Option(help="why: whoever looks next will read it")]
By = Annotated[str | None, typer.Option(help="who decided; your login name without it")]
Yes = Annotated[bool, typer.Option("--yes", help="do not ask, for scripts")]
Wait = Annotated[int, typer.Option(min=0, max=600, help="seconds to wait until it is in force")]
AsJson = Annotated[bool, typer.Option("--json", help="as JSON, for programs")]


def register(app: typer.Typer) -> None:
    commands = typer.Typer(
        no_args_is_help=True,
        rich_markup_mode=None,
        help="One customer across all channels: show, why, and decisions by hand (docs/identity-support.md).",
    )
    for command in (show, why, split, link, unlink, block, lift, proof):
        commands.command()(command)
    app.add_typer(commands, name="identity")


@dataclass(frozen=True, slots=True)
class Desk:
    """What every command has at hand."""

    setting: Setting
    source: Source
    now: int

    def whole(self, identifier: Identifier) -> Identifier:
        """Where only the beginning of a hash was typed, all of it."""
        return identifier if identifier.is_whole else whole(self.source, identifier)


@contextmanager
def at_desk() -> Iterator[Desk]:
    stack = Stack(read_settings())
    stack.attach()
    with Rows(stack) as rows:
        setting = setting_of(stack)
        yield Desk(
            setting,
            Source(rows.ask, setting.browsers, setting.reader.read, setting.reader.kinds),
            int(time.time() * 1000),
        )


# -- looking -----------------------------------------------------------------------------------------------------------


def show(id: IdArgument, as_json: AsJson = False) -> None:
    """A customer's identifiers as a tree: why each belongs to it, since when, and what was decided by hand."""
    with at_desk() as desk:
        asked = read_id(id, desk.setting.reader.read, desk.source.kinds)
        found = shown_of(desk.source, asked, desk.setting.rules, desk.now)
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
    else:
        console.print(show_screen(found))
    if not found.totals and not found.branches:
        raise typer.Exit(1)


def why(
    touchpoint: Annotated[
        str, typer.Argument(metavar="TOUCHPOINT", help="touchpoint_id (8 digits will do) or message_id")
    ],
    as_json: AsJson = False,
) -> None:
    """Whose a touchpoint is, what decided it, and what would change it. Exit code 1 when it is not found."""
    with at_desk() as desk:
        found = desk.source.touchpoint(touchpoint.strip())
        if not found:
            console.print(refusals.no_touchpoint(touchpoint), markup=False)
            raise typer.Exit(1)
        answers = [why_of(desk.source, one, desk.setting.rules, desk.now) for one in found[:3]]
    if as_json:
        typer.echo(msgspec.json.encode(answers).decode())
        return
    for number, answer in enumerate(answers):
        if number:
            console.print()
        console.print(why_screen(answer))
    if len(found) > len(answers):
        console.print(texts.more(len(found) - len(answers)))


def proof(user: UserArgument) -> None:
    """The proof that a shop's server gives a browser for this user, to compare with what it makes."""
    stack = Stack(read_settings())
    stack.attach()
    made = setting_of(stack).reader.proof_of(read_user(user, "proof", lambda _, as_sent: as_sent))
    if made is None:
        raise Unclear(refusals.no_proof_secret())
    typer.echo(made)


# -- deciding ----------------------------------------------------------------------------------------------------------


def split(
    identifier: Identified,
    user: Annotated[str, typer.Option("--from", metavar="USER", help="the user that it was joined with")],
    reason: Reason = "",
    by: By = None,
    yes: Yes = False,
    wait: Wait = 60,
) -> None:
    """Undo a wrong join: the device or contact counts no longer for that user. Shows before and after, then asks."""
    _decide("unlink", identifier, user, reason, by, yes, wait, "split")


def link(
    identifier: Identified, user: UserArgument, reason: Reason = "", by: By = None, yes: Yes = False, wait: Wait = 60
) -> None:
    """Say that a device or contact is this user's, whatever the rules say."""
    _decide("link", identifier, user, reason, by, yes, wait, "link")


def unlink(
    identifier: Identified, user: UserArgument, reason: Reason = "", by: By = None, yes: Yes = False, wait: Wait = 60
) -> None:
    """Say that a device or contact is not this user's, whatever the rules say."""
    _decide("unlink", identifier, user, reason, by, yes, wait, "unlink")


def block(identifier: Identified, reason: Reason = "", by: By = None, yes: Yes = False, wait: Wait = 60) -> None:
    """Take an identifier out of use: it is evidence for nothing."""
    _decide("block", identifier, None, reason, by, yes, wait, "block")


def lift(
    identifier: Identified,
    user: Annotated[str | None, typer.Option(help="which decision, when there are several")] = None,
    reason: Reason = "",
    by: By = None,
    yes: Yes = False,
    wait: Wait = 60,
) -> None:
    """Take a decision back: the rules decide again."""
    _decide("lift", identifier, user, reason, by, yes, wait, "lift")


def _decide(
    kind: DecisionKind, said: str, user: str | None, reason: str, by: str | None, yes: bool, wait: int, verb: str
) -> None:
    if not reason.strip():
        raise Unclear(refusals.no_reason())
    with at_desk() as desk:
        stored, kinds = desk.setting.reader.read, desk.source.kinds
        is_link = kind in ("link", "unlink")
        asked = read_linkable(said, stored, verb, kinds) if is_link else read_identifier(said, stored, kinds)
        found = desk.whole(asked)
        user_id = read_user(user, verb, stored, kinds) if user is not None else None
        if kind == "lift":
            user_id = user_to_lift(found, desk.source.decisions(), user_id)
        decided_by = author(by)
        decision = decision_of(kind, found, user_id, reason.strip()[:REASON_MAX], decided_by, desk.now)
        _make(desk, decision, yes, wait)


def _make(desk: Desk, decision: Decision, yes: bool, wait: int) -> None:
    if not in_force(desk.source.decisions()).has_room(decision):
        raise Unclear(refusals.too_many_decisions(MOST))
    expected = preview(desk.source, decision, desk.setting.rules, desk.now)
    console.print(preview_screen(expected))
    if not yes:
        typer.confirm("Decide so?", abort=True)
    setting = desk.setting
    send(setting.kafka, setting.topic_prefix, decision, setting.secret())
    if not wait:
        console.print(texts.sent())
        return
    with console.status(texts.waiting()):
        arrived = _until(lambda: has_arrived(desk.source, decision), wait)
        if arrived:
            _until(lambda: _all_moved(moved(desk.source, expected)), min(wait, SETTLE_SECONDS))
    if not arrived:
        console.print(texts.not_taken(wait), style="yellow")
        raise typer.Exit(1)
    console.print(texts.taken(*moved(desk.source, expected)))
    console.print(texts.next_step(decision), style="dim")


def _all_moved(counts: tuple[int, int]) -> bool:
    return counts[0] == counts[1]


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    give_up = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > give_up:
            return False
        time.sleep(POLL_SECONDS)
    return True
