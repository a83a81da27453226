"""Membership against a real broker: a reader gets its partitions however short its polls are."""

from __future__ import annotations

import pytest

from sinks.log_reader import KafkaLog, KafkaOptions, Partition
from tests.integration.loader_rig import make_topics, until


@pytest.mark.parametrize("group", ["first", "second"])
def test_two_members_with_short_polls_share_the_partitions(kafka: str, topic_prefix: str, group: str) -> None:
    """kafka-python drops a join that finished just after its poll had run out of time, and begins again. In this rhythm
    about every second pair never came to rest; so there are two."""
    topic = topic_prefix + group
    make_topics(kafka, [topic], 4)
    owned: list[set[Partition]] = [set(), set()]
    members = [KafkaLog(KafkaOptions(kafka, topic, (topic,), session_timeout_ms=6_000)) for _ in owned]

    def poll_each() -> None:
        for mine, member in zip(owned, members, strict=True):
            polled = member.poll(20, 10)
            mine -= polled.lost
            mine |= set(polled.gained)

    try:
        until(lambda: [len(mine) for mine in owned] == [2, 2], "two partitions each", work=poll_each)
        assert owned[0].isdisjoint(owned[1])
    finally:
        for member in members:
            member.close()
