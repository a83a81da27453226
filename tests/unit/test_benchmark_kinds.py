"""The stories of benchmarks.kinds, without Kafka: each raises the one alert that it is there for."""

from __future__ import annotations

from itertools import chain
from random import Random

import msgspec

from benchmarks.feed import SECRET
from benchmarks.generate import HOUR, bytes_of
from benchmarks.kinds.judge import measure
from benchmarks.kinds.plan import make_plan, stories_of
from benchmarks.kinds.stories import STORIES, catalogue, definitions, sources
from benchmarks.latency.log import RAW, Appended, Body, Place
from benchmarks.latency.plan import SLICE_MS
from schemas.control import control_headers
from schemas.control_records import Beat
from schemas.definition_checks import flaws_of
from schemas.fast import encode, fast_type
from schemas.records import BreakKind
from schemas.topics import PARTITIONS
from streams.product import Product
from tests.simulated.in_turn import InTurn, stages_of
from tests.simulated.log import Logs

SECONDS, EACH, START = 12, 1, 1_790_000_000_000
PLAN = make_plan(200, SECONDS, EACH, 7)
CATALOGUE = catalogue(stories_of(SECONDS, EACH))
BEAT = fast_type(Beat)


def played() -> tuple[dict[Place, Appended], dict[str, int]]:
    product = Product(definitions(), CATALOGUE, SECRET, "live", 72 * HOUR, sources=sources())
    logs = Logs(START)
    stages = InTurn(logs, stages_of(product))
    occurred_at: dict[str, int] = {}
    for number in range((SECONDS + 8) * 1_000 // SLICE_MS):
        logs.now = START + number * SLICE_MS
        for point in PLAN.slices[number] if number < len(PLAN.slices) else ():
            occurred_at[point.message_id] = logs.now
            headers = (("source", PLAN.sources.get(point.message_id, b"web")),)
            logs.append(
                RAW, number % PARTITIONS, None, bytes_of(point._replace(occurred_at=logs.now), Random(1)), headers
            )
        if number % (250 // SLICE_MS) == 0:
            for partition in range(PARTITIONS):
                value = encode(BEAT(log_time=logs.now))
                logs.append(RAW, partition, None, value, control_headers("beat", partition, value, SECRET))
            stages.work_off()
    return read(logs), occurred_at


def read(logs: Logs) -> dict[Place, Appended]:
    found = {}
    for topic in (RAW, "alerts"):
        for partition in range(PARTITIONS):
            for record in logs.read(topic, partition):
                place = (topic, partition, record.offset)
                control = (record.header("control") or b"").decode()
                found[place] = Appended(
                    place, record.timestamp, control, msgspec.json.decode(record.value or b"", type=Body)
                )
    return found


def test_every_story_raises_its_alert_and_no_other() -> None:
    records, occurred_at = played()
    found = measure(records, PLAN.planted, occurred_at)
    raised = {one.kind for one in found.latencies}
    assert (found.missing, found.wrong) == (0, 0), raised
    assert raised == {story.kind for story in STORIES}
    assert all(0 <= one.total <= 600 for one in found.latencies), (
        "here a beat comes every 250 ms, and nothing else takes time"
    )


def test_all_kinds_are_there() -> None:
    assert {story.kind for story in STORIES} == set(BreakKind.__args__)  # type: ignore[attr-defined]
    assert not list(chain.from_iterable(flaws_of(one, CATALOGUE) for one in definitions()))
