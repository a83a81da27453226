"""Alerts that are about no customer: sources that fell silent, touchpoints whose contract is broken.

They are judged at ticks, and ticks follow the machine's pace. So what begins and ends within `SLACK` of itself or of
the last tick may be there or not.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from tests.oracle.alert_table import OPEN, check_changes
from tests.oracle.expectation import Expectation
from tests.oracle.hearing import entry_of
from tests.oracle.report import Report
from tests.oracle.results import Results, Row
from tests.oracle.rules import HOUR, SECOND

SLACK: Final = 2 * SECOND
Own = tuple[str, int]
"""Anchor, cause."""


def compare_own_alerts(wanted: Expectation, results: Results, report: Report) -> None:
    courses: dict[str, list[Row]] = defaultdict(list)
    for record in results.alerts:
        if record.get("scope", "journey") != "journey":
            courses[record["alert_id"]].append(record)
    expected, unsure = _expected(wanted)
    found: dict[Own, Row] = {}
    for course in courses.values():
        last = course[-1]
        own = (last["anchor"], last["cause_at"])
        about = f"alert {last['incident']} of {own}"
        check_changes(course, about, report)
        if own in found:
            report.differ("own_alert", f"{about}: there are two")
        found[own] = last
        _check_who(last, about, wanted, report)
    for own in expected.keys() - found.keys() - unsure:
        report.differ("own_alert", f"{own} must be {'open' if expected[own] is None else 'resolved'}, is not there")
    for own, record in found.items():
        if own not in expected:
            report.differ("own_alert", f"{own} is {record['state']}, but there is no such trouble")
        elif (
            record["reason"] != "closed" and own not in unsure and (record["state"] in OPEN) != (expected[own] is None)
        ):
            report.differ("own_alert", f"{own} is {record['state']}, but its end is {expected[own]}")
    report.figures["own_alerts"] = len(found)


def _check_who(record: Row, about: str, wanted: Expectation, report: Report) -> None:
    if record["customer_id"] is not None or record["journey_id"] is not None:
        report.differ("own_alert", f"{about}: it is about no customer, but names one")
    kind, _, name = record["anchor"].partition(":")
    entry = entry_of(wanted.files.watched, name) if kind == "source" else None
    incident = f"catalogue/{name}" if kind == "touchpoint" else f"sources/{entry.form if entry else '?'}"
    if record["incident"] != incident:
        report.differ("own_alert", f"{about}: its incident is {incident}, told {record['incident']}")


def _expected(wanted: Expectation) -> tuple[dict[Own, int | None], set[Own]]:
    """The end of each, None: it lasts; and of which this cannot be said."""
    found: dict[Own, int | None] = {}
    unsure: set[Own] = set()
    for source in wanted.reading.heard:
        entry = entry_of(wanted.files.watched, source)
        for one in wanted.hearing.silences(entry, source, wanted.until) if entry else ():
            own = (f"source:{source}", one.at)
            found[own] = one.until
            if (wanted.until if one.until is None else one.until) - one.at < SLACK:
                unsure.add(own)
    for name, times in wanted.reading.violations.items():
        if wanted.rules.known[name].mode == "control":
            for first, last in _spells(sorted(times)):
                over = last + HOUR
                found[f"touchpoint:{name}", first] = over if wanted.until >= over else None
                if abs(wanted.until - over) < SLACK:
                    unsure.add((f"touchpoint:{name}", first))
    return found, unsure


def _spells(times: list[int]) -> list[tuple[int, int]]:
    """From a violation to the last one before an hour without any."""
    found: list[tuple[int, int]] = []
    for at in times:
        if found and at - found[-1][1] <= HOUR:
            found[-1] = (found[-1][0], at)
        else:
            found.append((at, at))
    return found
