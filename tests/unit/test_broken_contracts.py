"""Broken contracts as alerts: against a judge that knows every violation, and what people say of them."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import msgspec

from schemas.control import control_headers
from schemas.control_records import Acknowledgement
from schemas.definition import Catalogue
from schemas.fast import encode, fast_type
from schemas.records import Alert, Progress
from streams.pace.contracts import (
    CLEARED_AFTER_MS,
    SPELLS_MAX,
    Broken,
    Watched,
    acknowledge,
    heard,
    judge,
    watched_contracts,
)
from streams.pace.keep_time import KeepTime
from streams.pace.own_alerts import Change, alert_id, effect
from streams.stage import Effect
from tests.simulated.log import Record
from tests.unit.test_property_contracts import entry

START = 1_772_438_400_000  # 2026-03-02 08:00 UTC
MINUTE, HOUR = 60_000, 3_600_000
KNOWN = watched_contracts(
    Catalogue(
        touchpoints={
            "order_placed": entry("control", order_id={"type": "string", "required": True}),
            "rated": entry("activate", grade={"type": "integer"}),
            "plain": entry("control"),
        }
    )
)
_progress, _acknowledgement = fast_type(Progress), fast_type(Acknowledgement)
decoded = msgspec.msgpack.Decoder(dict[str, Watched]).decode


def tick(broken: Broken, log_time: int) -> list[tuple[str, int, bool, str]]:
    return [
        (each.episode.state, each.episode.occurrence, each.told, each.reason) for each in judge(broken, KNOWN, log_time)
    ]


def word(change: Change, **given: Any) -> Acknowledgement:
    fields = {
        "alert_id": alert_id(change.about, change.episode.occurrence),
        "customer_id": None,
        "definition": "catalogue",
        "version": 1,
        "anchor": change.about.anchor,
        "break_name": "broken_contract",
        "occurrence": change.episode.occurrence,
        "closes": False,
        "reason": "",
        "acknowledged_by": "anna",
        "acknowledged_at": START,
    }
    return Acknowledgement.model_validate(fields | given)


def test_only_contracts_at_mode_control_are_watched() -> None:
    assert set(KNOWN) == {"order_placed"}
    broken: Broken = {}
    heard(broken, {"rated": (START, START)}, KNOWN)
    assert broken == {}


def test_the_first_violation_fires_and_an_hour_without_another_resolves() -> None:
    broken: Broken = {}
    heard(broken, {"order_placed": (START, START + 10)}, KNOWN)
    assert tick(broken, START - 1) == []
    assert tick(broken, START) == [("firing", 1, True, "fired")]
    heard(broken, {"order_placed": (START + HOUR, START + HOUR)}, KNOWN)
    assert tick(broken, START + 10 + HOUR) == [], "another came within the hour"
    assert tick(broken, START + 2 * HOUR - 1) == []
    assert tick(broken, START + 2 * HOUR) == [("resolved", 1, True, "cleared")]
    assert tick(broken, START + 9 * HOUR) == []
    heard(broken, {"order_placed": (START + 10 * HOUR, START + 10 * HOUR)}, KNOWN)
    assert tick(broken, START + 12 * HOUR) == [("resolved", 2, False, "cleared_at_once")]


def test_the_alert_is_about_no_customer_and_names_the_touchpoint() -> None:
    broken: Broken = {}
    heard(broken, {"order_placed": (START, START)}, KNOWN)
    (change,) = judge(broken, KNOWN, START + 5)
    sent = effect(change, ("keep_time", 0, 7, 0), "live", START + 5)
    alert = Alert.model_validate_json(sent.value)
    assert (alert.scope, alert.kind, alert.incident) == ("touchpoint", "broken_contract", "catalogue/order_placed")
    assert (alert.anchor, alert.journey_id, alert.customer_id) == ("touchpoint:order_placed", None, None)
    assert (alert.owner, alert.severity, alert.cause_at) == ("team", "warning", START)
    assert (alert.notify, alert.reason, sent.key) == (True, "fired", b"catalogue/order_placed")
    replayed = Alert.model_validate_json(effect(change, ("keep_time", 0, 7, 0), "replay", START).value)
    assert (replayed.notify, replayed.reason) == (False, "replay")


def test_a_person_acknowledges_and_closes() -> None:
    broken: Broken = {}
    heard(broken, {"order_placed": (START, START)}, KNOWN)
    (fired,) = judge(broken, KNOWN, START)
    for stranger in ({"alert_id": "other"}, {"anchor": "touchpoint:rated"}, {"anchor": "source:till"}):
        assert list(acknowledge(broken, word(fired, **stranger), START + 1)) == []
    (taken,) = acknowledge(broken, word(fired), START + 1)
    assert (taken.episode.state, taken.told, taken.reason) == ("acknowledged", True, "acknowledged")
    assert "anna looks after it" in taken.first_line
    assert list(acknowledge(broken, word(fired), START + 2)) == []
    (closed,) = acknowledge(broken, word(fired, closes=True), START + 3)
    assert (closed.episode.state, closed.told, closed.reason) == ("resolved", True, "closed")
    assert list(acknowledge(broken, word(fired), START + 4)) == []
    heard(broken, {"order_placed": (START + MINUTE, START + MINUTE)}, KNOWN)
    assert tick(broken, START + MINUTE) == [], "closed for good, while it lasts"
    assert tick(broken, START + 2 * HOUR) == []
    heard(broken, {"order_placed": (START + 5 * HOUR, START + 5 * HOUR)}, KNOWN)
    assert tick(broken, START + 5 * HOUR) == [("firing", 2, True, "fired")]


def test_it_ends_under_the_owner_under_whom_it_began() -> None:
    broken: Broken = {}
    heard(broken, {"order_placed": (START, START)}, KNOWN)
    assert len(list(judge(broken, KNOWN, START))) == 1
    broken = decoded(msgspec.msgpack.encode(broken))
    (change,) = judge(broken, {}, START + HOUR)
    assert (change.episode.state, change.about) == ("resolved", KNOWN["order_placed"])


class Judge:
    """Knows every violation, and looks at each millisecond that matters."""

    def __init__(self, violations: list[int]) -> None:
        self.violations = sorted(violations)

    def spells(self) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        for at in self.violations:
            if found and at - found[-1][1] <= CLEARED_AFTER_MS:
                found[-1] = found[-1][0], at
            else:
                found.append((at, at))
        return found

    def is_open(self, log_time: int) -> bool:
        return any(at <= log_time < at + CLEARED_AFTER_MS for at in self.violations)


def test_however_it_is_told_the_spells_are_those_of_all_violations() -> None:
    """Partitions report in any order, ahead of W as far as they like, each in pieces of its own; a restart anywhere."""
    for seed in range(60):
        random = Random(seed)
        times = [
            START + random.randrange(30) * 20 * MINUTE + random.choice((0, 1)) for _ in range(random.randrange(1, 25))
        ]
        by_partition = [sorted(times[number::3]) for number in range(3)]
        broken: Broken = {}
        told: list[tuple[int, str, int]] = []
        said = [0, 0, 0]
        for log_time in range(START, START + 12 * HOUR, 5 * MINUTE):
            for partition, own in enumerate(by_partition):
                while said[partition] < len(own) and (own[said[partition]] <= log_time or random.random() < 0.1):
                    at = own[said[partition]]
                    heard(broken, {"order_placed": (at, at)}, KNOWN)
                    said[partition] += 1
            if random.random() < 0.5:
                changes = [
                    (each.episode.occurrence, each.episode.state, each.episode.cause_at)
                    for each in judge(broken, KNOWN, log_time)
                ]
                told += [(number, state, cause) for number, state, cause in changes]
                episode = broken["order_placed"].episode if broken else None
                assert (episode is not None and episode.is_open) == Judge(times).is_open(log_time)
            broken = decoded(msgspec.msgpack.encode(broken))
        changes = [
            (each.episode.occurrence, each.episode.state, each.episode.cause_at)
            for each in judge(broken, KNOWN, START + 20 * HOUR)
        ]
        told += changes
        spells = Judge(times).spells()
        ended = [(number, cause) for number, state, cause in told if state == "resolved"]
        assert ended == [(number, first) for number, (first, _) in enumerate(spells, 1)]


def test_what_waits_is_bounded() -> None:
    broken: Broken = {}
    for number in range(SPELLS_MAX + 50):
        at = START + number * 3 * HOUR
        heard(broken, {"order_placed": (at, at)}, KNOWN)
    spells = broken["order_placed"].spells
    assert len(spells) == SPELLS_MAX
    assert spells[-1][1] == at


def report(
    number: int,
    log_time: int,
    partition: int,
    spell: tuple[int, int] | None = None,
    mark: tuple[int, int] | None = None,
) -> Record:
    violations = {} if spell is None else {"order_placed": spell}
    value = _progress(at=("resolve", partition, number, 0), log_time=log_time, mark=mark, violations=violations)
    return Record(number, 0, None, encode(value))


def said_by_anna(number: int, fired: Alert) -> Record:
    fields = {name: getattr(fired, name) for name in ("definition", "version", "anchor", "break_name", "occurrence")}
    value = encode(
        _acknowledgement(
            **fields,
            alert_id=fired.alert_id,
            customer_id=None,
            closes=False,
            reason="",
            acknowledged_by="anna",
            acknowledged_at=START,
        )
    )
    return Record(number, 0, None, value, control_headers("acknowledgement", 0, value, b"secret"))


def keep_time() -> KeepTime:
    return KeepTime(2, 3, b"secret", hops=1, watched_contracts=KNOWN)


def test_keep_time_writes_the_alert_before_the_tick_that_judges_it_and_after_a_restart_the_same() -> None:
    """The report of one partition comes before W of the other has got so far: the alert waits for it."""
    log = [
        report(0, START + 90, 0, (START + 70, START + 80)),
        report(1, START + 10, 1),
        report(2, START + 10, 0, mark=(START + 10, 1)),
        report(3, START + 10, 1, mark=(START + 10, 1)),
        report(4, START + 85, 1),
        report(5, START + 85, 0, mark=(START + 85, 2)),
        report(6, START + 85, 1, mark=(START + 85, 2)),
    ]
    stage, out = keep_time(), list[Effect]()
    for record in log:
        stage.apply(record, out)
    written = [(effect.topic, json.loads(effect.value)) for effect in out]
    assert [(topic, body["log_time"]) for topic, body in written if topic == "touchpoints"] == [
        *[("touchpoints", START + 10)] * 3,
        *[("touchpoints", START + 85)] * 3,
    ]
    (place,) = [number for number, (topic, _) in enumerate(written) if topic == "alerts"]
    assert written[place + 1][1]["log_time"] == START + 85
    fired = Alert.model_validate_json(out[place].value)
    assert (fired.state, fired.cause_at, fired.fired_at) == ("firing", START + 70, START + 85)
    again = keep_time()
    again.restore((key, value) for key, value in stage.changes() if value is not None)
    told: list[list[Effect]] = [[], []]
    for taker, taken in zip((stage, again), told, strict=True):
        taker.apply(said_by_anna(7, fired), taken)
    assert told[0] == told[1]
    assert Alert.model_validate_json(told[0][0].value).acknowledged_by == "anna"
    assert stage.changes() == again.changes() != []
