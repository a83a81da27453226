"""The stage `track` of one partition: customers' touchpoints in, snapshots of journeys and changes of alerts out.

What it holds is a function of its log. A record changes a `Scope` (what one customer has under one heading); the
units that fold this scope advance, if the touchpoints come last in the order, or fold again; every run that was
touched is then judged and its alerts written. Nothing looks at batches: a snapshot leaves in `flush` under the
position of the last record that changed it, an alert at once. What people say about versions and alerts lies in the
same log: a switch folds again what started since, and an alert's state follows from what is said about it, too.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Final

from schemas.records import At
from schemas.records import Run as RunKind
from schemas.topics import DAY_MS
from streams.journey.alerting import Move, farewells, findings, moves
from streams.journey.crowding import fold_crowded, is_crowded, low_of
from streams.journey.deadlines import Agenda, judge, keep_until, next_look
from streams.journey.eviction import Eviction, is_firing
from streams.journey.given_up import given_up
from streams.journey.holds import Holds
from streams.journey.inputs import (
    DECODE_ERRORS,
    AcknowledgedView,
    AttachView,
    DetachView,
    ResolvedView,
    SwitchedView,
    TickView,
    UnreadableRecord,
    decode,
)
from streams.journey.instances import CUSTOMER, Unit
from streams.journey.ledger import Ledger, Meta, StoredBook, read
from streams.journey.memory import Memory, kinds_of, take_back
from streams.journey.modes import Modes
from streams.journey.orphans import Orphans
from streams.journey.people import People
from streams.journey.plan import Compiled, title
from streams.journey.run import Held, Run, Ticket
from streams.journey.snapshot import alert_effect, gone_into, journey_effect
from streams.journey.values import Kept, order_of
from streams.stage import Change, Effect, LogRecord, Upstream

STAGE: Final = "track"
HORIZON_MS: Final = 3 * DAY_MS
ENTRIES_MAX: Final = 500


Dirty = tuple[At, int, Unit, Run, bool]
"""A snapshot to write: its position, the log time of its cause, the run, and whether that still exists."""


class Track:
    """Implements streams.stage.Stage. `horizon_ms`: how late a touchpoint may arrive; `entries_max`: kept per scope."""

    def __init__(
        self,
        partition: int,
        compiled: Compiled,
        run: RunKind,
        *,
        horizon_ms: int = HORIZON_MS,
        entries_max: int = ENTRIES_MAX,
    ) -> None:
        self.partition, self.compiled, self.run = partition, compiled, run
        self._names, self._facts = compiled.heard(CUSTOMER)
        self._entries_max, self._low = entries_max, low_of(entries_max)
        self._ledger = Ledger()
        self._upstream = Upstream()
        self._memory = Memory(compiled, self._ledger)
        self._eviction = Eviction(self._memory, self._ledger, 2 * horizon_ms + DAY_MS)
        self._modes = Modes(compiled.definitions)
        self._people = People(self._modes, self._memory, self._ledger)
        self._agenda: Agenda[Ticket] = Agenda()
        self._holds = Holds()
        self._orphans = Orphans({})
        self._dirty: dict[str, Dirty] = {}
        self._w = 0
        self._offset = 0
        self._ordinal = 0

    # -- the stage ---------------------------------------------------------------------------------

    def apply(self, record: LogRecord, out: list[Effect]) -> None:
        try:
            value = decode(record.value or b"")
        except DECODE_ERRORS as error:
            raise UnreadableRecord(self.partition, record.offset, error) from error
        if not self._upstream.is_new(value.at):
            return
        self._offset, self._ordinal = record.offset, 0
        kind = type(value)
        if kind is ResolvedView:
            self._resolved(value, out)
        elif kind is AttachView:
            self._attach(value, out)
        elif kind is DetachView:
            self._detach(value, out)
        elif kind is TickView:
            self._tick(value, out)
        elif kind is SwitchedView:
            self._switched(value, out)
        else:
            self._acknowledged(value, out)

    def flush(self, out: list[Effect]) -> None:
        for at, log_time, unit, run, exists in self._dirty.values():
            truncated = unit.truncated
            out.append(journey_effect(unit.definition, run, unit.customer, at, self.run, log_time, truncated, exists))
        self._dirty.clear()

    def changes(self) -> list[Change]:
        meta = Meta(self._upstream.dump(), self._w) if self._upstream.changed else None
        self._upstream.changed = False
        return self._ledger.take(meta)

    def restore(self, entries: Iterable[tuple[bytes, bytes]]) -> None:
        stored = read(entries)
        self._upstream.load(stored.meta.upstream)
        self._w = stored.meta.w
        self._modes.load(stored.turns)
        self._holds = Holds(stored.places)
        for unit in self._memory.restore(stored.entries, stored.gone, stored.truncated):
            unit.refold(self._modes)
            for run in unit.runs:
                if run.start is not None:
                    address = (title(unit.definition), unit.customer, run.anchor)
                    self._recall(unit, run, stored.books.pop(address, None))
        self._orphans = Orphans(self._memory.restore_attics(stored.books))

    def quarantine(self, record: LogRecord, reason: str, out: list[Effect]) -> None:
        out.append(given_up(STAGE, self.partition, record, reason, self.run))

    def numbers(self) -> Mapping[str, int]:
        """`unheeded`: what people said, since this process began, that changes nothing: no such alert, or over."""
        return {"waiting": len(self._agenda), "held": len(self._holds), "unheeded": self._people.unheeded}

    def wakes_at(self) -> int | None:
        """No tick before this one changes anything, as long as no other record comes: who makes ticks may leave them
        out. Of a stage that was not restored: its first tick ends what has no definition any more.
        """
        return self._agenda.first()

    # -- records -----------------------------------------------------------------------------------

    def _resolved(self, value: ResolvedView, out: list[Effect]) -> None:
        if value.name not in self._names and (not value.facts or self._facts.isdisjoint(value.facts)):
            return
        if value.too_late or value.customer_id is None:
            return
        kept = self._memory.kept(value, kinds_of(value), value.rev, None)
        self._insert(value.customer_id, CUSTOMER, [kept], max(value.log_time, self._w), out)

    def _attach(self, value: AttachView, out: list[Effect]) -> None:
        if value.moved_from == value.customer_id:
            return  # Only the rule changed by which it belongs to the customer.
        keep, rev, moved_from, of_customer = self._memory.kept, value.rev, value.moved_from, value.scope == CUSTOMER
        names, facts = self.compiled.heard(value.scope.partition(":")[0])
        kept = [
            keep(entry, kinds_of(entry) if of_customer else 0, rev, moved_from)
            for entry in value.entries
            if entry.name in names or (entry.facts and not facts.isdisjoint(entry.facts))
        ]
        if kept:
            log_time = max(self._w, *[entry.log_time for entry in value.entries])
            self._insert(value.customer_id, value.scope, kept, log_time, out)

    def _detach(self, value: DetachView, out: list[Effect]) -> None:
        scope = self._memory.find(value.customer_id, value.scope)
        if scope is None:
            return
        gone = set()
        for touchpoint_id in value.touchpoint_ids:
            found = scope.find(touchpoint_id)
            if found >= 0 and value.rev > scope.kept[found].rev:
                gone.add(touchpoint_id)
                self._memory.let_go(scope, found, value.rev)
        if gone:
            moved = gone if value.moved_to is not None else set()
            for unit in scope.units:
                self._refold(unit, moved, self._w, out)

    def _tick(self, value: TickView, out: list[Effect]) -> None:
        before, self._w = self._w, max(self._w, value.log_time)
        out += self._orphans.end(self._ledger, self._position, self.run, self._w)
        for place in value.sources:
            self._holds.take(place)
            self._ledger.place(place)
        agenda = self._agenda.due(self._w, Ticket.when)
        for _, ticket in agenda:
            ticket.at = None
        earliest: dict[Ticket, int] = {}
        for at, ticket in (*agenda, *self._holds.woken(self._w)):
            earliest[ticket] = min(at, earliest.get(ticket, at))
        due = [(at, ticket.run, ticket) for ticket, at in earliest.items() if ticket.run is not None]
        for _, run, ticket in sorted(due, key=lambda item: (item[0], item[1].journey_id)):
            assert isinstance(ticket.unit, Unit), "tickets are made by _schedule"
            self._settle(ticket.unit, run, False, self._w, out)
        if before:
            self._eviction.evict(before, self._w)

    def _switched(self, value: SwitchedView, out: list[Effect]) -> None:
        for unit in self._people.switched(value):
            self._refold(unit, set(), self._w, out)

    def _acknowledged(self, value: AcknowledgedView, out: list[Effect]) -> None:
        found = self._people.acknowledged(value, self._w)
        if found is not None:
            unit, run, move = found
            self._alert(unit, run, move, self._w, out)
            self._memory.store_book(unit, run)
            self._settle(unit, run, False, self._w, out)

    # -- one scope ---------------------------------------------------------------------------------

    def _insert(self, customer: str, key: str, entries: Sequence[Kept], log_time: int, out: list[Effect]) -> None:
        if key == CUSTOMER:  # What carries the key of a kind is heard by name alone, but does not join.
            entries = [kept for kept in entries if self._memory.serves(kept)]
            if not entries:
                return
        scope = self._memory.scope(customer, key)
        added, again = [], False
        for kept in entries:
            found = scope.find(kept.touchpoint_id)
            if kept.rev <= scope.rev_of(kept.touchpoint_id, found):
                continue
            again |= self._memory.keep(scope, kept, found)
            self._memory.hears(scope, kept)
            added.append(kept)
        if not added:
            return
        if len(added) > 1:
            added.sort(key=order_of)
        if len(scope.kept) >= self._low and is_crowded(scope, self._entries_max, added[-1]):
            for crowded in fold_crowded(self._memory, scope, added, again, self._modes, self._entries_max):
                self._compare(crowded.unit, crowded.former, set(), log_time, out, crowded.touched)
            return
        for unit in scope.units:
            wanted = unit.wanted(added, scope)
            if again or (wanted and not unit.in_order(wanted[0])):
                self._refold(unit, set(), log_time, out)
            elif len(wanted) == 1:
                for run in unit.take(wanted[0], scope, self._modes):
                    self._settle(unit, run, True, log_time, out)
            else:
                for run in dict.fromkeys([run for kept in wanted for run in unit.take(kept, scope, self._modes)]):
                    self._settle(unit, run, True, log_time, out)

    def _refold(self, unit: Unit, moved: set[str], log_time: int, out: list[Effect]) -> None:
        """`moved`: touchpoints that went to another customer; an instance without its start went with them."""
        self._compare(unit, unit.refold(self._modes), moved, log_time, out)

    def _compare(
        self,
        unit: Unit,
        runs: Sequence[Run],
        moved: set[str],
        log_time: int,
        out: list[Effect],
        touched: Container[str] = (),
    ) -> None:
        """What a re-fold made of the former runs. `touched`: anchors of those that changed before it."""
        former = {run.anchor: run for run in runs if run.start is not None}
        held = {anchor: (run.members, run.mode, run.pardons) for anchor, run in former.items()}
        for run in unit.runs:
            if run.start is not None and run.anchor in former:
                run.inherit(former.pop(run.anchor))
        for old in former.values():
            self._farewell(unit, old, old.start is not None and old.start.touchpoint_id in moved, log_time, out)
        for run in unit.runs:
            is_touched = run.anchor in touched or held.get(run.anchor) != (run.members, run.mode, run.pardons)
            self._settle(unit, run, is_touched, log_time, out)

    # -- one run -----------------------------------------------------------------------------------

    def _settle(self, unit: Unit, run: Run, touched: bool, log_time: int, out: list[Effect]) -> None:
        """Judge a run at W, write what changed of its alerts, and note when to look again."""
        if run.start is None:
            return
        definition = unit.definition
        if run.alerts is None and unit.attic:
            run.alerts = self._memory.from_attic(unit, run.anchor)
        judged, deadline, held = judge(definition, run, self._w, self._holds)
        found = findings(definition, run) if run.missed or run.ripe or run.episodes else []
        changed: list[Move] = []
        if found or run.alerts:
            continued = run.start.moved_from is not None
            changed = moves(found, run.alerts or {}, run.expired, continued, log_time)
        for move in changed:
            self._alert(unit, run, move, log_time, out)
        if judged or changed:
            self._memory.store_book(unit, run)
        if touched or judged or changed:
            self._mark(unit, run, log_time, True)
        self._schedule(unit, run, deadline, held)

    def _farewell(self, unit: Unit, run: Run, moved: bool, log_time: int, out: list[Effect]) -> None:
        farewell = farewells(run.alerts or {}, moved, log_time)
        gone = gone_into(unit.run_of(run.start), log_time) if farewell else ""
        for move in farewell:
            self._alert(unit, run, move, log_time, out, gone)
        if run.ticket is not None:
            run.ticket.run = None
        self._memory.to_attic(unit, run, keep_until(unit.definition, run, False))
        self._mark(unit, run, log_time, False)

    def _alert(self, unit: Unit, run: Run, move: Move, log_time: int, out: list[Effect], gone: str = "") -> None:
        finding = move.record.finding
        if run.alerts is None:
            run.alerts = {}
        run.alerts[finding.name, finding.occurrence] = move.record
        out.append(alert_effect(unit.definition, run, unit.customer, self._position(), self.run, log_time, move, gone))

    def _mark(self, unit: Unit, run: Run, log_time: int, exists: bool) -> None:
        self._dirty.pop(run.journey_id, None)
        self._dirty[run.journey_id] = (self._position(), log_time, unit, run, exists)

    def _position(self) -> At:
        self._ordinal += 1
        return (STAGE, self.partition, self._offset, self._ordinal - 1)

    def _schedule(self, unit: Unit, run: Run, deadline: int | None, held: Sequence[Held]) -> None:
        look, ticket = next_look(unit.definition, run, deadline, is_firing(run)), run.ticket
        if ticket is None:
            if look is None and not held:
                return
            ticket = run.ticket = Ticket(run, unit)
        if held or ticket.held:
            self._holds.park(ticket, held)
        ticket.look = look
        if look is not None and (ticket.at is None or look < ticket.at):
            ticket.at = look
            self._agenda.put(look, ticket)

    def _recall(self, unit: Unit, run: Run, stored: StoredBook | None) -> None:
        """After a restart: what was judged before, and where the run stands in the agenda."""
        if stored is not None:
            take_back(unit, run, stored)
        _, deadline, held = judge(unit.definition, run, self._w, self._holds)
        self._schedule(unit, run, deadline, held)
