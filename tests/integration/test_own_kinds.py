"""Kinds of identifiers that a deployment declares itself, from collector to tables: real Kafka and ClickHouse."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from shutil import copy
from typing import Any, Final

import pytest

from schemas.identifiers import customer_of
from tests.integration.clickhouse_fixture import clickhouse as clickhouse
from tests.integration.test_cli import Deployment, alive, eventually

pytestmark = pytest.mark.timeout(600)
RULES: Final = """identifiers:
  cookie_id: {group: device, priority: 3}
  passport: {group: contact, priority: 4, normalise: lower, personal: true, personal_fields: [passport_no]}
  booking_id: {group: business_key, priority: 5}
"""
CLEAR: Final = "C01X-00T47"
U1: Final = customer_of("user_id", "u1")


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """As shipped, but the orders of its customers are bookings."""
    home = tmp_path_factory.mktemp("own")
    (home / "identity.yaml").write_text(RULES)
    journeys = home / "journeys"
    journeys.mkdir()
    text = Path("journeys/click_and_collect.yaml").read_text().replace("key: order_id", "key: booking_id")
    (journeys / "click_and_collect.yaml").write_text(text)
    copy("journeys/checkout.yaml", journeys)
    found = Deployment(home / "data")
    found.env |= {"TOUCHLINE_IDENTITY_FILE": str(home / "identity.yaml"), "TOUCHLINE_DEFINITIONS_DIR": str(journeys)}
    try:
        assert "kinds of its own: cookie_id, passport, booking_id" in found.run("validate")
        assert "everything is ready" in found.run("up")
        yield found
    finally:
        found.run("down")
        assert alive(found.home) == []


def shown(ask: Callable[[], list[str]], expected: list[str]) -> list[str]:
    """What is answered in the end."""
    eventually(lambda: ask() == expected)
    return ask()


def one(message_id: str, name: str, seconds_ago: int, **said: str) -> dict[str, Any]:
    at = datetime.fromtimestamp(int(time.time()) - seconds_ago, UTC).isoformat()
    order = {"order_id": "7788", "fulfilment": "pickup", "passport_no": CLEAR}
    properties = order if name == "order_placed" else {}
    return {
        "message_id": message_id,
        "name": name,
        "occurred_at": at,
        "identifiers": said,
        "properties": properties,
    }


def test_kinds_of_its_own_do_what_those_of_their_group_do(deployment: Deployment) -> None:
    sent = [
        one("look", "page_viewed", 900, cookie_id="c1"),
        one("login", "identified", 880, cookie_id="c1", user_id="u1"),
        one("desk", "signed_up", 870, passport=CLEAR, user_id="u1"),
        one("order", "order_placed", 800, passport=CLEAR.lower(), booking_id="B-7"),
        *(one(f"no-{n}", "payment_declined", 60 - n, booking_id="B-7") for n in range(3)),  # a till: it knows no more
        one("none", "purchase", 50, booking_id="B-8"),
    ]
    answer = deployment.post("till", "/v1/touchpoints", {"touchpoints": sent})
    assert answer["refused"] == 0, answer
    wrong = deployment.post("till", "/v1/touchpoints", {"touchpoints": [one("x", "purchase", 1, bokking_id="B-9")]})
    assert "identifiers.bokking_id" in str(wrong)
    assert "perhaps booking_id is meant" in str(wrong)
    whose = "SELECT message_id, attributed_by FROM v_touchpoints WHERE customer_id = '{}' ORDER BY message_id"
    expected = ["desk user_id", "login user_id", "look login", "no-0 business_key", "no-1 business_key"]
    expected += ["no-2 business_key", "order contact"]
    found = shown(lambda: deployment.sql(whose.format(U1)).replace("\t", " ").splitlines(), expected)
    assert found == expected, deployment.sql("SELECT message_id, attributed_by, origin FROM v_touchpoints")
    assert deployment.sql("SELECT attributed_by FROM v_touchpoints WHERE message_id = 'none'").strip() == "waiting"
    stored = "SELECT other_identifiers['{}'] FROM v_touchpoints WHERE message_id = '{}'"
    assert deployment.sql(stored.format("booking_id", "no-1")).strip() == "B-7"
    assert deployment.sql(stored.format("cookie_id", "look")).strip() == "c1"
    assert deployment.sql(stored.format("passport", "order")).startswith("hmac:")
    everything = deployment.sql("SELECT * FROM touchpoints FORMAT TSV").lower()
    assert CLEAR.lower() not in everything, "neither as an identifier nor as a property"
    links = "SELECT link FROM v_identity_links WHERE other LIKE 'cookie_id:%' OR other LIKE 'passport:%' ORDER BY ALL"
    assert deployment.sql(links).split() == ["user_contact", "user_device"]
    journeys = "SELECT DISTINCT customer_id FROM v_journeys_now WHERE anchor = 'booking_id:B-7'"
    assert eventually(lambda: deployment.sql(journeys).split() == [U1])
    assert eventually(
        lambda: "payment_trouble" in deployment.sql("SELECT break_name FROM v_alerts WHERE anchor = 'booking_id:B-7'")
    )


def test_a_backtest_finds_what_was_raised(deployment: Deployment) -> None:
    later = one("later", "payment_declined", 1, booking_id="B-7")
    assert deployment.post("till", "/v1/touchpoints", {"touchpoints": [later]})["refused"] == 0
    stored = "SELECT count() FROM v_touchpoints WHERE message_id = 'later' AND customer_id != ''"
    assert eventually(lambda: deployment.sql(stored).strip() == "1")
    journeys = Path(deployment.env["TOUCHLINE_DEFINITIONS_DIR"])
    report = deployment.run("backtest", str(journeys / "click_and_collect.yaml"), "--json")
    assert '"payment_trouble"' in report


def test_they_are_shown_explained_and_decided_about(deployment: Deployment) -> None:
    tree = deployment.until("booking_id:B-7", "identity", "show", "user_id:u1")
    for expected in ("cookie_id:c1", "passport:hmac:", "booking_id:B-7"):
        assert expected in tree
    assert "user_id:u1" in deployment.run("identity", "show", f"passport:{CLEAR}")
    assert "user_id:u1" in deployment.run("identity", "show", "cookie_id:c1")
    assert U1 in deployment.run("identity", "show", "booking_id:B-7")
    why = deployment.run("identity", "why", "no-1")
    for expected in (U1, "booking_id:B-7", "click_and_collect"):
        assert expected in why
    assert "Did you mean booking_id?" in deployment.run("identity", "show", "boking_id:B-7", code=2)
    assert "belongs to whoever claimed it first" in deployment.run(
        "identity", "link", "booking_id:B-7", "u2", "--reason", "x", code=2
    )
    split = ("identity", "split", f"passport:{CLEAR}", "--from", "u1", "--reason", "lent", "--yes")
    assert "The decision is in force" in deployment.run(*split)
    order = "SELECT customer_id FROM v_touchpoints WHERE message_id = '{}'"
    assert eventually(lambda: deployment.sql(order.format("order")).strip() not in ("", U1))
    assert eventually(lambda: deployment.sql(order.format("no-1")) == deployment.sql(order.format("order")))
    link = ("identity", "link", "cookie_id:c1", "u2", "--reason", "a shared tablet", "--yes")
    assert "The decision is in force" in deployment.run(*link)
    assert eventually(lambda: deployment.sql(order.format("look")).strip() == customer_of("user_id", "u2"))
    block = ("identity", "block", "booking_id:B-7", "--reason", "a test booking", "--yes")
    assert "The decision is in force" in deployment.run(*block)
    assert eventually(lambda: deployment.sql(order.format("no-1")).strip() == "")


def test_migrations_again_lose_nothing(deployment: Deployment) -> None:
    rows = "SELECT count(), countIf(notEmpty(other_identifiers)) FROM v_touchpoints"
    before = deployment.sql(rows)
    assert "up to date" in deployment.run("migrate")
    assert deployment.sql(rows) == before
