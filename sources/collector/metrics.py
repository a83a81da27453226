"""Every metric of the collector, in one typed place. Labels are bounded: routes are known, sources are those of
the file of write keys."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SECONDS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "touchline_collector_requests", "Requests answered.", ("route", "code"), registry=self.registry
        )
        self.touchpoints = Counter(
            "touchline_collector_touchpoints",
            "Touchpoints of answered requests. Refused: told to the sender, or stored as a dead letter to be.",
            ("source", "verdict"),
            registry=self.registry,
        )
        self.produce_seconds = Histogram(
            "touchline_collector_produce_seconds",
            "Until Kafka has acknowledged all records of a request.",
            buckets=SECONDS,
            registry=self.registry,
        )
        self.in_flight_bytes = Gauge(
            "touchline_collector_in_flight_bytes", "Bytes of request bodies held.", registry=self.registry
        )
        self.in_flight_requests = Gauge(
            "touchline_collector_in_flight_requests", "Requests under way.", registry=self.registry
        )
        self.kafka_ready = Gauge(
            "touchline_collector_kafka_ready", "1 while Kafka takes what is sent to it.", registry=self.registry
        )
        self.producers = Counter(
            "touchline_collector_producers",
            "Producers started: more than one says that one broke.",
            registry=self.registry,
        )
        self.beats = Counter("touchline_collector_beats", "Beats acknowledged by Kafka.", registry=self.registry)
        self.write_keys = Gauge("touchline_collector_write_keys", "Write keys that are let in.", registry=self.registry)
        self.write_keys_stale = Gauge(
            "touchline_collector_write_keys_stale",
            "1 while the file of write keys cannot be used and the keys before it stay in force. The log says why.",
            registry=self.registry,
        )
        self.write_key_readings = Counter(
            "touchline_collector_write_key_readings",
            "Readings of a changed file of write keys: taken, or the keys before it kept.",
            ("outcome",),
            registry=self.registry,
        )
        self.tail_clients = Gauge("touchline_collector_tail_clients", "Clients that watch.", registry=self.registry)
        self.tail_dropped = Counter(
            "touchline_collector_tail_dropped", "Lines that a watching client was too slow for.", registry=self.registry
        )
