"""What a receiver sees of a log: records that it has not seen before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.simulated.log import Record

Json = dict[str, Any]


def new_records(log: list[Record]) -> Iterator[tuple[Record, Json]]:
    """Drop what was seen before: not above the highest position of its source partition."""
    highest: dict[tuple[str, int], tuple[int, int]] = {}
    for record in log:
        body: Json = json.loads(record.value)
        source, partition, offset, ordinal = body["at"]
        if (offset, ordinal) > highest.get((source, partition), (-1, -1)):
            highest[source, partition] = (offset, ordinal)
            yield record, body
