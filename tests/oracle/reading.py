"""Reads definitions, catalogue and watched sources from plain mappings, as docs/definitions.md describes the files.

The oracle's own reading: only what changes which journeys, breaks and alerts there are. What a file may not say is not
looked at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from tests.oracle.rules import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    Abandoned,
    Balance,
    Ban,
    Declared,
    Definition,
    Hours,
    LowScore,
    Pattern,
    Persons,
    Repeated,
    Step,
    Suspicion,
    Watched,
)

Json = Mapping[str, Any]
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
UNITS: Final = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}


def ms(text: str) -> int:
    return int(text[:-1]) * UNITS[text[-1]]


def hours_of(said: Json) -> Hours:
    week: list[tuple[int, int, int]] = []
    for days, times in said["open"].items():
        first, _, last = days.partition("-")
        for day in range(DAYS.index(first), DAYS.index(last or first) + 1):
            for opens, closes in re.findall(r"(\d\d:\d\d)-(\d\d:\d\d)", times):
                week.append((day, _minutes(opens), _minutes(closes)))
    return Hours(said["zone"], tuple(week), said.get("holidays"))


def _minutes(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


# -- the catalogue ----------------------------------------------------------------------------------------------------


def catalogue_of(said: Mapping[str, Json]) -> dict[str, Declared]:
    return {name: _declared(entry) for name, entry in said.items()}


def _declared(entry: Json) -> Declared:
    impact, late, score = entry["impact"], entry.get("arrives_within"), entry.get("score")
    return Declared(
        mode=impact["mode"],
        criticality=impact["criticality"],
        valence=impact.get("valence", "neutral"),
        arrives_within=ms(late) if late else 0,
        channel=entry.get("channel"),
        ends_session=entry.get("ends_session", False),
        score=(score["property"], score["worst"], score["neutral"], score["best"]) if score else None,
        contract={
            name: (rule["type"], rule.get("required", False)) for name, rule in entry.get("properties", {}).items()
        },
    )


def answers_of(said: Mapping[str, Json], known: Mapping[str, Declared]) -> list[Definition]:
    """The definitions that the catalogue makes of `answer`."""
    found: list[Definition] = []
    for name, entry in said.items():
        answer = entry.get("answer")
        if entry["impact"]["mode"] == "participate" and answer:
            step = {"touchpoint": answer["touchpoint"], "within": answer["within"]}
            owed = {
                "journey": f"answer_{name}",
                "version": 1,
                "mode": "live",
                "instance": {"key": entry.get("attributed_by") or "customer"},
                "start": {"touchpoint": name},
                "steps": {"answered": step},
                "outcome": {"success": "answered"},
            }
            found.append(definition_of(owed, known))
    return found


# -- sources ----------------------------------------------------------------------------------------------------------


def sources_of(said: Mapping[str, Json]) -> tuple[Watched, ...]:
    return tuple(
        Watched(
            form=form,
            brings=frozenset(entry.get("brings") or ()),
            silent_after=ms(entry["silent_after"]),
            catches_up=ms(entry["catches_up"]) if entry.get("catches_up") else 0,
            hours=hours_of(entry["counting"]) if entry.get("counting") else None,
        )
        for form, entry in said.items()
    )


# -- definitions ------------------------------------------------------------------------------------------------------


def definition_of(said: Json, known: Mapping[str, Declared]) -> Definition:
    hours = {name: hours_of(one) for name, one in (said.get("calendars") or {}).items()}
    instance, outcome = said["instance"], said.get("outcome") or {}
    rules = [_rule(name, rule, hours) for name, rule in (said.get("breaks") or {}).items()]
    return Definition(
        name=said["journey"],
        version=said["version"],
        mode=said.get("mode", "shadow"),
        key=instance["key"],
        joins=instance.get("if_absent") == "only_open_one",
        start=_start(said["start"], known),
        steps=tuple(_step(name, step, hours) for name, step in (said.get("steps") or {}).items()),
        success=outcome.get("success"),
        failures=tuple(outcome.get("failure") or ()),
        repeated=tuple(rule for rule in rules if isinstance(rule, Repeated)),
        scores=tuple(rule for rule in rules if isinstance(rule, LowScore)),
        suspicions=tuple(rule for rule in rules if isinstance(rule, Suspicion)),
        abandoned=tuple(rule for rule in rules if isinstance(rule, Abandoned)),
        bans=tuple(rule for rule in rules if isinstance(rule, Ban)),
        balances=tuple(rule for rule in rules if isinstance(rule, Balance)),
        persons=tuple(rule for rule in rules if isinstance(rule, Persons)),
        grace=ms(said.get("grace", "1m")),
        lifetime=ms(said.get("lifetime", "30d")),
        known=known,
    )


def _start(said: Json, known: Mapping[str, Declared]) -> Pattern:
    if said.get("weighted"):
        names = tuple(sorted(name for name, one in known.items() if one.has_weight))
        return Pattern(names, _where(said), weighted=True)
    return _pattern(said)


def _pattern(said: Json) -> Pattern:
    names = said.get("any_of") or [said["touchpoint"]]
    return Pattern(tuple(names), _where(said))


def _where(said: Json) -> tuple[tuple[str, Any], ...]:
    return tuple((said.get("where") or {}).items())


def _step(name: str, said: Json, hours: Mapping[str, Hours]) -> Step:
    return Step(
        name=name,
        pattern=_pattern(said),
        after=said.get("after", "start"),
        within=ms(said["within"]) if said.get("within") else None,
        if_missing=said.get("if_missing", "break"),
        handoff=said.get("handoff") is not None,
        times=said.get("times", 1),
        excused_by=tuple(said.get("excused_by") or ()),
        feedback=bool(said.get("feedback")),
        hours=hours[said["counting"]] if said.get("counting") else None,
    )


Rule = Repeated | LowScore | Suspicion | Abandoned | Ban | Balance | Persons


def _rule(name: str, said: Json, hours: Mapping[str, Hours]) -> Rule:
    open_at = hours[said["counting"]] if said.get("counting") else None
    tolerate = ms(said["tolerate"]) if said.get("tolerate") else None
    if said.get("score") is not None:
        return LowScore(name, said["score"], said["below"], said.get("about"), said.get("cleared_by"))
    if said.get("idle") is not None:
        return Abandoned(name, ms(said["idle"]), open_at)
    if said.get("balance_below") is not None:
        return Balance(name, said["balance_below"], said["until"], ms(said["half_life"]))
    if said.get("persons_above") is not None:
        return Persons(name, said["persons_above"], tuple(said.get("among") or ()))
    if said.get("without") is not None:
        return Suspicion(name, "skipped_step", said["without"], None, tolerate, open_at)
    if said.get("requires") is not None:
        return Suspicion(name, "out_of_order", said["requires"], _pattern(said), tolerate, open_at)
    if said.get("at_most") is not None or said.get("never_with") is not None:
        return Ban(name, _pattern(said), said.get("at_most"), said.get("never_with"))
    if said.get("at_least") is not None:
        apart = ms(said["apart"]) if said.get("apart") else SECOND
        return Repeated(name, _pattern(said), said["at_least"], ms(said["in_window"]), said["cleared_by"], apart)
    return Suspicion(name, "failure_event", said["cleared_by"], _pattern(said), tolerate, open_at)
