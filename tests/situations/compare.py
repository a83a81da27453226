"""Compares an expectation with an outcome. Pure; each difference is a sentence that names what differs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations

from tests.situations.expectation import NOBODY, Expectation, ExpectedAlert, ExpectedJourney
from tests.situations.outcome import CustomerNames, FoundAlert, FoundJourney, Outcome

Name = Callable[[str], str]
Key = tuple[str, str, str]


def differences(expected: Expectation, outcome: Outcome) -> list[str]:
    """Empty: everything is as expected. Each begins with the name of the situation."""
    if unknown := sorted(set(expected.customers.values()) - outcome.customers.keys()):
        return [f"{outcome.name}: customers: no touchpoint carries {', '.join(unknown)}"]
    ids = {name: outcome.customers[text] for name, text in expected.customers.items()} | {NOBODY: ""}
    name = CustomerNames(outcome, expected.customers)
    found = [
        *_touchpoints(expected, outcome, ids, name),
        *_togetherness(expected, outcome, name),
        *_journeys(expected.journeys, outcome.journeys, ids, name),
        *_alerts(expected.alerts, outcome.alerts, ids, name),
    ]
    return [f"{outcome.name}: {text}" for text in found]


def _touchpoints(expected: Expectation, outcome: Outcome, ids: Mapping[str, str], name: Name) -> Iterator[str]:
    for message_id in sorted(outcome.touchpoints.keys() - expected.touchpoints.keys()):
        yield f"touchpoint {message_id} was not expected"
    for message_id, owned in expected.touchpoints.items():
        found = outcome.touchpoints.get(message_id)
        if found is None:
            yield f"touchpoint {message_id} is missing"
            continue
        if found.owner.customer != ids[owned.owner]:
            yield f"touchpoint {message_id}: expected customer {owned.owner}, found {name(found.owner.customer)}"
        if found.owner.rule != owned.rule:
            yield f"touchpoint {message_id}: expected rule {owned.rule}, found {found.owner.rule}"
        if found.too_late != owned.too_late:
            yield f"touchpoint {message_id}: expected too_late {owned.too_late}, found {found.too_late}"
        had = {owner.customer for owner in found.history}
        for former in owned.was:
            if ids[former] not in had:
                yield f"touchpoint {message_id}: never belonged to {former}, which was expected"


def _togetherness(expected: Expectation, outcome: Outcome, name: Name) -> Iterator[str]:
    for group in expected.one_customer:
        holders = {identifier: _holders(identifier, outcome) for identifier in group}
        for identifier in (identifier for identifier, found in holders.items() if not found):
            yield f"one customer: no touchpoint shows whose {identifier} is"
        if len(everyone := set().union(*holders.values())) > 1:
            told = "; ".join(f"{one} is {_listed(found, name)}" for one, found in holders.items())
            yield f"one customer was expected, found {len(everyone)}: {told}"
    for group, ever in [(one, False) for one in expected.apart] + [(one, True) for one in expected.never_one]:
        for one, other in combinations(group, 2):
            if shared := _holders(one, outcome, ever) & _holders(other, outcome, ever):
                when = "were at some moment" if ever else "are"
                yield f"{one} and {other} must never be one customer, and {when}: {_listed(shared, name)}"


def _holders(identifier: str, outcome: Outcome, ever: bool = False) -> set[str]:
    """The customers of the touchpoints that carry it, however spelled, and do not say themselves whose they are."""
    own = outcome.customers[identifier]
    if identifier.startswith("user_id:"):
        return {own}
    carrying = [
        found
        for one, found in outcome.touchpoints.items()
        if own in map(outcome.customers.__getitem__, outcome.carries.get(one, ()))
    ]
    return {
        owner.customer
        for found in carrying
        if not found.too_late
        for owner in ([found.owner, *found.history] if ever else [found.owner])
        if owner.rule not in ("user_id", "waiting", "subject")
    }


def _listed(customers: set[str], name: Name) -> str:
    return ", ".join(sorted(map(name, customers))) or "nobody's"


def _journeys(
    expected: Sequence[ExpectedJourney], found: Sequence[FoundJourney], ids: Mapping[str, str], name: Name
) -> Iterator[str]:
    wanted = {(one.definition, ids[one.customer], one.about): one for one in expected}
    there = {(one.definition, one.customer, one.about): one for one in found}
    found_as, wanted_as = ({key: one.status for key, one in each.items()} for each in (there, wanted))
    yield from _states("journey", wanted_as, found_as, name)
    for key in [key for key in wanted if key in there]:
        touchpoints = wanted[key].touchpoints
        if touchpoints is not None and touchpoints != there[key].touchpoints:
            yield f"{_called('journey', key, name)}: expected touchpoints {touchpoints}, found {there[key].touchpoints}"


def _alerts(
    expected: Sequence[ExpectedAlert], found: Sequence[FoundAlert], ids: Mapping[str, str], name: Name
) -> Iterator[str]:
    wanted = {(one.alert, ids[one.customer], one.about): one for one in expected}
    there = {(one.alert, one.customer, one.about): one for one in found}
    found_as, wanted_as = ({key: one.state for key, one in each.items()} for each in (there, wanted))
    yield from _states("alert", wanted_as, found_as, name)
    for key in [key for key in wanted if key in there]:
        alert, actual = wanted[key], there[key]
        continues = None if alert.continues is None else ids[alert.continues]
        if actual.continues != continues:
            said = "nothing" if actual.continues is None else f"the alert of {name(actual.continues)}"
            about = _called("alert", key, name)
            yield f"{about}: expected to continue that of {alert.continues or 'nobody'}, found {said}"


def _states(what: str, wanted: Mapping[Key, str], there: Mapping[Key, str], name: Name) -> Iterator[str]:
    """What is too much, what is missing, what stands otherwise."""
    for key in sorted(there.keys() - wanted.keys()):
        yield f"{_called(what, key, name)} was not expected ({there[key]})"
    for key, state in wanted.items():
        if key not in there:
            yield f"{_called(what, key, name)} is missing (expected {state})"
        elif there[key] != state:
            yield f"{_called(what, key, name)}: expected {state}, found {there[key]}"


def _called(what: str, key: Key, name: Name) -> str:
    return f"{what} {key[0]} of {name(key[1])} about {key[2]}"
