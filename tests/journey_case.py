"""Touchpoints and records for the tests of the journeys, written short."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from schemas.definition import Catalogue, Definition
from schemas.fast import encode
from schemas.identifiers import alert_id_of, journey_id_of
from schemas.records import (
    Acknowledged,
    Attach,
    Detach,
    Entry,
    Fact,
    Mode,
    Resolved,
    SourceState,
    StoredIdentifiers,
    Switched,
    Tick,
)
from streams.journey.compile import compile_definitions
from streams.journey.plan import Compiled
from streams.journey.track import Track
from streams.stage import Effect

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NOON = 1_772_366_400_000
"""2026-03-01 12:00 UTC."""

COLLECT: dict[str, Any] = {
    "journey": "click_and_collect",
    "version": 1,
    "mode": "live",
    "owner": "team-checkout",
    "instance": {"key": "order_id", "if_absent": "ignore"},
    "start": {"touchpoint": "order_placed", "where": {"fulfilment": "pickup"}},
    "steps": {
        "approved": {"touchpoint": "order_approved", "if_missing": "nothing", "within": "5m"},
        "paid": {"any_of": ["payment_captured", "invoice_accepted"], "within": "10m", "severity": "critical"},
        "ready": {"touchpoint": "ready_for_pickup", "after": "paid", "within": "8h"},
        "collected": {
            "touchpoint": "picked_up",
            "where": {"channel": "store"},
            "after": "ready",
            "within": "7d",
            "handoff": {"from": "web", "to": "store"},
        },
        "answered": {"touchpoint": "feedback_given", "after": "collected", "within": "2d", "if_missing": "count"},
    },
    "outcome": {"success": "collected", "failure": ["order_cancelled", "order_refunded"]},
    "breaks": {
        "payment_trouble": {
            "touchpoint": "payment_declined",
            "at_least": 3,
            "in_window": "10m",
            "cleared_by": "paid",
            "severity": "critical",
        },
        "bad_pickup": {"score": "csat", "below": 3, "about": "collected"},
    },
    "grace": "1m",
    "lifetime": "10d",
}
VISIT: dict[str, Any] = {
    "journey": "visit",
    "instance": {"key": "customer"},
    "start": {"touchpoint": "visit_started"},
    "steps": {"bought": {"touchpoint": "bought", "within": "30m"}},
    "outcome": {"success": "bought"},
    "breaks": {},
    "lifetime": "2h",
}
"""What it changes of the definition above: a journey of the customer."""
CATALOGUE = Catalogue.model_validate(
    {
        "touchpoints": {
            "picked_up": {
                "owner": "team-stores",
                "impact": {"stage": "fulfilment", "mode": "control", "criticality": "high"},
                "arrives_within": "20m",
            }
        }
    }
)


def compiled(*changes: Mapping[str, Any]) -> Compiled:
    """The definition above, once for each set of changes."""
    definitions = [Definition.model_validate({**COLLECT, **change}) for change in changes or ({},)]
    return compile_definitions(definitions, CATALOGUE)


def touch(
    name: str,
    at: int,
    *,
    tid: str = "",
    channel: str = "web",
    order: str | None = "7",
    log: int | None = None,
    sequence: int = 0,
    **facts: Fact,
) -> Entry:
    return Entry(
        touchpoint_id=tid or f"{name}@{at}",
        name=name,
        occurred_at=at,
        sequence=sequence,
        log_time=at if log is None else log,
        channel=channel,
        keys={"order_id": order} if order is not None else {},
        facts=facts,
    )


def placed(at: int = NOON, **more: Any) -> Entry:
    return touch("order_placed", at, **({"fulfilment": "pickup"} | more))


@dataclass
class Record:
    offset: int
    value: bytes | None
    timestamp: int = 0
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()


class Log:
    """Writes the log of one partition of `touchpoints`; each record with a position and a greater rev."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._rev = 0

    def _next(self) -> dict[str, Any]:
        self._rev += 1
        return {"at": ("resolve", 0, self._rev, 0), "run": "live"}

    def _append(self, value: object) -> None:
        self.records.append(Record(len(self.records), encode(value)))

    def attach(
        self, *entries: Entry, customer: str = "c1", scope: str = "order_id:7", moved_from: str | None = None
    ) -> None:
        more: dict[str, Any] = {"attributed_by": "business_key", "moved_from": moved_from}
        place: dict[str, Any] = {"customer_id": customer, "scope": scope}
        self._append(Attach(**self._next(), **place, entries=list(entries), rev=self._rev, **more))

    def detach(self, *ids: str, customer: str = "c1", scope: str = "order_id:7", moved_to: str | None = None) -> None:
        place: dict[str, Any] = {"customer_id": customer, "scope": scope}
        self._append(Detach(**self._next(), **place, touchpoint_ids=list(ids), rev=self._rev, moved_to=moved_to))

    def resolved(self, entry: Entry, customer: str | None = "c1", too_late: bool = False, by: str = "user_id") -> None:
        rest: dict[str, Any] = {
            "message_id": entry.touchpoint_id,
            "customer_id": customer,
            "attributed_by": by,
            "origin": "user_id:u",
            "declared": True,
            "source": "shop",
            "occurred_at_sent": entry.occurred_at,
            "sent_at": None,
            "received_at": None,
            "too_late": too_late,
            "identifiers": StoredIdentifiers(user_id="u"),
            "subject": None,
            "properties": {"deep": {"er": [1, 2]}},
            "context": {},
        }
        self._append(Resolved(**self._next(), **entry.model_dump(exclude={"person"}), rev=self._rev, **rest))

    def tick(self, w: int, sources: Sequence[SourceState] = ()) -> None:
        self._append(Tick(at=("keep_time", 0, len(self.records), 0), log_time=w, sources=list(sources)))

    def switch(self, version: int, mode: Mode, from_at: int, definition: str = "click_and_collect") -> None:
        said: dict[str, Any] = {"reason": "a test", "decided_by": "nobody", "decided_at": from_at}
        place: dict[str, Any] = {"at": ("keep_time", 0, len(self.records), 0), "definition": definition}
        self._append(Switched(**place, **said, version=version, mode=mode, from_at=from_at))

    def acknowledge(
        self,
        break_name: str,
        *,
        closes: bool = False,
        customer: str = "c1",
        anchor: str = "order_id:7",
        definition: str = "click_and_collect",
        version: int = 1,
        occurrence: int = 1,
        alert_id: str | None = None,
        by: str = "team-night",
    ) -> None:
        journey_id = journey_id_of(definition, version, customer, anchor)
        about: dict[str, Any] = {"definition": definition, "version": version, "anchor": anchor}
        self._append(
            Acknowledged(
                at=("keep_time", 0, len(self.records), 0),
                alert_id=alert_id or alert_id_of(journey_id, break_name, occurrence),
                customer_id=customer,
                break_name=break_name,
                occurrence=occurrence,
                closes=closes,
                acknowledged_by=by,
                acknowledged_at=NOON,
                **about,
            )
        )


@dataclass
class Outcome:
    """What a stage wrote, decoded, and the latest of each."""

    effects: list[Effect] = field(default_factory=list)

    @property
    def alerts(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(effect.value) for effect in self.effects if effect.topic == "alerts"]

    @property
    def journeys(self) -> dict[str, dict[str, Any]]:
        found = [msgspec.json.decode(effect.value) for effect in self.effects if effect.topic == "journeys"]
        return {journey["journey_id"]: journey for journey in found}

    @property
    def told(self) -> list[tuple[str, str, str, bool]]:
        return [(alert["break_name"], alert["state"], alert["reason"], alert["notify"]) for alert in self.alerts]

    @property
    def final(self) -> dict[tuple[str, str, str, int], str]:
        return {
            (alert["customer_id"], alert["anchor"], alert["break_name"], alert["occurrence"]): alert["state"]
            for alert in self.alerts
        }

    def journey(self) -> dict[str, Any]:
        (journey,) = self.journeys.values()
        return journey

    def step(self, name: str) -> dict[str, Any]:
        (step,) = [step for step in self.journey()["steps"] if step["step"] == name]
        return dict(step)


def play(log: Log, stage: Track, cuts: Iterable[int] = ()) -> Outcome:
    """Feed a stage; a batch ends after the records at `cuts`, and at the end."""
    outcome, ends = Outcome(), set(cuts)
    for record in log.records:
        stage.apply(record, outcome.effects)
        if record.offset in ends:
            stage.flush(outcome.effects)
    stage.flush(outcome.effects)
    return outcome


def run(log: Log, *changes: Mapping[str, Any]) -> Outcome:
    return play(log, Track(0, compiled(*changes), "live"))


def assert_restart_changes_nothing(log: Log, cut: int, stage: Callable[[], Track]) -> None:
    """A second stage, restored from what the first stored at `cut`, goes on with the same effects and changes."""
    before, state, ignored = stage(), dict[bytes, bytes](), list[Effect]()
    for record in log.records[:cut]:
        before.apply(record, ignored)
    before.flush(ignored)
    keep(before, state)
    after = stage()
    after.restore(state.items())
    assert after.changes() == []
    other = dict(state)
    for record in log.records[cut:]:
        first, second = list[Effect](), list[Effect]()
        for track, out, kept in ((before, first, state), (after, second, other)):
            track.apply(record, out)
            track.flush(out)
            keep(track, kept)
        assert first == second
        assert state == other


def keep(track: Track, state: dict[bytes, bytes]) -> None:
    for key, value in track.changes():
        if value is None:
            state.pop(key, None)
        else:
            state[key] = value
