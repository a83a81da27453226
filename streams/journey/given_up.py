"""A record of `touchpoints` that a person gave up: its dead letter, with its bytes as they were."""

from __future__ import annotations

from base64 import b64encode

from schemas.fast import encode, fast_type
from schemas.records import DeadLetter, Run
from schemas.topics import PARTITIONS
from streams.stage import Effect, LogRecord

_LETTER = fast_type(DeadLetter)


def given_up(stage: str, partition: int, record: LogRecord, reason: str, run: Run) -> Effect:
    letter = _LETTER(
        at=(stage, partition, record.offset, 0),
        run=run,
        failure="quarantined",
        field=None,
        detail=reason,
        source=stage,
        topic="touchpoints",
        partition=partition,
        offset=record.offset,
        log_time=record.timestamp,
        headers={name: value.decode("utf-8", "replace") for name, value in record.headers},
        payload=b64encode(record.value or b"").decode(),
    )
    return Effect("dead_letters", partition % PARTITIONS, None, encode(letter))
