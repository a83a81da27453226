"""What a run must have left: built from `sent.jsonl` and the end of the run's log time, nothing else.

`sent.jsonl` does not tell in which order the log took requests that were on their way at the same time. So of several
arrivals of the same bytes any may be the one that counts: `stored_at` (from the results) chooses among them, and only
among them.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.oracle.attribution import Attribution, attribute
from tests.oracle.decode import Bad, Sent, Touchpoint, decode, read_sent
from tests.oracle.journeys import Journeys, find_journeys


@dataclass(frozen=True, slots=True)
class Expectation:
    """`bad`: (source, bytes) -> how often. `refused`: touchpoint ids that were read but not taken."""

    until: int
    sent: int
    duplicates: int
    bad: Counter[tuple[str, bytes]]
    refused: frozenset[str]
    attribution: Attribution
    journeys: Journeys


def expect(directory: Path, stored_at: Mapping[str, int]) -> Expectation:
    """Raises OSError, ValueError, KeyError when the directory is not as docs/simulation.md says."""
    until = int(json.loads((directory / "script.json").read_text())["end"])
    sent = sorted(read_sent(directory), key=lambda item: item.log_time)
    copies: dict[str, list[Touchpoint]] = defaultdict(list)
    bad: Counter[tuple[str, bytes]] = Counter()
    refused: set[str] = set()
    for item in sent:
        found = _decoded(item)
        if found is None:
            if item.accepted:
                bad[item.emitter, item.content] += 1
        elif item.accepted:
            copies[found.touchpoint_id].append(found)
        else:
            refused.add(found.touchpoint_id)
    arrivals = [_counted(group, stored_at.get(name)) for name, group in copies.items()]
    attribution = attribute(sorted(arrivals, key=lambda x: x.log_time))
    return Expectation(
        until=until,
        sent=len(sent),
        duplicates=sum(len(group) - 1 for group in copies.values()),
        bad=bad,
        refused=frozenset(refused - copies.keys()),
        attribution=attribution,
        journeys=find_journeys(attribution, until),
    )


def _decoded(item: Sent) -> Touchpoint | None:
    try:
        return decode(item)
    except Bad:
        return None


def _counted(group: list[Touchpoint], stored_at: int | None) -> Touchpoint:
    return next((x for x in group if x.log_time == stored_at), group[0])
