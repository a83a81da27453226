"""Compares what a contender wrote with the true answer: journeys by status, alerts by state, each by what names it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
            answer["alert", alert.definition, customer, alert.break_name, str(alert.cause_at)] = alert.state
    return answer


def _uuid(customer: str) -> str:
    kind, _, value = customer.partition(":")
    return customer_of(kind, value)


def differing(right: Mapping[tuple[str, ...], str], given: Mapping[tuple[str, ...], str]) -> list[tuple[str, ...]]:
    return sorted(key for key in right.keys() | given.keys() if right.get(key) != given.get(key))


async def given(bootstrap: str, prefix: str) -> Answer:
    """The last word on each journey and alert; one that moved away or was withdrawn does not count."""
    answer: Answer = {}
    async for record in _read(bootstrap, prefix + "journeys"):
        key = ("journey", record["definition"], record["customer_id"], str(record["started_at"]))
        answer[key] = record["status"]
    async for record in _read(bootstrap, prefix + "alerts"):
        key = ("alert", record["definition"], record["customer_id"], record["break_name"], str(record["cause_at"]))
        answer[key] = record["state"]
    return {key: state for key, state in answer.items() if state not in GONE}


async def _read(bootstrap: str, topic: str) -> Any:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        tps = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
        consumer.assign(tps)
        ends = await consumer.end_offsets(tps)
        for tp in tps:
            while await consumer.position(tp) < ends[tp]:
                for record in _values(await consumer.getmany(tp, timeout_ms=500)):
                    yield msgspec.json.decode(record)
    finally:
        await consumer.stop()


def _values(fetched: Mapping[TopicPartition, list[Any]]) -> Iterator[bytes]:
    for records in fetched.values():
        for record in records:
            if record.value is not None:
                yield record.value
