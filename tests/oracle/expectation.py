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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.oracle.attribution import Attribution, attribute
from tests.oracle.decode import Bad, Broken, Sent, Suppressed, Touchpoint, decode, read_sent
from tests.oracle.definitions import DEFINITIONS, KNOWN
from tests.oracle.hearing import Hearing
from tests.oracle.journeys import Journeys, Rulebook, find_journeys
from tests.oracle.links import Decided, decided_of
from tests.oracle.modes import Switched
from tests.oracle.rules import Declared, Definition, Watched
from tests.oracle.usable import Rules, cleaned

BROWSERS: Final = ("web", "app")
"""Emitters with a write key that anybody can read."""


@dataclass(frozen=True, slots=True)
class Files:
    """What the run was made by: definitions, catalogue, watched sources; and what people switched meanwhile."""

    definitions: tuple[Definition, ...] = DEFINITIONS
    known: Mapping[str, Declared] = field(default_factory=lambda: KNOWN)
    watched: tuple[Watched, ...] = ()
    switches: tuple[Switched, ...] = ()


@dataclass(slots=True)
class Reading:
    """What was sent. `bad`: (source, bytes) -> how often; `broken`: those of them that break a contract, with the
    properties that may be named; `violations`: when, by touchpoint; `heard`: when, by source. `refused`: touchpoint ids
    that were read but not taken. `suppressed`: by touchpoint.
    """

    sent: int = 0
    copies: dict[str, list[Touchpoint]] = field(default_factory=lambda: defaultdict(list))
    bad: Counter[tuple[str, bytes]] = field(default_factory=Counter)
    broken: dict[tuple[str, bytes], list[str]] = field(default_factory=dict)
    violations: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    heard: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    refused: set[str] = field(default_factory=set)
    suppressed: Counter[str] = field(default_factory=Counter)

    def take(self, item: Sent, rules: Rules) -> None:
        self.sent += 1
        if item.accepted:
            self.heard[item.emitter].append(item.log_time)
        try:
            found = decode(item, rules)
        except Bad as error:
            if item.accepted:
                about = item.emitter, cleaned(item.content, rules)
                self.bad[about] += 1
                if isinstance(error, Broken):
                    self.broken[about] = error.flaws
                    self.violations[error.name].append(item.log_time)
        except Suppressed as ignored:
            self.suppressed[str(ignored)] += item.accepted
        else:
            if item.accepted:
                self.copies[found.touchpoint_id].append(found)
            else:
                self.refused.add(found.touchpoint_id)


@dataclass(frozen=True, slots=True)
class Expectation:
    """`refused`: touchpoint ids that were read but not taken. `until`: W, the last tick."""

    until: int
    reading: Reading
    duplicates: int
    refused: frozenset[str]
    attribution: Attribution
    journeys: Journeys
    decisions: tuple[Decided, ...]
    rules: Rules
    files: Files
    book: Rulebook
    hearing: Hearing


def expect(directory: Path, stored_at: Mapping[str, int], files: Files) -> Expectation:
    """Raises OSError, ValueError, KeyError when the directory is not as docs/simulation.md says."""
    until = int(json.loads((directory / "script.json").read_text())["end"])
    rules, decisions = _rules(directory, files.known), tuple(_decisions(directory))
    reading = Reading()
    for item in sorted(read_sent(directory, BROWSERS), key=lambda item: item.log_time):
        reading.take(item, rules)
    arrivals = [_counted(group, stored_at.get(name)) for name, group in reading.copies.items()]
    attribution = attribute(sorted(arrivals, key=lambda x: x.log_time), decisions, rules)
    spans = {source: [(at, at) for at in times] for source, times in reading.heard.items()}
    hearing = Hearing(files.watched, spans, joins_later=True)
    book = Rulebook(files.definitions, files.switches, hearing.judged)
    return Expectation(
        until=until,
        reading=reading,
        duplicates=sum(len(group) - 1 for group in reading.copies.values()),
        refused=frozenset(reading.refused - reading.copies.keys()),
        attribution=attribution,
        journeys=find_journeys(attribution, until, book),
        decisions=decisions,
        rules=rules,
        files=files,
        book=book,
        hearing=hearing,
    )


def _rules(directory: Path, known: Mapping[str, Declared]) -> Rules:
    file = directory / "identity-keys.json"
    keys = json.loads(file.read_text()) if file.exists() else {}
    secrets = {name: keys[name].encode() for name in ("personal_key", "proof_secret") if name in keys}
    return Rules(known=known, **secrets)


def _decisions(directory: Path) -> Iterator[Decided]:
    """In the order in which they were made."""
    file = directory / "decisions.jsonl"
    for line in file.read_text().splitlines() if file.exists() else ():
        yield decided_of(json.loads(line))


def _counted(group: list[Touchpoint], stored_at: int | None) -> Touchpoint:
    return next((x for x in group if x.log_time == stored_at), group[0])
