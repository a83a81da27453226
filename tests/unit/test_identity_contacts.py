"""Rule 3: the contact graph against brute force over the set of links, in any order, with decisions and limits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import combinations
from random import Random

import pytest

from schemas.control_records import Decision, DecisionKind
from schemas.fast import fast_type
from streams.identity.contacts import Graph
from streams.identity.decisions import Decisions
from streams.identity.limits import DAY_MS
from tests.tries import tries

Together = tuple[str | None, tuple[str, ...]]
Decided = tuple[DecisionKind, str, str | None]
SMALL = {"user_id": 2, "email": 3, "phone": 3, "loyalty_card": 2}
SETS = tries(400)
_decision = fast_type(Decision)


def decision(kind: DecisionKind, identifier: str, user: str | None) -> Decision:
    return _decision(
        at=("identity", 0, 0, 0),
        decision_id="d",
        kind=kind,
        identifier=identifier,
        user_id=user,
        reason="test",
        decided_by="test",
        decided_at=0,
    )


class Told:
    """A graph, and whom it last said each contact names."""

    def __init__(self, largest: int = 50, room: int = 10_000) -> None:
        self.decisions = Decisions()
        self.graph = Graph(SMALL, largest, self.decisions, room)
        self.names: dict[str, str] = {}
        self._order = 0

    def hear(self, changed: dict[str, str | None]) -> None:
        assert list(changed) == sorted(changed)
        for contact, user in changed.items():
            assert self.names.get(contact) != user, "only changes are told"
            if user is None:
                del self.names[contact]
            else:
                self.names[contact] = user

    def add(self, together: Together, day: int = 5) -> None:
        self.hear(self.graph.add(together[0], together[1], day * DAY_MS)[0])

    def forget(self, day: int) -> None:
        changed, touched = self.graph.expire(day)
        self.hear(changed)
        self.graph.forget_askers(touched, day)

    def decide(self, decided: Decided) -> None:
        self._order += 1
        one = decision(*decided)
        self.hear(self.graph.decided(one.identifier, lambda: self.decisions.take(one, self._order)))


def brute(sets: Iterable[Together], decided: list[Decided], largest: int) -> dict[str, str]:
    """docs/identity.md, rule 3 and "By hand", from the whole set at once."""
    standing: dict[tuple[str, str | None], tuple[str, int]] = {}
    for number, (kind, identifier, user) in enumerate(decided):
        standing.pop((identifier, user), None)
        if kind != "lift":
            standing[identifier, user] = (kind, number)
    blocked = {identifier for (identifier, _), (kind, _) in standing.items() if kind == "block"}
    unlinked = {(identifier, user) for (identifier, user), (kind, _) in standing.items() if kind == "unlink"}
    links: set[frozenset[str]] = set()
    contacts: set[str] = {identifier for identifier, _ in standing if not identifier.startswith("user_id:")}
    for user, named in sets:
        contacts |= set(named)
        links |= {frozenset(pair) for pair in combinations([f"user_id:{user}"] * (user is not None) + list(named), 2)}
    near: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for link in links:
        for one in link:
            for other in link - {one}:
                near[one][other.partition(":")[0]].add(other)

    def crowded(one: str) -> bool:
        return any(len(others) > SMALL[kind] for kind, others in near[one].items())

    def valid(link: frozenset[str]) -> bool:
        one, other = sorted(link)
        if crowded(one) or crowded(other) or link & blocked:
            return False
        return not any((a, b[8:]) in unlinked for a, b in ((one, other), (other, one)) if b.startswith("user_id:"))

    good = [link for link in links if valid(link)]
    answer = {}
    for contact in contacts - blocked:
        members = {contact}
        while grown := {one for link in good if link & members for one in link} - members:
            members |= grown
        users = {one for one in members if one.startswith("user_id:")}
        if len(members) > largest or len(users) != 1:
            users = {one for link in good if contact in link for one in link if one.startswith("user_id:")}
        by_hand = [
            (number, user or "")
            for (identifier, user), (kind, number) in standing.items()
            if identifier == contact and kind == "link"
        ]
        if by_hand:
            answer[contact] = max(by_hand)[1]
        elif len(users) == 1 and (contact, min(users)[8:]) not in unlinked:
            answer[contact] = min(users)[8:]
    return answer


def random_set(rng: Random) -> Together:
    user = rng.choice((None, None, "u", "v", "w"))
    kinds = rng.sample(("email", "phone", "loyalty_card"), rng.choice((1, 2, 2, 3)))
    return user, tuple(f"{kind}:{rng.randrange(5)}" for kind in kinds)


def random_decision(rng: Random) -> Decided:
    kind: DecisionKind = rng.choice(("link", "unlink", "block", "lift", "lift"))
    identifier = rng.choice(("email:0", "email:1", "phone:0", "loyalty_card:1", "user_id:u", "user_id:v"))
    if kind == "block" or identifier.startswith("user_id:"):
        return ("lift" if kind == "lift" else "block"), identifier, None
    return kind, identifier, rng.choice(("u", "v"))


@pytest.mark.parametrize("largest", [3, 6, 50])
def test_what_was_told_is_what_brute_force_says_in_any_order(largest: int) -> None:
    answers = 0
    for seed in range(SETS):
        rng = Random(seed)
        sets = [random_set(rng) for _ in range(rng.choice((2, 4, 7, 14)))]
        decided = [random_decision(rng) for _ in range(rng.choice((0, 0, 2, 5)))]
        expected = brute(sets, decided, largest)
        answers += len(expected)
        for _ in range(2):
            told = Told(largest)
            events: list[tuple[Together | None, Decided | None]] = [(one, None) for one in sets]
            rng.shuffle(events)
            places = sorted(rng.randrange(len(events) + 1) for _ in decided)
            for place, one in reversed(list(zip(places, decided, strict=True))):
                events.insert(place, (None, one))
            for together, by_hand in events:
                if together is not None:
                    told.add(together)
                elif by_hand is not None:
                    told.decide(by_hand)
            assert told.names == expected, f"seed {seed}"
    assert answers > SETS * 5 // 4


def test_a_chain_names_the_only_user_and_a_second_user_undoes_it() -> None:
    told = Told()
    told.add((None, ("email:a", "loyalty_card:1")))
    assert told.names == {}
    told.add(("u", ("email:a",)))
    assert told.names == {"email:a": "u", "loyalty_card:1": "u"}
    told.add(("v", ("loyalty_card:1",)))
    assert told.names == {"email:a": "u", "loyalty_card:1": "v"}
    told.add(("u", ("loyalty_card:1",)))
    assert told.names == {"email:a": "u"}


def test_a_crowded_card_names_nobody_not_even_through_what_it_was_seen_with_once() -> None:
    """With two users it names nobody; with eleven it must not name the first one again."""
    told = Told()
    told.add(("u", ("email:a", "loyalty_card:1")))
    for user in ("v", "w", "x", "y"):
        told.add((user, ("loyalty_card:1",)))
        assert told.names == {"email:a": "u"}


def test_a_hostile_identifier_costs_no_more_than_what_makes_it_crowded() -> None:
    told = Told()
    for number in range(20_000):
        told.add(("bot", (f"email:{number}",)), day=number % 50)
    assert told.names == {}
    assert len(told.graph.nodes["user_id:bot"].links["email"]) == SMALL["email"] + 1
    told.add(("anna", ("email:7",)))
    assert told.names == {"email:7": "anna"}, "a bot that took her e-mail, too, does not hide her"


def test_what_is_past_its_window_is_forgotten_and_the_rest_judged_anew() -> None:
    told = Told()
    told.add(("u", ("email:a",)), day=5)
    told.add(("v", ("email:a",)), day=9)
    assert told.names == {}
    told.forget(6)
    assert told.names == {"email:a": "v"}
    told.forget(10)
    assert told.names == {}
    assert told.graph.drop_idle(["email:a", "user_id:u", "user_id:v"]) == {"email:a", "user_id:u", "user_id:v"}
    assert told.graph.nodes == {}


def test_an_older_link_that_arrives_later_is_forgotten_in_its_time() -> None:
    told = Told()
    told.add(("v", ("email:a",)), day=9)
    told.add(("u", ("email:a",)), day=5)
    assert told.names == {}
    told.forget(6)
    assert told.names == {"email:a": "v"}


def test_no_more_identifiers_than_there_is_room_for() -> None:
    told = Told(room=10)
    for number in range(50):
        told.add((f"u{number}", (f"email:{number}",)))
    assert len(told.graph.nodes) == 10
    assert len(told.names) == 5
