"""What a run must have left: built from `sent.jsonl`, `decisions.jsonl` if there is one, and the end of the run's
log time, nothing else.

`identity-keys.json` tells `personal_key` and `proof_secret`. Without it whatever looks like a proof is one, and
personal values must have been hashed by who sent them.

`sent.jsonl` does not tell in which order the log took requests that were on their way at the same time. So of several
arrivals of the same bytes any may be the one that counts: `stored_at` (from the results) chooses among them, and only
among them.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.oracle.attribution import Attribution, attribute
from tests.oracle.decode import Bad, Sent, Touchpoint, decode, read_sent
from tests.oracle.journeys import Journeys, find_journeys
from tests.oracle.links import Decided, decided_of
from tests.oracle.usable import Rules, cleaned

BROWSERS: Final = ("web", "app")
"""Emitters with a write key that anybody can read."""


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
    decisions: tuple[Decided, ...]
    rules: Rules


def expect(directory: Path, stored_at: Mapping[str, int]) -> Expectation:
    """Raises OSError, ValueError, KeyError when the directory is not as docs/simulation.md says."""
    until = int(json.loads((directory / "script.json").read_text())["end"])
    rules, decisions = _rules(directory), tuple(_decisions(directory))
    sent = sorted(read_sent(directory, BROWSERS), key=lambda item: item.log_time)
    copies: dict[str, list[Touchpoint]] = defaultdict(list)
    bad: Counter[tuple[str, bytes]] = Counter()
    refused: set[str] = set()
    for item in sent:
        found = _decoded(item, rules)
        if found is None:
            if item.accepted:
                bad[item.emitter, cleaned(item.content, rules)] += 1
        elif item.accepted:
            copies[found.touchpoint_id].append(found)
        else:
            refused.add(found.touchpoint_id)
    arrivals = [_counted(group, stored_at.get(name)) for name, group in copies.items()]
    attribution = attribute(sorted(arrivals, key=lambda x: x.log_time), decisions, rules)
    return Expectation(
        until=until,
        sent=len(sent),
        duplicates=sum(len(group) - 1 for group in copies.values()),
        bad=bad,
        refused=frozenset(refused - copies.keys()),
        attribution=attribution,
        journeys=find_journeys(attribution, until),
        decisions=decisions,
        rules=rules,
    )


def _rules(directory: Path) -> Rules:
    file = directory / "identity-keys.json"
    keys = json.loads(file.read_text()) if file.exists() else {}
    return Rules(**{name: keys[name].encode() for name in ("personal_key", "proof_secret") if name in keys})


def _decisions(directory: Path) -> Iterator[Decided]:
    """In the order in which they were made."""
    file = directory / "decisions.jsonl"
    for line in file.read_text().splitlines() if file.exists() else ():
        yield decided_of(json.loads(line))


def _decoded(item: Sent, rules: Rules) -> Touchpoint | None:
    try:
        return decode(item, rules)
    except Bad:
        return None


def _counted(group: list[Touchpoint], stored_at: int | None) -> Touchpoint:
    return next((x for x in group if x.log_time == stored_at), group[0])
