"""What `touchline alerts` draws. Pure: from the API's answers to tables and lines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from sinks.notify.forms import AlertView, Answered, Listed, SilenceView

SHORT: Final = 8
"""Digits of an id that a screen shows; the commands take them."""
_STYLES: Final = {"critical": "bold red", "error": "red", "warning": "yellow", "info": ""}


def minute(text: str) -> str:
    """`2026-05-28T20:41:00.000Z` as a person reads it. UTC."""
    return text[:16].replace("T", " ") if len(text) >= 16 and text[10] == "T" else text


def list_screen(found: Listed) -> RenderableType:
    if not found.alerts:
        return Group("no alert is open", *_footer(found))
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("alert", "severity", "incident", "who", "since (UTC)"):
        table.add_column(name, no_wrap=name != "incident", overflow="fold")
    table.add_column("state", overflow="fold")
    for one in found.alerts:
        severity = f"[{style}]{one.severity}[/]" if (style := _STYLES[one.severity]) else one.severity
        table.add_row(
            escape(one.alert_id[:SHORT]),
            severity,
            escape(one.incident),
            escape(one.anchor),
            minute(one.fired_at),
            escape(state_of(one)),
        )
    return Group(table, *_footer(found))


def _footer(found: Listed) -> Iterable[str]:
    more = found.total - len(found.alerts)
    if more > 0:
        yield f"and {more:,} more: --limit, or --incident NAME"
    if found.held:
        counts = ", ".join(f"{count:,} {reason}" for reason, count in sorted(found.held.items()))
        yield f"nobody was told yet of the last change of: {counts}"


def state_of(one: AlertView) -> str:
    """`acknowledged by anna; silenced until 2026-05-28 22:00 (4f1c)`."""
    state = f"acknowledged by {one.acknowledged_by}" if one.state == "acknowledged" else one.state
    if one.quiet is None:
        return state
    by = f" ({one.quiet.by})" if one.quiet.by else ""
    return f"{state}; {one.quiet.reason} until {minute(one.quiet.until)}{by}"


def show_screen(one: AlertView) -> RenderableType:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    rows = (
        ("alert", one.alert_id),
        ("state", state_of(one) + ("" if one.is_told else "; nobody was told of it yet")),
        ("says", one.first_line),
        ("incident", f"{one.incident} ({one.kind}, {one.severity}, version {one.definition_version}, run {one.run})"),
        ("who", f"{one.anchor}{f', customer {one.customer_id}' if one.customer_id else ''}"),
        ("owner", one.owner),
        ("fired", f"{minute(one.fired_at)} UTC"),
        ("due", f"{minute(one.due_at)} UTC" if one.due_at else ""),
        ("journey", one.journey_id or ""),
        ("runbook", one.runbook or ""),
    )
    for name, value in rows:
        if value:
            table.add_row(name, escape(value))
    for witness in one.evidence:
        line = f"{minute(witness.occurred_at)} {witness.name} ({witness.channel}) {witness.touchpoint_id}"
        table.add_row("evidence", escape(line))
    return table


def answered_line(answered: Answered) -> str:
    count, already = len(answered.asked), answered.already
    done = "closed" if answered.word == "close" else "acknowledged"
    parts = [f"{count:,} {'alert' if count == 1 else 'alerts'} to be {done}"] if count else []
    parts += [f"{already:,} acknowledged before"] if already else []
    parts += [f"{answered.left:,} left: say it again"] if answered.left else []
    return "; ".join(parts) or "nothing to do"


def silences_screen(found: Iterable[SilenceView]) -> RenderableType:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("silence", "matches", "from (UTC)", "until (UTC)", "holds", "by", "reason"):
        table.add_column(name, overflow="fold", no_wrap=name in ("silence", "from (UTC)", "until (UTC)"))
    for one in found:
        table.add_row(
            one.silence_id,
            escape(matches(one)),
            minute(one.from_time),
            minute(one.until),
            f"{one.holds:,}",
            escape(one.by),
            escape(one.reason),
        )
    return table if table.row_count else "no silence stands"


def matches(silence: SilenceView) -> str:
    return " ".join(f"{name}={value}" for name, value in silence.matchers.items())
