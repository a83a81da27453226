"""What the broker says about our topics, and whether it fits. Asked once, before a worker joins its group.

Topic ids are read through kafka-python: aiokafka's metadata requests are too old to carry them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kafka.admin import KafkaAdminClient

from streams.checkpoint import Refused
from streams.settings import StageSpec, WorkerSettings


class TopicFacts(NamedTuple):
    topic_id: str
    partitions: int


def needed(settings: WorkerSettings, stages: Sequence[StageSpec]) -> list[str]:
    names = [settings.quarantine_topic, *(spec.source for spec in stages), *(spec.changelog for spec in stages)]
    return [settings.physical(name) for name in names]


async def describe_topics(settings: WorkerSettings, names: Sequence[str]) -> dict[str, TopicFacts]:
    """Facts of those topics that exist. Runs in a thread. Raises kafka.errors.KafkaError."""
    return await asyncio.to_thread(_describe, settings, list(names))


def _describe(settings: WorkerSettings, names: list[str]) -> dict[str, TopicFacts]:
    options: dict[str, Any] = dict(settings.kafka)
    admin = KafkaAdminClient(bootstrap_servers=settings.bootstrap.split(","), **options)
    try:
        found = admin.describe_topics(names)
    finally:
        admin.close()
    return {
        topic["name"]: TopicFacts(str(topic["topic_id"]), len(topic["partitions"]))
        for topic in found
        if not topic["error_code"]
    }


def check_topics(settings: WorkerSettings, stages: Sequence[StageSpec], facts: Mapping[str, TopicFacts]) -> None:
    """Raises Refused for a missing topic and for another number of partitions than the stages were built for."""
    missing = sorted({name for name in needed(settings, stages) if name not in facts})
    if missing:
        raise Refused(f"topics {', '.join(missing)} do not exist on {settings.bootstrap}. Make them first.")
    for spec in stages:
        for name in (settings.physical(spec.source), settings.physical(spec.changelog)):
            if facts[name].partitions != spec.partitions:
                raise Refused(
                    f"topic {name} has {facts[name].partitions} partitions, stage {spec.name} needs {spec.partitions}. "
                    "A changed number moves keys to other partitions: make new topics and replay into them."
                )
