"""`touchline identity` as a person uses it: a whole deployment on real Kafka and ClickHouse."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.identifiers import customer_of
from tests.integration.clickhouse_fixture import clickhouse as clickhouse
from tests.integration.test_cli import Deployment, alive, eventually

pytestmark = pytest.mark.timeout(280)


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    found = Deployment(tmp_path_factory.mktemp("identity") / "data")
    try:
        assert "everything is ready" in found.run("up")
        yield found
    finally:
        found.run("down")
        assert alive(found.home) == []


def sell(deployment: Deployment) -> None:
    now = int(time.time())

    def one(name: str, seconds_ago: int, properties: dict[str, str] | None = None, **said: str) -> dict[str, Any]:
        at = datetime.fromtimestamp(now - seconds_ago, UTC).isoformat()
        named = said.pop("message_id")
        return {
            "message_id": named,
            "name": name,
            "occurred_at": at,
            "identifiers": said,
            "properties": properties or {},
        }

    pickup = {"order_id": "7788", "fulfilment": "pickup"}
    guest: dict[str, Any] = {"email": "Guest@Example.com"}
    touchpoints = [
        one("signed_up", 900, user_id="u1", loyalty_card="C1", message_id="sign-up"),
        one("purchase", 800, loyalty_card="C1", message_id="handed-on", **guest),
        one("order_placed", 700, pickup, order_id="7788", message_id="order", **guest),
    ]
    assert deployment.post("till", "/v1/touchpoints", {"touchpoints": touchpoints})["refused"] == 0
    declined = [one("payment_declined", 60 - n, pickup, order_id="7788", message_id=f"no-{n}") for n in range(3)]
    assert deployment.post("payments", "/v1/touchpoints", {"touchpoints": declined})["refused"] == 0


@pytest.mark.timeout(600)
def test_a_support_agent_finds_a_wrong_merge_and_splits_it(deployment: Deployment) -> None:
    sell(deployment)
    u1 = customer_of("user_id", "u1")
    deployment.until("payment_trouble", "identity", "why", "order")
    found = deployment.until("u1", "identity", "why", "order")
    for expected in (u1, "its e-mail, phone or card", "seen together with loyalty_card:C1", "began it"):
        assert expected in found
    tree = deployment.run("identity", "show", "email:guest@example.com")
    for expected in ("user_id:u1", "loyalty_card:C1", "chain 1×", "order_id:7788"):
        assert expected in tree
    assert "guest@" not in tree.lower()
    split = ("identity", "split", "loyalty_card:C1", "--from", "u1", "--reason", "card handed on, ticket 4411")
    assert "Decide so?" in deployment.run(*split, code=1), "without an answer nothing is decided"
    assert "decided by hand" not in deployment.run("identity", "show", "loyalty_card:C1")
    done = deployment.run(*split, "--yes", "--by", "anna")
    for expected in ("5 touchpoints", "click_and_collect order_id:7788", "The decision is in force"):
        assert expected in done
    guest = "SELECT customer_id FROM v_touchpoints WHERE message_id = 'order'"
    assert eventually(lambda: deployment.sql(guest).strip() not in ("", u1))
    owner = deployment.sql(guest).strip()
    journeys = "SELECT DISTINCT customer_id FROM v_journeys_now WHERE anchor = 'order_id:7788'"
    assert eventually(lambda: deployment.sql(journeys).split() == [owner])
    open_alerts = "SELECT DISTINCT customer_id FROM v_broken_journeys_now WHERE anchor = 'order_id:7788'"
    assert eventually(lambda: deployment.sql(open_alerts).split() == [owner])
    shown = deployment.run("identity", "show", "loyalty_card:C1")
    assert "card handed on, ticket 4411" in shown
    assert "anna" in shown
    lifted = deployment.run("identity", "lift", "loyalty_card:C1", "--reason", "it was right", "--yes")
    assert "The decision is in force" in lifted
    assert eventually(lambda: deployment.sql(guest).strip() == u1)


def test_nonsense_is_refused_with_help(deployment: Deployment) -> None:
    for said, arguments in (
        ("Did you mean email?", ("show", "mail:x")),
        ("Two users are never one customer", ("link", "user_id:u1", "u2", "--reason", "x")),
        ("say why with --reason", ("block", "loyalty_card:C1")),
        ("no decision on loyalty_card:C9", ("lift", "loyalty_card:C9", "--reason", "x")),
    ):
        assert said in deployment.run("identity", *arguments, code=2)
    assert "no touchpoint nothing-like-it is stored" in deployment.run("identity", "why", "nothing-like-it", code=1)
    unseen = ("identity", "block", "loyalty_card:never", "--reason", "stolen before use")
    assert "has been seen yet" in deployment.run(*unseen, code=1)


def test_proof_is_what_a_server_would_make(deployment: Deployment) -> None:
    secret = json.loads((deployment.home / "secrets.json").read_text())["proof_secret"]
    right = hmac.new(secret.encode(), b"u1", "sha256").hexdigest()
    assert deployment.run("identity", "proof", "user_id:u1").strip() == right
