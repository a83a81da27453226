"""Alerts: their last states against the breaks that exist, their changes against the table, and the view."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

from tests.oracle.alert_table import EXPIRED, OPEN, check_changes
from tests.oracle.decode import Touchpoint
from tests.oracle.expectation import Expectation
from tests.oracle.fold import BreakFound
from tests.oracle.hindsight import Hindsight
from tests.oracle.journeys import Journey, JourneyKey
from tests.oracle.report import Report
from tests.oracle.results import Results, Row
from tests.oracle.rules import Definition

BreakKey = tuple[JourneyKey, str, int]
"""Journey, break, occurrence."""


def compare_alerts(wanted: Expectation, results: Results, report: Report) -> None:
    changes: dict[str, list[Row]] = defaultdict(list)
    definitions = {(one.name, one.version): one for one in wanted.files.definitions}
    for record in results.alerts:
        if record.get("scope", "journey") != "journey":
            continue
        changes[record["alert_id"]].append(record)
    last: dict[BreakKey, Row] = {}
    related, hindsight = _Related(wanted), Hindsight(wanted)
    for alert_id, course in changes.items():
        keys = {_key(record) for record in course}
        if len(keys) > 1 or min(keys) in last:
            report.differ("alert", f"alert {alert_id} does not stand for one break: {sorted(keys)[:2]}")
        last[_key(course[-1])] = course[-1]
        definition = definitions.get(_key(course[0])[0][:2])
        quiet = definition is not None and definition.monitored(course[0]["break_name"])
        check_changes(course, _about(course[0]), report, quiet=quiet)
        if definition is not None:
            _check_earliness(course, definition, report)
        _check_mode(course[-1], wanted, report)
        _check_truth(course, hindsight, report)
        _check_withdrawals(course, hindsight, report)
    check_keys(results.alerts, report)
    _check_dedup(results.alerts, report)
    _compare_last(wanted, last, related, report)
    _compare_view(changes, results, report)
    report.figures["alerts"] = len(changes)
    report.figures["alerts_open"] = sum(course[-1]["state"] in OPEN for course in changes.values())
    report.figures["alerts_withdrawn"] = sum(
        any(record["state"] == "withdrawn" for record in course) for course in changes.values()
    )


class _Related:
    """Which touchpoints may change what is known of a journey."""

    def __init__(self, wanted: Expectation) -> None:
        self._wanted = wanted
        self._by_mark: dict[str, list[Touchpoint]] = defaultdict(list)
        for one in wanted.attribution.touchpoints.values():
            for kind, value in one.touchpoint.identifiers.items():
                self._by_mark[f"{kind}:{value}"].append(one.touchpoint)
            if one.customer is not None:
                self._by_mark[f"customer:{one.customer}"].append(one.touchpoint)

    def latest(self, change: Row) -> int:
        """Log time of the last touchpoint that has to do with the journey of this alert."""
        customer, anchor = change["customer_id"], change["anchor"]
        marks = {anchor, f"customer:{customer}"}
        ids = {one["touchpoint_id"] for one in change["evidence"]} | {anchor.removeprefix("start:")}
        journey = self._wanted.journeys.found.get((change["definition"], change.get("version", 1), customer, anchor))
        ids |= {x.touchpoint_id for x in journey.members} if journey else set()
        ids |= {x.touchpoint_id for x in self._by_mark.get(anchor, ())}
        for name in ids & self._wanted.attribution.touchpoints.keys():
            x = self._wanted.attribution.touchpoints[name].touchpoint
            marks |= {f"{kind}:{value}" for kind, value in x.identifiers.items()}
        return max((x.log_time for mark in marks for x in self._by_mark.get(mark, ())), default=-1)


# -- single alerts ----------------------------------------------------------------------------------------------------


def _check_earliness(course: Sequence[Row], definition: Definition, report: Report) -> None:
    """What has a due is judged when due + grace + arrives_within has passed, never before."""
    for record in course:
        if record["state"] != "firing" or record["due_at"] is None:
            continue
        earliest = record["due_at"] + definition.waits(record["break_name"])
        if record["changed_at"] < earliest:
            early = earliest - record["changed_at"]
            report.differ("alert_early", f"{_about(record)}: fired {early} ms before it may be judged")


def _check_mode(record: Row, wanted: Expectation, report: Report) -> None:
    """A journey goes on under the mode that it began with."""
    journey = wanted.journeys.found.get(_key(record)[0])
    if journey is not None and record.get("mode", journey.mode) != journey.mode:
        report.differ("alert", f"{_about(record)}: the journey's mode is {journey.mode}, told {record['mode']}")


def _check_truth(course: Sequence[Row], hindsight: Hindsight, report: Report) -> None:
    """What fires first on a tick must be a break by what had arrived until then, even if it is withdrawn later.

    What came from another customer or fires again does so between two ticks, when only part of it is known.
    """
    first = course[0]
    if first["state"] != "firing" or first["due_at"] is None or first["continues"] is not None:
        return
    journey, name, occurrence = _key(first)
    if not hindsight.was_active(journey, name, occurrence, first["changed_at"]):
        report.differ("alert_false", f"{_about(first)}: fired at {first['changed_at']}, but was no break then")


def _check_withdrawals(course: Sequence[Row], hindsight: Hindsight, report: Report) -> None:
    """What fires on a tick knew everything that had arrived by then: only something later can disprove it."""
    for before, record in pairwise(course):
        if record["state"] != "withdrawn" or before["state"] not in OPEN:
            continue
        known = before["changed_at"]
        on_tick = before is course[0] and before["continues"] is None and before["due_at"] is not None
        if hindsight.latest(record["anchor"]) < known + on_tick:
            report.differ("alert_withdrawn", f"{_about(record)}: withdrawn, but nothing arrived after it had fired")


def check_keys(records: Sequence[Row], report: Report) -> None:
    """One key for each definition, version, anchor, break and occurrence, whoever the customer is; and no other's."""
    about: dict[str, tuple[str | int, ...]] = {}
    keys: dict[tuple[str | int, ...], str] = {}
    for record in records:
        if record.get("scope", "journey") == "journey":
            (definition, version, _, anchor), name, occurrence = _key(record)
            one = (definition, version, anchor, name, occurrence)
            if about.setdefault(record["dedup_key"], one) != one:
                report.differ("alert_key", f"{_about(record)}: has the key of {about[record['dedup_key']]}")
            elif keys.setdefault(one, record["dedup_key"]) != record["dedup_key"]:
                report.differ("alert_key", f"{_about(record)}: has another key than it had, or had elsewhere")


def _check_dedup(records: Sequence[Row], report: Report) -> None:
    """Told once until it ends, but for a successor, which cannot know. Former and successor may come in any order."""
    told: dict[str, Row] = {}
    was: dict[str, str] = {}
    for record in records:
        key, alert_id, state = record["dedup_key"], record["alert_id"], record["state"]
        if state == "firing" and record["notify"]:
            before = told.get(key)
            excused = was.get(alert_id) == "moved" or record["continues"] is not None
            if before is not None and not excused and before["continues"] != alert_id:
                report.differ("alert_told_twice", f"{_about(record)}: told already by alert {before['alert_id']}")
            told[key] = record
        elif state in ("resolved", "withdrawn"):
            told.pop(key, None)
        was[alert_id] = state


# -- all together -----------------------------------------------------------------------------------------------------


def _compare_last(wanted: Expectation, last: dict[BreakKey, Row], related: _Related, report: Report) -> None:
    expected: dict[BreakKey, tuple[Journey, BreakFound]] = {
        (key, fault.name, fault.occurrence): (journey, fault)
        for key, journey in wanted.journeys.found.items()
        for fault in journey.outcome.breaks
        if key[2] not in wanted.journeys.unsure
    }
    for label, (journey, fault) in expected.items():
        record = last.get(label)
        open_ = fault.cleared_at is None and not journey.outcome.expired
        state = record["state"] if record is not None else "none"
        if state not in (OPEN if open_ else ("resolved",)):
            report.differ("alert_state", f"{_label(label)}: must be {'firing' if open_ else 'resolved'}, is {state}")
        elif record is not None and related.latest(record) < record["changed_at"]:
            _compare_break(label, fault, record, report)
    for label, record in last.items():
        if label in expected or label[0][2] in wanted.journeys.unsure:
            continue
        if record["state"] in (*OPEN, "resolved"):
            report.differ("alert_without_break", f"{_label(label)}: is {record['state']}, but there is no such break")


def _compare_break(label: BreakKey, fault: BreakFound, record: Row, report: Report) -> None:
    """An alert is written when its state changes only; so this holds when nothing arrived since."""
    said = (record["kind"], record["step"], record["cause_at"], record["due_at"])
    if said != (fault.kind, fault.step, fault.cause_at, fault.due_at):
        wants = (fault.kind, fault.step, fault.cause_at, fault.due_at)
        report.differ("alert", f"{_label(label)}: (kind, step, cause, due) is {wants}, told {said}")
    if record["state"] == "resolved" and record["reason"] != EXPIRED and record["cleared_at"] != fault.cleared_at:
        report.differ("alert", f"{_label(label)}: cleared at {fault.cleared_at}, told {record['cleared_at']}")


def _compare_view(changes: dict[str, list[Row]], results: Results, report: Report) -> None:
    last = {alert_id: course[-1] for alert_id, course in changes.items()}
    on_kafka = {key for key, one in last.items() if one["state"] in OPEN and one.get("mode", "live") == "live"}
    in_view = [row["alert_id"] for row in results.broken_now]
    for alert_id in on_kafka - set(in_view):
        report.differ("broken_now", f"open alert {alert_id} is not in v_broken_journeys_now")
    for alert_id in set(in_view) - on_kafka:
        report.differ("broken_now", f"alert {alert_id} is in v_broken_journeys_now, but not open on Kafka")
    if len(in_view) != len(set(in_view)):
        report.differ("broken_now", f"{len(in_view) - len(set(in_view))} alerts are twice in v_broken_journeys_now")


def _key(record: Row) -> BreakKey:
    journey = (record["definition"], record.get("version", 1), record["customer_id"], record["anchor"])
    return journey, record["break_name"], record["occurrence"]


def _label(label: BreakKey) -> str:
    (definition, version, customer, anchor), name, occurrence = label
    return f"alert {definition} v{version}/{name} {occurrence} of {anchor}, customer {customer}"


def _about(record: Row) -> str:
    return f"{_label(_key(record))} ({record['alert_id']})"
