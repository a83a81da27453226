"""Laws of versions, switches and words about alerts: order of arrival, batches, moves and restarts change no final
answer.
"""

from __future__ import annotations

from random import Random
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records import Entry, Mode
from streams.journey.modes import Turn, mode_at, timelines
from streams.journey.track import Track
from tests.journey_case import HOUR, MINUTE, NOON, Log, Outcome, assert_restart_changes_nothing, compiled, play, touch
from tests.property.test_journey_laws import ALONE, KEYED, NAMES, VISIT, final, move, send
from tests.tries import tries

SWITCHED = ("click_and_collect", "alone", "visit")
FILES: dict[str, dict[int, Mode]] = {
    "click_and_collect": {1: "live", 2: "shadow"},
    "alone": {1: "shadow", 2: "shadow"},
    "visit": {1: "shadow", 2: "live"},
}
NEWER: dict[str, Any] = {
    "version": 2,
    "lifetime": "90m",
    "steps": {**KEYED["steps"], "early": {"touchpoint": "survey"}},
}
BASES = ({**KEYED, "journey": "click_and_collect"}, ALONE, VISIT)
DEFINITIONS = compiled(
    *({**base, "mode": FILES[base["journey"]][1]} for base in BASES),
    *({**base, **NEWER, "mode": FILES[base["journey"]][2]} for base in BASES),
)
MODES: tuple[Mode, ...] = ("off", "shadow", "live", "live")


class Switching(NamedTuple):
    name: str
    version: int
    mode: Mode
    from_at: int


class Saying(NamedTuple):
    name: str
    version: int
    anchor: str
    break_name: str
    closes: bool


Item = Entry | Switching | Saying | int
"""A number is the time of a tick."""


def touchpoint(rng: Random, index: int, log: int) -> Entry:
    name = rng.choice(NAMES if index else ["place"])
    facts: dict[str, Any] = {"csat": rng.randint(1, 5)} if name == "survey" else {}
    at = NOON + rng.randint(0, 100) * MINUTE
    order = rng.choice(["7", "7", "8", None])
    return touch(name, at, tid=f"t{index}", order=order, log=log, sequence=rng.randint(0, 1), **facts)


def switching(rng: Random) -> Switching:
    name, version, moment = rng.choice(SWITCHED), rng.randint(1, 2), rng.choice((0, 20, 50, 50, 80, 99))
    return Switching(name, version, rng.choice(MODES), NOON + moment * MINUTE + rng.choice((-1, 0, 0, 1)))


def saying(rng: Random, starts: list[str]) -> Saying:
    name = rng.choice(SWITCHED)
    anchor = f"start:{rng.choice(starts)}" if name == "visit" else f"order_id:{rng.choice('78')}"
    broken = rng.choice(("paid", "paid", "trouble", "bad"))
    return Saying(name, rng.randint(1, 2), anchor, broken, rng.random() < 0.3)


def world(seed: int, words: bool = False) -> list[Item]:
    rng, found, starts = Random(seed), list[Item](), list[str]()
    for index in range(rng.randint(3, 12)):
        log = NOON + 100 * MINUTE + index * 7 * MINUTE
        if rng.random() < 0.5:
            found.append(log - 1)
        if rng.random() < 0.5:
            found.append(switching(rng))
        found.append(touchpoint(rng, index, log))
        starts.append(f"t{index}")
        if words and rng.random() < 0.7:
            found += [log, saying(rng, starts)]
    return found


def put(log: Log, item: Item, customer: str = "c1") -> None:
    if isinstance(item, Entry):
        send(log, item, customer)
    elif isinstance(item, Switching):
        log.switch(item.version, item.mode, item.from_at, item.name)
    elif isinstance(item, Saying):
        about: dict[str, Any] = {"definition": item.name, "version": item.version, "anchor": item.anchor}
        log.acknowledge(item.break_name, customer=customer, closes=item.closes, **about)
    else:
        log.tick(item)


def as_arrived(items: list[Item], w: int) -> Log:
    log = Log()
    for item in items:
        put(log, item)
    log.tick(w)
    return log


def rearranged(items: list[Item], rng: Random, w: int) -> Log:
    """Touchpoints in any order, switches in that of the log, no tick but the last."""
    entries: list[Item] = [one for one in items if isinstance(one, Entry)]
    rng.shuffle(entries)
    for switch in reversed([one for one in items if isinstance(one, Switching)]):
        entries.insert(rng.randint(0, len(entries)), switch)
    places = sorted(index for index, one in enumerate(entries) if isinstance(one, Switching))
    for place, switch in zip(places, [one for one in items if isinstance(one, Switching)], strict=True):
        entries[place] = switch
    return as_arrived(entries, w)


def stage() -> Track:
    return Track(0, DEFINITIONS, "live")


seeds = st.integers(0, 2**32)
last_w = st.integers(0, 150).map(lambda minutes: NOON + 4 * HOUR + minutes * MINUTE)


@settings(max_examples=tries(150), deadline=None)
@given(seeds, last_w)
def test_arrival_of_touchpoints_and_switches_changes_no_final_answer(seed: int, w: int) -> None:
    items = world(seed)
    one = final(play(as_arrived(items, w), stage()))
    assert one == final(play(rearranged(items, Random(seed), w), stage()))


@settings(max_examples=tries(100), deadline=None)
@given(seeds, last_w)
def test_each_journey_has_the_mode_of_its_version_when_it_started(seed: int, w: int) -> None:
    items = world(seed)
    outcome = play(as_arrived(items, w), stage())
    for journey in outcome.journeys.values():
        if journey["status"] != "moved":
            assert journey["mode"] == wanted(items, journey["definition"], journey["version"], journey["started_at"])
            assert journey["mode"] != "off"
    for alert in outcome.alerts:
        assert not alert["notify"] or alert["mode"] == "live"
        assert alert["reason"] != "shadow" or alert["mode"] != "live"


def wanted(items: list[Item], name: str, version: int, moment: int) -> Mode:
    switches = [one for one in items if isinstance(one, Switching) and one.name == name]
    turns = [Turn(one.version, one.mode, one.from_at, order) for order, one in enumerate(switches)]
    return mode_at(timelines(FILES[name], turns)[version], moment)


@settings(max_examples=tries(100), deadline=None)
@given(seeds, last_w)
def test_one_start_is_live_under_one_version_at_most(seed: int, w: int) -> None:
    live = [
        (journey["definition"], journey["anchor"], journey["started_at"])
        for journey in play(as_arrived(world(seed), w), stage()).journeys.values()
        if journey["status"] != "moved" and journey["mode"] == "live"
    ]
    assert len(live) == len(set(live))


@settings(max_examples=tries(60), deadline=None)
@given(seeds, last_w, st.sets(st.integers(0, 60)))
def test_batches_change_no_alert_and_no_final_journey(seed: int, w: int, cuts: set[int]) -> None:
    log = as_arrived(world(seed, words=True), w)
    whole, cut = play(log, stage()), play(log, stage(), cuts)
    assert whole.alerts == cut.alerts
    assert whole.journeys == cut.journeys


@settings(max_examples=tries(100), deadline=None)
@given(seeds, last_w, st.integers(0, 60), st.sampled_from([0, 2, 13]))
def test_a_restart_anywhere_goes_on_byte_for_byte(seed: int, w: int, cut: int, days: int) -> None:
    rng, items, log = Random(seed), world(seed, words=True), Log()
    before = [one for one in items if isinstance(one, Entry)][:4]
    for index, item in enumerate(items):
        put(log, item, "c1")
        if index == len(items) // 2 and rng.random() < 0.5:
            there = [one for one in items[: index + 1] if isinstance(one, Entry)]
            move(log, there, "c1", "c2")
            log.tick(w - 2 * HOUR)
            move(log, there, "c2", "c1")
    for third in range(days * 3 + 1):
        log.tick(w + third * 8 * HOUR)
    put(log, Switching("alone", 2, "live", NOON))
    move(log, before, "c1", "c3")
    log.tick(w + (days + 1) * 24 * HOUR)
    assert_restart_changes_nothing(log, cut, stage)


@settings(max_examples=tries(60), deadline=None)
@given(seeds, last_w)
def test_every_change_of_an_alert_is_one_of_the_page(seed: int, w: int) -> None:
    """And what was closed is only ever withdrawn."""
    outcome: Outcome = play(as_arrived(world(seed, words=True), w), stage())
    was: dict[str, str] = {}
    closed: set[str] = set()
    for alert in outcome.alerts:
        key, state = alert["alert_id"], alert["state"]
        assert was.get(key) != state
        assert key not in closed or state == "withdrawn"
        if state == "acknowledged":
            assert was[key] == "firing"
        if alert["reason"] == "closed":
            assert was[key] in ("firing", "acknowledged")
            closed.add(key)
        was[key] = state
