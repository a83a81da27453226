"""Compares what a contender wrote with the true answer: journeys by status, alerts by state, each by what names it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.truth import BY_DEADLINE, Truth
from schemas.identifiers import customer_of
from schemas.topics import PARTITIONS

GONE: Final = frozenset(("moved", "withdrawn"))
Answer = dict[tuple[str, ...], str]


def expected(truth: Truth, contender: str) -> Answer:
    """Touchline names customers by UUID; the others tell no break that only time brings about."""
    ours = contender == "touchline"
    answer: Answer = {}
    for journey in truth.journeys:
        customer = _uuid(journey.customer) if ours else journey.customer
        answer["journey", journey.definition, customer, str(journey.started_at)] = journey.status
    for alert in truth.alerts:
        if ours or alert.break_name not in BY_DEADLINE:
            customer = _uuid(alert.customer) if ours else alert.customer
            answer[_alert(alert.definition, customer, alert.started_at, alert.break_name, alert.occurrence)] = (
                alert.state
            )
    return answer


def _uuid(customer: str) -> str:
    kind, _, value = customer.partition(":")
    return customer_of(kind, value)


def differing(right: Mapping[tuple[str, ...], str], given: Mapping[tuple[str, ...], str]) -> list[tuple[str, ...]]:
    return sorted(key for key in right.keys() | given.keys() if right.get(key) != given.get(key))


def _alert(definition: str, customer: str, started_at: int, name: str, occurrence: int) -> tuple[str, ...]:
    return ("alert", definition, customer, str(started_at), name, str(occurrence))


def last_words(journeys: Iterable[Mapping[str, Any]], alerts: Iterable[Mapping[str, Any]]) -> Answer:
    """The last word on each journey and alert; one that moved away or was withdrawn does not count."""
    answer: Answer = {}
    starts: dict[str, int] = {}
    for one in journeys:
        starts[one.get("journey_id", "")] = one["started_at"]
        answer["journey", one["definition"], one["customer_id"], str(one["started_at"])] = one["status"]
    for one in alerts:
        started_at = starts[one["journey_id"]] if "journey_id" in one else one["started_at"]
        key = _alert(one["definition"], one["customer_id"], started_at, one["break_name"], one["occurrence"])
        answer[key] = one["state"]
    return {key: state for key, state in answer.items() if state not in GONE}


async def given(bootstrap: str, prefix: str) -> Answer:
    return last_words(await _read(bootstrap, prefix + "journeys"), await _read(bootstrap, prefix + "alerts"))


async def _read(bootstrap: str, topic: str) -> list[Mapping[str, Any]]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    found: list[Mapping[str, Any]] = []
    try:
        tps = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
        consumer.assign(tps)
        ends = await consumer.end_offsets(tps)
        for tp in tps:
            while await consumer.position(tp) < ends[tp]:
                for records in (await consumer.getmany(tp, timeout_ms=500)).values():
                    found += [msgspec.json.decode(record.value) for record in records]
    finally:
        await consumer.stop()
    return found
