"""Random catalogues and definitions: every shape of step and break, short, so that borders are met all the time.

Durations are multiples of a unit: seconds, or hours where a calendar counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any, Final

Json = dict[str, Any]
NAMES: Final = ("a", "b", "c", "d", "e")
FAILURES: Final = ("x", "y")
START: Final = "s"
LATE: Final = "e"
"""The touchpoint that may arrive late."""
FORMER: Final = ("low_score", "abandoned", "skipped_step", "out_of_order", "forbidden", "repeated", "failure_event")
SHAPES: Final = (*FORMER, "experience_balance", "identity_conflict")
ZONES: Final = ("Europe/Berlin", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC")
OPEN: Final = (
    {"mon-sun": "09:00-12:00, 13:00-18:00"},
    {"mon-fri": "08:00-20:00", "sat": "10:00-14:00"},
    {"mon-sat": "00:00-02:30, 03:00-24:00"},
    {"tue": "02:00-03:00", "wed-sun": "01:00-23:59"},
)
LASTING: Final = ("repeated", "failure_event", "low_score")
"""What a step clears, after the end too."""
PASSED_BY: Final = ("step_0", "step_1", "step_2")
"""The first, the success after it, and one beside them."""
COUNTED: Final = ("missing_step", "abandoned", "skipped_step", "out_of_order", "failure_event")


@dataclass(frozen=True, slots=True)
class Taste:
    """What a random definition may have. `unit`: s or h. `calendars`: by name, as in a file."""

    shapes: tuple[str, ...] = SHAPES
    unit: str = "s"
    calendars: tuple[str, ...] = ()

    def some(self, rng: Random) -> str:
        return f"{rng.choice((1, 2, 3, 5, 8, 12))}{self.unit}"


def catalogue(rng: Random, late: str | None) -> Json:
    modes = ("monitor",) * 15 + ("control",) if rng.random() < 0.12 else ("control", "control", "activate", "monitor")
    return {name: _declared(rng, late if name == LATE else None, modes) for name in (START, *NAMES, *FAILURES)}


def _declared(rng: Random, late: str | None, modes: tuple[str, ...]) -> Json:
    impact: Json = {"stage": "service", "mode": rng.choice(modes)}
    impact["criticality"] = rng.choice(("low", "medium", "high"))
    impact["valence"] = rng.choice(("positive", "neutral", "neutral", "negative", "negative"))
    entry: Json = {"owner": "team", "impact": impact} | ({"arrives_within": late} if late else {})
    if rng.random() < 0.25:
        worst, neutral, best = rng.choice(((1, 3, 5), (5, 3, 1), (0, 7.5, 10), (1, 2, 4)))
        entry["score"] = {"property": "score", "worst": worst, "neutral": neutral, "best": best}
    return entry


def calendar(rng: Random) -> Json:
    holidays = {} if rng.random() < 0.5 else {"holidays": rng.choice(("DE", "DE-BY", "US"))}
    return {"zone": rng.choice(ZONES), "open": rng.choice(OPEN)} | holidays


def definition(rng: Random, taste: Taste, calendars: Json) -> Json:
    lasting = [kind for kind in taste.shapes if kind in LASTING]
    passing = bool(lasting) and rng.random() < 0.25
    empty = not passing and rng.random() < 0.08
    steps = {} if empty else _passed_by(rng, taste) if passing else _steps(rng, taste)
    failures = list(FAILURES[: rng.randint(0, 2)])
    kinds = [rng.choice(lasting if passing else taste.shapes) for _ in range(rng.randint(1, 4))]
    keyed: Json = {"key": "order_id", "if_absent": rng.choice(("ignore", "only_open_one"))}
    instance = keyed if rng.random() < (0.5 if passing else 0.7) else {"key": "customer"}
    weighted = instance["key"] == "customer" and "experience_balance" in kinds and rng.random() < 0.5
    if not passing or rng.random() < 0.3:
        _excuse(rng, steps, failures)
    breaks = {f"{kind}_{number}": _break(rng, kind, steps, failures, taste) for number, kind in enumerate(kinds)}
    outcome: Json = {"failure": failures} | ({"success": rng.choice(list(steps))} if steps else {})
    if passing:
        outcome["success"] = PASSED_BY[1]
        _outlive(rng, steps, breaks, taste)
    named = {one["counting"] for one in (*steps.values(), *breaks.values()) if "counting" in one}
    return {
        "journey": "random",
        "version": 1,
        "mode": rng.choice(("live", "live", "live", "shadow")),
        "owner": "team",
        "instance": instance,
        "calendars": {name: calendars[name] for name in named},
        "start": {"weighted": True} if weighted else {"touchpoint": START},
        "steps": steps,
        "outcome": outcome,
        "breaks": breaks,
        "grace": f"{rng.choice((1, 2))}{taste.unit}",
        "lifetime": f"{rng.choice((12, 25, 60))}{taste.unit}",
    }


def _steps(rng: Random, taste: Taste) -> Json:
    steps: Json = {}
    for number in range(rng.randint(1, 4)):
        step: Json = {"after": rng.choice(("start", *steps))}
        if rng.random() < 0.3:
            step["any_of"] = rng.sample(NAMES, 2)
        else:
            step["touchpoint"] = rng.choice((*NAMES, START))
        if rng.random() < 0.25:
            step["where"] = {"channel": rng.choice(("web", "store"))}
        if rng.random() < 0.25:
            step["times"] = rng.choice((2, 2, 3))
        if rng.random() < 0.5:
            step |= {"within": taste.some(rng), "if_missing": rng.choice(("break", "break", "count", "nothing"))}
            step |= _counting(rng, taste)
            if step["if_missing"] == "break" and rng.random() < 0.3:
                step["feedback"] = True
        steps[f"step_{number}"] = step
    return steps


def _passed_by(rng: Random, taste: Taste) -> Json:
    """What the first step would clear may outlive the journey: the third ends it."""
    names = rng.sample(NAMES, 3)
    steps: Json = {
        step: {"touchpoint": name, "after": after}
        for step, name, after in zip(PASSED_BY, names, ("start", PASSED_BY[0], "start"), strict=True)
    }
    if rng.random() < 0.5:
        steps[rng.choice(list(steps))] |= {"within": taste.some(rng)} | _counting(rng, taste)
    return steps


def _outlive(rng: Random, steps: Json, breaks: Json, taste: Taste) -> None:
    """Mostly it is the first step that clears, and something else that is wrong."""
    others = [name for name in NAMES if all(step["touchpoint"] != name for step in steps.values())]
    for one in breaks.values():
        if "cleared_by" in one and rng.random() < 0.7:
            one["cleared_by"] = PASSED_BY[0]
        if "touchpoint" in one and rng.random() < 0.8:
            one["touchpoint"] = rng.choice(others)
        if "at_least" in one and rng.random() < 0.7:
            one |= {"at_least": 2, "in_window": f"12{taste.unit}"}


def _excuse(rng: Random, steps: Json, failures: list[str]) -> None:
    for step in steps.values():
        own = step.get("any_of") or [step["touchpoint"]]
        others = [name for name in (*NAMES, START) if name not in own]
        if rng.random() < 0.25:
            step["excused_by"] = rng.sample(others, rng.randint(1, 2))


def _counting(rng: Random, taste: Taste) -> Json:
    return {"counting": rng.choice(taste.calendars)} if taste.calendars and rng.random() < 0.8 else {}


def _break(rng: Random, kind: str, steps: Json, failures: list[str], taste: Taste) -> Json:
    step = rng.choice(list(steps)) if steps else "none"
    touchpoint: Json = {"touchpoint": rng.choice((*NAMES, START))}
    if rng.random() < 0.3:
        touchpoint["where"] = {"channel": rng.choice(("web", "store"))}
    tolerate: Json = {"tolerate": taste.some(rng)} | _counting(rng, taste) if rng.random() < 0.6 else {}
    if kind == "forbidden":
        if failures and rng.random() < 0.3:
            touchpoint["touchpoint"] = rng.choice(failures)
        other = {"never_with": rng.choice((*NAMES, *failures))}
        return touchpoint | rng.choice(({"at_most": rng.randint(0, 2)}, other))
    below = rng.choice((-6, -3, -2, -1, 0.5))
    among: Json = {"among": rng.sample((*NAMES, START, *failures), 3)} if rng.random() < 0.5 else {}
    apart: Json = {"apart": rng.choice(("1s", "2s", taste.some(rng)))} if rng.random() < 0.3 else {}
    about: Json = {"about": step} if rng.random() < 0.8 else {}
    clears: Json = {"cleared_by": rng.choice(list(steps))} if steps and rng.random() < 0.5 else {}
    often: Json = {"at_least": rng.randint(2, 3), "in_window": taste.some(rng), "cleared_by": step}
    table: dict[str, Json] = {
        "low_score": {"score": "score", "below": 3} | about | clears,
        "abandoned": {"idle": taste.some(rng)} | _counting(rng, taste),
        "skipped_step": {"without": step} | tolerate,
        "out_of_order": touchpoint | {"requires": step} | tolerate,
        "failure_event": touchpoint | {"cleared_by": step} | tolerate,
        "repeated": touchpoint | often | apart,
        "experience_balance": {
            "balance_below": below,
            "until": below + rng.choice((0, 1, 2.5)),
            "half_life": taste.some(rng),
        },
        "identity_conflict": {"persons_above": rng.choice((1, 1, 2))} | among,
    }
    return table[kind]


# -- sources ----------------------------------------------------------------------------------------------------------


def sources(rng: Random, taste: Taste) -> Json:
    """None, one by its name, those of a form, or both."""
    forms = rng.choice(((), ("crm",), ("till-{store}",), ("till-{store}", "crm")))
    return {form: _source(rng, taste) for form in forms}


def _source(rng: Random, taste: Taste) -> Json:
    entry: Json = {"owner": "team", "brings": rng.sample((*NAMES, START, *FAILURES), rng.randint(1, 4))}
    entry["silent_after"] = f"{rng.choice((2, 4, 8, 20))}{taste.unit}"
    if rng.random() < 0.7:
        entry["catches_up"] = f"{rng.choice((1, 3, 6))}{taste.unit}"
    if taste.calendars and rng.random() < 0.5:
        entry["counting"] = calendar(rng)
    return entry


def spans(rng: Random, begin: int, end: int, unit: int) -> tuple[tuple[int, int], ...]:
    """When a source is heard: for a while, or for a moment, with gaps of every length between."""
    found: list[tuple[int, int]] = []
    at = begin + rng.randint(-5, 10) * unit
    while at < end and rng.random() < 0.95:
        last = at + rng.choice((0, 0, unit, 4 * unit, 12 * unit))
        found.append((at, last))
        at = last + rng.choice((unit // 20, unit, 2 * unit, 5 * unit, 11 * unit, 30 * unit)) + rng.choice((0, 0, 1))
    return tuple(found)
