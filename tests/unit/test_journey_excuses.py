"""What a customer says once counts for more than one journey: `excused_by` of docs/journeys.md, Steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Any

import pytest

from schemas.definition import Definition
from schemas.records import Entry
from streams.journey.compile import compile_definitions
from streams.journey.plan import EXCUSE_MS
from streams.journey.track import Track
from tests.journey_case import (
    CATALOGUE,
    DAY,
    HOUR,
    MINUTE,
    NOON,
    Log,
    Outcome,
    assert_restart_changes_nothing,
    play,
    touch,
)

ORDER: dict[str, Any] = {
    "journey": "order",
    "version": 1,
    "mode": "live",
    "owner": "team",
    "instance": {"key": "order_id", "if_absent": "only_open_one"},
    "start": {"touchpoint": "placed"},
    "steps": {
        "collected": {"touchpoint": "collected"},
        "asked": {"touchpoint": "asked", "after": "collected", "within": "1h", "excused_by": ["opted_out", "left"]},
        "answered": {"touchpoint": "answered", "after": "asked"},
    },
    "outcome": {"success": "collected", "failure": ["cancelled"]},
    "grace": "1m",
    "lifetime": "10d",
}
ALONE = ORDER | {"instance": {"key": "order_id"}}
VISIT = ORDER | {"journey": "visit", "instance": {"key": "customer"}}
YEAR = EXCUSE_MS


def stage(*said: Mapping[str, Any], most: int = 500) -> Track:
    definitions = [Definition.model_validate(one) for one in said or (ORDER,)]
    return Track(0, compile_definitions(definitions, CATALOGUE), "live", entries_max=most)


def put(log: Log, *entries: Entry, customer: str = "c1") -> Log:
    for entry in entries:
        if order := entry.keys.get("order_id"):
            log.attach(entry, customer=customer, scope=f"order_id:{order}")
        else:
            log.resolved(entry, customer)
    return log


def opt(at: int, tid: str = "no", order: str | None = None, name: str = "opted_out", log: int | None = None) -> Entry:
    return touch(name, at, tid=tid, order=order, log=log)


def order(at: int = NOON, number: str = "7", collected: bool = True) -> list[Entry]:
    """Placed, and collected a minute later; who was not asked within an hour after that was forgotten."""
    found = [touch("placed", at, order=number, tid=f"s{number}")]
    return found + [touch("collected", at + MINUTE, order=number, tid=f"c{number}")] * collected


def visit(at: int, number: int, collected: bool = True) -> list[Entry]:
    return [one.model_copy(update={"keys": {}}) for one in order(at, str(number), collected)]


def later(log: Log, *hours: int, since: int = NOON) -> Log:
    for hour in hours or (2,):
        log.tick(since + hour * HOUR)
    return log


def steps(outcome: Outcome) -> dict[str, dict[str, str]]:
    return {
        j["anchor"]: {step["step"]: step["status"] for step in j["steps"]}
        for j in outcome.journeys.values()
        if j["status"] != "moved"
    }


def asked(outcome: Outcome) -> dict[str, str]:
    return {anchor: found["asked"] for anchor, found in steps(outcome).items()}


def members(outcome: Outcome) -> dict[str, list[str]]:
    return {j["anchor"]: j["touchpoint_ids"] for j in outcome.journeys.values()}


def test_what_is_said_without_an_order_is_said_in_every_open_one() -> None:
    log = put(Log(), *order(), *order(number="8"), touch("placed", NOON, order="9"))
    put(log, touch("cancelled", NOON + MINUTE, order="9"), opt(NOON + 2 * MINUTE), *order(NOON + HOUR, "10"))
    outcome = play(later(log, 4), stage())
    assert outcome.alerts == []
    assert asked(outcome) == {f"order_id:{n}": "skipped" for n in ("7", "8", "10")} | {"order_id:9": "waiting"}
    found = members(outcome)
    assert (found["order_id:7"][-1], found["order_id:8"][-1]) == ("no", "no")
    assert "no" not in found["order_id:9"] + found["order_id:10"]
    assert steps(outcome)["order_id:7"] == {"collected": "reached", "asked": "skipped", "answered": "skipped"}


def test_what_is_said_of_one_order_counts_for_no_other() -> None:
    log = put(Log(), *order(), *order(number="8"), opt(NOON + 2 * MINUTE, order="7"), *order(NOON + 3 * MINUTE, "9"))
    put(log, opt(NOON + 4 * MINUTE, "none of mine", name="left").model_copy(update={"keys": {"order_id": "1"}}))
    outcome = play(later(log), stage())
    assert asked(outcome) == {"order_id:7": "skipped", "order_id:8": "missed", "order_id:9": "missed"}


def test_another_kind_of_key_is_no_key_of_an_order() -> None:
    said = opt(NOON - DAY).model_copy(update={"keys": {"case_id": "3"}})
    log = Log()
    log.resolved(said)
    assert asked(play(later(put(log, *order())), stage())) == {"order_id:7": "skipped"}


@pytest.mark.parametrize(("before", "status"), [(1, "skipped"), (YEAR, "skipped"), (YEAR + 1, "missed")])
@pytest.mark.parametrize("said", [ORDER, VISIT])
def test_it_counts_for_what_starts_within_a_year(said: dict[str, Any], before: int, status: str) -> None:
    log = put(Log(), opt(NOON - before), *(order() if said is ORDER else visit(NOON, 7)))
    assert list(asked(play(later(log), stage(said))).values()) == [status]


@pytest.mark.parametrize(("before", "status"), [(1, "skipped"), (YEAR, "skipped"), (YEAR + 1, "missed")])
@pytest.mark.parametrize("said", [ORDER, ALONE])
def test_so_does_what_the_order_itself_says_before_its_start(said: dict[str, Any], before: int, status: str) -> None:
    log = put(Log(), opt(NOON - before, order="7"), *order())
    outcome = play(later(log), stage(said))
    assert (asked(outcome), members(outcome)["order_id:7"][0]) == ({"order_id:7": status}, "no")


def test_without_only_open_one_nothing_is_heard_that_lacks_the_key() -> None:
    log = put(Log(), opt(NOON - 1), *order(), opt(NOON + 2 * MINUTE, "again"))
    assert asked(play(later(log), stage(ALONE))) == {"order_id:7": "missed"}


def test_the_start_says_nothing_of_itself_and_another_customer_nothing_at_all() -> None:
    """Of one moment the start comes first in the order: what is said then is said in the open journey."""
    log = put(Log(), opt(NOON - 1), customer="c2")
    assert asked(play(later(put(log, *order())), stage())) == {"order_id:7": "missed"}
    self_excused = VISIT | {"start": {"touchpoint": "opted_out"}}
    log = put(Log(), opt(NOON, "s1"), touch("collected", NOON + 1, order=None))
    put(log, touch("cancelled", NOON + 2 * MINUTE, order=None), opt(NOON + HOUR, "s2"))
    put(log, touch("collected", NOON + HOUR + 1, order=None))
    outcome = play(later(log, 4), stage(self_excused))
    assert asked(outcome) == {"start:s1": "waiting", "start:s2": "skipped"}
    assert members(play(put(Log(), opt(NOON), *order()), stage()))["order_id:7"] == ["s7", "no", "c7"]


def test_excused_at_the_start_the_journey_ends_with_its_success_and_may_still_be_asked_before() -> None:
    outcome = play(put(Log(), opt(NOON - 1), *order()), stage())
    assert outcome.journey()["ended_at"] == NOON + MINUTE
    log = put(Log(), opt(NOON - 1), *order(collected=False), touch("asked", NOON + 1, tid="a"))
    assert play(log, stage()).step("asked")["touchpoint_id"] == "a"


def test_a_customer_says_it_in_one_visit_and_is_not_asked_in_the_next() -> None:
    log = put(Log(), *visit(NOON, 1), opt(NOON + 2 * MINUTE), *visit(NOON + DAY, 2))
    outcome = play(later(log, 48), stage(VISIT))
    assert asked(outcome) == {"start:s1": "skipped", "start:s2": "skipped"}
    assert members(outcome) == {"start:s1": ["s1", "c1", "no"], "start:s2": ["s2", "c2"]}


def test_what_arrives_late_takes_back_what_fired_and_the_snapshot_says_so() -> None:
    log = later(put(Log(), *order(), *order(number="8")), 2)
    outcome = play(put(log, opt(NOON - DAY, log=NOON + 3 * HOUR)), stage())
    assert [a["state"] for a in outcome.alerts] == ["firing", "firing", "withdrawn", "withdrawn"]
    assert asked(outcome) == {"order_id:7": "skipped", "order_id:8": "skipped"}


def test_a_snapshot_says_what_arrives_late_although_nothing_joins_and_nothing_fired() -> None:
    log = put(Log(), *order(collected=False))
    log.tick(NOON + MINUTE)
    log = put(log, opt(NOON - DAY, log=NOON + 2 * MINUTE))
    assert asked(play(log, stage())) == {"order_id:7": "skipped"}
    log.detach("no", scope="customer", moved_to="c2")
    assert asked(play(log, stage())) == {"order_id:7": "waiting"}


def test_it_moves_with_its_customer() -> None:
    said = opt(NOON - DAY)
    log = later(put(put(Log(), said, customer="device"), *order()), 2)
    log.detach("no", customer="device", scope="customer", moved_to="c1")
    log.attach(said, scope="customer", moved_from="device")
    assert [a["state"] for a in play(log, stage()).alerts] == ["firing", "withdrawn"]
    log.detach("no", scope="customer", moved_to="device")
    log.attach(said, customer="device", scope="customer", moved_from="c1")
    later(log, 3)
    assert [a["state"] for a in play(log, stage()).alerts] == ["firing", "withdrawn", "firing"]


MIXED: list[Entry] = [
    opt(NOON - DAY, "before"),
    *order(),
    opt(NOON + 2 * MINUTE, "of 7", order="7", name="left"),
    *order(NOON + 3 * MINUTE, "8", collected=False),
    opt(NOON + 4 * MINUTE, "both", name="left"),
    touch("answered", NOON + 5 * MINUTE, order=None),
    *order(NOON + 6 * MINUTE, "9"),
]


def both() -> Track:
    return stage(ORDER, ORDER | {"version": 2, "mode": "shadow", "lifetime": "5m"}, VISIT, ALONE | {"journey": "alone"})


def answer(log: Log) -> Any:
    found = play(log, both()).journeys
    rows = {key: j for key, j in found.items() if j["status"] != "moved"}
    return {key: {name: j[name] for name in j if name not in ("at", "log_time")} for key, j in rows.items()}


def sent(entries: Sequence[Entry]) -> Log:
    log = Log()
    for entry in entries:
        log.resolved(entry)
        if number := entry.keys.get("order_id"):
            log.attach(entry, scope=f"order_id:{number}")
    return log


def test_the_order_of_arrival_changes_nothing_in_any_version() -> None:
    entries = [one.model_copy(update={"log_time": NOON + HOUR}) for one in MIXED]
    wanted = answer(later(sent(entries)))
    assert len(wanted) == 11
    for first in permutations(range(len(entries)), 2):
        rest = [one for index, one in enumerate(entries) if index not in first]
        assert answer(later(sent([*(entries[index] for index in first), *rest]))) == wanted


def test_a_restart_anywhere_goes_on_byte_for_byte() -> None:
    log = later(sent([*MIXED[3:], *MIXED[:3]]), 2, 40)
    log.detach("both", scope="customer", moved_to="c2")
    log.attach(MIXED[6], customer="c2", scope="customer", moved_from="c1")
    for entry in sent(order(NOON + 3 * DAY, "10")).records:
        log.records.append(entry)
    later(log, 80, 120, 300, 700, 1000)
    for cut in range(0, len(log.records), 2):
        assert_restart_changes_nothing(log, cut, both)


def test_a_refold_writes_nothing_of_a_journey_that_it_does_not_change() -> None:
    """One whose step was late; then something late arrives for another order."""
    log = put(Log(), *order(), touch("asked", NOON + 2 * HOUR))
    put(log, *order(NOON + 2 * HOUR, "8", collected=False), touch("answered", NOON + 3 * HOUR, order="8"))
    log = later(log, 4)
    put(log, touch("collected", NOON + 2 * HOUR + MINUTE, order="8", log=NOON + 4 * HOUR))
    found = play(log, stage(), range(len(log.records))).journeys.values()
    assert {j["anchor"]: j["at"][2] for j in found} == {"order_id:7": 5, "order_id:8": 6}
