"""Incidents in a real Alertmanager: they fire, are kept alive, change and end, whoever is killed on the way."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from schemas.records import Alert
from tests.integration.alertmanager_rig import Alertmanager
from tests.integration.loader_rig import until
from tests.integration.notifier_rig import Alerts, ended, killed
from tests.sink_records import DAY_AT, alert

pytestmark = pytest.mark.timeout(300)
REFRESH_MS = 250
ENDS_AFTER_MS = 5_000
"""Many refreshes: on a busy machine some come late."""


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[Alertmanager]:
    found = Alertmanager(tmp_path)
    found.start()
    yield found
    found.kill()


@pytest.fixture
def alerts(kafka: str, topic_prefix: str) -> Iterator[Alerts]:
    found = Alerts(kafka, topic_prefix)
    yield found
    found.close()


def started(alerts: Alerts, home: Path, alertmanager: Alertmanager, ends_after_ms: int) -> subprocess.Popen[bytes]:
    routes = home / "routes.yaml"
    routes.write_text(f"routes: {{operations: {{target: {{kind: alertmanager, url: '{alertmanager.url}'}}}}}}")
    return alerts.process(
        home,
        {
            "TOUCHLINE_ROUTES_FILE": str(routes),
            "TOUCHLINE_ALERTMANAGER_REFRESH_MS": str(REFRESH_MS),
            "TOUCHLINE_ALERTMANAGER_ENDS_AFTER_MS": str(ends_after_ms),
        },
    )


def counts(alertmanager: Alertmanager) -> list[str]:
    return [found["annotations"]["count"] for found in alertmanager.alerts()]


def samples(alertmanager: Alertmanager) -> list[str]:
    return [found["annotations"]["sample"] for found in alertmanager.alerts()]


def late(number: int, *, offset: int) -> Alert:
    """The higher the number, the shorter it has waited."""
    return alert(number, offset=offset, cause_at=DAY_AT + number)


def other_break(number: int, state: str = "firing", *, offset: int) -> Alert:
    return alert(number, state, offset=offset, break_name="ready", step="ready")


def ends_at(alertmanager: Alertmanager) -> datetime:
    (found,) = alertmanager.alerts()
    return datetime.fromisoformat(found["endsAt"])


def test_an_incident_fires_once_for_all_is_refreshed_before_it_ends_and_resolves(
    alerts: Alerts, alertmanager: Alertmanager, tmp_path: Path
) -> None:
    alerts.produce(late(number, offset=number) for number in range(1, 4))
    process = started(alerts, tmp_path, alertmanager, ends_after_ms=ENDS_AFTER_MS)
    until(lambda: counts(alertmanager) == ["3"], "one incident with three alerts")
    (found,) = alertmanager.alerts()
    assert found["labels"] == {
        "alertname": "JourneyBreak", "journey": "click_and_collect", "break": "paid", "kind": "missing_step",
        "severity": "critical", "owner": "team-stores", "run": "live",
    }  # fmt: skip
    assert samples(alertmanager) == ["order_id:1, order_id:2, order_id:3"]
    first_end = ends_at(alertmanager)
    until(
        lambda: (ends_at(alertmanager) - first_end).total_seconds() > ENDS_AFTER_MS / 1_000,
        "an end beyond the first one's time",
    )
    alerts.produce([alert(1, "resolved", offset=11), alert(2, "withdrawn", offset=12)])
    until(lambda: counts(alertmanager) == ["1"], "one alert left")
    alerts.produce([alert(3, "resolved", offset=13)])
    until(lambda: not alertmanager.alerts(), "the end")
    ended(process)
    assert process.returncode == 0


def test_kill_9_loses_no_incident_and_no_end(alerts: Alerts, alertmanager: Alertmanager, tmp_path: Path) -> None:
    """The end lies ten minutes ahead: what disappears before was resolved, not forgotten."""
    alerts.produce([late(1, offset=1), late(2, offset=2), other_break(3, offset=3)])
    process = started(alerts, tmp_path, alertmanager, ends_after_ms=600_000)
    until(lambda: sorted(counts(alertmanager)) == ["1", "2"], "both incidents")
    killed(process)
    alerts.produce([alert(1, "resolved", offset=4), late(4, offset=5), other_break(3, "resolved", offset=6)])
    assert len(alertmanager.alerts()) == 2
    process = started(alerts, tmp_path, alertmanager, ends_after_ms=600_000)
    until(lambda: samples(alertmanager) == ["order_id:2, order_id:4"], "the end of one, the change of the other")
    killed(process)
    alerts.produce([alert(2, "resolved", offset=7), alert(4, "resolved", offset=8)])
    process = started(alerts, tmp_path, alertmanager, ends_after_ms=600_000)
    until(lambda: not alertmanager.alerts(), "the end of the other")
    ended(process)


def test_an_alertmanager_that_lost_its_memory_is_told_again(
    alerts: Alerts, alertmanager: Alertmanager, tmp_path: Path
) -> None:
    alerts.produce([alert(1, offset=1)])
    process = started(alerts, tmp_path, alertmanager, ends_after_ms=600_000)
    until(lambda: counts(alertmanager) == ["1"], "the incident")
    alertmanager.kill()
    alerts.produce([other_break(2, offset=2)])
    alertmanager.start()
    until(lambda: counts(alertmanager) == ["1", "1"], "both incidents")
    ended(process)


def test_who_looks_after_an_incident_is_an_annotation_and_it_keeps_firing(
    alerts: Alerts, alertmanager: Alertmanager, tmp_path: Path
) -> None:
    alerts.produce([alert(1, offset=1), alert(2, offset=2, runbook="https://wiki.example/paid")])
    process = started(alerts, tmp_path, alertmanager, ends_after_ms=ENDS_AFTER_MS)
    until(lambda: counts(alertmanager) == ["2"], "the incident")
    (before,) = alertmanager.alerts()
    assert "acknowledged_by" not in before["annotations"]
    assert before["annotations"]["runbook_url"] == "https://wiki.example/paid"

    def said(text: str) -> bool:
        return [found["annotations"].get("acknowledged_by") for found in alertmanager.alerts()] == [text]

    alerts.produce([alert(1, "acknowledged", offset=3, acknowledged_by="anna")])
    until(lambda: said("anna (1 of 2)"), "one of two")
    alerts.produce([alert(2, "acknowledged", offset=4, acknowledged_by="anna")])
    until(lambda: said("anna"), "all")
    (after,) = alertmanager.alerts()
    assert (after["fingerprint"], after["startsAt"]) == (before["fingerprint"], before["startsAt"]), "the same alert"
    first_end = ends_at(alertmanager)
    until(
        lambda: (ends_at(alertmanager) - first_end).total_seconds() > ENDS_AFTER_MS / 1_000, "refreshed beyond its end"
    )
    alerts.produce([alert(1, "resolved", offset=5), alert(2, "resolved", offset=6)])
    until(lambda: not alertmanager.alerts(), "the end")
    ended(process)
