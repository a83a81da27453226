"""What the alerts on Kafka add up to, for the screen: which are open, what changed last, how fast they came. Pure."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

CHANGES_KEPT: Final = 30
LATENCIES_KEPT: Final = 500
OPEN: Final = ("firing", "acknowledged")


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one alert. `log_time` in ms."""

    log_time: int
    state: str
    incident: str
    first_line: str


@dataclass(slots=True)
class AlertBook:
    """Changes of one alert come in order: they lie in one partition."""

    changes: deque[Change] = field(default_factory=lambda: deque(maxlen=CHANGES_KEPT))
    seen: Counter[str] = field(default_factory=Counter)
    _open: dict[str, str] = field(default_factory=dict)
    _latencies: deque[int] = field(default_factory=lambda: deque(maxlen=LATENCIES_KEPT))

    def take(self, alert: Mapping[str, Any], kafka_ms: int, wall_of: Callable[[int], int | None]) -> None:
        """`kafka_ms`: the broker's time of the change. `wall_of` says when a log time was reached."""
        state = alert["state"]
        self.seen[state] += 1
        self.changes.append(Change(alert["changed_at"], state, alert["incident"], alert["first_line"]))
        if state in OPEN:
            self._open[alert["alert_id"]] = alert["incident"]
        else:
            self._open.pop(alert["alert_id"], None)
        if state == "firing":
            began = wall_of(alert["cause_log_time"])
            if began is not None:
                self._latencies.append(max(0, kafka_ms - began))

    def open_by_incident(self) -> list[tuple[str, int]]:
        """The greatest first."""
        return sorted(Counter(self._open.values()).items(), key=lambda pair: (-pair[1], pair[0]))

    def latency(self) -> tuple[int, int] | None:
        """p50 and p99 of the last few hundred firing alerts, ms."""
        if not self._latencies:
            return None
        ordered = sorted(self._latencies)
        return ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
