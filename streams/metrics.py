"""Every metric of the workers, in one place, updated per batch, never per record. No personal data, bounded labels."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

PARTITION = ("stage", "partition")


class WorkerMetrics:
    """Made once per process, with a registry of its own: a second one in a test does not collide."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry = registry or CollectorRegistry()
        self.records = Counter("touchline_records_total", "Records taken by a stage.", PARTITION, registry=registry)
        self.batches = Counter("touchline_batches_total", "Batches taken by a stage.", PARTITION, registry=registry)
        self.effects = Counter(
            "touchline_effects_total", "Effects acknowledged by Kafka.", ("topic",), registry=registry
        )
        self.checkpoints = Counter("touchline_checkpoints_total", "Checkpoints written.", PARTITION, registry=registry)
        self.changes = Counter(
            "touchline_checkpoint_changes_total", "Pieces of state in checkpoints.", PARTITION, registry=registry
        )
        self.checkpoint_seconds = Histogram(
            "touchline_checkpoint_seconds", "Duration of one checkpoint.", ("stage",), registry=registry,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30),
        )  # fmt: skip
        self.restore_seconds = Gauge(
            "touchline_restore_seconds", "Duration of the last restore.", PARTITION, registry=registry
        )
        self.position = Gauge(
            "touchline_position_offset", "Next offset after the last checkpoint.", PARTITION, registry=registry
        )
        self.log_time = Gauge(
            "touchline_log_time_seconds", "Log time of the last record taken.", PARTITION, registry=registry
        )
        self.numbers = Gauge(
            "touchline_stage_state", "Counts and sizes of a stage's state.", (*PARTITION, "what"), registry=registry
        )
        self.running = Gauge(
            "touchline_partition_running", "1 while the partition makes progress.", PARTITION, registry=registry
        )
        self.stopped = Gauge(
            "touchline_partition_stopped",
            "1 while the partition waits for a person.",
            (*PARTITION, "reason"),
            registry=registry,
        )
        self.bugs = Counter("touchline_bugs_total", "Exceptions that left a stage.", PARTITION, registry=registry)
        self.quarantined = Counter(
            "touchline_records_quarantined_total", "Records a person gave up.", PARTITION, registry=registry
        )
        self.fenced = Counter(
            "touchline_fenced_total", "Times another owner took a partition over.", PARTITION, registry=registry
        )
        self.outage_retries = Counter(
            "touchline_outage_retries_total", "Batches tried again, Kafka being away.", registry=registry
        )
        self.beats = Counter("touchline_beats_total", "Beats appended by this worker.", ("stage",), registry=registry)
        self.rebalances = Counter("touchline_rebalances_total", "Assignments received.", registry=registry)

    def text(self) -> bytes:
        """In the Prometheus text format."""
        return generate_latest(self.registry)
