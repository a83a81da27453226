"""Writes tiny runs by hand: what was sent, and what the results say of it. For the tests of the oracle.

Every touchpoint goes over the JSON route unless it says otherwise, arrives when it occurs, and its stored row is right
but for the customer, whom the test names. Times are minutes after T0.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid5

from tests.oracle.compare import compare
from tests.oracle.decode import touchpoint_id_of
from tests.oracle.definitions import DEFINITIONS
from tests.oracle.expectation import Files
from tests.oracle.report import Report

T0: Final = 1_767_571_200_000
"""2026-01-05T00:00:00Z."""
Row = dict[str, Any]
StepSaid = tuple[str, float | None, float | None, str]
"""Status, due, reached, touchpoint."""
BreakSaid = tuple[str, str, str, int, float, float | None, float | None]
"""Name, kind, step ('' for none, as in the table), occurrence, cause, due, cleared."""


def minute(after: float) -> int:
    return T0 + round(after * 60_000)


def rfc3339(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at % 1000:03d}Z"


def customer(kind: str, value: str) -> str:
    return str(uuid5(UUID("6f1d4c1e-7f0b-5d0e-9a55-6c1b7d3f4a10"), f"{kind}:{value}"))


class TinyRun:
    def __init__(self, directory: Path, end: float = 60) -> None:
        self.directory = directory
        self.end = end
        self.files = Files()
        self.requests: list[Row] = []
        self.touchpoints: list[Row] = []
        self.journeys: list[Row] = []
        self.alerts: list[Row] = []
        self.broken_now: list[Row] = []
        self.dead_letters: list[Row] = []
        self.counts: Row = {"duplicates": 0}

    def send(
        self, emitter: str, content: bytes, log_time: int, *, sent_at: int | None = None, accepted: bool = True
    ) -> None:
        verdicts = {"verdicts": [{"verdict": "accepted" if accepted else "refused"}]}
        self.requests.append(
            {
                "request": len(self.requests) + 1,
                "emitter": emitter,
                "log_time": log_time,
                "sent_at": log_time if sent_at is None else sent_at,
                "status": 200 if accepted else 207,
                "answer": {"success": True} if emitter in ("web", "app") else verdicts,
                "items": [base64.b64encode(content).decode()],
            }
        )

    def touch(
        self,
        name: str,
        at: float,
        who: str | None = None,
        by: str = "user_id",
        *,
        arrives: float | None = None,
        skew: float = 0,
        source: str = "payments",
        properties: Row | None = None,
        channel: str = "web",
        row: Row | None = None,
        **identifiers: str,
    ) -> str:
        """`who` and `by`: what the stored row says. `skew`: the client's clock is that many minutes ahead.
        Gives the id.
        """
        message_id = f"m{len(self.requests)}"
        occurred_at, log_time = minute(at), minute(at if arrives is None else arrives)
        said = occurred_at + minute(skew) - T0
        item: Row = {"message_id": message_id, "name": name, "occurred_at": rfc3339(said), "channel": channel}
        item |= {"identifiers": identifiers, "properties": properties or {}}
        content = json.dumps(item).encode()
        self.send(source, content, log_time, sent_at=log_time + minute(skew) - T0)
        found: Row = {
            "touchpoint_id": touchpoint_id_of(source, message_id, content),
            "customer_id": who or "",
            "attributed_by": by,
            "name": name,
            "declared": True,
            "channel": channel,
            "source": source,
            "occurred_at": occurred_at,
            "occurred_at_sent": said,
            "received_at": log_time,
            "log_time": log_time,
            "sequence": 0,
            "too_late": False,
            "message_id": message_id,
            "origin": next(
                (
                    f"{kind}:{identifiers[kind]}"
                    for kind in ("anonymous_id", "device_id", "user_id", "email", "phone", "loyalty_card", *BUSINESS)
                    if kind in identifiers
                ),
                "",
            ),
            "subject_kind": "",
            "subject_id": "",
            "properties": json.dumps(properties or {}),
        }
        found |= {kind: identifiers.get(kind, "") for kind in BUSINESS} | (row or {})
        self.touchpoints.append(found)
        return str(found["touchpoint_id"])

    def journey(
        self,
        definition: str,
        who: str,
        anchor: str,
        status: str,
        started: float,
        members: list[str],
        *,
        ended: float | None = None,
        steps: Mapping[str, StepSaid] | None = None,
        breaks: tuple[BreakSaid, ...] = (),
    ) -> Row:
        names = [step.name for one in DEFINITIONS if one.name == definition for step in one.steps]
        said: dict[str, StepSaid] = dict.fromkeys(names, WAITING) | dict(steps or {})
        row: Row = {
            "journey_id": f"{definition} {who} {anchor}",
            "definition": definition,
            "customer_id": who,
            "anchor": anchor,
            "status": status,
            "started_at": minute(started),
            "ended_at": None if ended is None else minute(ended),
            "touchpoint_ids": members,
            "steps.step": list(said),
            "steps.status": [one[0] for one in said.values()],
            "steps.due_at": [_at(one[1]) for one in said.values()],
            "steps.reached_at": [_at(one[2]) for one in said.values()],
            "steps.touchpoint_id": [one[3] for one in said.values()],
        }
        for index, name in enumerate(("name", "kind", "step", "occurrence")):
            row[f"breaks.{name}"] = [one[index] for one in breaks]
        for index, name in enumerate(("cause_at", "due_at", "cleared_at"), start=4):
            row[f"breaks.{name}"] = [_at(one[index]) for one in breaks]  # type: ignore[arg-type]
        self.journeys.append(row)
        return row

    def alert(self, journey: Row, state: str, changed: float, *, index: int = 0, **other: Any) -> Row:
        """One change of the alert of break `index` of the journey, as the table of docs/journeys.md would write it."""
        fault = {name: journey[f"breaks.{name}"][index] for name in ("name", "kind", "step", "occurrence")}
        offset = len(self.alerts)
        record: Row = {
            "at": ["track", 0, offset, 0],
            "run": "simulation",
            "alert_id": f"{journey['journey_id']} {fault['name']} {fault['occurrence']}",
            "dedup_key": " ".join(
                str(one)
                for one in (
                    journey["definition"],
                    other.get("version", 1),
                    journey["anchor"],
                    fault["name"],
                    fault["occurrence"],
                )
            ),
            "continues": None,
            "state": state,
            "notify": state in ("firing", "withdrawn"),
            "reason": state,
            "definition": journey["definition"],
            "kind": fault["kind"],
            "break_name": fault["name"],
            "step": fault["step"] or None,
            "occurrence": fault["occurrence"],
            "customer_id": journey["customer_id"],
            "anchor": journey["anchor"],
            "cause_at": journey["breaks.cause_at"][index],
            "due_at": journey["breaks.due_at"][index],
            "cleared_at": journey["breaks.cleared_at"][index] if state == "resolved" else None,
            "changed_at": minute(changed),
            "evidence": [],
            "kafka_partition": 0,
            "kafka_offset": offset,
        }
        self.alerts.append(record | other)
        return self.alerts[-1]

    def report(self, *, killed: bool = False) -> Report:
        place = self.directory / "results"
        place.mkdir(parents=True, exist_ok=True)
        (self.directory / "script.json").write_text(json.dumps({"end": minute(self.end)}))
        _write(self.directory / "sent.jsonl", self.requests)
        for name in ("touchpoints", "journeys", "alerts", "broken_now", "dead_letters"):
            _write(place / f"{name}.jsonl", getattr(self, name))
        (place / "counts.json").write_text(json.dumps(self.counts))
        return compare(self.directory, killed=killed, files=self.files)


WAITING: Final[StepSaid] = ("waiting", None, None, "")
BUSINESS: Final = ("order_id", "receipt_id", "ticket_id", "claim_id")


def _at(after: float | None) -> int | None:
    return None if after is None else minute(after)


def _write(file: Path, rows: list[Row]) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
