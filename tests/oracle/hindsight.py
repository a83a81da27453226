"""What could be known at a tick: the same brute force over what had arrived by then.

A deadline fires on a tick that lies behind everything it covers, so the break must be there when only what had arrived
by W is folded. If the journey came to this customer later, it must be there at one of the arrivals that followed.
Attribution cannot reach beyond touchpoints that share identifiers, directly or by others, so a component is enough.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from tests.oracle.attribution import attribute
from tests.oracle.decode import Touchpoint
from tests.oracle.expectation import Expectation
from tests.oracle.journeys import JourneyKey, find_journeys

STEPS_MAX = 200
"""Arrivals after W that are tried."""


class Components:
    """Touchpoints that share identifiers, directly or by others."""

    def __init__(self, touchpoints: Iterable[Touchpoint]) -> None:
        self._above: dict[str, str] = {}
        groups: dict[str, list[Touchpoint]] = defaultdict(list)
        everything = sorted(touchpoints, key=lambda x: x.log_time)
        for x in everything:
            first, *others = _marks(x)
            for mark in others:
                self._above[self._root(mark)] = self._root(first)
        for x in everything:
            groups[self._root(next(_marks(x)))].append(x)
        self._groups = groups

    def _root(self, mark: str) -> str:
        while (above := self._above.get(mark, mark)) != mark:
            self._above[mark] = self._above.get(above, above)
            mark = above
        return mark

    def of(self, mark: str) -> list[Touchpoint]:
        """`kind:value`, or `start:` and a touchpoint id. In the order of arrival."""
        return self._groups.get(self._root(mark), [])


def _marks(x: Touchpoint) -> Iterator[str]:
    yield f"start:{x.touchpoint_id}"
    for kind, value in x.identifiers.items():
        yield f"{kind}:{value}"


class Hindsight:
    def __init__(self, wanted: Expectation) -> None:
        self._decisions, self._rules, self._book = wanted.decisions, wanted.rules, wanted.book
        self._components = Components(one.touchpoint for one in wanted.attribution.touchpoints.values())

    def latest(self, mark: str) -> int:
        """Log time of the last touchpoint that can have to do with it."""
        component = self._components.of(mark)
        return component[-1].log_time if component else -1

    def was_active(self, key: JourneyKey, name: str, occurrence: int, w: int) -> bool:
        """Whether the break could rightly be seen as active by a tick of log time `w`."""
        component = self._components.of(key[3])
        later = sorted({x.log_time for x in component if x.log_time > w})[:STEPS_MAX]
        return any(self._active(component, key, name, occurrence, w, arrived) for arrived in [w, *later])

    def _active(
        self, component: list[Touchpoint], key: JourneyKey, name: str, occurrence: int, w: int, arrived: int
    ) -> bool:
        known = attribute((x for x in component if x.log_time <= arrived), self._decisions, self._rules)
        journey = find_journeys(known, w, self._book).found.get(key)
        return journey is not None and any(
            fault.name == name and fault.occurrence == occurrence and fault.cleared_at is None
            for fault in journey.outcome.breaks
        )
