"""The catalogue of topics: everything that lies on Kafka, who writes it, who reads it, and for how long it stays."""

from __future__ import annotations

from dataclasses import dataclass, field

DAY_MS = 86_400_000
PARTITIONS = 12


@dataclass(frozen=True, slots=True)
class Topic:
    """`name` is logical; a deployment puts its prefix before it. `key` says what the record key is, `partitioner` who
    chooses.
    """

    name: str
    partitions: int
    key: str
    contract: str
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    config: dict[str, str] = field(default_factory=dict)
    partitioner: str = "CRC-32 of the key"


def _kept(days: int) -> dict[str, str]:
    return {"cleanup.policy": "delete", "retention.ms": str(days * DAY_MS)}


_LOG_TIME = {"message.timestamp.type": "LogAppendTime"}
_COMPACTED = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.2", "segment.ms": "3600000"}

TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        Topic(
            "touchpoints.raw",
            PARTITIONS,
            "routing identifier",
            "Touchpoint | Beat | Mark | Evidence | Sighting | Naming | Decision",
            ("collector", "teams", "resolve", "keep_time"),
            ("resolve",),
            _kept(7) | _LOG_TIME | {"max.message.bytes": "1048576"},
            "any; misplaced records are forwarded",
        ),
        Topic(
            "progress",
            1,
            "raw partition",
            "Progress | Decision | Switch | Acknowledgement",
            ("resolve", "touchline", "notifier"),
            ("keep_time",),
            _kept(1),
        ),
        Topic("identities", PARTITIONS, "identifier", "Naming | Decision", ("resolve",), ("loader",), _kept(7)),
        Topic(
            "touchpoints",
            PARTITIONS,
            "customer_id",
            "Resolved | Attach | Detach | Tick | Switched | Acknowledged",
            ("resolve", "keep_time"),
            ("track", "loader"),
            _kept(7),
        ),
        Topic("journeys", PARTITIONS, "customer_id", "Journey", ("track",), ("loader",), _kept(7)),
        Topic("alerts", PARTITIONS, "incident", "Alert", ("track", "keep_time"), ("loader", "notifier"), _kept(7)),
        Topic(
            "dead_letters",
            PARTITIONS,
            "source partition",
            "DeadLetter",
            ("resolve",),
            ("loader", "replay"),
            _kept(7) | {"max.message.bytes": "2097152"},
        ),
        Topic(
            "quarantine",
            1,
            "topic/partition/offset",
            "operator's command",
            ("touchline quarantine",),
            ("workers",),
            _COMPACTED,
        ),
        Topic("resolve.changelog", PARTITIONS, "state key", "state of resolve", ("resolve",), ("resolve",), _COMPACTED),
        Topic("track.changelog", PARTITIONS, "state key", "state of track", ("track",), ("track",), _COMPACTED),
        Topic("keep_time.changelog", 1, "state key", "state of keep_time", ("keep_time",), ("keep_time",), _COMPACTED),
    )
}
