"""Reads what the run left in DIR/results, as docs/simulation.md describes it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Results:
    """`alerts` without redelivered records, in each partition's order."""

    touchpoints: list[Row]
    journeys: list[Row]
    broken_now: list[Row]
    dead_letters: list[Row]
    alerts: list[Row]
    counts: Mapping[str, Any]


def read_results(directory: Path) -> Results:
    """Raises OSError, ValueError, KeyError."""
    place = directory / "results"
    return Results(
        touchpoints=list(_rows(place / "touchpoints.jsonl")),
        journeys=list(_rows(place / "journeys.jsonl")),
        broken_now=list(_rows(place / "broken_now.jsonl")),
        dead_letters=list(_rows(place / "dead_letters.jsonl")),
        alerts=_once(list(_rows(place / "alerts.jsonl"))),
        counts=json.loads((place / "counts.json").read_text()),
    )


def _rows(file: Path) -> Iterator[Row]:
    with file.open() as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)


def _once(records: list[Row]) -> list[Row]:
    """A reader of the topic drops what is not above the highest position it has seen of that source partition."""
    records.sort(key=lambda record: (record["kafka_partition"], record["kafka_offset"]))
    highest: dict[tuple[int, str, int], tuple[int, int]] = {}
    kept = []
    for record in records:
        stage, partition, offset, ordinal = record["at"]
        road = (record["kafka_partition"], stage, partition)
        if (offset, ordinal) > highest.get(road, (-1, -1)):
            highest[road] = (offset, ordinal)
            kept.append(record)
    return kept
