"""The watched sources as of the last tick, and who waits for them: docs/sources.md, "What waits".

What would be judged at f is judged at f', and not before the source was heard then or later. Both can be told from one
record per source, which comes with the ticks; a source without one is heard all the time, or was never heard.

Who waits is put down with the source, by f. As f' grows with f, only the first of a source has to be looked at: a
million that wait cost a tick nothing. An entry counts while the ticket still names it; others are passed over when
they come up, or when there are as many of them as of those that count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import heapify, heappop, heappush
from typing import Final

import msgspec

from schemas.sources import SourceForm
from streams.journey.run import Held, Run, Ticket

HEAP_MIN: Final = 1_024
"""Entries of one source that are never swept for void ones."""


class Place(msgspec.Struct, frozen=True, gc=False):
    """records.SourceState, as it comes and as it is stored."""

    source: str
    heard_at: int | None
    held_from: int | None = None
    held_until: int | None = None

    @property
    def holds_nothing(self) -> bool:
        return self.heard_at is None and self.held_from is None

    def lifted(self, f: int) -> int | None:
        """f'; None as long as the silence lasts."""
        if self.held_from is None or f <= self.held_from:
            return f
        return self.held_until if self.held_until is None or f < self.held_until else f

    def lets_pass(self, f: int, w: int) -> bool:
        lifted = self.lifted(f)
        return lifted is not None and lifted <= (w if self.heard_at is None else self.heard_at)


def sources_of(forms: Iterable[SourceForm], run: Run) -> Iterator[str]:
    """The sources of these forms that a journey is linked to."""
    for form in forms:
        if form.property is None:
            yield form.prefix
            continue
        for kept in run.members:
            value = kept.facts.get(form.property) if kept.facts else None
            if isinstance(value, str):
                yield form.of(value)
                break


class Holds:
    """Of one partition. Empty as long as nothing is watched, or everything is heard all the time."""

    __slots__ = ("_sizes", "_waiting", "places")

    def __init__(self, places: Iterable[Place] = ()) -> None:
        self.places = {place.source: place for place in places}
        self._waiting: dict[str, list[tuple[int, Ticket]]] = {}
        self._sizes: dict[str, int] = {}

    def take(self, place: Place) -> None:
        """What a tick says of a source."""
        if place.holds_nothing:
            self.places.pop(place.source, None)
        else:
            self.places[place.source] = place

    def holding(self, forms: Iterable[SourceForm], run: Run, f: int, w: int) -> list[Held]:
        """The sources that do not let pass yet what would be judged at `f` <= W; each with `f`."""
        found = []
        for source in sources_of(forms, run):
            place = self.places.get(source)
            if place is not None and not place.lets_pass(f, w):
                found.append((source, f))
        return found

    def park(self, ticket: Ticket, held: Sequence[Held]) -> None:
        """The run waits for these sources, and for no others any more."""
        before, ticket.held = ticket.held, tuple(held)
        for one in held:
            if one not in before:
                self._put(*one, ticket)

    def _put(self, source: str, f: int, ticket: Ticket) -> None:
        waiting = self._waiting.get(source)
        if waiting is None:
            waiting = self._waiting[source] = []
        elif len(waiting) >= self._sizes.get(source, HEAP_MIN):
            waiting[:] = [
                entry for entry in waiting if entry[1].run is not None and (source, entry[0]) in entry[1].held
            ]
            heapify(waiting)
            self._sizes[source] = max(HEAP_MIN, 2 * len(waiting))
        heappush(waiting, (f, ticket))

    def woken(self, w: int) -> list[tuple[int, Ticket]]:
        """Take out who waits no longer for a source, each with the least f at which it did."""
        least: dict[int, tuple[int, Ticket]] = {}
        for source in list(self._waiting):
            waiting, place = self._waiting[source], self.places.get(source)
            while waiting and (place is None or place.lets_pass(waiting[0][0], w)):
                f, ticket = heappop(waiting)
                if ticket.run is None or (source, f) not in ticket.held:
                    continue
                ticket.held = tuple(one for one in ticket.held if one != (source, f))
                found = least.get(id(ticket))
                if found is None or f < found[0]:
                    least[id(ticket)] = f, ticket
            if not waiting:
                del self._waiting[source]
                self._sizes.pop(source, None)
        return list(least.values())

    def __len__(self) -> int:
        """Entries that wait, void ones among them."""
        return sum(map(len, self._waiting.values()))
