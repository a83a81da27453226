"""The open alerts of each incident and what each route was told of it, in the notifier's file. Methods that change
something run inside the caller's transaction, together with the alerts' positions: a crash loses and repeats nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from schemas.fast import encode
from schemas.records import Alert
from sinks.notify.alertmanager import Pace, Report
from sinks.notify.database import Database
from sinks.notify.decide import SOMEBODY, Decision
from sinks.notify.flap import STEADY, Flap, incident_flap_key
from sinks.notify.flaps import Flaps
from sinks.notify.incident import (
    NAMES_MAX,
    SAMPLE_MAX,
    Heard,
    Incident,
    IncidentNews,
    IncidentReason,
    Labels,
    Step,
    advance,
    flapping,
    labels_of,
    news_key,
    standing,
)
from sinks.notify.routing import Route


class Due(NamedTuple):
    """What Alertmanager is to hear; `changes` tells what was known when it was read."""

    incident_key: str
    changes: int
    is_news: bool
    report: Report


class Told(NamedTuple):
    route: Route
    reason: IncidentReason


class Incidents:
    """Not thread-safe."""

    def __init__(self, database: Database, routes: Sequence[Route], flaps: Flaps) -> None:
        self._db = database
        self._flaps = flaps
        self._routes = tuple(route for route in routes if route.kind != "webhook")

    # -- the open alerts --

    def note(self, alert: Alert, decision: Decision, now: int) -> list[str]:
        """Returns the keys of the incidents that changed, in that order. `now`: wall clock."""
        row = self._db.one("SELECT incident FROM open_alert WHERE dedup_key = ?", alert.dedup_key)
        match standing(alert.state, decision.reason == "replay", decision.after.is_open):
            case "opens":
                key = labels_of(alert).key()
                if row and row[0] == key:
                    self._hand_over(alert)
                    return [key]
                left = self._close(alert, row[0], now) if row else []
                self._open(alert, key, now)
                if decision.after.state == "acknowledged":
                    self._acknowledge(alert, key, decision.after.by)
                return [*left, key]
            case "closes" if row:
                return self._close(alert, row[0], now)
            case "acknowledged":
                key = row[0] if row else labels_of(alert).key()
                if row is None:
                    self._open(alert, key, now)
                return self._acknowledge(alert, key, decision.after.by)
            case _:
                return []

    def holder(self, dedup_key: str) -> str | None:
        """The alert that was told last as open under that key."""
        row = self._db.one("SELECT alert_id FROM open_alert WHERE dedup_key = ?", dedup_key)
        return str(row[0]) if row else None

    def _open(self, alert: Alert, key: str, now: int) -> None:
        self._db.run(
            "INSERT INTO incident VALUES (?, ?, ?, 0, 0, ?, NULL, ?, 0, NULL) ON CONFLICT (key) DO NOTHING",
            key,
            encode(labels_of(alert)),
            alert.step,
            now,
            alert.first_line,
        )
        self._db.run(
            "UPDATE incident SET peak = 0, opened_at = max(?, coalesce(closed_at, 0)), closed_at = NULL, step = ?"
            " WHERE key = ? AND count = 0",
            now,
            alert.step,
            key,
        )
        self._db.run(
            "UPDATE incident SET count = count + 1, peak = max(peak, count + 1), runbook = ? WHERE key = ?",
            alert.runbook,
            key,
        )
        self._db.run(
            "INSERT INTO open_alert VALUES (?, ?, ?, ?, ?, ?, NULL)",
            alert.dedup_key,
            key,
            alert.alert_id,
            alert.anchor,
            alert.cause_at,
            alert.first_line,
        )

    def _hand_over(self, alert: Alert) -> None:
        self._db.run(
            "UPDATE open_alert SET alert_id = ?, anchor = ?, cause_at = ?, line = ? WHERE dedup_key = ?",
            alert.alert_id,
            alert.anchor,
            alert.cause_at,
            alert.first_line,
            alert.dedup_key,
        )

    def _acknowledge(self, alert: Alert, key: str, name: str | None) -> list[str]:
        (before,) = self._db.one("SELECT acknowledged_by FROM open_alert WHERE dedup_key = ?", alert.dedup_key)
        by = name or SOMEBODY
        self._db.run("UPDATE open_alert SET acknowledged_by = ? WHERE dedup_key = ?", by, alert.dedup_key)
        if before is None:
            self._db.run("UPDATE incident SET acknowledged = acknowledged + 1 WHERE key = ?", key)
        return [key]

    def _close(self, alert: Alert, key: str, now: int) -> list[str]:
        (name,) = self._db.one("SELECT acknowledged_by FROM open_alert WHERE dedup_key = ?", alert.dedup_key)
        if name is not None:
            self._db.run("UPDATE incident SET acknowledged = acknowledged - 1 WHERE key = ?", key)
        self._db.run("DELETE FROM open_alert WHERE dedup_key = ?", alert.dedup_key)
        self._db.run("UPDATE incident SET count = count - 1 WHERE key = ?", key)
        self._db.run(
            "UPDATE incident SET closed_at = max(?, opened_at), line = ? WHERE key = ? AND count = 0",
            now,
            alert.first_line,
            key,
        )
        return [key]

    def read(self, key: str) -> Incident:
        labels, step, count, peak, opened_at, closed_at, line, acknowledged, runbook = self._db.one(
            "SELECT labels, step, count, peak, opened_at, closed_at, line, acknowledged, runbook FROM incident"
            " WHERE key = ?",
            key,
        )
        waiting = self._first(key, "IS NULL", SAMPLE_MAX)
        if acknowledged and len(waiting) < SAMPLE_MAX:
            waiting += self._first(key, "IS NOT NULL", SAMPLE_MAX - len(waiting))
        return Incident(
            labels=Labels.model_validate_json(labels),
            step=step,
            count=count,
            peak=peak,
            opened_at=opened_at,
            closed_at=closed_at,
            line=waiting[0][1] if waiting else line,
            sample=[anchor for anchor, _ in waiting],
            acknowledged=acknowledged,
            acknowledged_by=self._names(key) if acknowledged else [],
            runbook=runbook,
        )

    def _first(self, key: str, acknowledged: str, limit: int) -> list[tuple[str, str]]:
        """Anchors and lines of those that have waited longest; those that nobody looks after come first."""
        rows = self._db.run(
            f"SELECT anchor, line FROM open_alert WHERE incident = ? AND acknowledged_by {acknowledged}"  # noqa: S608
            " ORDER BY cause_at, dedup_key LIMIT ?",
            key,
            limit,
        )
        return rows.fetchall()

    def _names(self, key: str) -> list[str]:
        """Who looks after most of them first."""
        rows = self._db.run(
            "SELECT acknowledged_by FROM open_alert WHERE incident = ? AND acknowledged_by IS NOT NULL"
            " GROUP BY acknowledged_by ORDER BY count(*) DESC, acknowledged_by LIMIT ?",
            key,
            NAMES_MAX + 1,
        )
        return [name for (name,) in rows.fetchall()]

    # -- what the routes hear --

    def tell(self, changed: Iterable[str], now: int) -> list[Told]:
        """Decide for each route what it hears of the incidents that changed, in that order."""
        told = []
        for key in dict.fromkeys(changed):
            incident = self.read(key)
            flap = self._turned(key, incident, now)
            for route in self._routes:
                if route.takes(incident.labels):
                    told.append(Told(route, self._tell(route, key, incident, flap, now)))
            if flap.is_flapping and not flap.is_told:
                self._flaps.tell(incident_flap_key(key), flap)
        return told

    def _turned(self, key: str, incident: Incident, now: int) -> Flap:
        if incident.labels.run != "live":
            return STEADY
        return self._flaps.turn(incident_flap_key(key), incident.count > 0, now)

    def _tell(self, route: Route, key: str, incident: Incident, flap: Flap, now: int) -> IncidentReason:
        heard = self._heard(route, key)
        if not flap.is_flapping:
            step = advance(heard, incident.count, incident.acknowledged)
        elif flap.is_told:
            step = Step("flaps", heard)
        else:
            step = flapping(heard, incident.count)
        if step.news is not None:
            self._note_heard(route, key, step)
            if route.kind == "slack":
                self._put_up(route, key, step, incident, now)
        return step.reason

    def _heard(self, route: Route, key: str) -> Heard:
        row = self._db.one(
            "SELECT is_open, round, reached, is_acknowledged, is_flapping FROM heard WHERE route = ? AND incident = ?",
            route.key,
            key,
        )
        return Heard(bool(row[0]), row[1], row[2], bool(row[3]), bool(row[4])) if row else Heard()

    def _note_heard(self, route: Route, key: str, step: Step) -> None:
        after = step.after
        self._db.run(
            "INSERT INTO heard (route, incident, is_open, round, reached, is_acknowledged, is_flapping, changes)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, 1) ON CONFLICT (route, incident) DO UPDATE SET is_open = excluded.is_open,"
            " round = excluded.round, reached = excluded.reached, is_acknowledged = excluded.is_acknowledged,"
            " is_flapping = excluded.is_flapping, changes = changes + 1",
            route.key,
            key,
            after.is_open,
            after.round,
            after.reached,
            after.is_acknowledged,
            after.is_flapping,
        )

    def _put_up(self, route: Route, key: str, step: Step, incident: Incident, now: int) -> None:
        assert step.news is not None
        news = IncidentNews(key=news_key(key, step.news, step.after, now), news=step.news, incident=incident)
        self._db.run(
            "INSERT OR IGNORE INTO outbox (route, key, idempotency_key, body, changed_at, accepted_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            route.key,
            key,
            news.key,
            encode(news),
            now,
            now,
        )

    def adopt(self, now: int) -> None:
        """The routes may have changed since the last life. What a route does not take any more it forgets, and
        Alertmanager ends it by itself; a new route to Alertmanager hears at once of what is open."""
        rows = self._db.run("SELECT route, incident, labels FROM heard LEFT JOIN incident ON key = incident")
        routes = {route.key: route for route in self._routes}
        for key, incident_key, labels in rows.fetchall():
            route = routes.get(key)
            if route is None or labels is None or not route.takes(Labels.model_validate_json(labels)):
                self._db.run("DELETE FROM heard WHERE route = ? AND incident = ?", key, incident_key)
        for (incident_key,) in self._db.run("SELECT key FROM incident WHERE count > 0").fetchall():
            incident = self.read(incident_key)
            for route in self._routes:
                if route.kind == "alertmanager" and route.takes(incident.labels):
                    self._tell(route, incident_key, incident, self._flap(incident_key, now), now)

    def _flap(self, key: str, now: int) -> Flap:
        return self._flaps.of(incident_flap_key(key), now)

    # -- Alertmanager --

    def due(self, route: Route, now: int, pace: Pace, limit: int) -> list[Due]:
        """News first, then what is to be refreshed; at once when the clock was set back."""
        rows = self._db.run(
            "SELECT incident, changes, is_open, changes > sent, is_flapping FROM heard WHERE route = ?"
            " AND (changes > sent OR (is_open AND refresh_at NOT BETWEEN ? AND ?))"
            " ORDER BY changes > sent DESC, refresh_at LIMIT ?",
            route.key,
            now + 1,
            now + pace.refresh_ms,
            limit,
        ).fetchall()
        found = []
        for key, changes, is_open, is_news, is_flapping in rows:
            incident = self.read(key)
            report = Report(incident, bool(is_open), route.runbook(incident), bool(is_flapping))
            found.append(Due(key, changes, bool(is_news), report))
        return found

    def reported(self, route: Route, due: Iterable[Due], now: int, pace: Pace) -> None:
        """A change since it was read is news still."""
        for found in due:
            self._db.run(
                "UPDATE heard SET sent = ?, refresh_at = ? WHERE route = ? AND incident = ?",
                found.changes,
                now + pace.refresh_ms,
                route.key,
                found.incident_key,
            )

    def forget(self, closed_before: int) -> None:
        """Incidents that ended before that wall-clock time and of whose end everybody heard."""
        self._db.run(
            "DELETE FROM incident WHERE count = 0 AND closed_at < ? AND NOT EXISTS"
            " (SELECT 1 FROM heard WHERE heard.incident = incident.key AND (is_open OR changes > sent)"
            " AND route LIKE 'alertmanager:%')",
            closed_before,
        )
        self._db.run("DELETE FROM heard WHERE incident NOT IN (SELECT key FROM incident)")

    def open_count(self) -> int:
        return int(self._db.one("SELECT count(*) FROM incident WHERE count > 0")[0])
