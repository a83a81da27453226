"""Every metric of the loader, in one place."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class LoaderMetrics:
    """`topic` is the logical name, without a deployment's prefix."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.rows = Counter("touchline_loader_rows", "Rows stored in ClickHouse.", ["table"], registry=registry)
        self.repeated = Counter(
            "touchline_loader_repeated",
            "Records dropped because they were stored before.",
            ["topic"],
            registry=registry,
        )
        self.inserts = Counter("touchline_loader_inserts", "Inserts that succeeded.", ["table"], registry=registry)
        self.failures = Counter(
            "touchline_loader_failures", "Inserts that failed and are tried again.", ["table"], registry=registry
        )
        self.insert_seconds = Histogram(
            "touchline_loader_insert_seconds",
            "Time of one insert.",
            ["table"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0),
            registry=registry,
        )
        self.seconds_to_stored = Histogram(
            "touchline_loader_seconds_to_stored",
            "From a record's time on Kafka to its rows being visible; one sample, the oldest, per range.",
            ["topic"],
            buckets=(0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 15.0, 60.0, 600.0),
            registry=registry,
        )
        self.lag = Gauge(
            "touchline_loader_lag", "Records on Kafka that are not stored yet.", ["topic"], registry=registry
        )
        self.buffered_bytes = Gauge(
            "touchline_loader_buffered_bytes", "Bytes of records held in memory.", registry=registry
        )
        self.stopped = Gauge(
            "touchline_loader_stopped",
            "1: the partition stopped, a person must look.",
            ["topic", "partition"],
            registry=registry,
        )
        self.owned = Gauge("touchline_loader_partitions", "Partitions that this loader owns.", registry=registry)
        self.squashed = Counter(
            "touchline_loader_squashed",
            "Old attributions: written into their touchpoints' rows, removed once the rows had them.",
            ["what"],
            registry=registry,
        )
        self.squash_seconds = Histogram(
            "touchline_loader_squash_seconds",
            "Time of one pass over old attributions.",
            buckets=(0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1200.0),
            registry=registry,
        )
        self.squash_failures = Counter(
            "touchline_loader_squash_failures", "Passes that failed and are tried again.", registry=registry
        )
        self.available = Gauge("touchline_loader_clickhouse_up", "1 when the last insert succeeded.", registry=registry)
