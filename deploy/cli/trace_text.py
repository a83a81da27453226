"""What `touchline trace` says, as lines with rich markup. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from rich.markup import escape

from deploy.cli.kafka_look import Hit, Looked
from schemas.decoded import Invalid

WHY: Final = {
    "user_id": "it names the user itself",
    "login": "its device was signed in by that user when it happened",
    "device": "its device stands for itself: nobody had signed in",
    "contact": "its email, phone or loyalty card",
    "business_key": "the order, receipt, ticket or claim it names belongs to that customer",
    "waiting": "it names only a business key whose owner is not known yet",
    "subject": "it names nobody: it is about a store, product or brand",
}
STATES: Final = {"firing": "red", "resolved": "green", "withdrawn": "cyan", "moved": "magenta"}
Row = Mapping[str, Any]


def found_lines(
    touchpoint: Row,
    moves: Sequence[Row],
    journeys: Sequence[Row],
    steps: Mapping[str, str],
    alerts: Sequence[Row],
    copies: Sequence[Hit],
    *,
    starts: Mapping[str, str],
    with_row: bool,
) -> list[str]:
    """`steps`: by journey, the step that it reached. `starts`: by name@version, the name of what begins it."""
    row = touchpoint
    late = ", too late to take part in journeys" if row["too_late"] else ""
    undeclared = "" if row["declared"] else ", not in the catalogue"
    lines = [
        f"[bold green]stored[/] {escape(row['name'])} {row['touchpoint_id']}{late}{undeclared}",
        f"  lay at       touchpoints.raw/{row['raw_partition']}/{row['raw_offset']}",
        f"  log time     {time_text(row['log_time'])}   happened {time_text(row['occurred_at'])}",
        f"  sent by      {escape(row['source'])}, channel {escape(row['channel'] or 'none')}, "
        f"message_id {escape(row['message_id'])}",
        *_customer(row, moves),
        *(f"  duplicate    sent again at touchpoints.raw/{hit.partition}/{hit.offset}, dropped" for hit in copies),
    ]
    if not journeys:
        lines.append("  journeys     it takes part in none")
    for one in journeys:
        title = f"{one['definition']}@{one['definition_version']}"
        role = _role(row, one, steps.get(one["journey_id"]), starts.get(title))
        lines.append(
            f"  journey      {escape(title)} {escape(one['anchor'])}: {one['status']}; it {role}"
            f" (reached {listed(one['reached_steps'])}; waiting {listed(one['waiting_steps'])};"
            f" missed {listed(one['missed_steps'])})"
        )
    lines += [
        f"  alert        [{STATES.get(alert['state'], 'yellow')}]{alert['state']}[/] {escape(alert['first_line'])}"
        for alert in alerts
    ]
    if journeys and not alerts:
        lines.append("  alerts       none")
    if with_row:
        lines += ["  row", *(f"    {name:<16} {escape(value_text(value))}" for name, value in row.items() if value)]
    return lines


def _role(row: Row, journey: Row, step: str | None, start: str | None) -> str:
    if step is not None:
        return f"reached step {step}"
    began = row["name"] == start and row["occurred_at"] == journey["started_at"]
    return "began it" if began else "reached no step"


def _customer(row: Row, moves: Sequence[Row]) -> list[str]:
    rule = row["attributed_by"]
    lines = [f"  customer     {row['customer_id'] or 'nobody'} by {rule}: {WHY.get(rule, 'rule unknown')}"]
    if len(moves) > 1:
        path = " -> ".join(f"{move['customer_id'][:8] or 'nobody'} ({move['attributed_by']})" for move in moves)
        lines.append(f"  moved        {path}")
    return lines


def dead_letter_lines(letter: Row) -> list[str]:
    field = f" in field {escape(letter['field'])}" if letter["field"] else ""
    place = letter_id(letter)
    return [
        f"[bold red]dead letter[/] {letter['failure']}{field}: {escape(letter['detail'])}",
        f"  lay at       {place}",
        f"  log time     {time_text(letter['log_time'])}   source {escape(letter['source'])}   stage {letter['stage']}",
        f"  its bytes    touchline dead-letters show {place}",
    ]


def waiting_lines(hit: Hit, done: int) -> list[str]:
    """`done`: the next offset that resolve has acknowledged in its partition."""
    if hit.offset >= done:
        where = f"waits for resolve, {hit.offset - done} records before it"
    elif isinstance(hit.decoded, Invalid):
        where = "resolve has made it a dead letter; it waits for the loader"
    else:
        where = "resolve has taken it; it waits for the loader"
    what = (
        f"cannot be read: {hit.decoded.failure}{f' in {hit.decoded.field}' if hit.decoded.field else ''}"
        if isinstance(hit.decoded, Invalid)
        else f"{hit.decoded.name} {hit.decoded.touchpoint_id} from {hit.decoded.source}"
    )
    return [
        f"[bold yellow]under way[/] {escape(what)}",
        f"  lies at      touchpoints.raw/{hit.partition}/{hit.offset}{' (forwarded)' if hit.forwarded else ''}",
        f"  log time     {time_text(hit.log_time)}",
        f"  {where}",
    ]


def not_found_lines(wanted: str, stored: int, looked: Looked | None, tail: int) -> list[str]:
    lines = [
        f"[bold]not found[/]: {escape(wanted)}. Searched:",
        f"  ClickHouse   touchpoint_id and message_id of {stored} touchpoints; the bytes of all dead letters",
    ]
    if looked is not None:
        cut = "" if looked.done else ", not to the end: the time was up"
        lines.append(
            f"  Kafka        touchpoints.raw: {looked.records} records (the last {tail} of each partition){cut}"
        )
    lines.append(
        "  What the JSON route refuses is answered, not stored: `touchline tail --refused` shows the latest of it."
    )
    return lines


def letter_id(letter: Row) -> str:
    return f"{letter['topic']}/{letter['partition']}/{letter['offset']}"


def read_letter_id(text: str) -> tuple[str, int, int] | None:
    """Topic, partition and offset; None when the text is something else."""
    topic, _, rest = text.partition("/")
    partition, _, offset = rest.partition("/")
    numbers = (partition, offset)
    if not topic or not all(number.isascii() and number.isdigit() and len(number) < 19 for number in numbers):
        return None
    return topic, int(partition), int(offset)


def time_text(value: datetime | int | None) -> str:
    """UTC. ClickHouse's times arrive naive or in UTC; ours are ms."""
    if value is None:
        return "unknown"
    at = datetime.fromtimestamp(value / 1000, UTC) if isinstance(value, int) else value
    return at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + "Z"


def value_text(value: Any) -> str:
    if isinstance(value, datetime):
        return time_text(value)
    return value if isinstance(value, str) else json.dumps(value, default=str)


def listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
