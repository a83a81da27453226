"""Commands about the parts of a deployment: up, down, status, topics, migrate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from kafka.errors import KafkaError
from rich.console import Console
from rich.table import Table

from deploy import topics as kafka_topics
from deploy.cli.kafka_look import find_kafka
from deploy.demo.lag import Lag
from deploy.embedded.process import EmbeddedError
from deploy.part import is_ready
from deploy.stack import Stack
from schemas.identity_files import catalogue_of, identity_rules_of
from schemas.settings import DATABASE, address_of, read_settings
from sinks.clickhouse.__main__ import run_migrations
from sinks.clickhouse.statements import Target

console = Console(highlight=False)
BROKEN_NOW = f"SELECT first_line FROM {DATABASE}.v_broken_journeys_now"  # noqa: S608 shown, with a constant
Workers = Annotated[int, typer.Option(min=1, max=12, help="worker processes")]


def register(app: typer.Typer) -> None:
    app.command()(up)
    app.command()(down)
    app.command()(status)
    app.command("topics")(topics)
    app.command("migrate")(migrate_)


def up(workers: Workers = 1) -> None:
    """Start Kafka, ClickHouse and every part in the background. What runs already is left alone."""
    stack = Stack(read_settings(), workers=workers, detached=True)
    try:
        places = stack.start(console.print)
    except EmbeddedError as error:
        if stack.attach():
            raise EmbeddedError(f"{error}. What runs stays; `touchline down` stops it") from error
        raise
    console.print(f"collector    {places.collector_url}   write keys: {stack.write_keys_file}", soft_wrap=True)
    console.print(f"Kafka        {places.kafka}")
    console.print(
        f"ClickHouse   {places.clickhouse_url}   user {places.bi_user}, password {places.bi_password or 'yours'}",
        soft_wrap=True,
    )
    console.print(f"             for example: {BROKEN_NOW}")
    console.print("touchline status shows how it goes; touchline down stops everything.")


def down() -> None:
    """Stop everything that `up` started."""
    stack = Stack(read_settings())
    if not stack.attach() and not stack.fallen():
        console.print("nothing runs here")
        return
    stack.stop(console.print)


def status() -> None:
    """What runs, whether it is ready, and how far each reader is behind. Exit code 1 when a part is missing."""
    settings = read_settings()
    stack = Stack(settings)
    running = stack.attach()
    table = Table("part", "state", "where", box=None, header_style="bold")
    wanted = ("kafka", "clickhouse", "collector", "worker-1", "loader", "notifier")
    fallen, yours = stack.fallen(), stack.yours()
    for name in dict.fromkeys((*wanted, *running)):
        if name in yours:
            where = stack.bootstrap if name == "kafka" else str(address_of(stack.clickhouse_url))
            state = "ready" if yours[name] is None else "no answer"
        elif name in ("kafka", "clickhouse"):
            state, where = ("ready", "") if name in running else ("down", "")
        elif name in stack.parts:
            port = stack.parts[name].health_port
            state, where = ("ready" if is_ready(port) else "not ready"), f"http://127.0.0.1:{port}/metrics"
        else:
            state, where = "down", ""
        table.add_row(name, state, where)
    console.print(table)
    if ("kafka" in running and "kafka" not in yours) or yours.get("kafka", "") is None:
        _show_lag(stack, settings.topic_prefix)
    problems = [str(problem) for problem in yours.values() if problem is not None]
    problems += [f"{name} ended by itself; {why}. Then: touchline up" for name, why in fallen.items()]
    for problem in problems:
        console.print(problem, soft_wrap=True)
    if problems or any(name not in running and name not in yours for name in wanted):
        raise typer.Exit(1)


def _show_lag(stack: Stack, prefix: str) -> None:
    table = Table("reader", "records behind", box=None, header_style="bold")
    try:
        with Lag(stack.kafka_options(), prefix) as lag:
            for reader, count in lag.by_reader().items():
                table.add_row(reader, str(count))
    except KafkaError as error:
        console.print(f"Kafka does not answer: {type(error).__name__}")
        return
    console.print(table)


def topics(create: Annotated[bool, typer.Option("--create", help="create what is missing")] = False) -> None:
    """The topics of the catalogue: partitions, key, who writes and reads. Exit code 1 when one is missing."""
    kafka = find_kafka(Stack(settings := read_settings()))
    if create:
        kafka_topics.ensure(kafka, settings.topic_prefix)
    states = kafka_topics.look(kafka, settings.topic_prefix)
    table = Table("topic", "partitions", "key", "contract", "written by", "read by", box=None, header_style="bold")
    for state in states:
        count = "missing" if state.partitions is None else str(state.partitions)
        topic = state.topic
        table.add_row(state.name, count, topic.key, topic.contract, ", ".join(topic.writers), ", ".join(topic.readers))
    console.print(table)
    kafka_topics.refuse_other_counts(states)
    if any(state.partitions is None for state in states):
        raise typer.Exit(1)


def migrate_(
    journeys: Annotated[Path | None, typer.Option(help="folder of definitions whose views are created")] = None,
) -> None:
    """Create or update the tables and views in ClickHouse. Safe to run twice."""
    stack = Stack(read_settings())
    stack.attach()
    address = address_of(stack.clickhouse_url)
    target = Target(address.database, None, identity_rules_of(stack.settings).kinds)
    run_migrations(address, target, _views(journeys, target))
    console.print("ClickHouse is up to date")


def _views(journeys: Path | None, target: Target) -> list[str]:
    if journeys is None:
        return []
    from schemas.definition_files import load_definitions
    from sinks.clickhouse.view_builder import deployment_views

    catalogue = catalogue_of(read_settings())
    definitions = load_definitions(journeys, catalogue)
    return deployment_views(definitions, catalogue, target)
