"""A receiver that wants JSON of its own gets it from a real notifier, signed as it is sent; a file that would not give
JSON does not start one.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.integration.loader_rig import until
from tests.integration.notifier_rig import Alerts, Answer, ended, served
from tests.integration.patience import PATIENCE_SECONDS
from tests.sink_records import alert

pytestmark = pytest.mark.timeout(300)
ROUTES = """
routes:
  duty:
    target: {kind: webhook, url_env: DUTY_URL, secret_env: DUTY_KEY}
    template: |
      {{"routing_key": "{secret}", "event_action": "{action}", "dedup_key": "{dedup_key}",
        "payload": {{"summary": "{first_line}", "severity": "{severity}", "custom_details": {evidence}}}}}
"""


@pytest.fixture
def alerts(kafka: str, topic_prefix: str) -> Iterator[Alerts]:
    found = Alerts(kafka, topic_prefix)
    yield found
    found.close()


def test_a_pager_gets_the_body_of_the_template_signed_as_it_is_sent(alerts: Alerts, tmp_path: Path) -> None:
    got: list[dict[str, Any]] = []

    def take(headers: dict[str, str], body: bytes) -> Answer:
        signed = headers["Touchline-Timestamp"].encode() + b"." + body
        assert headers["Touchline-Signature"] == f"v1={hmac.new(b'R0UTING', signed, sha256).hexdigest()}"
        got.append(json.loads(body) | {"key": headers["Idempotency-Key"]})
        return 202, None

    (routes := tmp_path / "routes.yaml").write_text(ROUTES)
    line = 'order "1"\nis {late} \\'
    with served(take) as port:
        settings = {
            "TOUCHLINE_ROUTES_FILE": str(routes),
            "DUTY_URL": f"http://127.0.0.1:{port}/v2/enqueue",
            "DUTY_KEY": "R0UTING",
        }
        alerts.produce([alert(1, offset=1, first_line=line), alert(1, "withdrawn", offset=2)])
        process = alerts.process(tmp_path, settings)
        until(lambda: len(got) == 2, "the beginning and the end")
        ended(process)
        routes.write_text(ROUTES.replace('"{first_line}"', "{first_line}"))
        refused = alerts.process(tmp_path, settings)
        assert refused.wait(PATIENCE_SECONDS) == 1
    first, last = got
    key = alert(1, offset=1).dedup_key
    assert [(one["event_action"], one["dedup_key"]) for one in got] == [("trigger", key), ("resolve", key)]
    assert (first["payload"]["summary"], first["routing_key"]) == (line, "R0UTING")
    assert first["payload"]["custom_details"][0]["name"] == "order_placed"
    assert (first["key"], last["key"]) == (f"{key}.1.firing", f"{key}.1.withdrawn")
    assert (
        f"{routes}:7:5: routes.duty.template, line 2: with a value for {{first_line}}"
        in (tmp_path / "log.txt").read_text()
    )
