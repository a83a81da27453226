"""The catalogue at the door of `resolve`, on random histories over several partitions: every record has one end, what
is ignored or refused leaves nothing, and the reports name each violation once. The judge reads JSON, and knows no
decoder.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from random import Random
from typing import Any
from zlib import crc32

import pytest

from schemas.control import control_headers
from schemas.control_records import Beat
from schemas.definition import Catalogue
from schemas.fast import encode, fast_type
from streams.identity.resolve import Resolve, ResolveConfig
from streams.stage import Effect
from tests.simulated.generate import START, rfc3339
from tests.simulated.log import Record
from tests.unit.test_property_contracts import entry

PARTITIONS = 3
SECRET = b"laws"
TYPES: dict[str, Any] = {"string": "x", "integer": 3, "number": 2.5, "boolean": True}
ODD: list[Any] = [None, "7", 7, 7.0, 7.5, True, [], {}]
_beat = fast_type(Beat)


def catalogue(random: Random) -> Catalogue:
    found = {}
    for number in range(6):
        rules = {
            prop: {"type": random.choice(list(TYPES)), "required": random.random() < 0.5}
            for prop in ("a", "b")
            if random.random() < 0.6
        }
        found[f"name_{number}"] = entry(random.choice(("ignore", "monitor", "control")), **rules)
    return Catalogue(touchpoints=found)


def touchpoint(random: Random, number: int, known: Catalogue) -> bytes:
    name = random.choice((*known.touchpoints, "undeclared"))
    rules = known.touchpoints[name].properties if name in known.touchpoints else {}
    said = {prop: TYPES[rule.type] for prop, rule in rules.items() if random.random() < 0.9}
    if random.random() < 0.2:
        said[random.choice(("a", "b", "c"))] = random.choice(ODD)
    body = {
        "message_id": f"m{number}",
        "name": name,
        "occurred_at": rfc3339(START + number * 1_000),
        "identifiers": {"user_id": f"u{random.randrange(9)}"},
        "properties": said,
    }
    return json.dumps(body).encode() if random.random() < 0.97 else b'{"name": 1}'


def fits(wanted: str, value: Any) -> bool:
    if wanted in ("string", "boolean"):
        return isinstance(value, str if wanted == "string" else bool)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and (wanted == "number" or value == round(value))


def end_of(value: bytes, known: Catalogue) -> tuple[str, str]:
    """What the page says, and the name: `ignored`, `refused`, `fine`, or `bad` for what is no touchpoint."""
    body = json.loads(value)
    name = body["name"]
    if not isinstance(name, str):
        return "bad", ""
    found = known.touchpoints.get(name)
    if found is None:
        return "fine", name
    if found.impact.mode == "ignore":
        return "ignored", name
    for prop, rule in found.properties.items():
        said = body["properties"].get(prop)
        if (said is None and rule.required) or (said is not None and not fits(rule.type, said)):
            return "refused", name
    return "fine", name


class World:
    """One log for each partition; what a stage forwards is appended to another's."""

    def __init__(self, known: Catalogue) -> None:
        config = ResolveConfig(known, SECRET)
        self.stages = [Resolve(partition, PARTITIONS, config) for partition in range(PARTITIONS)]
        self.offsets = [0] * PARTITIONS
        self.effects: list[Effect] = []

    def append(self, partition: int, value: bytes, timestamp: int, headers: Iterable[tuple[str, bytes]] = ()) -> None:
        record = Record(self.offsets[partition], timestamp, None, value, tuple(headers))
        self.offsets[partition] += 1
        out: list[Effect] = []
        self.stages[partition].apply(record, out)
        self.effects += out
        for effect in out:
            if effect.topic == "touchpoints.raw":
                assert effect.partition is not None
                self.append(effect.partition, effect.value, timestamp, effect.headers)

    def beat(self, log_time: int) -> None:
        value = encode(_beat(log_time=log_time))
        for partition in range(PARTITIONS):
            self.append(partition, value, log_time, control_headers("beat", partition, value, SECRET))


@pytest.mark.parametrize("seed", range(25))
def test_every_record_has_one_end(seed: int) -> None:
    random = Random(seed)
    known = catalogue(random)
    world = World(known)
    sent: list[bytes] = []
    ends: Counter[str] = Counter()
    ignored: Counter[str] = Counter()
    violations: defaultdict[str, list[int]] = defaultdict(list)
    resolved: set[tuple[str, str]] = set()
    for number in range(200):
        again = bool(sent) and random.random() < 0.15
        value = random.choice(sent) if again else touchpoint(random, number, known)
        sent.append(value)
        log_time = START + number * 1_000
        world.append(random.randrange(PARTITIONS), value, log_time)
        end, name = end_of(value, known)
        ends[end] += 1
        ignored[name] += end == "ignored"
        if end == "refused" and known.touchpoints[name].impact.mode == "control":
            violations[name].append(log_time)
        if end == "fine":
            resolved.add((json.loads(value)["message_id"], name))
        if random.random() < 0.05:
            world.beat(log_time + 1)
    world.beat(START + 10**9)
    bodies = [(effect.topic, json.loads(effect.value)) for effect in world.effects]
    letters = [body for topic, body in bodies if topic == "dead_letters"]
    touchpoints = [body for topic, body in bodies if topic == "touchpoints"]
    assert sorted((one["message_id"], one["name"]) for one in touchpoints) == sorted(resolved)
    assert len(letters) == ends["refused"] + ends["bad"]
    assert sum(str(letter["field"]).startswith("properties.") for letter in letters) == ends["refused"]
    reports = [body for topic, body in bodies if topic == "progress"]
    last = {body["at"][1]: body["counts"] for body in reports}
    total = {name: sum(counts[name] for counts in last.values()) for name in last[0]}
    for counts in last.values():
        kept = ("resolved", "duplicates", "dead_letters", "forwarded", "suppressed")
        assert counts["read"] == sum(counts[name] for name in kept)
    assert total["read"] == len(sent) + total["forwarded"]
    assert (total["suppressed"], total["dead_letters"]) == (ends["ignored"], len(letters))
    by_name: Counter[str] = Counter()
    for stage in world.stages:
        for what, count in stage.numbers().items():
            if what.startswith("suppressed:"):
                by_name[what.removeprefix("suppressed:")] += count
    assert +by_name == +ignored
    told = [(name, spell) for body in reports for name, spell in body["violations"].items()]
    assert {name for name, _ in told} == set(violations)
    for name, times in violations.items():
        spells = [spell for other, spell in told if other == name]
        assert min(first for first, _ in spells) == min(times)
        assert max(last for _, last in spells) == max(times)
        assert all(any(first <= at <= last for first, last in spells) for at in times)


def test_the_histories_reach_every_end() -> None:
    random = Random(1)
    known = catalogue(random)
    found = Counter(end_of(touchpoint(random, number, known), known)[0] for number in range(400))
    assert set(found) == {"ignored", "refused", "fine", "bad"}
    homes = {crc32(f"user_id:u{number}".encode()) % PARTITIONS for number in range(9)}
    assert len(homes) == PARTITIONS, "so that some are forwarded"
