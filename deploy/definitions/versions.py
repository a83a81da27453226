"""Every version of every definition and its mode: from the files, and from what people switched. Pure, but for `ask`.

What was switched is read from ClickHouse (`definition_modes`), which hears it from the log that the workers follow; the
timeline is computed by the workers' own code. So what is shown is what counts as soon as the loader has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from schemas.control_records import Switch
from schemas.definition import Definition
from schemas.records import Mode
from streams.journey.modes import BEGINNING, Timeline, Turn, mode_at, timelines

Ask = Callable[[str, Mapping[str, Any]], Sequence[Mapping[str, Any]]]
SWITCHES: Final = """
SELECT definition, version, mode, toUnixTimestamp64Milli(from_at) AS from_ms, position, reason, decided_by
FROM DB.definition_modes FINAL ORDER BY position DESC LIMIT 10000"""
ARRIVED: Final = """
SELECT toUnixTimestamp64Milli(from_at) AS from_ms FROM DB.definition_modes
WHERE definition = {definition:String} AND version = {version:UInt32} AND mode = {mode:String}
    AND decided_by = {by:String} AND decided_at = fromUnixTimestamp64Milli({at:Int64}, 'UTC')
ORDER BY position DESC LIMIT 1"""


@dataclass(frozen=True, slots=True)
class Switched:
    """One switch as ClickHouse knows it."""

    definition: str
    turn: Turn
    reason: str
    decided_by: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Of one version now. `since` None: since its file lies there. `next`: what is decided to come."""

    definition: str
    version: int
    mode: Mode
    since: int | None
    next: tuple[int, Mode] | None
    switched: Switched | None
    file: Path | None


def switches(ask: Ask) -> list[Switched]:
    return [
        Switched(
            row["definition"],
            Turn(row["version"], row["mode"], row["from_ms"], row["position"]),
            row["reason"],
            row["decided_by"],
        )
        for row in ask(SWITCHES, {})
    ]


def standings(
    located: Sequence[tuple[Definition, Path | None]], switched: Sequence[Switched], now: int
) -> list[Standing]:
    """By name and version."""
    lines = timelines_of([definition for definition, _ in located], switched)
    return [
        _standing(definition, file, lines[definition.journey, definition.version], switched, now)
        for definition, file in sorted(located, key=lambda one: (one[0].journey, one[0].version))
    ]


def timelines_of(definitions: Sequence[Definition], switched: Sequence[Switched]) -> dict[tuple[str, int], Timeline]:
    files: dict[str, dict[int, Mode]] = {}
    for one in definitions:
        files.setdefault(one.journey, {})[one.version] = one.mode
    return {
        (name, version): line
        for name, modes in files.items()
        for version, line in timelines(modes, [one.turn for one in switched if one.definition == name]).items()
    }


def _standing(
    definition: Definition, file: Path | None, line: Timeline, switched: Sequence[Switched], now: int
) -> Standing:
    name, version = definition.journey, definition.version
    since = max(at for at, _ in line if at <= now)
    to_come = [change for change in line if change[0] > now]
    cause = None
    if since != BEGINNING:
        of_it = [one for one in switched if one.definition == name and one.turn.from_at == since]
        own = [one for one in of_it if one.turn.version == version]
        cause = max(own or of_it, key=lambda one: one.turn.order, default=None)
    return Standing(
        definition=name,
        version=version,
        mode=mode_at(line, now),
        since=None if since == BEGINNING else since,
        next=to_come[0] if to_come else None,
        switched=cause,
        file=file,
    )


def others_that_end(all_now: Sequence[Standing], name: str, version: int, mode: Mode) -> list[int]:
    """Versions of the name that begin nothing more once this one is in that mode."""
    live = [one.version for one in all_now if one.definition == name and one.mode == "live" and one.version != version]
    return live if mode == "live" else []


def arrived(ask: Ask, switch: Switch) -> int | None:
    """From when on it counts, once the workers have taken it and ClickHouse knows. None: not yet."""
    said = {"definition": switch.definition, "version": switch.version, "mode": switch.mode}
    rows = ask(ARRIVED, {**said, "by": switch.decided_by, "at": switch.decided_at})
    return int(rows[0]["from_ms"]) if rows else None
