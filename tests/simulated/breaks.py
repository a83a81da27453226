"""Random definitions with breaks of every shape, random touchpoints for them, and what the oracle says of both.

Everything is short and on a grid of seconds, with a millisecond more or less now and then, so that borders (due and
grace, the lifetime, arrives_within, a window) are met all the time. A definition that the checks refuse is not used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from schemas.definition import Catalogue, Definition, Step, duration_ms, shape_of
from schemas.definition_checks import flaws_of
from schemas.records import Entry
from tests.journey_case import NOON, touch
from tests.oracle import definitions as oracle
from tests.oracle.decode import Touchpoint
from tests.oracle.fold import Outcome, fold
from tests.oracle.journeys import _runs_of_customer, _runs_of_keys, relevant

Json = dict[str, Any]
SECOND: Final = 1_000
NAMES: Final = ("a", "b", "c", "d", "e")
FAILURES: Final = ("x", "y")
START: Final = "s"
LATE: Final = "e"
"""The touchpoint that may arrive late."""
SPAN: Final = 40
"""Seconds in which things occur; arrivals take as long."""
SHAPES: Final = ("low_score", "abandoned", "skipped_step", "out_of_order", "forbidden", "repeated", "failure_event")


@dataclass(frozen=True, slots=True)
class World:
    """`arrivals` with rising log times; before those at `ticks` W advances as far as it may."""

    definition: Definition
    catalogue: Catalogue
    arrivals: tuple[Entry, ...]
    ticks: frozenset[int]
    end: int

    def __str__(self) -> str:
        given = self.definition.model_dump(exclude_defaults=True)
        lines = [
            f"{one.name} at {one.occurred_at - NOON} seq {one.sequence} {one.channel} {one.keys.get('order_id', '-')}"
            f" {one.facts or ''} arrives {one.log_time - NOON}{' after a tick' if index in self.ticks else ''}"
            for index, one in enumerate(self.arrivals)
        ]
        return "\n".join([str(given), *lines, f"end {self.end - NOON}"])


def catalogue(late: str | None) -> Catalogue:
    impact = {"stage": "service", "mode": "control", "criticality": "high"}
    entry: Json = {"owner": "team", "impact": impact}
    names = (START, *NAMES, *FAILURES)
    return Catalogue.model_validate(
        {"touchpoints": {name: entry | ({"arrives_within": late} if late and name == LATE else {}) for name in names}}
    )


def world(rng: Random, shapes: tuple[str, ...] = SHAPES) -> World:
    late = rng.choice((None, "3s"))
    known = catalogue(late)
    while True:
        definition = Definition.model_validate(_definition(rng, shapes))
        if not any(flaws_of(definition, known)):
            break
    count = rng.randint(2, 18)
    named = sorted(restated(definition, known).names() - {START})
    arrivals, log = [], 0
    for index in range(count):
        log += rng.choice((1, SECOND, 2 * SECOND, 3 * SECOND, 5 * SECOND))
        arrivals.append(_entry(rng, named, index, NOON + log))
    limit = duration_ms(definition.lifetime)
    ends = (log, log + rng.randint(0, 30) * SECOND + rng.choice((-1, 0, 0, 1)), limit + 2 * SPAN * SECOND)
    ticks = frozenset(index for index in range(count) if rng.random() < 0.4)
    return World(definition, known, tuple(arrivals), ticks, NOON + max(log, rng.choice(ends)))


def _entry(rng: Random, named: list[str], index: int, log: int) -> Entry:
    # A journey that fails at once shows nothing: failures are rare.
    going_on = [name for name in named if name not in FAILURES]
    names = [START] if index == 0 else [START, *NAMES, *named, *going_on * 2]
    # Half of it occurs when it arrives, the rest whenever; both in and out of order.
    at = log if rng.random() < 0.5 else NOON + rng.randint(0, SPAN) * SECOND + rng.choice((-1, 0, 0, 0, 1))
    if index == 0:
        at = NOON + rng.choice((0, 0, 0, 5 * SECOND))
    facts: Json = {"score": rng.choice((1, 3, 5))} if rng.random() < 0.2 else {}
    more: Json = {"order": rng.choice((*["7"] * 6, "8", None)), "sequence": rng.randint(0, 1)}
    channel = rng.choice(("web", "web", "store"))
    return touch(rng.choice(names), at, tid=f"t{index:02d}", log=log, channel=channel, **more, **facts)


# -- definitions ------------------------------------------------------------------------------------------------------


def _definition(rng: Random, shapes: tuple[str, ...]) -> Json:
    steps = _steps(rng)
    failures = list(FAILURES[: rng.randint(0, 2)])
    kinds = [rng.choice(shapes) for _ in range(rng.randint(1, 4))]
    keyed: Json = {"key": "order_id", "if_absent": rng.choice(("ignore", "only_open_one"))}
    return {
        "journey": "random",
        "version": 1,
        "mode": "live",
        "owner": "team",
        "instance": keyed if rng.random() < 0.7 else {"key": "customer"},
        "start": {"touchpoint": START},
        "steps": steps,
        "outcome": {"success": rng.choice(list(steps)), "failure": failures},
        "breaks": {f"{kind}_{number}": _break(rng, kind, steps, failures) for number, kind in enumerate(kinds)},
        "grace": rng.choice(("1s", "2s")),
        "lifetime": rng.choice(("12s", "25s", "60s")),
    }


def _steps(rng: Random) -> Json:
    steps: Json = {}
    for number in range(rng.randint(1, 4)):
        step: Json = {"after": rng.choice(("start", *steps))}
        if rng.random() < 0.3:
            step["any_of"] = rng.sample(NAMES, 2)
        else:
            step["touchpoint"] = rng.choice((*NAMES, START))
        if rng.random() < 0.25:
            step["where"] = {"channel": rng.choice(("web", "store"))}
        if rng.random() < 0.5:
            step |= {"within": _seconds(rng), "if_missing": rng.choice(("break", "break", "count", "nothing"))}
        steps[f"step_{number}"] = step
    return steps


def _break(rng: Random, kind: str, steps: Json, failures: list[str]) -> Json:
    step = rng.choice(list(steps))
    touchpoint: Json = {"touchpoint": rng.choice((*NAMES, START))}
    if rng.random() < 0.3:
        touchpoint["where"] = {"channel": rng.choice(("web", "store"))}
    tolerate: Json = {"tolerate": _seconds(rng)} if rng.random() < 0.6 else {}
    if kind == "forbidden":
        if failures and rng.random() < 0.3:
            touchpoint["touchpoint"] = rng.choice(failures)
        other = {"never_with": rng.choice((*NAMES, *failures))}
        return touchpoint | rng.choice(({"at_most": rng.randint(0, 2)}, other))
    table: dict[str, Json] = {
        "low_score": {"score": "score", "below": 3, "about": step},
        "abandoned": {"idle": _seconds(rng)},
        "skipped_step": {"without": step} | tolerate,
        "out_of_order": touchpoint | {"requires": step} | tolerate,
        "failure_event": touchpoint | {"cleared_by": step} | tolerate,
        "repeated": touchpoint | {"at_least": rng.randint(2, 3), "in_window": _seconds(rng), "cleared_by": step},
    }
    return table[kind]


def _seconds(rng: Random) -> str:
    return f"{rng.choice((1, 2, 3, 5, 8, 12))}s"


# -- for the oracle ---------------------------------------------------------------------------------------------------


def restated(definition: Definition, known: Catalogue) -> oracle.Definition:
    """The same definition in the oracle's words."""
    rules = {kind: [] for kind in SHAPES} | _rules(definition)
    instance = definition.instance
    return oracle.Definition(
        name=definition.journey,
        key=instance.key,
        joins=instance.if_absent == "only_open_one",
        start=_pattern(definition.start.touchpoint, definition.start.where),
        steps=tuple(_step(name, step) for name, step in definition.steps.items()),
        success=definition.outcome.success,
        failures=tuple(definition.outcome.failure),
        repeated=tuple(rules["repeated"]),
        scores=tuple(rules["low_score"]),
        grace=duration_ms(definition.grace),
        lifetime=duration_ms(definition.lifetime),
        suspicions=tuple(rules["failure_event"] + rules["out_of_order"] + rules["skipped_step"]),
        abandoned=tuple(rules["abandoned"]),
        bans=tuple(rules["forbidden"]),
        arrives_within={
            name: duration_ms(entry.arrives_within)
            for name, entry in known.touchpoints.items()
            if entry.arrives_within is not None
        },
    )


def _pattern(name: str, where: Mapping[str, Any]) -> oracle.Pattern:
    return oracle.Pattern((name,), tuple(where.items()))


def _step(name: str, step: Step) -> oracle.Step:
    names = (step.touchpoint,) if step.touchpoint is not None else tuple(step.any_of or ())
    within = None if step.within is None else duration_ms(step.within)
    pattern = oracle.Pattern(names, tuple(step.where.items()))
    return oracle.Step(name, pattern, step.after, within, step.if_missing, step.handoff is not None)


def _rules(definition: Definition) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for name, rule in definition.breaks.items():
        kind = shape_of(rule).kind
        pattern = None if rule.touchpoint is None else _pattern(rule.touchpoint, rule.where)
        tolerate = None if rule.tolerate is None else duration_ms(rule.tolerate)
        step = rule.cleared_by or rule.requires or rule.without
        one: Any
        if kind == "low_score":
            one = oracle.LowScore(name, rule.score or "", rule.below or 0.0, rule.about or "")
        elif kind == "abandoned":
            one = oracle.Abandoned(name, duration_ms(rule.idle or ""))
        elif kind == "forbidden":
            one = oracle.Ban(name, pattern or _NONE, rule.at_most, rule.never_with)
        elif kind == "repeated":
            window = duration_ms(rule.in_window or "")
            one = oracle.Repeated(name, pattern or _NONE, rule.at_least or 0, window, step or "")
        else:
            one = oracle.Suspicion(name, kind, step or "", pattern, tolerate)
        found.setdefault(kind, []).append(one)
    return found


_NONE: Final = oracle.Pattern(())


def touchpoint(entry: Entry) -> Touchpoint:
    return Touchpoint(
        touchpoint_id=entry.touchpoint_id,
        message_id=entry.touchpoint_id,
        source="shop",
        place="here",
        name=entry.name,
        channel=entry.channel,
        occurred_at_sent=entry.occurred_at,
        occurred_at=entry.occurred_at,
        sent_at=None,
        received_at=None,
        log_time=entry.log_time,
        sequence=entry.sequence,
        identifiers=dict(entry.keys),
        subject=None,
        properties=dict(entry.facts),
    )


def wanted(found: World, arrived: int, w: int) -> dict[str, tuple[list[str], Outcome]]:
    """By anchor: the touchpoints of the journey and what they say, of the first `arrived` ones, at W."""
    rule = restated(found.definition, found.catalogue)
    mine = [x for x in (touchpoint(entry) for entry in found.arrivals[:arrived]) if relevant(rule, x)]
    if rule.key == "customer":
        runs = _runs_of_customer(rule, mine)
    else:
        keyed: dict[tuple[str, str], list[Touchpoint]] = {}
        for x in mine:
            for key in x.identifiers.items():
                keyed.setdefault(key, []).append(x)
        runs = _runs_of_keys(rule, mine, keyed)
    folded = {anchor: (members, fold(rule, members, w)) for anchor, members in runs.items()}
    return {
        anchor: ([x.touchpoint_id for x in members], outcome)
        for anchor, (members, outcome) in folded.items()
        if outcome is not None
    }
