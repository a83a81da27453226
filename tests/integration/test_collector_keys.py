"""Write keys change under a collector that runs: nobody who may send is turned away, nobody else is let in."""

from __future__ import annotations

import http.client
import json
import os
import signal
from pathlib import Path

from tests.integration.collector_rig import KEYS, TILL_KEY, WEB_KEY, Rig, create_topic, eventually, running_collector
from tests.integration.patience import PATIENCE_SECONDS

NEW_KEY = "web-key-2"
OVERLAP = f"{KEYS}  {NEW_KEY}: {{source: web_shop, trust: browser}}\n"
AFTER = OVERLAP.replace(f"  {WEB_KEY}: {{source: web_shop, trust: browser, channel: web}}\n", "")


def status(rig: Rig, key: str) -> int:
    item = {"type": "page", "messageId": key, "anonymousId": "a"}
    return rig.ask("/v1/batch", json.dumps({"batch": [item]}).encode(), key).status


def test_a_key_is_changed_without_a_restart_and_without_a_gap(kafka: str, topic_prefix: str, tmp_path: Path) -> None:
    create_topic(kafka, f"{topic_prefix}touchpoints.raw")
    with running_collector(kafka, topic_prefix, tmp_path) as rig:
        file = tmp_path / "write_keys.yaml"
        assert (status(rig, WEB_KEY), status(rig, NEW_KEY)) == (200, 401)
        file.write_text(OVERLAP)
        eventually(lambda: status(rig, NEW_KEY) == 200, "the new key is let in by itself")
        assert status(rig, WEB_KEY) == 200

        watching = http.client.HTTPConnection("127.0.0.1", rig.port, timeout=PATIENCE_SECONDS)
        watching.request("GET", "/v1/tail", headers={"Authorization": f"Bearer {WEB_KEY}"})
        stream = watching.getresponse()
        file.write_text(AFTER)
        os.kill(rig.process.pid, signal.SIGHUP)
        eventually(lambda: status(rig, WEB_KEY) == 401, "the old key is shut out when asked for")
        assert (status(rig, NEW_KEY), status(rig, TILL_KEY)) == (200, 200)
        assert NEW_KEY.encode() not in stream.read()  # it ends, and shows nothing of what came after
        watching.close()

        file.write_text("write_keys:\n  web-key-3: {sauce: web_shop}\n")
        os.kill(rig.process.pid, signal.SIGHUP)
        stale = b"touchline_collector_write_keys_stale 1.0"
        eventually(lambda: stale in rig.ask("/metrics").body, "the metrics say that the file cannot be used")
        assert (status(rig, NEW_KEY), status(rig, TILL_KEY), status(rig, "web-key-3")) == (200, 200, 401)
        log = rig.log.read_text()
        assert "write_keys_kept" in log
        assert f"{file}:2:" in log
        assert not any(key in log for key in (WEB_KEY, NEW_KEY, TILL_KEY, "web-key-3"))
