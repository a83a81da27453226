"""A little world of watched sources: reports of progress go into a real keep_time, its ticks into a real track."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from schemas.control import control_headers
from schemas.control_records import Acknowledgement
from schemas.definition import Catalogue, Definition
from schemas.fast import encode, fast_type
from schemas.records import Entry, Progress
from schemas.sources import SourceRules
from streams.journey.compile import compile_definitions
from streams.journey.track import Track
from streams.pace.keep_time import KeepTime
from streams.product import watches_of
from streams.stage import Effect
from tests.journey_case import NOON, Log, Outcome, Record, keep, touch

SECRET = b"secret"
SECOND = 1_000
_progress = fast_type(Progress)
ENTRY = {"owner": "stores", "impact": {"stage": "purchase", "mode": "activate", "criticality": "high"}}
CATALOGUE = Catalogue.model_validate(
    {"touchpoints": dict.fromkeys(("ordered", "packed", "ready", "picked_up", "failed", "mended"), ENTRY)}
)
SOURCES: dict[str, Any] = {
    "till-{store}": {
        "owner": "stores",
        "brings": ["ready", "picked_up"],
        "silent_after": "40s",
        "catches_up": "10s",
        "severity": "critical",
    },
    "depot": {"owner": "logistics", "brings": ["packed", "ready"], "silent_after": "60s"},
}
PICKUP: dict[str, Any] = {
    "journey": "pickup",
    "version": 1,
    "mode": "live",
    "owner": "shop",
    "instance": {"key": "order_id"},
    "start": {"touchpoint": "ordered"},
    "steps": {"collected": {"touchpoint": "picked_up", "within": "20s"}},
    "outcome": {"success": "collected"},
    "grace": "1s",
    "lifetime": "1h",
}


def at(seconds: float) -> int:
    return NOON + int(seconds * SECOND)


class World:
    """Seconds in, seconds out; both count from noon. Each report that lets W rise gives a tick."""

    def __init__(
        self,
        partitions: int = 1,
        definition: Mapping[str, Any] = PICKUP,
        sources: Mapping[str, Any] = SOURCES,
    ) -> None:
        self.partitions = partitions
        self.rules = SourceRules.model_validate({"sources": sources})
        self.definition = Definition.model_validate(definition)
        self.clock, self.track = self.new_clock(), self.new_track()
        self.reports: list[Record] = []
        self.log = Log()
        self.out = Outcome()
        """Of track."""
        self.own = Outcome()
        """Alerts of keep_time."""
        self.clock_state: dict[bytes, bytes] = {}
        self.track_state: dict[bytes, bytes] = {}
        self._offsets = [0] * partitions

    def new_clock(self) -> KeepTime:
        return KeepTime(self.partitions, 1, SECRET, hops=0, watched_sources=watches_of(self.rules))

    def new_track(self) -> Track:
        return Track(0, compile_definitions([self.definition], CATALOGUE, self.rules), "live")

    # -- what comes

    def report(self, seconds: float, partition: int = 0, **heard: tuple[float, float]) -> None:
        """Progress of a partition to a moment. `heard`: by source, `_` for `-`."""
        said = {source.replace("_", "-"): (at(first), at(last)) for source, (first, last) in heard.items()}
        self.reported(at(seconds), partition, said)

    def reported(self, log_time: int, partition: int, heard: Mapping[str, tuple[int, int]]) -> None:
        self._offsets[partition] += 1
        place = ("resolve", partition, self._offsets[partition], 0)
        self._to_clock(Record(len(self.reports), encode(_progress(at=place, log_time=log_time, heard=dict(heard)))))

    def beats(self, until: float, since: float = 0, every: float = 5, heard: Sequence[str] = ()) -> None:
        """One partition: each `every` seconds a report in which these sources were heard."""
        seconds = since + every
        while seconds <= until:
            self.reported(at(seconds), 0, {source: (at(seconds - 1), at(seconds - 1)) for source in heard})
            seconds += every

    def word(self, alert: Mapping[str, Any], closes: bool = False) -> None:
        said = fast_type(Acknowledgement)(
            alert_id=alert["alert_id"],
            customer_id=None,
            definition=alert["definition"],
            version=alert["version"],
            anchor=alert["anchor"],
            break_name=alert["break_name"],
            occurrence=alert["occurrence"],
            closes=closes,
            reason="seen",
            acknowledged_by="on-call",
            acknowledged_at=5,
        )
        value = encode(said)
        headers = control_headers("acknowledgement", 0, value, SECRET)
        self._to_clock(Record(len(self.reports), value, headers=headers))

    def comes(self, name: str, seconds: float, order: str = "7", log: float | None = None, **facts: Any) -> None:
        log_time = None if log is None else at(log)
        entry = touch(name, at(seconds), tid=f"{name}@{seconds}:{order}", order=order, log=log_time, **facts)
        self.arrives(entry, order)

    def arrives(self, entry: Entry, order: str) -> None:
        self.log.attach(entry, customer=f"c{order}", scope=f"order_id:{order}")
        self._to_track()

    # -- machinery

    def _to_clock(self, record: Record) -> None:
        self.reports.append(record)
        out: list[Effect] = []
        self.clock.apply(record, out)
        for effect in out:
            if effect.topic == "alerts":
                self.own.effects.append(effect)
            else:
                self.log.records.append(Record(len(self.log.records), effect.value))
                self._to_track()

    def _to_track(self) -> None:
        self.track.apply(self.log.records[-1], self.out.effects)
        self.track.flush(self.out.effects)

    def restart_track(self) -> None:
        keep(self.track, self.track_state)
        self.track = self.new_track()
        self.track.restore(self.track_state.items())

    def restart_clock(self) -> None:
        for key, value in self.clock.changes():
            if value is None:
                self.clock_state.pop(key, None)
            else:
                self.clock_state[key] = value
        self.clock = self.new_clock()
        self.clock.restore(self.clock_state.items())

    # -- what came of it

    @property
    def told(self) -> list[tuple[str, str, bool]]:
        """Of customers: by order."""
        return [(alert["anchor"].partition(":")[2], alert["state"], alert["notify"]) for alert in self.out.alerts]

    @property
    def sources(self) -> list[tuple[str, str, int]]:
        """Of sources: with the second at which it was written."""
        return [
            (alert["anchor"].partition(":")[2], alert["state"], (alert["changed_at"] - NOON) // SECOND)
            for alert in self.own.alerts
        ]

    @property
    def ticks(self) -> list[Any]:
        records = [msgspec.json.decode(record.value or b"") for record in self.log.records]
        return [record for record in records if record["type"] == "tick"]
