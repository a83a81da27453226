"""What happened and why, for the terminal: one situation after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from textwrap import fill
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from schemas.identifiers import CONTACT_KINDS, ROUTING_ORDER, UNIQUE_KIND
from schemas.placeholders import is_placeholder
from tests.situations.expectation import Expectation
from tests.situations.outcome import CustomerNames, Found, FoundAlert, FoundJourney, Outcome
from tests.situations.script import Arrival, ByHand, Script

AT_ONCE_MS: Final = 1_000
BEFALLS: Final = {
    "join_worker": "a second worker joins",
    "kill_worker": "the first worker is killed",
    "worker_back": "the first worker comes back",
}
STATES: Final = {
    "firing": "bold red",
    "resolved": "green",
    "withdrawn": "cyan",
    "moved": "dim",
    "open": "yellow",
    "succeeded": "green",
    "failed": "red",
    "expired": "dim",
}


def draw(console: Console, script: Script, expected: Expectation, outcome: Outcome, differences: Sequence[str]) -> None:
    name = CustomerNames(outcome, expected.customers)
    parts: list[RenderableType] = [
        Text(expected.title, style="italic"),
        Padding(_touchpoints(script, outcome, name), (1, 0, 0, 0)),
    ]
    if outcome.journeys:
        parts.append(Padding(Group(*_journeys(outcome.journeys, name)), (1, 0, 0, 0)))
    if outcome.alerts:
        parts.append(Padding(Group(*_alerts(outcome.alerts, name)), (1, 0, 0, 0)))
    parts.append(Padding(_verdict(expected, outcome, differences), (1, 0, 0, 0)))
    border = "red" if differences else "green"
    console.print(Panel(Group(*parts), title=f"[bold]{script.name}", title_align="left", border_style=border))


def _touchpoints(script: Script, outcome: Outcome, name: CustomerNames) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for title in ("occurred", "", "touchpoint", "from", "carries", "whose", "rule", "was before"):
        table.add_column(title, overflow="fold")
    for row in _rows(script, outcome, name):
        table.add_row(*row)
    return table


def _rows(script: Script, outcome: Outcome, name: CustomerNames) -> Iterator[tuple[str, ...]]:
    """Touchpoints in their order, with what people and workers did at its time between them."""
    lines = sorted(
        enumerate(script.lines),
        key=lambda pair: (pair[1].occurred_at if isinstance(pair[1], Arrival) else pair[1].arrives_at, pair[0]),
    )
    for _, line in lines:
        if isinstance(line, Arrival):
            yield _row(line, outcome, name)
        elif isinstance(line, ByHand):
            of = f" and user_id:{line.user_id}" if line.user_id else ""
            what = f"[magenta]{line.do}[/] {escape(line.identifier)}{escape(of)}"
            yield _moment(line.arrives_at), "", "[magenta]✋ by hand", escape(line.by), what, "", "", ""
        else:
            yield _moment(line.arrives_at), "", "[magenta]⚡ workers", "", f"[magenta]{BEFALLS[line.do]}", "", "", ""


def _row(line: Arrival, outcome: Outcome, name: CustomerNames) -> tuple[str, ...]:
    found = outcome.touchpoints.get(line.message_id)
    late = line.arrives_at - line.occurred_at
    if found is None:
        whose = ("[red]missing", "", "")
    else:
        mark = "[red], too late" if found.too_late else ""
        whose = (f"[bold]{escape(name(found.owner.customer))}", found.owner.rule + mark, _former(found, name))
    return (
        _moment(line.occurred_at),
        "" if late < AT_ONCE_MS else f"[yellow]+{_span(late)}",
        f"{line.message_id} {escape(str(line.touchpoint['name']))}",
        line.source + (", browser" if line.trust else ""),
        "\n".join(_carried(line)) or "[dim]nothing",
        *whose,
    )


def _carried(line: Arrival) -> Iterator[str]:
    """What it carries; dim, with the reason, what does not count."""
    for kind in ROUTING_ORDER:
        if (value := line.identifiers.get(kind)) is None:
            continue
        text, doubt = escape(f"{kind}:{value}"), _doubt(line, kind, value)
        yield f"[dim]{text} ({doubt})[/]" if doubt else text
    if "account_id" in line.identifiers:
        yield f"[dim]account_id:{escape(line.identifiers['account_id'])} (joins nobody)[/]"


def _doubt(line: Arrival, kind: str, value: str) -> str:
    if is_placeholder(value):
        return "placeholder"
    if line.trust == "browser" and kind in CONTACT_KINDS:
        return "a browser's word"
    if line.trust == "browser" and kind == UNIQUE_KIND and line.proof != "right":
        return "proof forged" if line.proof else "no proof"
    return ""


def _former(found: Found, name: CustomerNames) -> str:
    """All owners before the last, each once."""
    customers = [owner.customer for owner in found.history]
    former = dict.fromkeys(one for one in customers if one != found.owner.customer)
    return " → ".join(escape(name(one)) for one in former)


def _journeys(journeys: Sequence[FoundJourney], name: CustomerNames) -> Iterator[Text]:
    for one in sorted(journeys, key=lambda one: (one.definition, one.about, one.status != "moved")):
        yield Text.assemble(
            ("journey ", "dim"),
            f"{one.definition} {one.about} of {name(one.customer)}: ",
            (one.status, STATES[one.status]),
            (f"  {' '.join(one.touchpoints)}", "dim"),
        )


def _alerts(alerts: Sequence[FoundAlert], name: CustomerNames) -> Iterator[Text]:
    for one in sorted(alerts, key=lambda one: (one.alert, one.about, one.state != "moved")):
        went = " → ".join(one.went[:-1])
        follows = f", goes on from {name(one.continues)}'s" if one.continues else ""
        yield Text.assemble(
            ("alert   ", "dim"),
            f"{one.alert} {one.about} of {name(one.customer)}: ",
            (f"{went} → " if went else "", "dim"),
            (one.state, STATES.get(one.state, "")),
            follows,
        )


def _verdict(expected: Expectation, outcome: Outcome, differences: Sequence[str]) -> RenderableType:
    why = Text(fill(" ".join(expected.why.split()), 110))
    if not differences:
        return Group(Text("✔ as expected", style="bold green"), why)
    texts = [Text(f"✘ {one.removeprefix(outcome.name + ': ')}", style="bold red") for one in differences]
    return Group(*texts, Text("expected because:", style="dim"), why)


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%a %H:%M")


def _span(ms: int) -> str:
    """Two parts at most: `1d 2h`, `3h 10m`, `4m`."""
    span = timedelta(milliseconds=ms)
    hours, minutes = divmod(span.seconds // 60, 60)
    parts = [f"{count}{unit}" for count, unit in ((span.days, "d"), (hours, "h"), (minutes, "m")) if count]
    return " ".join(parts[:2])
