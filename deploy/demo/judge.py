"""Holds what was found against the script, which says by construction what must be found. Pure.

The independent check by brute force over the bytes is the oracle's (tests/oracle); this one gives the figures of a run.
"""

from __future__ import annotations

import base64
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from deploy.demo.results import Results, Row
from sources.simulation.driver import WINDOW_MS, Tally
from sources.simulation.plan import MINUTE, Expected, Plan
from sources.simulation.script import Script
from sources.simulation.tills import BEAT, SILENT_AFTER
from sources.simulation.wire import BROKEN, bytes_of

GRACE_MS = MINUTE
EXAMPLES_MAX = 20
EVERYBODYS: Final = ("relationship",)
"""Definitions of which every customer has a journey. The script names those in which something happens, or nearly."""
TOLD: Final = (None, "live")
"""Modes of a version of which somebody is told: what one in shadow finds is no concern of the script."""
BROKEN_CONTRACT: Final = "broken_contract"
SILENT: Final = "silent_source"
Key = tuple[str, str]
"""Definition and anchor: `order_id:7`, or `start:` and the message id."""


@dataclass(slots=True)
class BreakFigures:
    planted: int = 0
    near_misses: int = 0
    expected: int = 0
    found: int = 0
    missed: int = 0
    false: int = 0
    withdrawn: int = 0


@dataclass(slots=True)
class Verdict:
    """`differences` are readable lines; a run is right when there is none."""

    figures: dict[str, Any]
    differences: list[str] = field(default_factory=list)

    @property
    def right(self) -> bool:
        return not self.differences


def judge(script: Script, tally: Tally, counts: Mapping[str, int], results: Results, *, killed: bool) -> Verdict:
    """`killed`: requests may have reached Kafka twice, so more duplicates and dead letters than planned are right."""
    verdict = Verdict({})
    stored = _judge_touchpoints(script, tally, counts, results, verdict, killed)
    anchors = dict(results.touchpoints)
    _judge_journeys(script, results, anchors, verdict)
    _judge_breaks(script, results, anchors, verdict)
    verdict.figures |= stored | _latency(script, tally, results.alerts)
    return verdict


# -- touchpoints ------------------------------------------------------------------------------------------------------


def _judge_touchpoints(
    script: Script, tally: Tally, counts: Mapping[str, int], results: Results, verdict: Verdict, killed: bool
) -> dict[str, Any]:
    good = {plan.message_id for plan in script.plans if plan.fault is None and plan.name != BEAT}
    beats = sum(plan.name == BEAT for plan in script.plans)
    rows = Counter(touchpoint_id for touchpoint_id, _ in results.touchpoints)
    found = Counter(message_id for _, message_id in results.touchpoints)
    lost = sorted(good - found.keys())
    foreign = sorted(found.keys() - good)
    doubled = sum(count - 1 for count in found.values()) + sum(count - 1 for count in rows.values())
    spoilt = {bytes_of(plan) for plan in script.plans if plan.fault and not plan.fault.startswith("native")}
    letters = Counter(base64.b64decode(row["payload"]) for row in results.dead_letters)
    lost_letters = len(spoilt - letters.keys())
    duplicates = sum(plan.repeats is not None and plan.fault is None for plan in script.plans)
    _differ(verdict, "lost touchpoint", lost)
    _differ(verdict, "touchpoint that nobody sent", foreign)
    if doubled:
        verdict.differences.append(f"{doubled} touchpoints are stored twice")
    if lost_letters or letters.keys() - spoilt or (not killed and sum(letters.values()) != len(spoilt)):
        text = f"{len(spoilt)} dead letters expected, {len(letters)} different and {sum(letters.values())} in all found"
        verdict.differences.append(text)
    counted = counts.get("duplicates", -1)
    if counted < duplicates if killed else counted != duplicates:
        verdict.differences.append(f"{duplicates} duplicates were sent, {counted} counted")
    suppressed = counts.get("suppressed", -1)
    if suppressed < beats if killed else suppressed != beats:
        verdict.differences.append(f"{beats} signs of life were sent, {suppressed} counted as suppressed")
    return {
        "emitted": tally.emitted,
        "accepted": tally.accepted,
        "refused": tally.refused,
        "stored": len(rows),
        "duplicates": counted,
        "suppressed": suppressed,
        "dead_letters": sum(letters.values()),
        "lost": len(lost) + lost_letters,
        "doubled": doubled,
    }


def _differ(verdict: Verdict, what: str, names: Sequence[str]) -> None:
    if names:
        more = f" and {len(names) - EXAMPLES_MAX} more" if len(names) > EXAMPLES_MAX else ""
        verdict.differences.append(f"{len(names)} times {what}: {', '.join(names[:EXAMPLES_MAX])}{more}")


# -- journeys ---------------------------------------------------------------------------------------------------------


def _key_of(row: Row, anchors: Mapping[str, str]) -> Key:
    kind, _, value = row["anchor"].partition(":")
    return row["definition"], f"start:{anchors.get(value, value)}" if kind == "start" else row["anchor"]


def _judge_journeys(script: Script, results: Results, anchors: Mapping[str, str], verdict: Verdict) -> None:
    rows: dict[Key, list[Row]] = defaultdict(list)
    for row in results.journeys:
        if row["started_at"] is not None and row["mode"] in TOLD:
            rows[_key_of(row, anchors)].append(row)
    right = 0
    for one in script.expected:
        found = rows.pop((one.definition, one.key), [])
        problem = _journey_problem(one, found)
        if problem is None:
            right += 1
        elif len(verdict.differences) < EXAMPLES_MAX:
            verdict.differences.append(f"journey {one.definition} {one.key} ({one.story}): {problem}")
    wrong = len(script.expected) - right
    if wrong:
        verdict.differences.append(f"{wrong} of {len(script.expected)} journeys differ")
    _differ(verdict, "journey that was not expected", [" ".join(key) for key in rows if key[0] not in EVERYBODYS])
    others = sum(len(found) for found in rows.values())
    verdict.figures["journeys"] = {"expected": len(script.expected), "found": right, "others": others}


def _journey_problem(one: Expected, found: Sequence[Row]) -> str | None:
    if len(found) != 1:
        return f"found {len(found)} times"
    row = found[0]
    if row["status"] != one.status:
        return f"status {row['status']}, expected {one.status}"
    names = sorted(row["breaks.name"])
    expected = sorted(one_break.name for one_break in one.breaks)
    return None if names == expected else f"breaks {names}, expected {expected}"


# -- breaks and alerts ------------------------------------------------------------------------------------------------


def _judge_breaks(script: Script, results: Results, anchors: Mapping[str, str], verdict: Verdict) -> None:
    figures: dict[str, BreakFigures] = defaultdict(BreakFigures)
    final = _final_alerts(results.alerts)
    by_key: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for alert in final:
        if alert["scope"] != "journey":
            continue
        by_key[*_key_of(alert, anchors), alert["break_name"]].append(alert)
    late = _late_arrivals(script)
    tellers = {(one.definition, one.key): one.person[1:] for one in script.expected}
    kind_of = dict(_kinds(script.expected))
    for one in script.expected:
        if one.near_miss:
            figures[kind_of[one.near_miss]].near_misses += 1
            disturbed = by_key.get((one.definition, one.key, one.near_miss), []) if one.undisturbed else []
            for alert in disturbed:
                text = (
                    f"{one.near_miss} of {one.key} ({one.story}): {alert['state']}, though a silent source explains it"
                )
                _note(verdict, text)
        for wanted in one.breaks:
            figure = figures[wanted.kind]
            figure.planted += 1
            figure.expected += 1
            alerts = by_key.pop((one.definition, one.key, wanted.name), [])
            standing = [alert for alert in alerts if alert["state"] != "withdrawn"]
            figure.withdrawn += len(alerts) - len(standing)
            if [alert["state"] for alert in standing] == [wanted.state]:
                figure.found += 1
            else:
                figure.missed += 1
                states = [alert["state"] for alert in alerts]
                _note(verdict, f"{wanted.name} of {one.key} ({one.story}): alerts {states}, expected {wanted.state}")
    for (definition, key, name), alerts in by_key.items():
        for alert in alerts:
            figure = figures[alert["kind"]]
            teller = tellers.get((definition, key)) or _teller(key)
            if alert["state"] == "withdrawn" and _excused(alert, late.get(teller, ())):
                figure.withdrawn += 1
            else:
                figure.false += 1
                _note(verdict, f"false alert {name} of {definition} {key}: {alert['state']}, {alert['reason']}")
    _judge_own(script, final, figures, verdict)
    for kind, figure in figures.items():
        if figure.missed or figure.false:
            verdict.differences.append(f"{kind}: {figure.missed} missed, {figure.false} false")
    standing_now = [alert for alert in final if alert["state"] in ("firing", "acknowledged")]
    live_now = [alert for alert in standing_now if alert["scope"] == "journey" and alert["mode"] == "live"]
    open_ids = {alert["alert_id"] for alert in live_now}
    if open_ids != {row["alert_id"] for row in results.broken_now}:
        verdict.differences.append("v_broken_journeys_now differs from the open alerts on Kafka")
    verdict.figures["breaks"] = {
        kind: {name: getattr(figure, name) for name in BreakFigures.__slots__}
        for kind, figure in sorted(figures.items())
    }


def _note(verdict: Verdict, text: str) -> None:
    if len(verdict.differences) < 3 * EXAMPLES_MAX:
        verdict.differences.append(text)


def _kinds(expected: Iterable[Expected]) -> Iterable[tuple[str, str]]:
    return ((one_break.name, one_break.kind) for one in expected for one_break in one.breaks)


def _final_alerts(changes: Iterable[Row]) -> list[Row]:
    """The last change of each alert; those that moved go on under their successor."""
    last: dict[str, Row] = {}
    for change in changes:
        known = last.get(change["alert_id"])
        if known is None or change["kafka_offset"] > known["kafka_offset"]:
            last[change["alert_id"]] = change
    return [alert for alert in last.values() if alert["state"] != "moved" and alert["mode"] in TOLD]


def _late_arrivals(script: Script) -> dict[str, list[Plan]]:
    """By teller the touchpoints that arrived more than the grace after the act."""
    by_teller: dict[str, list[Plan]] = defaultdict(list)
    for plan in script.plans:
        if plan.repeats is None and plan.arrives_at - plan.occurred_at > GRACE_MS:
            by_teller[_teller(plan.message_id)].append(plan)
    return by_teller


def _teller(name: str) -> str:
    """Of a message id, or of the anchor of a customer's journey, which names one."""
    return name.removeprefix("start:").partition("-")[0].removeprefix("m")


def _excused(alert: Row, late: Iterable[Plan]) -> bool:
    """A withdrawal is right when a touchpoint of the journey arrived after cause + grace, or after it had fired: what
    comes later may be known before, through another partition.
    """
    since = min(alert["cause_at"] + GRACE_MS, alert["fired_at"])
    return any(plan.arrives_at > since for plan in late)


# -- alerts about no customer -----------------------------------------------------------------------------------------


def _judge_own(script: Script, final: Iterable[Row], figures: Mapping[str, BreakFigures], verdict: Verdict) -> None:
    """Each planted silence and each spell of a broken contract has one alert, from its moment on. Nothing else has."""
    found: dict[str, list[Row]] = defaultdict(list)
    for alert in final:
        if alert["scope"] != "journey":
            found[alert["anchor"]].append(alert)

    def expect(kind: str, anchor: str, began: int, state: str) -> None:
        figure = figures[kind]
        figure.planted += 1
        figure.expected += 1
        alerts = [one for one in found[anchor] if one["kind"] == kind and 0 <= one["cause_at"] - began <= WINDOW_MS]
        found[anchor] = [one for one in found[anchor] if one not in alerts]
        states = [one["state"] for one in alerts]
        if states == [state]:
            figure.found += 1
        else:
            figure.missed += 1
            _note(verdict, f"{kind} of {anchor}: alerts {states}, expected {state}")

    for silence in script.silences:
        if silence.planted:
            state = "firing" if silence.ended is None else "resolved"
            expect(SILENT, f"source:{silence.source}", silence.began + SILENT_AFTER, state)
        else:
            figures[SILENT].near_misses += 1
    for began in script.broken:
        expect(BROKEN_CONTRACT, f"touchpoint:{BROKEN}", began, "resolved")
        figures[BROKEN_CONTRACT].near_misses += 1
    for anchor, alerts in found.items():
        for alert in alerts:
            figures[alert["kind"]].false += 1
            _note(verdict, f"false alert {alert['kind']} of {anchor}: {alert['state']}, {alert['reason']}")


# -- latency ----------------------------------------------------------------------------------------------------------


def _latency(script: Script, tally: Tally, alerts: Sequence[Row]) -> dict[str, Any]:
    """From the cause (an arrival, or the end of a deadline and its grace) to the broker's time of the alert."""
    samples: dict[str, list[int]] = {"touchpoint": [], "deadline": []}
    for alert in alerts:
        if alert["state"] == "firing" and script.pulse_start <= _cause(alert) < script.pulse_end:
            kind = "touchpoint" if alert["due_at"] is None else "deadline"
            samples[kind].append(alert["kafka_timestamp"] - _wall(script, tally, _cause(alert)))
    told = {alert["dedup_key"] for alert in alerts if alert["notify"] and alert["state"] == "firing"}
    every = _percentiles([*samples["touchpoint"], *samples["deadline"]])
    by_cause = {kind: _percentiles(found) for kind, found in samples.items()}
    return {"alert_latency_ms": every | {"by_cause": by_cause}, "alerts_told": len(told)}


def _percentiles(samples: list[int]) -> dict[str, int | None]:
    found = sorted(samples)
    p50, p99 = (found[min(len(found) - 1, int(len(found) * share))] if found else None for share in (0.5, 0.99))
    return {"p50": p50, "p99": p99, "alerts": len(found)}


def _cause(alert: Row) -> int:
    due: int | None = alert["due_at"]
    cause: int = alert["cause_log_time"] if due is None else due + GRACE_MS
    return cause


def _wall(script: Script, tally: Tally, log_time: int) -> int:
    return tally.pulse_wall_start_ms + (log_time - script.pulse_start)
