"""`touchline dead-letters list | show | replay`: records that could not be processed, and sending them once more.

The id of a dead letter is the place where its record lay: topic/partition/offset. A replayed record has the original
bytes and headers, plus `replayed_from` with that id. Replaying twice is harmless: the second copy is dropped as a
duplicate, by its touchpoint id.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from typing import Annotated, Any, Final

import typer
from kafka import KafkaProducer
from rich.console import Console
from rich.table import Table

from deploy.cli.replay import Left, Replayed, plan
from deploy.cli.trace_text import dead_letter_lines, letter_id, read_letter_id
from deploy.embedded.process import EmbeddedError
from deploy.rows import Row, Rows
from deploy.stack import Stack
from schemas.settings import read_settings

ASK_ABOVE: Final = 100
AT_ONCE_MAX: Final = 10_000
SHOWN_MAX: Final = 20
ACK_SECONDS: Final = 20
console = Console(highlight=False, soft_wrap=True)

Failure = Annotated[str | None, typer.Option(help="only with this failure")]
Field = Annotated[str | None, typer.Option(help="only with this field")]
Source = Annotated[str | None, typer.Option(help="only from this source")]

GROUPS: Final = """
SELECT failure, field, source, stage, count() AS letters, max(log_time) AS latest,
    argMax(concat(topic, '/', toString(partition), '/', toString(offset)), log_time) AS example
FROM DB.v_dead_letters WHERE {where} GROUP BY failure, field, source, stage
ORDER BY letters DESC, failure, field, source LIMIT 200"""
EACH: Final = (
    "SELECT * FROM DB.v_dead_letters WHERE {where} ORDER BY log_time DESC, topic, partition, offset LIMIT {limit}"
)


def register(app: typer.Typer) -> None:
    commands = typer.Typer(
        no_args_is_help=True, rich_markup_mode=None, help="Records that could not be processed: list, show, replay."
    )
    commands.command("list")(list_)
    commands.command()(show)
    commands.command()(replay)
    app.add_typer(commands, name="dead-letters")


def list_(
    failure: Failure = None,
    field: Field = None,
    source: Source = None,
    each: Annotated[bool, typer.Option("--each", help="one line for each, the latest first")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="how many with --each")] = 50,
) -> None:
    """Dead letters, grouped by failure, field and source."""
    with Rows(_attached()) as rows:
        if each:
            for letter in select(rows, [], failure, field, source, limit):
                console.print(f"{letter_id(letter)}  {_reason(letter)}: {letter['detail']}", markup=False)
            return
        where, parameters = condition([], failure, field, source)
        groups = rows.ask(GROUPS.replace("{where}", where), parameters)
    if not groups:
        console.print("no dead letters")
        return
    table = Table("count", "failure", "field", "source", "latest (UTC)", "for example", box=None, header_style="bold")
    for one in groups:
        latest = one["latest"].strftime("%Y-%m-%d %H:%M:%S")
        table.add_row(str(one["letters"]), one["failure"], one["field"], one["source"], latest, one["example"])
    Console(highlight=False, width=None if console.is_terminal else 160).print(table)
    console.print("touchline dead-letters show ID shows one with its bytes; replay ID sends it once more")


def show(id: Annotated[str, typer.Argument(metavar="ID", help="topic/partition/offset")]) -> None:
    """One dead letter: why, where it lay, headers and bytes."""
    with Rows(_attached()) as rows:
        letters = select(rows, [_place(id)], None, None, None, SHOWN_MAX)
    if not letters:
        console.print(f"touchline: no dead letter lay at {id}; `touchline dead-letters list --each` lists them")
        raise typer.Exit(1)
    for letter in letters:
        for line in dead_letter_lines(letter)[:-1]:
            console.print(line)
        console.print(f"  headers      {json.dumps(letter['headers'], sort_keys=True)}", markup=False)
        how, text = bytes_text(base64.b64decode(letter["payload"]))
        console.print(f"  bytes        {how}", markup=False)
        console.print(text, markup=False)


def replay(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="topic/partition/offset")] = None,
    failure: Failure = None,
    field: Field = None,
    source: Source = None,
    everything: Annotated[bool, typer.Option("--all", help="every dead letter")] = False,
    force: Annotated[bool, typer.Option("--force", help="also what still cannot be read")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only show what would be sent")] = False,
    yes: Annotated[bool, typer.Option("--yes", help=f"do not ask before more than {ASK_ABOVE}")] = False,
) -> None:
    """Send original bytes and headers to touchpoints.raw once more, chosen by ID or by filters."""
    if not (ids or failure or field or source or everything):
        raise EmbeddedError("say which ones: an ID, a filter (--failure, --field, --source), or --all")
    stack = _attached()
    places = [_place(one) for one in ids or []]
    with Rows(stack) as rows:
        letters = select(rows, places, failure, field, source, AT_ONCE_MAX + 1)
    if not letters:
        console.print("touchline: no dead letter fits; `touchline dead-letters list` shows what there is")
        raise typer.Exit(1)
    plans = [plan(letter, force=force) for letter in letters[:AT_ONCE_MAX]]
    ready = [one for one in plans if isinstance(one, Replayed)]
    for reason, count in Counter(one.reason for one in plans if isinstance(one, Left)).items():
        console.print(f"{count} left where they are: {reason}", markup=False)
    if len(letters) > AT_ONCE_MAX:
        console.print(f"more than {AT_ONCE_MAX} fit: the first {AT_ONCE_MAX} are taken, the rest needs another call")
    for one in ready[:SHOWN_MAX]:
        console.print(f"{'would send' if dry_run else 'sends'} {one.id}, {len(one.value)} bytes", markup=False)
    if len(ready) > SHOWN_MAX:
        console.print(f"and {len(ready) - SHOWN_MAX} more")
    if dry_run or not ready:
        return
    if len(ready) > ASK_ABOVE and not yes:
        typer.confirm(f"Send {len(ready)} records to touchpoints.raw?", abort=True)
    send(stack, ready)
    console.print(f"{len(ready)} sent; `touchline trace ID` shows what becomes of each")


def send(stack: Stack, ready: list[Replayed]) -> None:
    """Returns once Kafka has them all. Raises KafkaError."""
    producer = KafkaProducer(**stack.kafka_options(), acks="all")
    topic = f"{stack.settings.topic_prefix}touchpoints.raw"
    try:
        waiting: list[Any] = [
            producer.send(topic, value=one.value, headers=list(one.headers), partition=one.partition) for one in ready
        ]
        for answer in waiting:
            answer.get(timeout=ACK_SECONDS)
    finally:
        producer.close()


def select(
    rows: Rows,
    places: list[tuple[str, int, int]],
    failure: str | None,
    field: str | None,
    source: str | None,
    limit: int,
) -> list[Row]:
    where, parameters = condition(places, failure, field, source)
    return rows.ask(EACH.replace("{where}", where).replace("{limit}", str(limit)), parameters)


def condition(
    places: list[tuple[str, int, int]], failure: str | None, field: str | None, source: str | None
) -> tuple[str, dict[str, Any]]:
    """The WHERE of a query and its parameters."""
    parts, parameters = ["1"], dict[str, Any]()
    for name, value in (("failure", failure), ("field", field), ("source", source)):
        if value is not None:
            parts.append(f"{name} = {{{name}:String}}")
            parameters[name] = value
    if places:
        parts.append("concat(topic, '/', toString(partition), '/', toString(offset)) IN {places:Array(String)}")
        parameters["places"] = [f"{topic}/{partition}/{offset}" for topic, partition, offset in places]
    return " AND ".join(parts), parameters


def bytes_text(value: bytes) -> tuple[str, str]:
    """How the bytes are shown, and they themselves: as UTF-8 when they are printable text, else in hex."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return f"{len(value)}, not UTF-8, so in hex", value.hex(" ")
    if all(character.isprintable() or character in "\n\r\t" for character in text):
        return f"{len(value)}, UTF-8", text
    return f"{len(value)}, with unprintable characters, so in hex", value.hex(" ")


def _place(text: str) -> tuple[str, int, int]:
    place = read_letter_id(text)
    if place is None:
        raise EmbeddedError(f"{text} is no id of a dead letter: it looks like touchpoints.raw/3/1042")
    return place


def _reason(letter: Row) -> str:
    field = f" in {letter['field']}" if letter["field"] else ""
    return f"{letter['failure']}{field} from {letter['source']}"


def _attached() -> Stack:
    stack = Stack(read_settings())
    stack.attach()
    return stack
