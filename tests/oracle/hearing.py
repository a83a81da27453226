"""docs/sources.md by brute force: when sources were heard, when they were silent, and what waits for them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.oracle.decode import Touchpoint
from tests.oracle.open_time import later
from tests.oracle.rules import Watched

GAP: Final = 20
"""A gap of silent_after / 20 at most is none."""
Span = tuple[int, int]


def entry_of(watched: Iterable[Watched], source: str) -> Watched | None:
    """The entry under which the source is watched, a name before a form."""
    fitting = [one for one in watched if one.fits(source)]
    return min(fitting, key=lambda one: "{" in one.form, default=None)


def linked(form: str, members: Sequence[Touchpoint]) -> str | None:
    """The source of this form for which a journey waits. `members` in the order."""
    found = re.search(r"\{(.+)\}", form)
    if found is None:
        return form
    said = (x.properties.get(found[1]) for x in members)
    value = next((one for one in said if isinstance(one, str)), None)
    return None if value is None else form.replace(found[0], value)


@dataclass(frozen=True, slots=True)
class Silence:
    """`at`: when it became silent. `until` None: it still is."""

    since: int
    at: int
    until: int | None


@dataclass(frozen=True, slots=True)
class Hearing:
    """`spans`: when each source was heard, in order. `joins_later`: that W lies in a gap which is none may be known
    from what was heard after W, by partitions that are further.
    """

    watched: tuple[Watched, ...] = ()
    spans: Mapping[str, Sequence[Span]] = field(default_factory=dict)
    joins_later: bool = False

    def judged(self, settlers: set[str], members: Sequence[Touchpoint], f: int, until: int) -> bool:
        """Whether what f says is judged at W."""
        return until >= f and all(self.released(*one, f, until) for one in self.waited_for(settlers, members))

    def waited_for(self, settlers: set[str], members: Sequence[Touchpoint]) -> list[tuple[Watched, str]]:
        found = ((one, linked(one.form, members)) for one in self.watched if settlers & one.brings)
        return [(one, source) for one, source in found if source is not None and entry_of(self.watched, source) is one]

    def released(self, entry: Watched, source: str, f: int, until: int) -> bool:
        spans = self.known(entry, source, until)
        if not spans:
            return True  # Never heard: not judged.
        for a, z in self.holds(entry, source, until):
            if a < f and (z is None or f < z):
                if z is None or until < z:
                    return False
                f = z
        return spans[-1][1] >= f

    def silences(self, entry: Watched, source: str, until: int) -> list[Silence]:
        spans = self.known(entry, source, until)
        found: list[Silence] = []
        for index, (_, last) in enumerate(spans):
            heard = spans[index + 1][0] if index + 1 < len(spans) else None
            at = later(last, entry.silent_after, entry.hours)
            if at is not None and (at <= until if heard is None else at < heard):
                found.append(Silence(last, at, heard))
        return found

    def known(self, entry: Watched, source: str, until: int) -> list[Span]:
        """What was heard by W, without gaps that are none."""
        found: list[Span] = []
        for first, last in self.spans.get(source, ()):
            is_gap = not found or first - found[-1][1] > entry.silent_after // GAP
            if first > until:
                if self.joins_later and not is_gap:
                    found[-1] = (found[-1][0], until)
                break
            if not is_gap:
                first, before = found.pop()
                last = max(before, last)
            found.append((first, min(last, until)))
        return found

    def holds(self, entry: Watched, source: str, until: int) -> list[tuple[int, int | None]]:
        """Those that overlap are one. The last one may have no end."""
        found: list[tuple[int, int | None]] = []
        for one in self.silences(entry, source, until):
            z = None if one.until is None else one.until + entry.catches_up
            if found and found[-1][1] is not None and one.since < found[-1][1]:
                a, before = found.pop()
                found.append((a, None if z is None or before is None else max(before, z)))
            else:
                found.append((one.since, z))
        return found
