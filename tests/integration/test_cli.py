"""The command line on a deployment of its own: from `up` to `down`, as a person would use it."""

from __future__ import annotations

import base64
import hmac
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.integration.patience import PATIENCE_SECONDS

TOUCHLINE = str(Path(sys.executable).with_name("touchline"))


class Deployment:
    def __init__(self, home: Path) -> None:
        self.home = home
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("TOUCHLINE_", "KAFKA_", "CLICK"))
        }
        self.env = kept | {"TOUCHLINE_DATA_DIR": str(home), "COLUMNS": "200"}

    def run(self, *arguments: str, code: int = 0) -> str:
        done = subprocess.run([TOUCHLINE, *arguments], env=self.env, capture_output=True, text=True, timeout=150)
        output = done.stdout + done.stderr
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{output}"
        assert "Traceback" not in output
        return output

    def until(self, shown: str, *arguments: str) -> str:
        """Asks until the output shows it."""
        give_up, output = time.monotonic() + PATIENCE_SECONDS, ""
        while time.monotonic() < give_up:
            done = subprocess.run(
                [TOUCHLINE, *arguments], env=self.env, capture_output=True, text=True, timeout=PATIENCE_SECONDS
            )
            output = done.stdout + done.stderr
            if shown in output:
                return output
        raise AssertionError(f"{arguments} never showed {shown!r}:\n{output}")

    def post(self, source: str, path: str, body: Any) -> Any:
        key = json.loads((self.home / "secrets.json").read_text())["write_keys"][source]
        port = json.loads((self.home / "run" / "collector.json").read_text())["ports"]["health"]
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}{path}",
            data=json.dumps(body).encode(),
            headers={
                "Content-Type": "application/json",
                "Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode(),
            },
        )
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            return json.loads(answer.read())

    def proof_of(self, user_id: str) -> str:
        """As a shop's server makes it for its browsers."""
        secret = json.loads((self.home / "secrets.json").read_text())["proof_secret"]
        return hmac.digest(secret.encode(), user_id.encode(), "sha256").hex()

    def sql(self, query: str, *, code: int = 200) -> str:
        """As the read-only user, as curl would."""
        password = json.loads((self.home / "credentials.json").read_text())["bi"]
        port = (self.home / "clickhouse" / "port").read_text()
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/?database=touchline",
            data=query.encode(),
            headers={"Authorization": "Basic " + base64.b64encode(f"bi:{password}".encode()).decode()},
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
                status, text = int(answer.status), str(answer.read().decode())
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read().decode()
        assert status == code, text
        return text


def alive(home: Path) -> list[str]:
    """Processes that know this data directory, by command line or environment."""
    found = []
    for process in psutil.process_iter():
        try:
            told = [*process.cmdline(), *process.environ().values(), process.cwd()]
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
        if process.pid != os.getpid() and any(str(home) in text for text in told):
            found.append(f"{process.pid} {' '.join(told[:4])}")
    return found


def eventually(condition: Callable[[], bool]) -> bool:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.1)
    return True


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Up, with an order, three declined payments (one sent twice) and two touchpoints that cannot be read."""
    found = Deployment(tmp_path_factory.mktemp("cli") / "data")
    try:
        assert "everything is ready" in found.run("up")
        send(found)
        yield found
    finally:
        found.run("down")
        assert alive(found.home) == []
        assert "nothing runs here" in found.run("down")


def send(deployment: Deployment) -> None:
    now = int(time.time())

    def at(seconds_ago: int) -> str:
        return datetime.fromtimestamp(now - seconds_ago, UTC).isoformat()

    def declined(number: int) -> dict[str, Any]:
        return {
            "message_id": f"m-{number}",
            "name": "payment_declined",
            "occurred_at": at(10 - number),
            "identifiers": {"order_id": "7788"},
            "properties": {"order_id": "7788"},
        }

    order = {
        "type": "track",
        "event": "Order Placed",
        "messageId": "m-order",
        "anonymousId": "a1",
        "timestamp": at(60),
        "properties": {"order_id": "7788", "fulfilment": "pickup"},
    }
    signed_in: dict[str, Any] = {
        "type": "identify",
        "messageId": "m-id",
        "anonymousId": "a1",
        "userId": "u1",
        "timestamp": at(30),
    }
    signed_in["context"] = {"user_proof": deployment.proof_of("u1")}
    no_event = {"type": "track", "messageId": "m-bad", "anonymousId": "a1"}
    assert deployment.post("web", "/v1/batch", {"batch": [order, signed_in, no_event]})["success"]
    touchpoints = [declined(number) for number in (1, 2, 3)]
    answer = deployment.post("payments", "/v1/touchpoints", {"touchpoints": [*touchpoints, {"message_id": "m-4"}]})
    assert (answer["accepted"], answer["refused"]) == (3, 1)
    deployment.post("payments", "/v1/touchpoints", {"touchpoints": touchpoints[:1]})


def test_status_shows_every_part_and_reader(deployment: Deployment) -> None:
    status = deployment.run("status")
    for expected in ("collector", "worker-1", "loader", "notifier", "touchline touchpoints.raw", "loader alerts"):
        assert expected in status
    assert "down" not in status


def test_trace_tells_customer_moves_journey_alert_and_duplicate(deployment: Deployment) -> None:
    deployment.until("alert        firing", "trace", "m-1")
    declined = deployment.run("trace", "m-1")
    for expected in (
        "stored payment_declined",
        "touchpoints.raw/",
        "by business_key",
        "dropped",
        "click_and_collect@",
        " order_id:7788: open",
        "payment_trouble",
    ):
        assert expected in declined
    order = deployment.until("(login)", "trace", "m-order")
    for expected in ("began it", "by login", "(device) ->"):
        assert expected in order
    by_id = next(word for word in declined.split() if len(word) == 32)
    assert "stored payment_declined" in deployment.run("trace", by_id, "--no-row")


def test_trace_says_what_it_searched(deployment: Deployment) -> None:
    text = deployment.run("trace", "m-4", code=1)
    for expected in ("not found", "touchpoint_id and message_id", "touchpoints.raw:", "touchline tail --refused"):
        assert expected in text


def test_tail_shows_accepted_and_refused(deployment: Deployment, tmp_path: Path) -> None:
    with (tmp_path / "all").open("w") as everything, (tmp_path / "refused").open("w") as refused:
        watchers = [
            subprocess.Popen([TOUCHLINE, "tail"], env=deployment.env, stdout=everything),
            subprocess.Popen(
                [TOUCHLINE, "tail", "--refused", "--source", "payments", "--json"], env=deployment.env, stdout=refused
            ),
        ]
        try:
            assert eventually(lambda: "m-1" in (tmp_path / "all").read_text())
            assert eventually(lambda: "m-4" in (tmp_path / "refused").read_text())
        finally:
            for watcher in watchers:
                watcher.send_signal(signal.SIGINT)
            codes = [watcher.wait(PATIENCE_SECONDS) for watcher in watchers]
    assert codes == [0, 0]
    assert "contract_violation" in (tmp_path / "all").read_text()
    lines = [json.loads(line) for line in (tmp_path / "refused").read_text().splitlines()]
    assert [(line["message_id"], line["field"]) for line in lines] == [("m-4", "name")]


def test_dead_letters_are_listed_shown_and_replayed(deployment: Deployment) -> None:
    listed = deployment.until("contract_violation", "dead-letters", "list")
    place = next(word for word in listed.split() if word.startswith("touchpoints.raw/"))
    assert place in deployment.run("dead-letters", "list", "--each", "--source", "web")
    assert "no dead letters" in deployment.run("dead-letters", "list", "--source", "till")
    shown = deployment.run("dead-letters", "show", place)
    assert '"messageId": "m-bad"' in shown
    assert "dead letter contract_violation in field event" in deployment.run("trace", "m-bad")
    assert "still contract_violation" in deployment.run("dead-letters", "replay", place)
    assert f"would send {place}" in deployment.run("dead-letters", "replay", place, "--force", "--dry-run")
    assert "1 sent" in deployment.run("dead-letters", "replay", "--source", "web", "--force")
    replayed = f"SELECT count() FROM v_dead_letters WHERE headers['replayed_from'] = '{place}'"
    assert eventually(lambda: deployment.sql(replayed).strip() == "1")


def test_dead_letters_arguments(deployment: Deployment) -> None:
    assert "say which ones" in deployment.run("dead-letters", "replay", code=2)
    assert "looks like" in deployment.run("dead-letters", "replay", "m-bad", code=2)
    assert "no dead letter lay at" in deployment.run("dead-letters", "show", "touchpoints.raw/3/999999", code=1)


def test_sql_as_bi_reads_and_does_not_write(deployment: Deployment) -> None:
    assert eventually(lambda: "payment_trouble" in deployment.sql("SELECT first_line FROM v_broken_journeys_now"))
    assert deployment.sql("SELECT count() FROM v_touchpoints WHERE message_id = 'm-1'").strip() == "1"
    deployment.sql("DROP TABLE touchpoints", code=403)


def test_quarantine_refuses_wrong_arguments(deployment: Deployment) -> None:
    assert "is no topic of this deployment" in deployment.run("quarantine", "nonsense", "0", "1", code=2)
    assert "no partition 99" in deployment.run("quarantine", "touchpoints.raw", "99", "1", code=2)
    assert "no offset 9000000 yet" in deployment.run("quarantine", "touchpoints.raw", "0", "9000000", code=1)
    assert "processed already" in deployment.run("quarantine", "touchpoints.raw", "0", "0", code=1)
    assert "Invalid value" in deployment.run("quarantine", "touchpoints.raw", "three", "1", code=2)


def test_tail_says_when_the_collector_goes_away_and_comes_back(deployment: Deployment, tmp_path: Path) -> None:
    told = tmp_path / "told"
    with told.open("w") as errors:
        watcher = subprocess.Popen([TOUCHLINE, "tail"], env=deployment.env, stdout=subprocess.DEVNULL, stderr=errors)
        try:
            assert eventually(lambda: "connected to" in told.read_text())
            psutil.Process(json.loads((deployment.home / "run" / "collector.json").read_text())["pid"]).kill()
            assert eventually(lambda: "the collector is away" in told.read_text())
            assert "collector: starting" in deployment.run("up")
            assert eventually(lambda: told.read_text().count("connected to") == 2)
        finally:
            watcher.send_signal(signal.SIGINT)
            assert watcher.wait(PATIENCE_SECONDS) == 0


def test_nothing_runs_elsewhere(tmp_path: Path) -> None:
    """Each command says in one sentence what is missing."""
    nowhere = Deployment(tmp_path / "none")
    assert "nothing runs here" in nowhere.run("down")
    assert "down" in nowhere.run("status", code=1)
    for command in (("trace", "x"), ("dead-letters", "list")):
        assert "ClickHouse does not run in" in nowhere.run(*command, code=2)
    assert "no collector runs in" in nowhere.run("tail", code=2)
    assert not nowhere.home.exists(), "a look leaves nothing behind"
