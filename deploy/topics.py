"""Creates the topics of the catalogue, and compares what lies on the broker with it. Never changes a partition count.

State, positions and ownership all follow from the number of partitions. A changed count is refused: start new topics
under another prefix and replay into them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import TopicAlreadyExistsError

from schemas.topics import TOPICS, Topic

TIMEOUT_MS = 20_000


class TopicsDiffer(Exception):
    """A topic exists with another partition count, or not at all after its creation."""


@dataclass(frozen=True, slots=True)
class TopicState:
    topic: Topic
    name: str
    partitions: int | None
    """None: it does not exist."""


def look(kafka: Mapping[str, Any], prefix: str) -> list[TopicState]:
    """Raises KafkaError when the broker does not answer."""
    with _admin(kafka) as admin:
        return _look(admin, prefix)


def ensure(kafka: Mapping[str, Any], prefix: str, replication: int = 1) -> list[str]:
    """Create what is missing; returns the names created. Safe to run twice and side by side. Raises TopicsDiffer,
    KafkaError.
    """
    with _admin(kafka) as admin:
        states = _look(admin, prefix)
        refuse_other_counts(states)
        missing = [state for state in states if state.partitions is None]
        if missing:
            _create(admin, missing, replication)
        _await_all(admin, prefix)
        return [state.name for state in missing]


def refuse_other_counts(states: list[TopicState]) -> None:
    for state in states:
        if state.partitions not in (None, state.topic.partitions):
            text = (
                f"topic {state.name} has {state.partitions} partitions, the catalogue says {state.topic.partitions}. "
                "The count cannot change: set another TOUCHLINE_TOPIC_PREFIX and replay into new topics."
            )
            raise TopicsDiffer(text)


def _create(admin: Any, missing: list[TopicState], replication: int) -> None:
    new = [
        NewTopic(
            name=state.name,
            num_partitions=state.topic.partitions,
            replication_factor=replication,
            topic_configs=dict(state.topic.config),
        )
        for state in missing
    ]
    try:
        admin.create_topics(new, timeout_ms=TIMEOUT_MS)
    except TopicAlreadyExistsError:
        if len(missing) > 1:  # somebody else creates them too, at this moment
            for state in missing:
                _create(admin, [state], replication)


def _await_all(admin: Any, prefix: str) -> None:
    """A broker answers for a new topic a moment after it has created it."""
    give_up = time.monotonic() + TIMEOUT_MS / 1000
    states = _look(admin, prefix)
    while missing := [state.name for state in states if state.partitions is None]:
        if time.monotonic() > give_up:
            text = f"topics were created but the broker does not show them: {', '.join(missing)}. Look at its log."
            raise TopicsDiffer(text)
        time.sleep(0.05)
        states = _look(admin, prefix)
    refuse_other_counts(states)


def _look(admin: Any, prefix: str) -> list[TopicState]:
    known = {entry["name"]: len(entry["partitions"]) for entry in admin.describe_topics() if not entry["error_code"]}
    return [TopicState(topic, prefix + topic.name, known.get(prefix + topic.name)) for topic in TOPICS.values()]


class _admin:
    def __init__(self, kafka: Mapping[str, Any]) -> None:
        self._client = KafkaAdminClient(**kafka, request_timeout_ms=TIMEOUT_MS)

    def __enter__(self) -> Any:
        return self._client

    def __exit__(self, *_: object) -> None:
        self._client.close()
