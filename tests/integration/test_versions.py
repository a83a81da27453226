"""Switches on real Kafka: twenty thousand customers under way in shadow, and a version that goes live beside another.

No alert comes of the switch itself, those under way stay as they began, and a worker that is killed in the middle of it
changes nothing.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from schemas.control import control_headers
from schemas.control_records import Switch
from schemas.fast import encode
from schemas.identifiers import customer_of, partition_of
from schemas.topics import PARTITIONS
from tests.integration.histories_rig import Histories
from tests.integration.version_worker import NAMES
from tests.simulated.generate import START, Arrival, rfc3339
from tests.simulated.log import Logs
from tests.simulated.scheduler import SECRET

MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
UNDER_WAY: Final = 20_000
NEW: Final = 200
CLAIMS: Final = 100
"""Before the switch, and as many after it."""
SWITCH_AT: Final = START + 30 * MINUTE
END: Final = START + 5 * HOUR
SLICE: Final = 4_000
Fed = tuple[int, Arrival]


@pytest.fixture
def rig(kafka: str, topic_prefix: str, tmp_path: Path) -> Iterator[Histories]:
    found = Histories(kafka, topic_prefix, tmp_path, "tests.integration.version_worker")
    try:
        yield found
    finally:
        found.close()


def told(name: str, at: int, user: str, **key: str) -> Fed:
    body: dict[str, Any] = {
        "format_version": 1,
        "message_id": f"{name}-{user}-{at}",
        "name": name,
        "occurred_at": rfc3339(at),
        "channel": "web",
        "identifiers": {"user_id": user, **key},
    }
    return at, Arrival(0, partition_of(f"user_id:{user}", PARTITIONS), json.dumps(body).encode())


def switched(definition: str, version: int, order: int) -> Fed:
    said = Switch(
        definition=definition,
        version=version,
        mode="live",
        from_at=SWITCH_AT,
        reason="looked at for a week",
        decided_by="nobody",
        decided_at=SWITCH_AT + order,
    )
    value = encode(said)
    return SWITCH_AT, Arrival(0, 0, value, control_headers("switch", 0, value, SECRET), "progress")


def order(number: int, at: int, *, late: bool, user: str) -> Iterator[Fed]:
    """Every fourth customer never pays, or, half of those, much too late; of the others only every third order is ready
    in time.
    """
    key = {"order_id": f"{user}-order"}
    yield told("order_placed", at, user, **key)
    if number % 4:
        yield told("payment_captured", at + MINUTE, user, **key)
        if number % 4 == 1:
            yield told("ready_for_pickup", at + 10 * MINUTE, user, **key)
    elif number % 8 and late:
        yield told("payment_captured", at + 40 * MINUTE, user, **key)


def arrivals() -> list[Fed]:
    fed: list[Fed] = []
    for number in range(UNDER_WAY):
        fed += order(number, START + number * 15, late=True, user=f"old{number}")
    for number in range(NEW):
        fed += order(number, SWITCH_AT + MINUTE + number, late=False, user=f"new{number}")
    for number in range(CLAIMS):
        fed.append(told("claim_opened", SWITCH_AT - MINUTE + number, f"old{number}", claim_id=f"before{number}"))
        fed.append(told("claim_opened", SWITCH_AT + MINUTE + number, f"new{number}", claim_id=f"after{number}"))
    return sorted(fed, key=lambda one: one[0])


class Seen(NamedTuple):
    """`journeys`: the last snapshot of each that stands: a start that overtakes the switch begins one that is folded
    again; `alerts`: every change, once.
    """

    journeys: list[dict[str, Any]]
    alerts: list[dict[str, Any]]
    twice: int


def seen(logs: Logs) -> Seen:
    journeys: dict[str, dict[str, Any]] = {}
    alerts: dict[tuple[object, ...], dict[str, Any]] = {}
    records = 0
    for partition in range(PARTITIONS):
        for record in logs.read("journeys", partition):
            body = json.loads(record.value)
            known = journeys.get(body["journey_id"])
            if known is None or body["at"][2:] >= known["at"][2:]:
                journeys[body["journey_id"]] = body
        for record in logs.read("alerts", partition):
            body = json.loads(record.value)
            assert alerts.setdefault(tuple(body["at"]), body) == body, "written twice, and not the same"
            records += 1
    stand = [journey for journey in journeys.values() if journey["status"] != "moved"]
    return Seen(stand, list(alerts.values()), records - len(alerts))


@pytest.mark.timeout(600)
def test_a_switch_tells_nobody_about_those_under_way(rig: Histories) -> None:
    assert len(NAMES) == 5
    fed = arrivals()
    before = [one for one in fed if one[0] < SWITCH_AT]
    after = [one for one in fed if one[0] >= SWITCH_AT]
    begun = time.monotonic()
    rig.start("one")
    rig.start("two")
    for start in range(0, len(before), SLICE):
        rig.send(before[start : start + SLICE])
    rig.beat(SWITCH_AT)
    rig.until_ticked(SWITCH_AT, 300)
    rig.until_drained()
    switched_at = time.monotonic()
    rig.until_working("one")
    rig.send([switched("order", 1, 0), switched("claim", 2, 1)])
    rig.kill("one")  # while the word is on its way
    rig.send(after[: len(after) // 2])
    rig.start("one")
    rig.send(after[len(after) // 2 :])
    for at in (SWITCH_AT + 2 * HOUR, END):
        rig.beat(at)
    rig.until_ticked(END, 300)
    rig.until_drained()
    done = time.monotonic()
    found = seen(rig.read(("journeys", "alerts")))
    before_it = sum(one["changed_at"] <= SWITCH_AT for one in found.alerts)
    nothing_of_orders(found)
    new_orders_are_told(found)
    claims_finish_where_they_began(found)
    print(
        f"{UNDER_WAY} customers under way, {before_it} alerts before the switch, {len(found.alerts)} in all,"
        f" {sum(one['notify'] for one in found.alerts)} told; {found.twice} written twice by the kill;"
        f" {switched_at - begun:.0f} s until the switch, {done - switched_at:.0f} s after it"
    )


def nothing_of_orders(found: Seen) -> None:
    mine = {customer_of("user_id", f"old{number}") for number in range(UNDER_WAY)}
    alerts = [one for one in found.alerts if one["definition"] == "order" and one["customer_id"] in mine]
    assert Counter((one["break_name"], one["state"]) for one in alerts) == {
        ("paid", "firing"): UNDER_WAY // 4,
        ("paid", "resolved"): UNDER_WAY // 8,
        ("ready", "firing"): UNDER_WAY // 2 + UNDER_WAY // 8,
    }
    assert {(one["mode"], one["notify"], one["reason"]) for one in alerts} == {("shadow", False, "shadow")}
    assert sum(one["changed_at"] <= SWITCH_AT for one in alerts) == UNDER_WAY // 4, "the rest comes after the switch"
    journeys = [one for one in found.journeys if one["definition"] == "order" and one["customer_id"] in mine]
    assert Counter(one["mode"] for one in journeys) == {"shadow": UNDER_WAY}


def new_orders_are_told(found: Seen) -> None:
    mine = {customer_of("user_id", f"new{number}") for number in range(NEW)}
    alerts = [one for one in found.alerts if one["definition"] == "order" and one["customer_id"] in mine]
    assert Counter((one["break_name"], one["state"], one["mode"], one["notify"]) for one in alerts) == {
        ("paid", "firing", "live", True): NEW // 4,
        ("ready", "firing", "live", True): NEW // 2,
    }
    journeys = [one for one in found.journeys if one["definition"] == "order" and one["customer_id"] in mine]
    assert Counter(one["mode"] for one in journeys) == {"live": NEW}


def claims_finish_where_they_began(found: Seen) -> None:
    def counted(rows: list[dict[str, Any]], *fields: str) -> Counter[tuple[Any, ...]]:
        claims = [row for row in rows if row["definition"] == "claim"]
        return Counter((row["anchor"].strip("0123456789"), *(row[name] for name in fields)) for row in claims)

    assert counted(found.journeys, "version", "mode") == {
        ("claim_id:before", 1, "live"): CLAIMS,
        ("claim_id:before", 2, "shadow"): CLAIMS,
        ("claim_id:after", 2, "live"): CLAIMS,
    }
    assert counted(found.alerts, "version", "state", "notify") == {
        ("claim_id:before", 1, "firing", True): CLAIMS,
        ("claim_id:before", 2, "firing", False): CLAIMS,
        ("claim_id:after", 2, "firing", True): CLAIMS,
    }
