"""docs/journeys.md by brute force: which instances there are, which touchpoints are theirs, and what they say.

Only `only_open_one` and journeys of a customer need to know what is open just before a touchpoint; it is found by
folding everything before it again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from tests.oracle.attribution import Attribution
from tests.oracle.course import excuses, ordered
from tests.oracle.decode import Touchpoint
from tests.oracle.definitions import DEFINITIONS
from tests.oracle.fold import Judged, Outcome, excusing, fold, is_open, matches, on_time
from tests.oracle.modes import Switched, mode_at
from tests.oracle.rules import Definition
from tests.oracle.usable import Identifier

KEPT_MAX: Final = 500
JourneyKey = tuple[str, int, str, str]
"""Definition, version, customer, anchor."""
Mode = Callable[[int], str]


@dataclass(frozen=True, slots=True)
class Rulebook:
    """What journeys are folded by. `switches` in the order of the log."""

    definitions: tuple[Definition, ...] = DEFINITIONS
    switches: tuple[Switched, ...] = ()
    judged: Judged = on_time

    def mode(self, of: Definition) -> Mode:
        return lambda moment: mode_at(self.definitions, self.switches, of, moment)


@dataclass(frozen=True, slots=True)
class Journey:
    definition: Definition
    customer: str
    anchor: str
    members: tuple[Touchpoint, ...]
    outcome: Outcome
    mode: str = "live"

    @property
    def key(self) -> JourneyKey:
        return (self.definition.name, self.definition.version, self.customer, self.anchor)


@dataclass(frozen=True, slots=True)
class Journeys:
    """`unsure`: customers with more touchpoints than are kept; their journeys are not compared."""

    found: dict[JourneyKey, Journey]
    unsure: frozenset[str]


def relevant(definition: Definition, x: Touchpoint) -> bool:
    if x.name in definition.names() or (definition.start.weighted and x.name in definition.start.names):
        return True
    declared = definition.known.get(x.name)
    if definition.balances and declared is not None and declared.has_weight:
        return True
    return any(_fact(x.properties.get(rule.score)) for rule in definition.scores)


def _fact(value: object) -> bool:
    return isinstance(value, str | int | float | bool)


def find_journeys(attribution: Attribution, until: int, rulebook: Rulebook | None = None) -> Journeys:
    book = rulebook or Rulebook()
    own: dict[str, list[Touchpoint]] = defaultdict(list)
    keyed: dict[Identifier, list[Touchpoint]] = defaultdict(list)
    for one in attribution.touchpoints.values():
        if one.too_late or not any(relevant(definition, one.touchpoint) for definition in book.definitions):
            continue
        if one.customer is not None:
            own[one.customer].append(one.touchpoint)
        for identifier in one.touchpoint.identifiers.items():
            if identifier in attribution.owners:
                keyed[identifier].append(one.touchpoint)
    keys_of: dict[str, list[Identifier]] = defaultdict(list)
    for identifier in keyed:
        keys_of[attribution.owners[identifier]].append(identifier)
    found: dict[JourneyKey, Journey] = {}
    for customer in own.keys() | keys_of.keys():
        mine = {key: keyed[key] for key in keys_of.get(customer, ())}
        for definition in book.definitions:
            for anchor, members, outcome, mode in runs(definition, own.get(customer, ()), mine, until, book):
                journey = Journey(definition, customer, anchor, tuple(members), outcome, mode)
                found[journey.key] = journey
    return Journeys(found, _unsure(attribution.owners, own, keyed))


Run = tuple[str, list[Touchpoint], Outcome, str]
"""Anchor, touchpoints, what they say, mode."""


def runs(
    definition: Definition,
    own: Iterable[Touchpoint],
    keyed: dict[Identifier, list[Touchpoint]],
    until: int,
    book: Rulebook,
) -> list[Run]:
    """The instances of one customer: `own` are its touchpoints, `keyed` those of its keys of whatever kind."""
    mode = book.mode(definition)
    mine = [x for x in own if relevant(definition, x)]
    if definition.key == "customer":
        groups = _runs_of_customer(definition, mine, mode)
    else:
        groups = _runs_of_keys(definition, mine, {key: keyed[key] for key in keyed if key[0] == definition.key}, mode)
    found: list[Run] = []
    for anchor, members in groups.items():
        outcome = fold(definition, members, until, book.judged, excusing(definition, mine))
        if outcome is not None and mode(outcome.started_at) != "off":
            found.append((anchor, members, outcome, mode(outcome.started_at)))
    return found


def _runs_of_customer(definition: Definition, mine: Sequence[Touchpoint], mode: Mode) -> dict[str, list[Touchpoint]]:
    runs: dict[str, list[Touchpoint]] = {}
    current: list[Touchpoint] = []
    said = excusing(definition, mine)
    for x in ordered(definition, mine):
        if current and is_open(definition, current, x.occurred_at, said):
            current.append(x)
        elif matches(definition.start, x) and mode(x.occurred_at) != "off":
            current = [x]
            runs[f"start:{x.touchpoint_id}"] = current
        elif current and _may_follow(definition, current[0], x):
            current.append(x)
    return runs


def _may_follow(definition: Definition, start: Touchpoint, x: Touchpoint) -> bool:
    """Whether a touchpoint that begins nothing is about the customer's journey that is over."""
    elsewhere = matches(definition.start, x) or x.name in definition.failures
    return not elsewhere and x.occurred_at <= start.occurred_at + definition.lifetime


def _runs_of_keys(
    definition: Definition, mine: Sequence[Touchpoint], keyed: dict[Identifier, list[Touchpoint]], mode: Mode
) -> dict[str, list[Touchpoint]]:
    runs: dict[str, list[Touchpoint]] = {f"{kind}:{value}": [] for kind, value in keyed}
    mixed = {
        x.touchpoint_id: x
        for group in (*keyed.values(), [x for x in mine if definition.key not in x.identifiers])
        for x in group
        if relevant(definition, x)
    }
    said = excusing(definition, mine)
    for x in ordered(definition, mixed.values()):
        if definition.key in x.identifiers:
            runs[f"{definition.key}:{x.identifiers[definition.key]}"].append(x)
        elif definition.joins:
            waiting = [run for run in runs.values() if _may_join(definition, run, x.occurred_at, mode, said)]
            for run in waiting if len(waiting) == 1 or excuses(definition, x) else ():
                run.append(x)
    return runs


def _may_join(
    definition: Definition, run: Sequence[Touchpoint], at: int, mode: Mode, said: Sequence[Touchpoint]
) -> bool:
    start = next((x for x in run if matches(definition.start, x)), None)
    return start is not None and mode(start.occurred_at) != "off" and is_open(definition, run, at, said)


def _unsure(
    owners: dict[Identifier, str], own: dict[str, list[Touchpoint]], keyed: dict[Identifier, list[Touchpoint]]
) -> frozenset[str]:
    full = {customer for customer, group in own.items() if len(group) > KEPT_MAX}
    return frozenset(full | {owners[key] for key, group in keyed.items() if len(group) > KEPT_MAX})
