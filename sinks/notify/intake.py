"""An alert's change on its way to the receivers: is it held back, is somebody told, and by which routes.

Everything here runs inside the caller's transaction, together with the alert's position. A hold delays: the last
change waits on the board, and is taken once more when the hold ends. So what the routes were told follows what is
true, later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, cast

from schemas.records import Alert
from sinks.notify.board import Board
from sinks.notify.database import Database
from sinks.notify.decide import NOBODYS, Decision, Told, ToldState, decide, idempotency_key
from sinks.notify.flap import STEADY, Flap, flap_key
from sinks.notify.flaps import Flaps
from sinks.notify.incident import is_open, labels_of
from sinks.notify.incidents import Incidents
from sinks.notify.incidents import Told as IncidentTold
from sinks.notify.message import body_of, given_up, looked_after
from sinks.notify.quiet import Hold, Quiet
from sinks.notify.routing import Route
from sinks.notify.silences import Silences


class Released(NamedTuple):
    """What was decided of what had been held back, and of the incidents."""

    decisions: list[Decision]
    incidents: list[IncidentTold]


class Intake:
    """Not thread-safe. `now` is the wall clock, ms. Call `begin` in each transaction first."""

    def __init__(self, database: Database, routes: Sequence[Route], rules: Quiet) -> None:
        self._db = database
        self._routes = tuple(routes)
        self._rules = self._quiet = rules
        self.silences = Silences(database)
        self.flaps = Flaps(database, rules.flapping)
        self.board = Board(database)
        self.incidents = Incidents(database, routes, self.flaps)

    def begin(self, now: int) -> None:
        self.board.begin()
        self.flaps.begin()
        self._quiet = replace(self._rules, silences=self.silences.standing(now))

    def take(self, alert: Alert, now: int, changed: list[str], *, is_new: bool = True) -> Decision:
        """`changed` gets the keys of the incidents that changed. Not `is_new`: it was held back."""
        told = self._told(alert.dedup_key)
        if alert.state == "firing" and alert.continues is not None and told.by is None:
            by = self.board.acknowledged_by(alert.dedup_key)
            alert = alert if by is None else looked_after(alert, by)
        has_heir, moved_at = self._moved(alert, now, is_new) if alert.state == "moved" else (False, None)
        flap = self._flap(alert, told, now, is_new)
        hold = self._quiet.hold(alert, flap, now, moved_at) if self.board.has_room(alert.dedup_key) else None
        decision = decide(alert, told, hold, has_heir=has_heir)
        if decision.tell and alert.state == "moved":
            alert = given_up(alert)
            self._flap(alert, told, now, is_new=True)
        self.board.note(alert, decision, hold, moved_at)
        if decision.after != told:
            self._remember(alert, decision.after)
        if decision.is_held:
            return decision
        changed += self.incidents.note(alert, decision, now)
        if decision.tell:
            flaps = flap.is_flapping and is_open(alert.state)
            if flaps:
                self.flaps.tell(flap_key(alert), flap)
            self._put_up(alert, idempotency_key(alert.dedup_key, decision.after), now, flaps)
        return decision

    def _moved(self, alert: Alert, now: int, is_new: bool) -> tuple[bool, int | None]:
        """Whether another alert of its key was heard since; when it was heard that it moved."""
        holder = self.board.holder(alert.dedup_key) or self.incidents.holder(alert.dedup_key)
        moved_at = now if is_new else self.board.moved_at(alert.dedup_key)
        return holder is not None and holder != alert.alert_id, moved_at

    def hold(self, alert: Alert, now: int) -> Hold | None:
        quiet = replace(self._rules, silences=self.silences.standing(now))
        flap = self.flaps.of(flap_key(alert), now) if alert.run == "live" else STEADY
        return quiet.hold(alert, flap, now)

    def release(self, now: int, limit: int) -> Released:
        """Take again what was held back until now."""
        changed: list[str] = []
        decisions = [self.take(alert, now, changed, is_new=False) for alert in self.board.due(now, limit)]
        changed += self.flaps.settle(now, limit)
        return Released(decisions, self.incidents.tell(changed, now))

    def _flap(self, alert: Alert, told: Told, now: int, is_new: bool) -> Flap:
        """Of a simulation, whose hours pass in seconds, nothing flaps."""
        if alert.run != "live" or decide(alert, told).reason in NOBODYS:
            return STEADY
        if not is_new or alert.state == "moved":
            return self.flaps.of(flap_key(alert), now)
        return self.flaps.turn(flap_key(alert), is_open(alert.state), now)

    def _told(self, dedup_key: str) -> Told:
        row = self._db.one("SELECT state, round, by, closed FROM told WHERE dedup_key = ?", dedup_key)
        return Told(cast(ToldState, row[0]), row[1], row[2], bool(row[3])) if row else Told()

    def _remember(self, alert: Alert, after: Told) -> None:
        self._db.run(
            "INSERT OR REPLACE INTO told VALUES (?, ?, ?, ?, ?, ?)",
            alert.dedup_key,
            after.state,
            after.round,
            alert.changed_at,
            after.by,
            after.closed,
        )

    def _put_up(self, alert: Alert, key: str, now: int, flaps: bool) -> None:
        labels = labels_of(alert)
        for route in self._routes:
            if route.kind == "webhook" and route.takes(labels):
                self._db.run(
                    "INSERT OR IGNORE INTO outbox (route, key, idempotency_key, body, changed_at, accepted_at)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    route.key,
                    alert.dedup_key,
                    key,
                    body_of(alert, key, alert.runbook or route.runbook_of(labels), flaps),
                    alert.changed_at,
                    now,
                )
