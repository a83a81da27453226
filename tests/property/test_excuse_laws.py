"""Laws of what a customer says once: forgetting everything else about it changes nothing that is written, and neither
does a restart, on random weeks of two customers in whose journeys one touchpoint is an excuse, a step and a start.

A year is three days here. Every journey is over within a day, so nothing comes to one that is forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any, Final

from schemas.definition import Definition
from schemas.records import Entry
from streams.journey.compile import compile_definitions
from streams.journey.track import Track
from streams.stage import Effect
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

WORLDS: Final = 40
YEAR: Final = 3 * DAY
LATE: Final = HOUR
ORDER: Final[dict[str, Any]] = {
    "journey": "order",
    "version": 1,
    "mode": "live",
    "owner": "team",
    "instance": {"key": "order_id", "if_absent": "only_open_one"},
    "start": {"touchpoint": "placed"},
    "steps": {
        "collected": {"touchpoint": "collected", "within": "2h"},
        "asked": {"touchpoint": "asked", "after": "collected", "within": "1h", "excused_by": ["no", "never"]},
        "answered": {"touchpoint": "answered", "after": "asked", "within": "30m", "excused_by": ["never"]},
    },
    "outcome": {"success": "collected", "failure": ["cancelled"]},
    "breaks": {
        "often": {"touchpoint": "declined", "at_least": 2, "in_window": "2h", "cleared_by": "collected"},
        "failed": {"touchpoint": "declined", "cleared_by": "answered", "tolerate": "20m"},
        "sour": {"score": "csat", "below": 3},
    },
    "grace": "1m",
    "lifetime": "20h",
}
DEFINITIONS: Final = (
    ORDER,
    ORDER | {"version": 2, "mode": "shadow", "lifetime": "5h"},
    ORDER | {"journey": "alone", "instance": {"key": "order_id"}},
    ORDER | {"journey": "visit", "instance": {"key": "customer"}},
    ORDER | {"journey": "said", "instance": {"key": "customer"}, "start": {"touchpoint": "no"}},
    ORDER | {"journey": "step", "breaks": {}, "steps": {"collected": {"any_of": ["no", "collected"], "within": "1h"}}},
)
NAMES: Final = ("collected", "asked", "answered", "declined", "declined", "survey", "cancelled")
COMPILED: Final = compile_definitions(
    [Definition.model_validate(one) for one in DEFINITIONS], CATALOGUE, excuse_ms=YEAR
)


def stage(horizon_ms: int = LATE) -> Track:
    return Track(0, COMPILED, "live", horizon_ms=horizon_ms)


@dataclass
class Weeks:
    """Ten days, told with ticks in between; now and then a touchpoint goes to the other customer."""

    rng: Random
    log: Log
    w: int = NOON

    def entries(self) -> list[Entry]:
        rng, found = self.rng, list[Entry]()
        for number in range(rng.randint(2, 6)):
            begun = NOON + rng.randint(0, 9 * 24) * HOUR
            key = rng.choice([str(number), str(number), None])
            found.append(self._entry("placed", begun, key))
            for _ in range(rng.randint(0, 5)):
                at = begun + rng.randint(-10, 120) * 5 * MINUTE
                found.append(self._entry(rng.choice(NAMES), at, rng.choice([key, key, None])))
        for _ in range(rng.randint(1, 4)):
            at = NOON + rng.randint(-24, 9 * 24) * HOUR + rng.choice((0, 5 * MINUTE))
            found.append(self._entry(rng.choice(("no", "never")), at, None))
        return sorted(found, key=lambda entry: entry.log_time)

    def _entry(self, name: str, at: int, key: str | None) -> Entry:
        facts: dict[str, Any] = {"csat": self.rng.randint(1, 5)} if name == "survey" else {}
        log_time = at + self.rng.choice((0, 0, self.rng.randint(0, LATE)))
        return touch(name, at, tid=f"{self.rng.getrandbits(60):015x}", order=key, log=log_time, **facts)

    def tell(self) -> None:
        owners: dict[str, list[Entry]] = {"c1": [], "c2": []}
        for entry in self.entries():
            self._tick(entry.log_time - 1)
            customer = self.rng.choice(("c1", "c1", "c1", "c2"))
            self.log.resolved(entry, customer)
            if entry.keys:
                self.log.attach(entry, customer=customer, scope=f"order_id:{entry.keys['order_id']}")
            owners[customer].append(entry)
            if self.rng.random() < 0.15:
                self._move(owners, entry.log_time)
        self._tick(NOON + 20 * DAY)

    def _tick(self, w: int) -> None:
        while self.w < w:
            self.w = min(w, self.w + self.rng.choice((HOUR, 7 * HOUR)))
            self.log.tick(self.w)

    def _move(self, owners: dict[str, list[Entry]], now: int) -> None:
        """What is young enough for `resolve` to remember it."""
        old, new = self.rng.choice((("c1", "c2"), ("c2", "c1")))
        young = [entry for entry in owners[old] if now - entry.occurred_at <= LATE]
        for entry in young:
            owners[old].remove(entry)
            owners[new].append(entry)
            for scope in ("customer", *(f"order_id:{key}" for key in entry.keys.values())):
                self.log.detach(entry.touchpoint_id, customer=old, scope=scope, moved_to=new)
                self.log.attach(entry, customer=new, scope=scope, moved_from=old)


def world(seed: int) -> Log:
    log = Log()
    Weeks(Random(seed), log).tell()
    return log


def written(log: Log, track: Track) -> list[Effect]:
    outcome = Outcome()
    for record in log.records:
        track.apply(record, outcome.effects)
        track.flush(outcome.effects)
    return outcome.effects


def test_forgetting_changes_nothing_that_is_written() -> None:
    excused = 0
    for seed in range(WORLDS):
        log = world(seed)
        forgetful, found = stage(), written(log, stage(100 * DAY))
        assert written(log, forgetful) == found, f"seed {seed}"
        journeys = Outcome(found).journeys.values()
        excused += sum(step["step"] == "asked" and step["status"] == "skipped" for j in journeys for step in j["steps"])
    assert excused > WORLDS


def test_a_restart_changes_nothing() -> None:
    for seed in range(WORLDS // 4):
        log = world(seed)
        rng = Random(seed)
        for _ in range(2):
            assert_restart_changes_nothing(log, rng.randrange(len(log.records)), stage)


def test_nothing_is_left_in_the_end() -> None:
    log = world(1)
    for day in range(30):
        log.tick(NOON + (20 + day) * DAY)
    track = stage()
    play(log, track)
    assert [key for key, value in track.changes() if value is not None and not key.startswith(b"\x91\xa1m")] == []
