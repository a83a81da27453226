"""What a person decides, on its way to the workers: a record on the topic `progress`, proven by its MAC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kafka import KafkaProducer

from schemas.control import OwnName, control_headers

PROGRESS: Final = "progress"
ACK_SECONDS: Final = 20


def speak(kafka: Mapping[str, Any], prefix: str, name: OwnName, value: bytes, secret: bytes) -> None:
    """Returns once Kafka has it. Raises KafkaError; blocks ACK_SECONDS at most."""
    headers = list(control_headers(name, 0, value, secret))
    producer = KafkaProducer(**kafka, acks="all")
    try:
        producer.send(f"{prefix}{PROGRESS}", value=value, headers=headers, partition=0).get(timeout=ACK_SECONDS)
    finally:
        producer.close()
