"""Which mode each version of a definition has at each moment: docs/journeys.md, "Versions and modes".

A function of what the files say and of what people switched, in the order of the log. Where nobody ever switched,
the file is asked and nothing is looked up.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import Final, Protocol

import msgspec

from schemas.records import Mode

TURNS_MAX: Final = 100
"""Switches that are remembered of one name; the modes before the earliest of them are remembered, too."""
NAMES_MAX: Final = 1_000
"""Names with switches. Those of definitions that do not lie here count, too: their file may come."""
BEGINNING: Final = -(1 << 62)
END: Final = 1 << 62

Timeline = tuple[tuple[int, Mode], ...]
"""Since when which mode; the first since the beginning."""
Span = tuple[int, int]
"""From a moment, and up to before another."""


class Versioned(Protocol):
    """What has to be known of a definition."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def live(self) -> bool: ...


class Turn(msgspec.Struct, frozen=True, array_like=True):
    """One switch. `order`: its place in the log."""

    version: int
    mode: Mode
    from_at: int
    order: int


class Turns(msgspec.Struct, frozen=True, array_like=True):
    """What was switched of one name, and its form in the changelog. `before`: the modes before, where the files do not
    say them any more.
    """

    before: dict[int, Mode]
    turns: list[Turn]


def timelines(at_first: Mapping[int, Mode], turns: Iterable[Turn]) -> dict[int, Timeline]:
    """By version. Of several switches of one version from one moment on the last in the log counts; when a version goes
    live, the others that were live are off. Versions that `at_first` does not know count for nothing.
    """
    modes = dict(at_first)
    found: dict[int, list[tuple[int, Mode]]] = {version: [(BEGINNING, mode)] for version, mode in modes.items()}
    for turn in _in_force(turns):
        for version, mode in _after(modes, turn).items():
            if mode != modes[version]:
                modes[version] = mode
                if found[version][-1][0] == turn.from_at:
                    found[version].pop()
                found[version].append((turn.from_at, mode))
    return {version: _smooth(line) for version, line in found.items()}


def _in_force(turns: Iterable[Turn]) -> list[Turn]:
    last = {(turn.version, turn.from_at): turn for turn in sorted(turns, key=lambda turn: turn.order)}
    return sorted(last.values(), key=lambda turn: (turn.from_at, turn.order))


def _after(modes: Mapping[int, Mode], turn: Turn) -> dict[int, Mode]:
    """All modes once it was switched so."""
    found = dict(modes)
    if turn.version in found:
        if turn.mode == "live":
            found = {version: "off" if mode == "live" else mode for version, mode in found.items()}
        found[turn.version] = turn.mode
    return found


def _smooth(line: list[tuple[int, Mode]]) -> Timeline:
    return tuple(one for index, one in enumerate(line) if index == 0 or one[1] != line[index - 1][1])


def mode_at(timeline: Timeline, moment: int) -> Mode:
    return timeline[bisect_right(timeline, moment, key=lambda one: one[0]) - 1][1]


def differences(one: Timeline, other: Timeline) -> list[Span]:
    """When they do not say the same, in the order of time."""
    moments = sorted({since for since, _ in (*one, *other)})
    return [
        (since, until)
        for since, until in zip(moments, [*moments[1:], END])
        if mode_at(one, since) != mode_at(other, since)
    ]


class Modes:
    """Of all definitions. `turns` is what has to be remembered."""

    __slots__ = ("_files", "_timelines", "turns")

    def __init__(self, definitions: Iterable[Versioned]) -> None:
        self._files: dict[str, dict[int, Mode]] = {}
        for one in definitions:
            self._files.setdefault(one.name, {})[one.version] = _of_file(one)
        self._timelines: dict[tuple[str, int], Timeline] = {}
        self.turns: dict[str, Turns] = {}

    def at(self, definition: Versioned, moment: int) -> Mode:
        if not self._timelines:
            return _of_file(definition)
        timeline = self._timelines.get((definition.name, definition.version))
        return _of_file(definition) if timeline is None else mode_at(timeline, moment)

    def load(self, turns: Mapping[str, Turns]) -> None:
        self.turns.update(turns)
        for name in turns:
            self._renew(name)

    def take(self, name: str, turn: Turn) -> dict[int, list[Span]] | None:
        """By version, when its mode is another one now. None: there are too many names to remember one more."""
        if name not in self.turns and len(self.turns) >= NAMES_MAX:
            return None
        versions = self._files.get(name, {})
        former = {version: self._timelines.get((name, version), _plain(mode)) for version, mode in versions.items()}
        known = self.turns.get(name, Turns({}, []))
        self.turns[name] = self._shortened(name, Turns(known.before, _in_force([*known.turns, turn])))
        self._renew(name)
        found = {version: differences(line, self._timelines[name, version]) for version, line in former.items()}
        return {version: spans for version, spans in found.items() if spans}

    def _renew(self, name: str) -> None:
        known = self.turns[name]
        versions = self._files.get(name, {})
        at_first = {version: known.before.get(version, mode) for version, mode in versions.items()}
        for version, line in timelines(at_first, known.turns).items():
            self._timelines[name, version] = line

    def _shortened(self, name: str, turns: Turns) -> Turns:
        """The earliest switches become what was before."""
        while len(turns.turns) > TURNS_MAX:
            before = _after(self._files.get(name, {}) | turns.before, turns.turns[0])
            turns = Turns(before, turns.turns[1:])
        return turns


def _of_file(definition: Versioned) -> Mode:
    return "live" if definition.live else "shadow"


def _plain(mode: Mode) -> Timeline:
    return ((BEGINNING, mode),)
