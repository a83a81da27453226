"""Which touchpoints form an instance: keyed, keyless touchpoints that join, and instances of the customer."""

from __future__ import annotations

from typing import Any

from tests.journey_case import COLLECT, DAY, HOUR, MINUTE, NOON, Log, placed, run, touch

JOINT = {"instance": {"key": "order_id", "if_absent": "only_open_one"}}
VISIT: dict[str, Any] = {
    "journey": "visit",
    "instance": {"key": "customer"},
    "start": {"touchpoint": "visit_started"},
    "steps": {"looked": {"touchpoint": "product_viewed"}, "bought": {"touchpoint": "bought", "within": "30m"}},
    "outcome": {"success": "bought", "failure": ["left"]},
    "breaks": {},
    "lifetime": "2h",
}


def members(log: Log, *changes: dict[str, Any]) -> dict[str, list[str]]:
    journeys = run(log, *changes).journeys.values()
    return {j["anchor"]: j["touchpoint_ids"] for j in journeys if j["status"] != "moved"}


def keyless(name: str, at: int, tid: str) -> Any:
    return touch(name, at, tid=tid, order=None)


def test_each_key_and_customer_is_an_instance() -> None:
    log = Log()
    log.attach(placed(tid="a"))
    log.attach(placed(tid="b", order="8"), scope="order_id:8")
    log.attach(placed(tid="c"), customer="c2")
    outcome = run(log)
    assert sorted((j["customer_id"], j["anchor"], j["touchpoint_ids"]) for j in outcome.journeys.values()) == [
        ("c1", "order_id:7", ["a"]),
        ("c1", "order_id:8", ["b"]),
        ("c2", "order_id:7", ["c"]),
    ]


def test_a_touchpoint_without_key_joins_the_only_open_instance() -> None:
    log = Log()
    log.resolved(keyless("payment_captured", NOON - 1, "before"))
    log.attach(placed(tid="a"))
    log.resolved(keyless("payment_captured", NOON + 1, "joins"))
    log.attach(placed(NOON + 2, tid="b", order="8"), scope="order_id:8")
    log.resolved(keyless("invoice_accepted", NOON + 3, "two are open"))
    log.attach(touch("order_cancelled", NOON + 4, tid="x"))
    log.resolved(keyless("invoice_accepted", NOON + 5, "one is open"))
    log.resolved(touch("payment_captured", NOON + 6, tid="carries a key"))
    log.resolved(keyless("page_viewed", NOON + 6, "irrelevant"))
    log.resolved(keyless("payment_captured", NOON + 6, "too late"), too_late=True)
    log.resolved(keyless("payment_captured", NOON + 6, "nobody's"), customer=None)
    expected = {"order_id:7": ["a", "joins", "x"], "order_id:8": ["b", "one is open"]}
    assert members(log, JOINT) == expected


def test_without_only_open_one_nothing_joins() -> None:
    log = Log()
    log.attach(placed(tid="a"))
    log.resolved(keyless("payment_captured", NOON + 1, "joins not"))
    assert members(log) == {"order_id:7": ["a"]}


def test_a_late_start_rearranges_what_joined() -> None:
    log = Log()
    log.attach(placed(tid="a"))
    log.resolved(keyless("payment_captured", NOON + 2, "p"))
    log.attach(placed(NOON + 1, tid="b", order="8", log=NOON + DAY), scope="order_id:8")
    assert members(log, JOINT) == {"order_id:7": ["a"], "order_id:8": ["b"]}


def test_instances_of_the_customer_follow_each_other() -> None:
    log = Log()
    for name, minute in [
        ("product_viewed", 0),
        ("visit_started", 1),
        ("visit_started", 2),
        ("product_viewed", 3),
        ("bought", 4),
        ("product_viewed", 5),
        ("visit_started", 6),
        ("left", 7),
        ("visit_started", 10),
        ("product_viewed", 130),
        ("product_viewed", 131),
    ]:
        log.resolved(keyless(name, NOON + minute * MINUTE, f"{name}{minute}"))
    assert members(log, VISIT) == {
        "start:visit_started1": ["visit_started1", "visit_started2", "product_viewed3", "bought4", "product_viewed5"],
        "start:visit_started6": ["visit_started6", "left7"],
        "start:visit_started10": ["visit_started10", "product_viewed130"],
    }


def test_an_earlier_start_takes_the_place_of_the_instance() -> None:
    log = Log()
    log.resolved(keyless("visit_started", NOON, "second"))
    log.tick(NOON + 31 * MINUTE)
    log.resolved(touch("visit_started", NOON - MINUTE, tid="first", order=None, log=NOON + HOUR))
    outcome = run(log, VISIT)
    assert {j["anchor"]: j["status"] for j in outcome.journeys.values()} == {
        "start:first": "open",
        "start:second": "moved",
    }
    assert outcome.final == {("c1", "start:second", "bought", 1): "withdrawn"}
    assert outcome.alerts[-1]["first_line"] == (
        "customer c1: visit, withdrawn: step bought, the journey began earlier than was known, at 11:59 UTC, and "
        "goes on as start:first. Last: visit_started web 12:00."
    )


def test_a_journey_whose_start_is_taken_back_is_none() -> None:
    log = Log()
    log.resolved(keyless("visit_started", NOON, "s"))
    log.tick(NOON + 31 * MINUTE)
    log.switch(1, "off", NOON - HOUR, "visit")
    (_, last) = run(log, VISIT).alerts
    said = "customer c1: visit, withdrawn: step bought, there is no such journey any more. "
    assert (last["state"], last["first_line"].startswith(said)) == ("withdrawn", True), last["first_line"]


def test_a_start_that_moves_takes_its_alerts_along() -> None:
    log = Log()
    log.resolved(keyless("visit_started", NOON, "s"), customer="device")
    log.tick(NOON + 31 * MINUTE)
    log.detach("s", customer="device", scope="customer", moved_to="user")
    log.attach(keyless("visit_started", NOON, "s"), customer="user", scope="customer", moved_from="device")
    outcome = run(log, VISIT)
    assert outcome.final == {("device", "start:s", "bought", 1): "moved", ("user", "start:s", "bought", 1): "firing"}
    assert outcome.alerts[2]["continues"] == outcome.alerts[0]["alert_id"]


def test_two_definitions_share_what_they_both_need() -> None:
    other = {**COLLECT, "journey": "other", "steps": {"paid": {"touchpoint": "payment_captured"}}}
    other |= {"outcome": {"success": "paid"}, "breaks": {}}
    log = Log()
    log.attach(
        placed(tid="a"), touch("payment_captured", NOON + 1, tid="p"), touch("ready_for_pickup", NOON + 2, tid="r")
    )
    journeys = {j["definition"]: j for j in run(log, {}, other).journeys.values()}
    assert journeys["click_and_collect"]["touchpoint_ids"] == ["a", "p", "r"]
    assert journeys["other"]["touchpoint_ids"] == ["a", "p"]
    assert journeys["other"]["status"] == "succeeded"
