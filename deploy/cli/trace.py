"""`touchline trace ID`: where a touchpoint is, whose it is and why, and what came of it.

ClickHouse first, as the read-only user; then the tail of touchpoints.raw, for what is under way and for copies that
were dropped as duplicates.
"""

from __future__ import annotations

from typing import Annotated, Final

import typer
from kafka.errors import KafkaError
from rich.console import Console

from deploy.cli.kafka_look import TAIL_RECORDS, Hit, Looked, committed, look
from deploy.cli.trace_text import (
    dead_letter_lines,
    found_lines,
    not_found_lines,
    read_letter_id,
    waiting_lines,
)
from deploy.identity.why import MOVES, STEPS
from deploy.rows import Row, Rows
from deploy.stack import Stack
from schemas.definition_files import DefinitionError, load_definitions
from schemas.identity_files import catalogue_of
from schemas.settings import Settings, read_settings

SHOWN_MAX: Final = 5
console = Console(highlight=False, soft_wrap=True)

TOUCHPOINTS: Final = """
SELECT * FROM DB.v_touchpoints WHERE touchpoint_id = {id:String} OR message_id = {id:String}
ORDER BY log_time LIMIT 6"""
JOURNEYS: Final = """
SELECT journey_id, definition, definition_version, anchor, status, started_at, reached_steps, waiting_steps,
    missed_steps
FROM DB.v_journeys_now WHERE has(touchpoint_ids, {id:String}) ORDER BY definition, anchor LIMIT 20"""
ALERTS: Final = """
SELECT state, first_line, alert_id FROM DB.v_alerts WHERE journey_id IN {journeys:Array(String)}
ORDER BY changed_at LIMIT 20"""
LETTER: Final = """
SELECT * FROM DB.v_dead_letters WHERE position(base64Decode(payload), {quoted:String}) > 0
ORDER BY log_time LIMIT 6"""
LETTER_AT: Final = """
SELECT * FROM DB.v_dead_letters
WHERE topic = {topic:String} AND partition = {partition:UInt32} AND offset = {offset:UInt64} LIMIT 6"""


def register(app: typer.Typer) -> None:
    app.command()(trace)


def trace(
    id: Annotated[str, typer.Argument(metavar="ID", help="touchpoint_id, message_id or topic/partition/offset")],
    row: Annotated[bool, typer.Option(help="show the row of v_touchpoints")] = True,
) -> None:
    """Where a touchpoint is, whose it is and why, its journeys and alerts. Exit code 1 when it is not found."""
    stack = Stack(read_settings())
    stack.attach()
    with Rows(stack) as rows:
        if not show_stored(stack, rows, id, row) and not show_under_way(stack, rows, id):
            raise typer.Exit(1)


def show_stored(stack: Stack, rows: Rows, wanted: str, with_row: bool) -> bool:
    found = rows.ask(TOUCHPOINTS, {"id": wanted})
    starts = starts_of(stack.settings) if found else {}
    for touchpoint in found[:SHOWN_MAX]:
        own = {"id": touchpoint["touchpoint_id"]}
        journeys = rows.ask(JOURNEYS, own)
        steps = {step["journey_id"]: step["step"] for step in rows.ask(STEPS, own)}
        alerts = rows.ask(ALERTS, {"journeys": [one["journey_id"] for one in journeys]}) if journeys else []
        copies = [hit for hit in _copies(stack, touchpoint) if hit.offset != touchpoint["raw_offset"]]
        _print(
            found_lines(
                touchpoint, rows.ask(MOVES, own), journeys, steps, alerts, copies, starts=starts, with_row=with_row
            )
        )
    letters = _letters(rows, wanted)
    for letter in letters[:SHOWN_MAX]:
        _print(dead_letter_lines(letter))
    more = len(found) > SHOWN_MAX or len(letters) > SHOWN_MAX
    if more:
        console.print(f"there are more of them; the first {SHOWN_MAX} are shown")
    return bool(found or letters)


def starts_of(settings: Settings) -> dict[str, str]:
    """By name@version, the name of what begins it. Nothing when the definitions are not at hand: the rest stands."""
    try:
        definitions = load_definitions(settings.definitions_dir, catalogue_of(settings))
    except DefinitionError:
        return {}
    return {f"{one.journey}@{one.version}": one.start.touchpoint for one in definitions if one.start.touchpoint}


def _copies(stack: Stack, touchpoint: Row) -> list[Hit]:
    """It and its copies in the tail of its partition. None when Kafka is away: the rest of the answer stands."""
    try:
        partition = touchpoint["raw_partition"]
        looked = look(stack.kafka_options(), _raw(stack), touchpoint["touchpoint_id"], partition, stack.identity())
    except KafkaError:
        return []
    return looked.hits


def _letters(rows: Rows, wanted: str) -> list[Row]:
    place = read_letter_id(wanted)
    if place is not None:
        topic, partition, offset = place
        return rows.ask(LETTER_AT, {"topic": topic, "partition": partition, "offset": offset})
    return rows.ask(LETTER, {"quoted": f'"{wanted}"'})


def show_under_way(stack: Stack, rows: Rows, wanted: str) -> bool:
    looked: Looked | None = None
    try:
        looked = look(stack.kafka_options(), _raw(stack), wanted, reader=stack.identity())
        if looked.hits:
            hit = looked.hits[0]
            prefix = stack.settings.topic_prefix
            place = (_raw(stack), hit.partition)
            done = committed(stack.kafka_options(), f"{prefix}touchline", [place])[place]
            _print(waiting_lines(hit, done))
            return True
    except KafkaError as error:
        console.print(f"Kafka does not answer ({type(error).__name__}), so it was searched in ClickHouse only")
    total = rows.ask("SELECT count() AS found FROM DB.touchpoints")[0]["found"]
    _print(not_found_lines(wanted, total, looked, TAIL_RECORDS))
    return False


def _raw(stack: Stack) -> str:
    return f"{stack.settings.topic_prefix}touchpoints.raw"


def _print(lines: list[str]) -> None:
    for line in lines:
        console.print(line)
