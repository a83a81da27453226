"""From the records of a run to latencies. Pure.

Every record names its position: the stage that wrote it, and the partition and offset of what that stage was reading.
So the way of an alert is walked back record by record, to the touchpoint that caused it or to the beat that let its
deadline pass; nothing is guessed from times.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from typing import Final, NamedTuple

from benchmarks.latency.log import RAW, Appended, Place, alerts_of
from benchmarks.latency.plan import Planted
from schemas.control import HOPS
from schemas.identifiers import customer_of

SOURCES: Final = {"resolve": RAW, "keep_time": "progress", "track": "touchpoints"}
TOTAL: Final = "total"
TOUCHPOINT_HOPS: Final = {
    "retries": ("raw -> touchpoints", "touchpoints -> alert"),
    "order": ("raw -> evidence in raw", "evidence -> touchpoints", "touchpoints -> alert"),
}
WAY_MAX: Final = 3
"""Hops from a touchpoint."""
DEADLINE_HOPS: Final = (
    "due -> a beat later than it",
    "beat -> round begins",
    "round begins -> mark appended",
    "mark -> reported by the last partition",
    "further rounds",
    "report -> tick appended",
    "tick -> alert",
)


class Latency(NamedTuple):
    """In ms; `hops` add up to `total`. `rounds`: those that a deadline's tick waited for."""

    definition: str
    caused_at: int
    total: int
    hops: Mapping[str, int]
    rounds: int = 0


class Found(NamedTuple):
    """`wrong`: alerts that nobody planted, a second one for the same break, or one with another cause."""

    latencies: Sequence[Latency]
    missing: int
    wrong: int


def measure(
    records: Mapping[Place, Appended], planted: Sequence[Planted], occurred_at: Mapping[str, int], judged_after_ms: int
) -> Found:
    plan = {(str(one.definition), customer_of("anonymous_id", one.device)): one for one in planted}
    latencies: list[Latency] = []
    seen, wrong = set(), 0
    for alert in alerts_of(records):
        key = (alert.body.definition, alert.body.customer_id or "")
        one = plan.get(key)
        if one is None or alert.body.state != "firing" or key in seen:
            wrong += 1
            continue
        seen.add(key)
        if one.definition == "answer":
            latency = _deadline(records, alert, occurred_at[one.cause] + judged_after_ms)
        else:
            latency = _touchpoint(way_of(records, alert), one)
        if latency is None:
            wrong += 1
        else:
            latencies.append(latency)
    return Found(latencies, len(plan) - len(seen), wrong)


def way_of(records: Mapping[Place, Appended], alert: Appended) -> list[Appended]:
    """The records that led to this one, the alert last. What has no position begins it: a touchpoint."""
    way = [alert]
    while (before := _cause(records, way[0])) is not None and len(way) <= WAY_MAX:
        way.insert(0, before)
    return way


def _cause(records: Mapping[Place, Appended], record: Appended) -> Appended | None:
    at = record.body.at
    return None if at is None else records[SOURCES[at[0]], at[1], at[2]]


def _touchpoint(way: Sequence[Appended], one: Planted) -> Latency | None:
    """An order whose owner is the device's own partition is attached there, without evidence."""
    if way[0].body.message_id != one.cause:
        return None
    names = TOUCHPOINT_HOPS[one.definition]
    if len(way) != len(names) + 1:
        return None
    return _latency(one.definition, way[0].appended_at, names, way)


def _deadline(records: Mapping[Place, Appended], alert: Appended, due_at: int) -> Latency | None:
    """A round before may have kept the first one of the tick's time waiting, so the beat is found by that time: a beat
    covers what came before its own.
    """
    tick = _cause(records, alert)
    if tick is None or tick.body.log_time < due_at:
        return None
    reports = _reports(records, tick)
    if len(reports) < 2:
        return None
    began, first, last = reports[0], reports[1], reports[-1]
    mark = _cause(records, first)
    assert mark is not None, "it is a report on it"
    passed = (began, mark, first, last, tick, alert)
    times = [due_at, tick.body.log_time + 1, *(record.appended_at for record in passed)]
    hops = {name: times[number + 1] - times[number] for number, name in enumerate(DEADLINE_HOPS)}
    return Latency("answer", due_at, times[-1] - due_at, hops, len(reports) - 1)


def _reports(records: Mapping[Place, Appended], tick: Appended) -> list[Appended]:
    """The report that began the first round of the tick's time, and those that ended its rounds."""
    reports: list[Appended] = []
    record = _cause(records, tick)
    while record is not None and len(reports) <= HOPS:
        reports.insert(0, record)
        mark = _cause(records, record)
        if mark is None or mark.control != "mark" or mark.body.log_time < tick.body.log_time:
            break
        record = _cause(records, mark)
    return reports


def _latency(definition: str, caused_at: int, names: Sequence[str], way: Sequence[Appended]) -> Latency:
    times = [record.appended_at for record in way]
    hops = {name: times[number + 1] - times[number] for number, name in enumerate(names)}
    return Latency(definition, caused_at, times[-1] - caused_at, hops)


class Spread(NamedTuple):
    """In ms, by the nearest rank."""

    samples: int
    p50: float
    p90: float
    p99: float
    max: float


def spread(values: Iterable[float]) -> Spread:
    ordered = sorted(values)
    if not ordered:
        return Spread(0, 0, 0, 0, 0)
    at = [ordered[ceil(len(ordered) * share) - 1] for share in (0.5, 0.9, 0.99)]
    return Spread(len(ordered), at[0], at[1], at[2], ordered[-1])


def spreads(latencies: Sequence[Latency]) -> dict[str, dict[str, Spread]]:
    """By definition: the total, then each hop."""
    table: dict[str, dict[str, Spread]] = {}
    for definition in dict.fromkeys(one.definition for one in latencies):
        chosen = [one for one in latencies if one.definition == definition]
        rows = {TOTAL: spread(one.total for one in chosen)}
        for name in chosen[0].hops:
            rows[name] = spread(one.hops[name] for one in chosen)
        table[definition] = rows
    return table
