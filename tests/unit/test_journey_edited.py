"""Files that changed, or went away, while their journeys were under way: the stage goes on, and what has no definition
any more ends.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pytest

from streams.journey.track import Track
from tests.journey_case import COLLECT, DAY, HOUR, MINUTE, NOON, Log, Outcome, compiled, keep, placed, play, touch

Changes = Mapping[str, Any]


def told() -> Log:
    """Three declined payments and no other: `paid` and `payment_trouble` fire; a second order is in time."""
    log = Log()
    log.attach(placed(tid="o"))
    for minute in (1, 2, 3):
        log.attach(touch("payment_declined", NOON + minute * MINUTE))
    log.attach(placed(tid="p", order="8"), scope="order_id:8")
    log.attach(touch("payment_captured", NOON + MINUTE, order="8"), scope="order_id:8")
    log.tick(NOON + HOUR)
    return log


def after(log: Log, *changes: Changes) -> tuple[Track, dict[bytes, bytes]]:
    """Restored with the changed files, from what a stage with the former ones has stored."""
    before, state = Track(0, compiled(), "live"), dict[bytes, bytes]()
    play(log, before)
    keep(before, state)
    stage = Track(0, compiled(*changes), "live")
    stage.restore(state.items())
    return stage, state


def on(log: Log, stage: Track) -> Outcome:
    """What a restored stage writes of what comes after: earlier records it knows."""
    return play(log, stage)


def without(part: str, name: str) -> Changes:
    changed = deepcopy(COLLECT[part])
    del changed[name]
    return {part: changed}


def test_open_alerts_of_a_definition_that_is_gone_end_at_the_first_tick() -> None:
    log = told()
    log.acknowledge("paid", by="team-night")
    stage, state = after(log, {"journey": "other", "mode": "shadow"})
    log.tick(NOON + 2 * HOUR)
    out = on(log, stage)
    ended = [alert for alert in out.alerts if alert["definition"] == "click_and_collect"]
    assert [(one["break_name"], one["state"], one["reason"], one["notify"]) for one in ended] == [
        ("payment_trouble", "resolved", "expired", True),
        ("paid", "resolved", "expired", True),
    ]
    fired = {one["alert_id"]: one for one in play(told(), Track(0, compiled(), "live")).alerts}
    for one in ended:
        first = fired[one["alert_id"]]
        for name in ("dedup_key", "incident", "journey_id", "customer_id", "anchor", "severity", "fired_at", "kind"):
            assert one[name] == first[name], name
        assert one["changed_at"] == NOON + 2 * HOUR
        assert "no definition has it any more" in one["first_line"]
    assert ended[1]["acknowledged_by"] == "team-night"
    keep(stage, state)
    again = Track(0, compiled({"journey": "other", "mode": "shadow"}), "live")
    again.restore(state.items())
    log.tick(NOON + 3 * HOUR)
    assert [one for one in on(log, again).alerts if one["definition"] == "click_and_collect"] == []


def test_alerts_that_are_over_stay_as_they_are() -> None:
    log = told()
    log.attach(touch("payment_captured", NOON + 2 * HOUR))
    stage, _ = after(log, {"journey": "other", "mode": "shadow"})
    log.tick(NOON + 3 * HOUR)
    assert [one for one in on(log, stage).alerts if one["definition"] == "click_and_collect"] == []


def test_a_redo_of_that_tick_writes_the_same() -> None:
    log = told()
    (first, _), (second, _) = (after(log, {"journey": "other", "mode": "shadow"}) for _ in range(2))
    log.tick(NOON + 2 * HOUR)
    once = on(log, first)
    assert {"paid", "payment_trouble"} == {one["break_name"] for one in once.alerts if one["reason"] == "expired"}
    assert once.effects == on(log, second).effects
    assert on(log, second).effects == []


def renamed(old: str, new: str) -> Changes:
    """A step, wherever it is named."""
    text = json.dumps({part: COLLECT[part] for part in ("steps", "breaks", "outcome")})
    return dict(json.loads(text.replace(f'"{old}"', f'"{new}"')))


@pytest.mark.parametrize(
    "changes",
    [
        renamed("paid", "settled"),
        without("breaks", "payment_trouble"),
        {"breaks": {}},
        {"steps": {**COLLECT["steps"], "paid": {"any_of": ["payment_captured", "invoice_accepted"]}}},
        {"instance": {"key": "customer"}},
        {"instance": {"key": "order_id", "if_absent": "only_open_one"}},
        {"start": {"touchpoint": "payment_declined"}},
        {"lifetime": "20d", "grace": "5m"},
    ],
    ids=[
        "a step renamed",
        "a break gone",
        "no breaks",
        "no deadline",
        "by customer",
        "joint",
        "starts elsewhere",
        "times",
    ],
)
def test_a_file_edited_in_place_stops_nothing(changes: Changes) -> None:
    """What the file no longer says ends when its journey is looked at again; what it still says goes on."""
    log = told()
    stage, state = after(log, changes)
    log.tick(NOON + 2 * HOUR)
    log.attach(touch("ready_for_pickup", NOON + 3 * HOUR))
    log.attach(touch("ready_for_pickup", NOON + 3 * HOUR, order="8"), scope="order_id:8")
    log.resolved(touch("payment_declined", NOON + 4 * HOUR, order=None))
    log.detach("p", scope="order_id:8", moved_to="c2")
    for day in range(1, 40):
        log.tick(NOON + day * DAY)
    final = play(told(), Track(0, compiled(), "live")).final | on(log, stage).final
    assert not [key for key, state_ in final.items() if state_ in ("firing", "acknowledged")]
    keep(stage, state)
    assert not [key for key in state if b"click_and_collect" in key], "nothing is left of journeys long over"
