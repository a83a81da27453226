"""Commands about single records: quarantine."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from kafka import KafkaProducer
from rich.console import Console

from deploy.stack import Stack
from schemas.settings import read_settings
from schemas.topics import TOPICS
from streams.quarantine import Entry, entry_key

console = Console(highlight=False)
ACK_SECONDS = 20


def register(app: typer.Typer) -> None:
    app.command()(quarantine)


def quarantine(
    topic: Annotated[str, typer.Argument(help="as the worker's log names it")],
    partition: Annotated[int, typer.Argument(min=0)],
    offset: Annotated[int, typer.Argument(min=0)],
    reason: Annotated[str, typer.Option(help="kept with the dead letter")] = "quarantined by hand",
) -> None:
    """Give up one record that stops a partition: it becomes a dead letter, and the partition goes on."""
    stack = Stack(settings := read_settings())
    stack.attach()
    known = [settings.topic_prefix + name for name in TOPICS]
    if topic not in known:
        console.print(
            f"touchline: {topic} is no topic of this deployment. They are: {', '.join(known)}", soft_wrap=True
        )
        raise typer.Exit(2)
    producer = KafkaProducer(**stack.kafka_options(), acks="all")
    try:
        value = json.dumps({"reason": reason}).encode()
        name = settings.topic_prefix + "quarantine"
        producer.send(name, key=entry_key(Entry(topic, partition, offset)), value=value).get(timeout=ACK_SECONDS)
    finally:
        producer.close()
    console.print(f"{topic} partition {partition} offset {offset} is given up; its worker goes on within a second")
