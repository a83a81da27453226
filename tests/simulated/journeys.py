"""What `track` must have said in the end: the same as in a world where everything arrives in the order and
nothing goes wrong.
"""

from __future__ import annotations

import json
from typing import Any

from schemas.definition import (
    Break,
    Catalogue,
    Definition,
    Instance,
    Outcome,
    Pattern,
    Step,
)
from tests.simulated.expected import is_decision
from tests.simulated.generate import ENDS_SESSION, IGNORED, NAMES, START, SURVEY, Arrival
from tests.simulated.log import Logs
from tests.simulated.seen import new_records

Json = dict[str, Any]
PARTITIONS = 12
"""Of what track writes, whatever the world has."""


def catalogue() -> Catalogue:
    return Catalogue.model_validate({"touchpoints": catalogue_said()})


def catalogue_said() -> Json:
    """As in a file."""
    impact: Json = {"stage": "service", "mode": "monitor", "criticality": "low"}
    plain: Json = {"channel": "web", "owner": "team-web", "impact": impact}
    found = {name: plain | {"ends_session": name in ENDS_SESSION} for name in NAMES}
    found[IGNORED] = plain | {"impact": impact | {"mode": "ignore"}}
    contract = {"grade": {"type": "integer", "required": True}}
    found[SURVEY] = plain | {"impact": impact | {"mode": "control"}, "properties": contract}
    return found


def sources_said() -> Json:
    """As in a file. Histories last for hours or days."""
    return {
        "crm": {"owner": "team", "brings": ["payment_captured"], "silent_after": "4h", "catches_up": "1h"},
        "till-{till}": {"owner": "team", "brings": ["picked_up"], "silent_after": "10h"},
    }


def definitions() -> list[Definition]:
    pickup = Definition(
        journey="click_and_collect",
        version=1,
        mode="live",
        owner="team-checkout",
        instance=Instance(key="order_id"),
        start=Pattern(touchpoint="order_placed"),
        steps={
            "paid": Step(touchpoint="payment_captured", within="3h", severity="critical"),
            "ready": Step(touchpoint="ready_for_pickup", after="paid", within="8h"),
            "collected": Step(touchpoint="picked_up", after="ready", within="1d"),
        },
        outcome=Outcome(success="collected", failure=["order_cancelled"]),
        breaks={
            "lost": Break(touchpoint="page_viewed", at_least=2, in_window="6h", cleared_by="paid"),
            "looks": Break(touchpoint="page_viewed", cleared_by="ready", tolerate="2h"),
            "unpaid": Break(touchpoint="picked_up", requires="paid", tolerate="1h"),
            "unready": Break(without="ready", tolerate="1h"),
            "gone": Break(idle="5h"),
            "together": Break(persons_above=1),
            "given_away": Break(touchpoint="picked_up", never_with="order_cancelled"),
        },
        lifetime="2d",
    )
    visit = Definition(
        journey="visit",
        version=1,
        mode="live",
        owner="team-web",
        instance=Instance(key="customer"),
        start=Pattern(touchpoint="page_viewed"),
        steps={
            "bought": Step(touchpoint="order_placed", within="5h", excused_by=["ready_for_pickup"]),
            "left": Step(touchpoint="signed_out", after="bought"),
        },
        outcome=Outcome(success="left", failure=["order_cancelled"]),
        breaks={"silent": Break(idle="3h"), "once": Break(touchpoint="page_viewed", at_most=2)},
        lifetime="1d",
    )
    thanks = Definition(
        journey="thanks",
        version=1,
        mode="live",
        owner="team-web",
        instance=Instance(key="order_id", if_absent="only_open_one"),
        start=Pattern(touchpoint="order_placed"),
        steps={
            "paid": Step(touchpoint="payment_captured"),
            "asked": Step(touchpoint="surveyed", within="4h", excused_by=["signed_out"]),
        },
        outcome=Outcome(success="paid", failure=["order_cancelled"]),
        breaks={"looks": Break(touchpoint="page_viewed", at_least=2, in_window="6h", cleared_by="paid")},
        lifetime="1d",
    )
    return [pickup, visit, thanks]


def in_order(logs: Logs, partitions: int) -> list[Arrival]:
    """What people decided, then the resolved touchpoints, sorted by the order, each at its owner, with its first log
    time.
    """
    progress = logs.read("progress", 0)
    decisions = [Arrival(0, 0, one.value, one.headers, "progress") for one in progress if is_decision(one)]
    rows: list[tuple[tuple[int, int, str], Arrival]] = []
    for partition in range(partitions):
        for _, body in new_records(logs.read("touchpoints", partition)):
            if body["type"] == "touchpoint":
                owner = body["at"][1]
                raw = logs.read("touchpoints.raw", owner)[body["rev"]]
                own = tuple(pair for pair in raw.headers if pair[0] not in ("control", "mac", "at", "log_time"))
                headers = (*own, ("log_time", str(body["log_time"]).encode()))
                order = (body["occurred_at"], body["sequence"], body["touchpoint_id"])
                rows.append((order, Arrival(0, owner, raw.value, headers)))
    return decisions + [arrival for _, arrival in sorted(rows, key=lambda row: row[0])]


def outcome(logs: Logs) -> tuple[dict[str, Json], dict[str, str]]:
    """The last snapshot of each journey, and the last state of each alert that still says something is or was
    wrong.
    """
    journeys: dict[str, Json] = {}
    alerts: dict[str, Json] = {}
    for partition in range(PARTITIONS):
        for _, body in new_records(logs.read("journeys", partition)):
            journeys[body["journey_id"]] = {
                key: value for key, value in body.items() if key not in ("at", "log_time", "run", "journey_id")
            }
    for partition in range(PARTITIONS):
        for _, body in new_records(logs.read("alerts", partition)):
            if body.get("scope", "journey") == "journey":
                alerts[body["alert_id"]] = body
    standing = {key: body for key, body in journeys.items() if body["status"] != "moved"}
    said = {
        key: body["state"] for key, body in alerts.items() if body["state"] in ("firing", "resolved", "acknowledged")
    }
    return standing, said


def last_tick(logs: Logs, partition: int) -> int:
    ticks = (json.loads(record.value) for record in logs.read("touchpoints", partition))
    return max((body["log_time"] for body in ticks if body["type"] == "tick"), default=START)
