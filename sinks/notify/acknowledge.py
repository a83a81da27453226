"""A person's word on an alert, on its way to the workers: an authentic record on `progress`, which keep_time hands to
the alert's customer. The answer is the alert's next state on `alerts`, so nothing is changed here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from kafka import KafkaProducer

from schemas.control import control_headers
from schemas.control_records import Acknowledgement
from schemas.fast import encode
from schemas.records import Alert

PROGRESS: Final = "progress"
PARTITION: Final = 0
ACK_SECONDS: Final = 10


def acknowledgement_of(alert: Alert, *, closes: bool, by: str, reason: str, now: int) -> Acknowledgement:
    """As the alert's record names it. `now`: wall clock, ms."""
    return Acknowledgement(
        alert_id=alert.alert_id,
        customer_id=alert.customer_id,
        definition=alert.definition,
        version=alert.version,
        anchor=alert.anchor,
        break_name=alert.break_name,
        occurrence=alert.occurrence,
        closes=closes,
        reason=reason,
        acknowledged_by=by,
        acknowledged_at=now,
    )


class Words(Protocol):
    def send(self, said: Sequence[Acknowledgement]) -> None:
        """Returns once Kafka has all of them. Raises KafkaError; blocks ACK_SECONDS or so at most."""


class KafkaWords:
    """Connects when there is something to say. One caller at a time."""

    def __init__(self, kafka: Mapping[str, Any], prefix: str, secret: bytes) -> None:
        self._kafka = kafka
        self._topic = prefix + PROGRESS
        self._secret = secret
        self._producer: KafkaProducer | None = None

    def send(self, said: Sequence[Acknowledgement]) -> None:
        if self._producer is None:
            self._producer = KafkaProducer(**self._kafka, acks="all", max_block_ms=ACK_SECONDS * 1000)
        sent = []
        for one in said:
            value = encode(one)
            headers = list(control_headers("acknowledgement", PARTITION, value, self._secret))
            sent.append(self._producer.send(self._topic, value=value, headers=headers, partition=PARTITION))
        self._producer.flush(timeout=ACK_SECONDS)
        for future in sent:
            future.get(timeout=ACK_SECONDS)

    def close(self) -> None:
        if self._producer is not None:
            self._producer.close(timeout=1)
