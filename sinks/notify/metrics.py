"""Every metric of the notifier, in one place."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class NotifierMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.decisions = Counter(
            "touchline_notifier_decisions",
            "Changes of alerts, by what was decided; what was held back is decided twice.",
            ["reason"],
            registry=registry,
        )
        self.repeated = Counter("touchline_notifier_repeated", "Alerts that were delivered before.", registry=registry)
        self.attempts = Counter(
            "touchline_notifier_attempts",
            "Attempts to deliver: delivered, again, refused, expired.",
            ["route", "outcome"],
            registry=registry,
        )
        self.coalesced = Counter(
            "touchline_notifier_coalesced",
            "Notifications over a route's rate that went out with another one.",
            ["route"],
            registry=registry,
        )
        self.incident_decisions = Counter(
            "touchline_notifier_incident_decisions",
            "Changes of incidents, by what was decided for a route.",
            ["route", "reason"],
            registry=registry,
        )
        self.held = Gauge(
            "touchline_notifier_held",
            "Alerts whose last change is held back: silenced, maintenance, flapping, moved.",
            ["reason"],
            registry=registry,
        )
        self.open_incidents = Gauge("touchline_notifier_open_incidents", "Incidents that are open.", registry=registry)
        self.seconds_to_told = Histogram(
            "touchline_notifier_seconds_to_told",
            "From the notification being stored to the receiver having it.",
            buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0, 3600.0),
            registry=registry,
        )
        self.waiting = Gauge(
            "touchline_notifier_waiting", "Notifications that wait to be delivered.", registry=registry
        )
        self.parked = Gauge("touchline_notifier_parked", "Notifications that were given up.", registry=registry)
        self.lag = Gauge("touchline_notifier_lag", "Alerts on Kafka that are not decided yet.", registry=registry)
        self.stopped = Gauge(
            "touchline_notifier_stopped",
            "1: the partition stopped, a person must look.",
            ["partition"],
            registry=registry,
        )
