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
from sinks.notify.decide import Decision
from sinks.notify.incident import (
    SAMPLE_MAX,
    Heard,
    Incident,
    IncidentNews,
    IncidentReason,
    Labels,
    Step,
    advance,
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

    def __init__(self, database: Database, routes: Sequence[Route]) -> None:
        self._db = database
        self._routes = tuple(route for route in routes if route.kind != "webhook")

    # -- the open alerts --

    def note(self, alert: Alert, decision: Decision, now: int) -> list[str]:
        """Returns the keys of the incidents that changed, in that order. `now`: wall clock."""
        row = self._db.one("SELECT incident, alert_id FROM open_alert WHERE dedup_key = ?", alert.dedup_key)
        match standing(alert, decision):
            case "opens":
                key = labels_of(alert).key()
                if row and row[0] == key:
                    self._hand_over(alert)
                    return [key]
                left = self._close(alert, row[0], now) if row else []
                self._open(alert, key, now)
                return [*left, key]
            case "closes" if row:
                return self._close(alert, row[0], now)
            case "leaves" if row and row[1] == alert.alert_id:
                return self._close(alert, row[0], now)
            case _:
                return []

    def _open(self, alert: Alert, key: str, now: int) -> None:
        self._db.run(
            "INSERT INTO incident VALUES (?, ?, ?, 0, 0, ?, NULL, ?) ON CONFLICT (key) DO NOTHING",
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
        self._db.run("UPDATE incident SET count = count + 1, peak = max(peak, count + 1) WHERE key = ?", key)
        self._db.run(
            "INSERT INTO open_alert VALUES (?, ?, ?, ?, ?, ?)",
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

    def _close(self, alert: Alert, key: str, now: int) -> list[str]:
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
        labels, step, count, peak, opened_at, closed_at, line = self._db.one(
            "SELECT labels, step, count, peak, opened_at, closed_at, line FROM incident WHERE key = ?", key
        )
        waiting = self._db.run(
            "SELECT anchor, line FROM open_alert WHERE incident = ? ORDER BY cause_at, dedup_key LIMIT ?",
            key,
            SAMPLE_MAX,
        ).fetchall()
        return Incident(
            labels=Labels.model_validate_json(labels),
            step=step,
            count=count,
            peak=peak,
            opened_at=opened_at,
            closed_at=closed_at,
            line=waiting[0][1] if waiting else line,
            sample=[anchor for anchor, _ in waiting],
        )

    # -- what the routes hear --

    def tell(self, changed: Iterable[str], now: int) -> list[Told]:
        """Decide for each route what it hears of the incidents that changed, in that order."""
        told = []
        for key in dict.fromkeys(changed):
            incident = self.read(key)
            for route in self._routes:
                if route.takes(incident.labels):
                    told.append(Told(route, self._tell(route, key, incident, now)))
        return told

    def _tell(self, route: Route, key: str, incident: Incident, now: int) -> IncidentReason:
        row = self._db.one("SELECT is_open, round, reached FROM heard WHERE route = ? AND incident = ?", route.key, key)
        step = advance(Heard(bool(row[0]), row[1], row[2]) if row else Heard(), incident.count)
        if step.news is not None:
            self._note_heard(route, key, step)
            if route.kind == "slack":
                self._put_up(route, key, step, incident, now)
        return step.reason

    def _note_heard(self, route: Route, key: str, step: Step) -> None:
        after = step.after
        self._db.run(
            "INSERT INTO heard (route, incident, is_open, round, reached, changes) VALUES (?, ?, ?, ?, ?, 1)"
            " ON CONFLICT (route, incident) DO UPDATE SET is_open = excluded.is_open, round = excluded.round,"
            " reached = excluded.reached, changes = changes + 1",
            route.key,
            key,
            after.is_open,
            after.round,
            after.reached,
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
                    self._tell(route, incident_key, incident, now)

    # -- Alertmanager --

    def due(self, route: Route, now: int, pace: Pace, limit: int) -> list[Due]:
        """News first, then what is to be refreshed; at once when the clock was set back."""
        rows = self._db.run(
            "SELECT incident, changes, is_open, changes > sent FROM heard WHERE route = ?"
            " AND (changes > sent OR (is_open AND refresh_at NOT BETWEEN ? AND ?))"
            " ORDER BY changes > sent DESC, refresh_at LIMIT ?",
            route.key,
            now + 1,
            now + pace.refresh_ms,
            limit,
        ).fetchall()
        found = []
        for key, changes, is_open, is_news in rows:
            incident = self.read(key)
            report = Report(incident, bool(is_open), route.runbook(incident))
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
