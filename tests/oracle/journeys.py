"""docs/journeys.md by brute force: which instances there are, which touchpoints are theirs, and what they say.

Only `only_open_one` and journeys of a customer need to know what is open just before a touchpoint; it is found by
folding everything before it again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tests.oracle.attribution import Attribution
from tests.oracle.decode import Touchpoint
from tests.oracle.definitions import DEFINITIONS, Definition
from tests.oracle.fold import Outcome, fold, is_open, matches
from tests.oracle.usable import Identifier

KEPT_MAX: Final = 500
JourneyKey = tuple[str, str, str]
"""Definition, customer, anchor."""


@dataclass(frozen=True, slots=True)
class Journey:
    definition: Definition
    customer: str
    anchor: str
    members: tuple[Touchpoint, ...]
    outcome: Outcome

    @property
    def key(self) -> JourneyKey:
        return (self.definition.name, self.customer, self.anchor)


@dataclass(frozen=True, slots=True)
class Journeys:
    """`unsure`: customers with more touchpoints than are kept; their journeys are not compared."""

    found: dict[JourneyKey, Journey]
    unsure: frozenset[str]


def relevant(definition: Definition, x: Touchpoint) -> bool:
    return x.name in definition.names() or any(_fact(x.properties.get(rule.score)) for rule in definition.scores)


def _fact(value: object) -> bool:
    return isinstance(value, str | int | float | bool)


def find_journeys(attribution: Attribution, until: int) -> Journeys:
    own: dict[str, list[Touchpoint]] = defaultdict(list)
    keyed: dict[Identifier, list[Touchpoint]] = defaultdict(list)
    for one in attribution.touchpoints.values():
        if one.too_late or not any(relevant(definition, one.touchpoint) for definition in DEFINITIONS):
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
        for definition in DEFINITIONS:
            mine = [x for x in own.get(customer, ()) if relevant(definition, x)]
            if definition.key == "customer":
                runs = _runs_of_customer(definition, mine)
            else:
                keys = [key for key in keys_of.get(customer, ()) if key[0] == definition.key]
                runs = _runs_of_keys(definition, mine, {key: keyed[key] for key in keys})
            for anchor, members in runs.items():
                outcome = fold(definition, members, until)
                if outcome is not None:
                    journey = Journey(definition, customer, anchor, tuple(members), outcome)
                    found[journey.key] = journey
    return Journeys(found, _unsure(attribution, own, keyed))


def _runs_of_customer(definition: Definition, mine: Iterable[Touchpoint]) -> dict[str, list[Touchpoint]]:
    runs: dict[str, list[Touchpoint]] = {}
    current: list[Touchpoint] = []
    for x in sorted(mine, key=lambda x: x.order):
        if current and is_open(definition, current, x.occurred_at):
            current.append(x)
        elif matches(definition.start, x):
            current = [x]
            runs[f"start:{x.touchpoint_id}"] = current
    return runs


def _runs_of_keys(
    definition: Definition, mine: Iterable[Touchpoint], keyed: dict[Identifier, list[Touchpoint]]
) -> dict[str, list[Touchpoint]]:
    runs: dict[str, list[Touchpoint]] = {f"{kind}:{value}": [] for kind, value in keyed}
    mixed = {
        x.touchpoint_id: x
        for group in (*keyed.values(), [x for x in mine if definition.key not in x.identifiers])
        for x in group
        if relevant(definition, x)
    }
    for x in sorted(mixed.values(), key=lambda x: x.order):
        if definition.key in x.identifiers:
            runs[f"{definition.key}:{x.identifiers[definition.key]}"].append(x)
        elif definition.joins:
            waiting = [run for run in runs.values() if is_open(definition, run, x.occurred_at)]
            if len(waiting) == 1:
                waiting[0].append(x)
    return runs


def _unsure(
    attribution: Attribution, own: dict[str, list[Touchpoint]], keyed: dict[Identifier, list[Touchpoint]]
) -> frozenset[str]:
    full = {customer for customer, group in own.items() if len(group) > KEPT_MAX}
    full |= {attribution.owners[key] for key, group in keyed.items() if len(group) > KEPT_MAX}
    full |= {
        one.customer
        for one in attribution.touchpoints.values()
        if one.customer is not None and not attribution.crowded.isdisjoint(one.touchpoint.identifiers.items())
    }
    return frozenset(full)
