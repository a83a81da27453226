"""Holds the results against the expectation: touchpoints, dead letters, counts, journeys. Alerts: alert_checks."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.oracle.alert_checks import compare_alerts
from tests.oracle.attribution import Attributed
from tests.oracle.expectation import Expectation, Files, expect
from tests.oracle.files import files_of
from tests.oracle.journeys import Journey, JourneyKey
from tests.oracle.own_alerts import compare_own_alerts
from tests.oracle.report import Report
from tests.oracle.results import Results, Row, read_results
from tests.oracle.usable import BUSINESS


def compare(directory: Path, *, killed: bool = False, files: Files | None = None) -> Report:
    """`killed`: a request may have reached Kafka twice, so more duplicates and dead letters than sent are right.
    `files`: None: those that the directory brings, else the repository's.

    Raises OSError, ValueError, KeyError when the directory cannot be read.
    """
    results = read_results(directory)
    wanted = expect(
        directory, {row["touchpoint_id"]: row["log_time"] for row in results.touchpoints}, files or files_of(directory)
    )
    report = Report()
    _compare_touchpoints(wanted, results, report)
    _compare_dead_letters(wanted, results, report, killed)
    _compare_counts(wanted, results, report, killed)
    _compare_journeys(wanted, results, report)
    compare_alerts(wanted, results, report)
    compare_own_alerts(wanted, results, report)
    report.figures = {
        "items_sent": wanted.reading.sent,
        "touchpoints_expected": len(wanted.attribution.touchpoints),
        "touchpoints_stored": len(results.touchpoints),
        "duplicates_expected": wanted.duplicates,
        "dead_letters_expected": wanted.reading.bad.total(),
        "suppressed_expected": wanted.reading.suppressed.total(),
        "too_late_expected": sum(one.too_late for one in wanted.attribution.touchpoints.values()),
        "journeys_expected": len(wanted.journeys.found),
        "breaks_expected": sum(len(one.outcome.breaks) for one in wanted.journeys.found.values()),
        "alert_changes": len(results.alerts),
        "customers_past_a_bound": len(wanted.journeys.unsure),
    } | report.figures
    return report


# -- touchpoints ------------------------------------------------------------------------------------------------------


def _compare_touchpoints(wanted: Expectation, results: Results, report: Report) -> None:
    expected = wanted.attribution.touchpoints
    rows = Counter(row["touchpoint_id"] for row in results.touchpoints)
    for name, number in rows.items():
        if number > 1:
            report.differ("stored_twice", f"touchpoint {name} has {number} rows")
    for name in expected.keys() - rows.keys():
        x = expected[name].touchpoint
        report.differ("lost", f"{x.place}: {x.source} {x.message_id} ({x.name}) is not stored; its id is {name}")
    for row in results.touchpoints:
        one = expected.get(row["touchpoint_id"])
        if one is not None:
            _compare_touchpoint(one, row, wanted, report)
            continue
        why = "was refused" if row["touchpoint_id"] in wanted.refused else "was never sent"
        about = f"{row['touchpoint_id']} of {row['source']}, message {row['message_id']}"
        report.differ("not_sent", f"stored touchpoint {about} {why}")


def _compare_touchpoint(one: Attributed, row: Row, wanted: Expectation, report: Report) -> None:
    x = one.touchpoint
    about = f"{x.place}: {x.source} {x.message_id} ({x.name})"
    said = (row["customer_id"] or None, row["attributed_by"])
    if said != (one.customer, one.by):
        report.differ("customer", f"{about}: belongs to {one.customer} by {one.by}, stored {said[0]} by {said[1]}")
    fields: dict[str, Any] = {
        "name": x.name,
        "source": x.source,
        "message_id": x.message_id,
        "occurred_at_sent": x.occurred_at_sent,
        "log_time": x.log_time,
        "sequence": x.sequence,
        "declared": x.name in wanted.rules.known,
        "subject_kind": x.subject[0] if x.subject else "",
        "subject_id": x.subject[1] if x.subject else "",
    }
    if x.channel is not None:
        fields["channel"] = x.channel
    if x.routing is not None:
        fields["origin"] = f"{x.routing[0]}:{x.routing[1]}"
    fields |= {kind: x.identifiers[kind] for kind in BUSINESS if kind in x.identifiers}
    for name, value in fields.items():
        if row[name] != value:
            report.differ("touchpoint", f"{about}: {name} is {value!r}, stored {row[name]!r}")
    if row["received_at"] not in (x.received_at, x.log_time):
        report.differ("touchpoint", f"{about}: received_at is {x.received_at}, stored {row['received_at']}")
    if row["occurred_at"] != x.occurred_at:
        report.differ("clock", f"{about}: occurred at {x.occurred_at} (corrected), stored {row['occurred_at']}")
    if bool(row["too_late"]) != one.too_late:
        report.differ("too_late", f"{about}: too late is {one.too_late}, stored {bool(row['too_late'])}")
    if not _holds(row["properties"], x.properties):
        report.differ("touchpoint", f"{about}: its properties are not stored as sent")


def _holds(stored: str | Mapping[str, Any], sent: Mapping[str, Any]) -> bool:
    said = json.loads(stored) if isinstance(stored, str) else stored
    return all(name in said and said[name] == value for name, value in sent.items())


# -- dead letters and counts ------------------------------------------------------------------------------------------


def _compare_dead_letters(wanted: Expectation, results: Results, report: Report, killed: bool) -> None:
    found = Counter((row["source"], base64.b64decode(row["payload"])) for row in results.dead_letters)
    bad, broken = wanted.reading.bad, wanted.reading.broken
    for row in results.dead_letters:
        flaws = broken.get((row["source"], base64.b64decode(row["payload"])))
        if flaws and row.get("field") not in (None, *(f"properties.{one}" for one in flaws)):
            report.differ("dead_letter", f"{row['source']}: names {row['field']}; its contract breaks in {flaws}")
    for about, number in (bad - found).items():
        report.differ("dead_letter", f"{number} of {bad[about]} dead letters of {about[0]} miss: {about[1]!r}")
    for about, number in (found - bad).items():
        if not (killed and about in bad):
            report.differ("dead_letter", f"{number} dead letters of {about[0]} too many: {about[1]!r}")


def _compare_counts(wanted: Expectation, results: Results, report: Report, killed: bool) -> None:
    # A sum of counts leaves out what is zero.
    counted = results.counts.get("duplicates", 0)
    report.figures["duplicates_counted"] = counted
    if not isinstance(counted, int) or counted < wanted.duplicates or (counted > wanted.duplicates and not killed):
        report.differ("counts", f"duplicates: {wanted.duplicates} were sent, {counted} are counted")
    suppressed, counted = wanted.reading.suppressed.total(), results.counts.get("suppressed", 0)
    if not isinstance(counted, int) or counted < suppressed or (counted > suppressed and not killed):
        report.differ("counts", f"suppressed: {suppressed} were sent, {counted} are counted")


# -- journeys ---------------------------------------------------------------------------------------------------------


def _compare_journeys(wanted: Expectation, results: Results, report: Report) -> None:
    expected = wanted.journeys.found
    seen: Counter[JourneyKey] = Counter()
    ids: dict[str, JourneyKey] = {}
    for row in results.journeys:
        version = row["definition_version"] if "definition_version" in row else row.get("version", 1)
        key = (row["definition"], version, row["customer_id"], row["anchor"])
        seen[key] += 1
        if ids.setdefault(row["journey_id"], key) != key:
            report.differ("journey", f"{_name(key)} and {_name(ids[row['journey_id']])} have the same journey id")
        if row["customer_id"] in wanted.journeys.unsure:
            continue
        if key in expected:
            _compare_journey(expected[key], row, report)
        elif row["started_at"] is not None:
            report.differ("journey_extra", f"{_name(key)} ({row['status']}) is no journey of this customer")
    for key, number in seen.items():
        if number > 1:
            report.differ("journey_extra", f"{_name(key)} is there {number} times")
    for key in expected.keys() - seen.keys():
        if key[2] not in wanted.journeys.unsure:
            report.differ("journey_lost", f"{_name(key)} ({expected[key].outcome.status}) is not there")


def _compare_journey(journey: Journey, row: Row, report: Report) -> None:
    outcome, about = journey.outcome, _name(journey.key)
    said = {"status": outcome.status, "started_at": outcome.started_at, "ended_at": outcome.ended_at}
    said |= {"mode": journey.mode} if "mode" in row else {}
    for name, value in said.items():
        if row[name] != value:
            report.differ("journey", f"{about}: {name} is {value!r}, stored {row[name]!r}")
    members = [x.touchpoint_id for x in journey.members]
    if row["touchpoint_ids"] != members:
        missing, extra = set(members) - set(row["touchpoint_ids"]), set(row["touchpoint_ids"]) - set(members)
        text = f"{len(members)} touchpoints, stored {len(row['touchpoint_ids'])}; missing {missing}, extra {extra}"
        report.differ("journey_touchpoints", f"{about}: {text}")
    steps = {one["step"]: one for one in _nested(row, "steps")}
    for name in outcome.steps.keys() | steps.keys():
        step, stored = outcome.steps.get(name), steps.get(name)
        wants = step and (step.status, step.due_at, step.reached_at, step.touchpoint_id)
        has = stored and (stored["status"], stored["due_at"], stored["reached_at"], stored["touchpoint_id"] or "")
        if wants != has:
            report.differ("step", f"{about}: step {name} (status, due, reached, by) is {wants}, stored {has}")
    _compare_breaks(journey, row, report)


def _compare_breaks(journey: Journey, row: Row, report: Report) -> None:
    stored = {(one["name"], one["occurrence"]): one for one in _nested(row, "breaks")}
    found = {(one.name, one.occurrence): one for one in journey.outcome.breaks}
    fields = ("kind", "step", "cause_at", "due_at", "cleared_at")
    for label in found.keys() | stored.keys():
        wants = tuple(getattr(found[label], field) for field in fields) if label in found else None
        has = tuple(stored[label][field] for field in fields) if label in stored else None
        if has is not None:
            has = (has[0], has[1] or None, *has[2:])  # a column holds no step as ''
        if wants != has:
            text = f"break {label} (kind, step, cause, due, cleared) is {wants}, stored {has}"
            report.differ("break", f"{_name(journey.key)}: {text}")


def _nested(row: Row, name: str) -> list[Row]:
    columns = {key.partition(".")[2]: values for key, values in row.items() if key.startswith(f"{name}.")}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _name(key: JourneyKey) -> str:
    return f"journey {key[0]} v{key[1]} {key[3]} of {key[2]}"
