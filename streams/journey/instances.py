"""Which touchpoints form which instance.

A `Scope` is what one customer has under one heading: "customer", or one business key. A `Unit` is what has to be
folded together: for a definition keyed by a business key one scope; for a `joint` one (instances of the customer, or
touchpoints without key that join the only open instance) everything of the customer. `Unit.take` is the fast path,
`Unit.refold` starts from nothing; both place touchpoints with `_place`.

Invariant: `Scope.kept` is sorted by the order, and what it keeps is a function of the set it was given, whatever the
arrival order. Only how much a full scope (`crowding`) gives up at once hangs on when it was full.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from schemas.identifiers import BUSINESS_KINDS, journey_id_of
from streams.journey.fold import NOTHING_SAID, advance, is_open, starts, turn
from streams.journey.modes import Modes, Span
from streams.journey.plan import CompiledDefinition
from streams.journey.run import Run
from streams.journey.values import Book, Kept, comes_after, order_of

CUSTOMER = "customer"
KIND_BITS = {kind: 1 << index for index, kind in enumerate(BUSINESS_KINDS)}
OWN_BIT = 1 << 30
"""It carries a key of a kind that a deployment added: `Kept.own` says which."""


def carries(kept: Kept, kind: str) -> bool:
    """Whether it carries a business key of the kind, as far as that was asked for."""
    return kept.kinds & KIND_BITS.get(kind, 0) != 0 or kind in kept.own


class Scope:
    __slots__ = ("customer", "gone", "kept", "key", "truncated", "units")

    def __init__(self, customer: str, key: str) -> None:
        self.customer, self.key = customer, key
        self.kept: list[Kept] = []
        self.gone: dict[str, tuple[int, int]] | None = None
        self.truncated = False
        self.units: tuple[Unit, ...] = ()

    @property
    def of_key(self) -> bool:
        return self.key != CUSTOMER

    def find(self, touchpoint_id: str) -> int:
        for index, kept in enumerate(self.kept):
            if kept.touchpoint_id == touchpoint_id:
                return index
        return -1

    def rev_of(self, touchpoint_id: str, found: int) -> int:
        if found >= 0:
            return self.kept[found].rev
        return self.gone[touchpoint_id][0] if self.gone and touchpoint_id in self.gone else -1

    def insert(self, kept: Kept) -> bool:
        """True when it is the last in the order."""
        if not self.kept or comes_after(kept, self.kept[-1]):
            self.kept.append(kept)
            return True
        self.kept.insert(bisect_left(self.kept, order_of(kept), key=order_of), kept)
        return False


class Unit:
    """`attic`: alerts of instances that exist no more, by anchor, and how long to keep them; they may come back.
    `said`: the customer's last excuse of each name, as far as was folded.
    """

    __slots__ = ("attic", "customer", "definition", "last", "runs", "said", "scopes")

    def __init__(self, definition: CompiledDefinition, customer: str) -> None:
        self.definition, self.customer = definition, customer
        self.scopes: tuple[Scope, ...] = ()
        self.runs: tuple[Run, ...] = ()
        self.last: Kept | None = None
        self.attic: dict[str, tuple[Book, int]] | None = None
        self.said: Mapping[str, Kept] = NOTHING_SAID

    @property
    def truncated(self) -> bool:
        return any(scope.truncated for scope in self.scopes)

    def started_in(self, spans: Sequence[Span]) -> bool:
        """Whether something occurred in one of them, in the order of time, that may have begun an instance."""
        if self.last is None or self.last.occurred_at < spans[0][0]:
            return False
        return any(
            since <= kept.occurred_at < until and starts(self.definition, kept) and self.wants(kept, scope)
            for since, until in spans
            for scope in self.scopes
            for kept in scope.kept
        )

    def wants(self, kept: Kept, scope: Scope) -> bool:
        definition = self.definition
        if kept.name not in definition.plans and not definition.relevant(kept.name, kept.facts):
            return False
        if kept.stands and kept.name not in definition.excuses:
            return False
        return scope.of_key or definition.kind is None or not carries(kept, definition.kind)

    def take(self, kept: Kept, scope: Scope, modes: Modes) -> Sequence[Run]:
        """Fold a touchpoint that comes after all others in the order. The runs that it touched."""
        self.last = kept
        if self.definition.excuses and kept.name in self.definition.excuses and not scope.of_key:
            return self._excuse(kept, scope, modes)
        run = self._place(kept, scope, modes)
        if run is None:
            return ()
        self._fold(run, kept, modes)
        return (run,)

    def _excuse(self, kept: Kept, scope: Scope, modes: Modes) -> Sequence[Run]:
        """Without a key of the kind it is said in every open instance, and for those to come."""
        if self.definition.kind is not None:
            runs = [run for run in self.runs if is_open(self.definition, run, kept.occurred_at)]
        else:
            run = None if kept.stands else self._place(kept, scope, modes)
            runs = [] if run is None else [run]
        for run in runs:
            self._fold(run, kept, modes)
        self.said = {name: other for name, other in self.said.items() if name != kept.name} | {kept.name: kept}
        return runs

    def _fold(self, run: Run, kept: Kept, modes: Modes) -> None:
        if run.start is None and self._is_off(run, kept, modes):
            run.members.append(kept)
            run.max_log = max(run.max_log, kept.log_time)
        else:
            advance(self.definition, run, kept, self.said)

    def _is_off(self, run: Run, kept: Kept, modes: Modes) -> bool:
        """The first touchpoint that matches the start decides, for good."""
        if run.mode is None and starts(self.definition, kept):
            run.mode = modes.at(self.definition, kept.occurred_at)
        return run.mode == "off"

    def wanted(self, added: Sequence[Kept], scope: Scope) -> list[Kept]:
        """Those of `added`, which lie in the order of the scope, that it folds; in its own order."""
        found = [kept for kept in added if self.wants(kept, scope)]
        return self._in_turn(found) if len(found) > 1 else found

    def in_order(self, kept: Kept) -> bool:
        """Whether it comes after all that was folded; almost always the times decide."""
        last = self.last
        if last is None or kept.occurred_at != last.occurred_at:
            return last is None or kept.occurred_at > last.occurred_at
        return self._order(kept) > self._order(last)

    def _order(self, kept: Kept) -> tuple[int, int, int, str]:
        return kept.occurred_at, kept.sequence, turn(self.definition, kept), kept.touchpoint_id

    def _in_turn(self, found: list[Kept]) -> list[Kept]:
        """`found` lies in the order but for turns. They matter where two have one moment."""
        if _has_ties(found):
            found.sort(key=self._order)
        return found

    def refold(self, modes: Modes) -> tuple[Run, ...]:
        """Fold everything kept again. The former runs are returned, untouched."""
        former, self.runs, self.last, self.said = self.runs, (), None, NOTHING_SAID
        everything = [(kept, scope) for scope in self.scopes for kept in scope.kept if self.wants(kept, scope)]
        if len(self.scopes) > 1:
            everything.sort(key=lambda pair: order_of(pair[0]))
        if _has_ties(kept for kept, _ in everything):
            everything.sort(key=lambda pair: self._order(pair[0]))
        for kept, scope in everything:
            self.take(kept, scope, modes)
        return former

    def _place(self, kept: Kept, scope: Scope, modes: Modes) -> Run | None:
        if scope.of_key:
            return self._of_key(scope.key)
        definition, at = self.definition, kept.occurred_at
        if definition.kind is None:
            if self.runs and is_open(definition, self.runs[-1], at):
                return self.runs[-1]
            if not starts(definition, kept):
                return self._that_ended_last(kept)
            if modes.at(definition, at) == "off":
                return None
            return self._new(f"start:{kept.touchpoint_id}")
        candidates = [run for run in self.runs if is_open(definition, run, at)]
        return candidates[0] if len(candidates) == 1 else None

    def _that_ended_last(self, kept: Kept) -> Run | None:
        """As long as its time is not over. Of a failure nobody knows whether it is about that one."""
        last = self.runs[-1] if self.runs else None
        if last is None or last.start is None or kept.name in self.definition.failures:
            return None
        return last if kept.occurred_at <= last.start.occurred_at + self.definition.lifetime_ms else None

    def run_of(self, kept: Kept | None) -> Run | None:
        """The instance that a touchpoint belongs to."""
        same = kept.touchpoint_id if kept is not None else None
        return next((run for run in self.runs if any(one.touchpoint_id == same for one in run.members)), None)

    def _of_key(self, key: str) -> Run:
        for run in self.runs:
            if run.anchor == key:
                return run
        return self._new(key)

    def _new(self, anchor: str) -> Run:
        run = Run(anchor, journey_id_of(self.definition.name, self.definition.version, self.customer, anchor))
        self.runs = (*self.runs, run)
        return run


def _has_ties(found: Iterable[Kept]) -> bool:
    return any(one.occurred_at == other.occurred_at for one, other in pairwise(found))
