"""A Slack that is down and a notifier that is killed: every beginning and every end is said, in order, in words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.integration.loader_rig import until
from tests.integration.notifier_rig import Alerts, Answer, ended, killed, served
from tests.sink_records import DAY_AT, alert

pytestmark = pytest.mark.timeout(300)
ROUTES = """
routes:
  checkout_room:
    match: {journeys: [click_and_collect], severity_at_least: error}
    target: {kind: slack, url_env: SLACK_CHECKOUT_ROOM}
    template: "{state} {journey}, {what}: {alerts} | {first_line}"
"""


@dataclass
class Slack:
    """Answers 503 while it is down; keeps what it took, and how often somebody tried."""

    down: bool = False
    texts: list[str] = field(default_factory=list)
    attempts: int = 0

    def take(self, headers: dict[str, str], body: bytes) -> Answer:
        self.attempts += 1
        assert headers["Content-Type"] == "application/json"
        (text,) = json.loads(body).values()
        if not self.down:
            self.texts.append(text)
        return (503, None) if self.down else (200, None)


@pytest.fixture
def alerts(kafka: str, topic_prefix: str) -> Iterator[Alerts]:
    found = Alerts(kafka, topic_prefix)
    yield found
    found.close()


def test_slack_hears_of_each_incident_through_an_outage_and_a_kill(alerts: Alerts, tmp_path: Path) -> None:
    slack = Slack()
    routes = tmp_path / "routes.yaml"
    routes.write_text(ROUTES)
    with served(slack.take) as port:
        settings = {
            "TOUCHLINE_ROUTES_FILE": str(routes),
            "SLACK_CHECKOUT_ROOM": f"http://127.0.0.1:{port}/services/T0/B0/x",
        }
        process = alerts.process(tmp_path, settings)
        alerts.produce([alert(1, offset=1, cause_at=DAY_AT, first_line="order_id:1 <!channel> & more")])
        alerts.produce([alert(2, offset=2, severity="warning")])
        until(lambda: len(slack.texts) == 1, "the beginning")
        slack.down, attempts = True, slack.attempts
        alerts.produce(alert(number, offset=number) for number in range(3, 15))
        until(lambda: slack.attempts > attempts, "an attempt that fails")
        killed(process)
        slack.down = False
        changes = [alert(1, "resolved", offset=20, first_line="order_id:1 was late")]
        changes += [alert(number, "resolved", offset=20 + number) for number in range(3, 14)]
        changes += [alert(14, "withdrawn", offset=40, first_line="order_id:14 was not late")]
        alerts.produce(changes)
        process = alerts.process(tmp_path, settings)
        until(lambda: len(slack.texts) == 3, "growth and end")
        ended(process)
    what = "click_and_collect, step paid"
    first, grown, last = slack.texts
    assert first == f"FIRING {what} is missing: 1 alert open | order_id:1 &lt;!channel&gt; &amp; more"
    assert grown.startswith(f"STILL FIRING {what} is missing: 1")
    assert last == f"RESOLVED {what} was missing: none open, 13 at most | order_id:14 was not late"
