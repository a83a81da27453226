"""Who has what: scopes and units by customer, kept in step with the changelog.

Units that stand alone (a definition keyed by a business key) belong to their scope; joint ones to the customer, fed
by several scopes. A unit is made when its definition hears its first touchpoint, so definitions that hear nothing of a
customer cost nothing; units lie in the order of the definitions, whatever was heard first. Every change here is noted
in the ledger at once; the rest of the state follows from it by a re-fold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from sys import intern
from zlib import crc32

from msgspec import structs

from schemas.records import Fact
from streams.journey.inputs import EntryView, ResolvedView
from streams.journey.instances import CUSTOMER, KIND_BITS, OWN_BIT, Scope, Unit, carries
from streams.journey.ledger import BookAddress, Ledger, StoredBook, book_of
from streams.journey.modes import Span
from streams.journey.plan import Compiled, CompiledDefinition, title
from streams.journey.run import Run
from streams.journey.slots import SLOTS, Address, Household, Slot, slot_of
from streams.journey.values import Book, Kept, order_of

SHARED_MAX = 4096
"""Different facts to look for equals among; then it begins anew."""


class Memory:
    """`slots`: where everything lies; `eviction` takes out of it what nothing can concern any more."""

    def __init__(self, compiled: Compiled, ledger: Ledger) -> None:
        self._compiled, self._ledger = compiled, ledger
        self.slots = [Slot() for _ in range(SLOTS)]
        self._facts: dict[tuple[object, ...], dict[str, Fact]] = {}
        self._joint_kinds = frozenset(d.kind for d in compiled.joint)
        self._scoring = tuple(d for d in compiled.definitions if d.score_facts)
        self._places = {title(d): place for place, d in enumerate(compiled.definitions)}

    def serves(self, kept: Kept) -> bool:
        """Whether any definition folds this touchpoint as one of the customer."""
        for definition in self._compiled.joint:
            if definition.kind is not None and carries(kept, definition.kind):
                continue
            if definition.relevant(kept.name, kept.facts):
                return True
        return False

    def _of(self, key: str) -> tuple[CompiledDefinition, ...]:
        return self._compiled.joint if key == CUSTOMER else self._compiled.by_kind.get(key.partition(":")[0], ())

    def find(self, customer: str, key: str) -> Scope | None:
        slot = self.slots[crc32(customer.encode()) % SLOTS]
        if self._is_alone(key):
            return slot.alone.get((customer, key))
        household = slot.households.get(customer)
        if household is not None:
            for scope in household.scopes:
                if scope.key == key:
                    return scope
        return None

    def scope(self, customer: str, key: str) -> Scope:
        found = self.find(customer, key)
        if found is not None:
            return found
        scope, slot = Scope(customer, key), self.slots[slot_of(customer)]
        if self._is_alone(key):
            slot.alone[customer, key] = scope
        else:
            slot.households.setdefault(customer, Household()).scopes.append(scope)
        return scope

    def hears(self, scope: Scope, kept: Kept) -> None:
        """There is a unit for every definition that wants this touchpoint of the scope."""
        for definition in self._compiled.names.get(kept.name, ()):
            self._need(scope, definition)
        for definition in self._scoring if kept.facts else ():
            if not definition.score_facts.isdisjoint(kept.facts or ()):
                self._need(scope, definition)

    def _need(self, scope: Scope, definition: CompiledDefinition) -> None:
        is_fed = definition.joint if scope.key == CUSTOMER else definition.kind == scope.key.partition(":")[0]
        if not is_fed or any(unit.definition is definition for unit in scope.units):
            return
        if self._is_alone(scope.key):
            unit = self._fed(Unit(definition, scope.customer), scope)
        else:
            unit = self._joint(self.slots[slot_of(scope.customer)].households[scope.customer], definition, scope)
        scope.units = tuple(sorted((*scope.units, unit), key=lambda unit: self._places[title(unit.definition)]))

    def _is_alone(self, key: str) -> bool:
        return key != CUSTOMER and key.partition(":")[0] not in self._joint_kinds

    def _joint(self, household: Household, definition: CompiledDefinition, scope: Scope) -> Unit:
        if definition.joint:
            for unit in household.units:
                if unit.definition is definition:
                    return self._fed(unit, scope)
        unit = Unit(definition, scope.customer)
        household.units.append(unit)
        return self._fed(unit, scope)

    @staticmethod
    def _fed(unit: Unit, scope: Scope) -> Unit:
        unit.scopes = (*unit.scopes, scope)
        return unit

    def _units(self) -> Iterator[Unit]:
        for slot in self.slots:
            for scope in slot.alone.values():
                yield from scope.units
            for household in slot.households.values():
                yield from household.units

    def started_in(self, name: str, spans: Mapping[int, Sequence[Span]]) -> list[Unit]:
        """The units of these versions in which an instance may have begun then; in an order that follows from what they
        are. Looks at everything.
        """
        found = [
            unit
            for unit in self._units()
            if unit.definition.name == name
            and unit.definition.version in spans
            and unit.started_in(spans[unit.definition.version])
        ]
        return sorted(found, key=lambda unit: (unit.definition.version, unit.customer, unit.scopes[0].key))

    # -- touchpoints -------------------------------------------------------------------------------

    def kept(self, entry: EntryView | ResolvedView, kinds: int, rev: int, moved_from: str | None) -> Kept:
        facts = None
        if entry.facts:
            needed = self._compiled.facts
            facts = self._shared_facts({name: value for name, value in entry.facts.items() if name in needed})
        return Kept(
            entry.touchpoint_id,
            intern(entry.name),
            entry.occurred_at,
            entry.sequence,
            entry.log_time,
            intern(entry.channel),
            facts,
            kinds,
            rev,
            moved_from,
            entry.person if self._compiled.persons else None,
            tuple(intern(kind) for kind in entry.keys if kind not in KIND_BITS) if kinds & OWN_BIT else (),
        )

    def _shared_facts(self, facts: dict[str, Fact]) -> dict[str, Fact] | None:
        """Facts repeat, and a dict is as large as all the rest of a touchpoint: equal ones are one in memory."""
        if not facts:
            return None
        key = tuple((name, type(value), value) for name, value in facts.items())
        found = self._facts.get(key)
        if found is None:
            if len(self._facts) >= SHARED_MAX:
                self._facts.clear()
            found = self._facts[key] = facts
        return found

    def _shared(self, kept: Kept) -> Kept:
        facts = self._shared_facts(kept.facts) if kept.facts else None
        return structs.replace(kept, name=intern(kept.name), channel=intern(kept.channel), facts=facts)

    def keep(self, scope: Scope, kept: Kept, found: int) -> bool:
        """True when it replaces another version of itself."""
        if found >= 0:
            del scope.kept[found]
        if scope.gone and scope.gone.pop(kept.touchpoint_id, None) is not None:
            self._ledger.gone(scope.customer, scope.key, kept.touchpoint_id, None)
        scope.insert(kept)
        self._ledger.entry(scope.customer, scope.key, kept.touchpoint_id, kept)
        return found >= 0

    def let_go(self, scope: Scope, found: int, rev: int) -> None:
        kept = scope.kept.pop(found)
        gone = (rev, max(kept.occurred_at, kept.log_time))
        if scope.gone is None:
            scope.gone = {}
        scope.gone[kept.touchpoint_id] = gone
        self._ledger.entry(scope.customer, scope.key, kept.touchpoint_id, None)
        self._ledger.gone(scope.customer, scope.key, kept.touchpoint_id, gone)

    @property
    def ranks(self) -> Mapping[str, int]:
        return self._compiled.ranks

    def drop(self, scope: Scope, gone: Sequence[Kept]) -> None:
        """For want of room."""
        if not gone:
            return
        ids = {kept.touchpoint_id for kept in gone}
        scope.kept = [kept for kept in scope.kept if kept.touchpoint_id not in ids]
        for kept in gone:
            self._ledger.entry(scope.customer, scope.key, kept.touchpoint_id, None)
        if not scope.truncated:
            scope.truncated = True
            self._ledger.truncated(scope.customer, scope.key, True)
            self._need_all(scope)

    def stands_until(self, scope: Scope, kept: Kept) -> int:
        """As long as it may excuse what starts after it, and that lives."""
        if scope.of_key:
            return 0
        return max(
            (
                kept.occurred_at + d.excuse_ms + d.latest_ms
                for d in self._compiled.names.get(kept.name, ())
                if d.joint and kept.name in d.excuses and not (d.kind is not None and carries(kept, d.kind))
            ),
            default=0,
        )

    def stand(self, scope: Scope, kept: Kept) -> Kept:
        """From now on it is kept for that only."""
        found = structs.replace(kept, stands=True)
        self._ledger.entry(scope.customer, scope.key, kept.touchpoint_id, found)
        return found

    def _need_all(self, scope: Scope) -> None:
        """Of a truncated scope nobody knows who heard what was dropped."""
        for definition in self._of(scope.key):
            self._need(scope, definition)

    # -- alerts ------------------------------------------------------------------------------------

    def store_book(self, unit: Unit, run: Run) -> None:
        missed = unit.definition.names_of(run.missed)
        self._ledger.book(title(unit.definition), unit.customer, run.anchor, missed, 0, run.alerts)

    def to_attic(self, unit: Unit, run: Run, until: int) -> None:
        if run.alerts:
            unit.attic = {**(unit.attic or {}), run.anchor: (run.alerts, until)}
        if run.alerts or run.missed:
            self._ledger.book(title(unit.definition), unit.customer, run.anchor, [], until, run.alerts)

    def forget(self, unit: Unit, run: Run) -> None:
        """An instance whose touchpoints went: it is judged no more, and its alerts are known no more."""
        if run.ticket is not None:
            run.ticket.run = None
        if run.alerts or run.missed:
            self._ledger.book(title(unit.definition), unit.customer, run.anchor, [], 0, None)

    def from_attic(self, unit: Unit, anchor: str) -> Book | None:
        found = unit.attic.pop(anchor, None) if unit.attic else None
        return found[0] if found is not None else None

    # -- after a restart ---------------------------------------------------------------------------

    def restore(
        self,
        entries: Mapping[Address, list[Kept]],
        gone: Mapping[Address, dict[str, tuple[int, int]]],
        truncated: set[Address],
    ) -> Iterator[Unit]:
        """Bring the stored touchpoints back; the units that have to be folded."""
        for address in sorted({*entries, *gone, *truncated}):
            scope = self.scope(*address)
            scope.kept = sorted(map(self._shared, entries.get(address, ())), key=order_of)
            scope.gone = gone.get(address)
            scope.truncated = address in truncated
            for kept in scope.kept:
                self.hears(scope, kept)
            if scope.truncated:
                self._need_all(scope)
        yield from self._units()

    def restore_attics(self, books: Mapping[BookAddress, StoredBook]) -> dict[BookAddress, StoredBook]:
        """The books that no run took. Returned are those that nothing can take, as the definitions are now."""
        known = {title(definition): definition for definition in self._compiled.definitions}
        left: dict[BookAddress, StoredBook] = {}
        for (name, customer, anchor), stored in sorted(books.items()):
            if name not in known:
                left[name, customer, anchor] = stored
            elif stored.alerts:
                scope = self.scope(customer, CUSTOMER if anchor.startswith("start:") else anchor)
                self._need(scope, known[name])
                found = [unit for unit in scope.units if title(unit.definition) == name]
                for unit in found:
                    unit.attic = {**(unit.attic or {}), anchor: (book_of(stored), stored.until)}
                if not found:
                    left[name, customer, anchor] = stored
        return left


def kinds_of(entry: EntryView | ResolvedView) -> int:
    """Only the customer's own touchpoints are asked which keys they carry."""
    kinds = 0
    for kind in entry.keys:
        kinds |= KIND_BITS.get(kind, OWN_BIT)
    return kinds


def take_back(unit: Unit, run: Run, stored: StoredBook) -> None:
    """What had been judged of a run before the restart, and its alerts."""
    missed = set(stored.missed)
    run.alerts = book_of(stored) or None
    run.missed = unit.definition.bits_of(missed)
    for rule in unit.definition.waited:
        tally = run.tallies.get(rule.index) if run.tallies is not None else None
        if rule.name in missed and tally is not None and tally.pending is not None:
            tally.judged = tally.pending.cause_at
