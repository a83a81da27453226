"""The oracle's reading of docs/identity.md, case by case, worked out by hand: contacts, links, decisions, browsers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.oracle.attribution import Attribution, attribute, correct_clocks, customer_of
from tests.oracle.decode import Touchpoint
from tests.oracle.links import Decided
from tests.oracle.rules import HOUR
from tests.oracle.usable import CONTACTS, KINDS, Identifier, Rules, proof_of, usable

SMALL = Rules(most_otherwise=2, component=5)
ANN, BEN = customer_of(("user_id", "ann")), customer_of(("user_id", "ben"))
DEVICE = customer_of(("anonymous_id", "d"))
Touch = tuple[dict[str, str], str | None, str]
"""Identifiers, whose it must be, why. `name`, `at` (hours), `weak`, `late` may stand among the identifiers."""


@dataclass(frozen=True)
class Case:
    touches: Sequence[Touch]
    decisions: Sequence[Decided] = ()
    owners: dict[Identifier, str] = field(default_factory=dict)


def of(identifier: str) -> str:
    kind, _, value = identifier.partition(":")
    return customer_of((kind, value))


def by_hand(kind: str, identifier: str, user: str | None = None) -> Decided:
    name, _, value = identifier.partition(":")
    return Decided(kind, (name, value), user)


def ids(text: str, **other: Any) -> dict[str, Any]:
    """`ann e1 c1 d o7`: one letter says the kind, but for the users."""
    kinds = {"e": "email", "p": "phone", "c": "loyalty_card", "o": "order_id"}
    found: dict[str, Any] = {}
    for word in text.split():
        if word in ("ann", "ben") or word.startswith("u"):
            found["user_id"] = word
        elif word == "d":
            found["anonymous_id"] = "d"
        else:
            found[kinds[word[0]]] = word
    return found | other


def solve(case: Case) -> Attribution:
    arrivals = []
    for number, (said, _, _) in enumerate(case.touches):
        at = int(said.get("at", 0)) * HOUR + number
        identifiers: dict[str, str] = {kind: said[kind] for kind in KINDS if kind in said}
        arrivals.append(
            Touchpoint(
                touchpoint_id=f"{number:02d}", message_id=f"m{number}", source="till", place="", channel=None,
                name=said.get("name", "page_viewed"), occurred_at_sent=at, occurred_at=at, sent_at=None,
                received_at=None, log_time=at + 73 * HOUR * bool(said.get("late")), sequence=0,
                identifiers=identifiers, subject=None, weak=bool(said.get("weak")),
            )
        )  # fmt: skip
    return attribute(arrivals, case.decisions, SMALL)


USER = "user_id"
CASES = {
    "a link names": Case([(ids("ann e1"), ANN, USER), (ids("e1"), ANN, "contact")]),
    "a link found later names": Case([(ids("e1"), ANN, "contact"), (ids("ann e1", at=500), ANN, USER)]),
    "a chain of three contacts": Case(
        [
            (ids("c1"), ANN, "contact"),
            (ids("c1 p1"), ANN, "contact"),
            (ids("p1 e1"), ANN, "contact"),
            (ids("ann e1"), ANN, USER),
        ]
    ),
    "a second user joins the chain": Case(
        [
            (ids("c1"), of("loyalty_card:c1"), "contact"),
            (ids("c1 e1"), ANN, "contact"),
            (ids("ann e1"), ANN, USER),
            (ids("ben p1"), BEN, USER),
            (ids("p1 c1"), BEN, "contact"),
        ]
    ),
    "a card used by two users": Case(
        [(ids("ann c1"), ANN, USER), (ids("ben c1"), BEN, USER), (ids("c1"), of("loyalty_card:c1"), "contact")]
    ),
    "contacts that name two users name nobody": Case(
        [
            (ids("ann e1"), ANN, USER),
            (ids("ben p1"), BEN, USER),
            (ids("e1 p1"), of("email:e1"), "contact"),
            (ids("p1"), BEN, "contact"),
        ]
    ),
    "a crowded user names nobody": Case(
        [
            *((ids(f"ann e{n}"), ANN, USER) for n in range(3)),
            (ids("e1"), of("email:e1"), "contact"),
            (ids("ann p1"), ANN, USER),
            (ids("p1"), of("phone:p1"), "contact"),
        ]
    ),
    "a crowded card does not name the first of its users through an e-mail": Case(
        [
            (ids("ann e1 c1"), ANN, USER),
            *((ids(f"u{n} c1"), of(f"user_id:u{n}"), USER) for n in range(3)),
            (ids("c1"), of("loyalty_card:c1"), "contact"),
            (ids("e1"), ANN, "contact"),
        ]
    ),
    "a crowded contact names nobody": Case(
        [*((ids(f"u{n} p1"), of(f"user_id:u{n}"), USER) for n in range(3)), (ids("p1"), of("phone:p1"), "contact")]
    ),
    "a crowded contact joins no others": Case(
        [
            *((ids(f"p1 e{n}"), of(f"email:e{n}"), "contact") for n in range(1, 3)),
            (ids("ann e0"), ANN, USER),
            (ids("p1 e0"), ANN, "contact"),
            (ids("p1"), of("phone:p1"), "contact"),
        ]
    ),
    "a component of five names, one of six does not": Case(
        [
            (ids("ann e1 p1"), ANN, USER),
            (ids("e1 p2"), ANN, "contact"),
            (ids("p2 c1"), of("phone:p2"), "contact"),
            (ids("p1 c2"), ANN, "contact"),
            (ids("c1"), of("loyalty_card:c1"), "contact"),
            (ids("e1"), ANN, "contact"),
        ]
    ),
    "a device's login outranks contacts": Case(
        [(ids("ann e1"), ANN, USER), (ids("ben d", at=1), BEN, USER), (ids("d e1", at=2), BEN, "login")]
    ),
    "contacts decide where logins do not": Case(
        [
            (ids("ann e1"), ANN, USER),
            (ids("d e1"), ANN, "contact"),
            (ids("d"), DEVICE, "device"),
            (ids("ben d", at=100), BEN, USER),
        ]
    ),
    "contacts decide on a kiosk day": Case(
        [
            *((ids(f"u{n} d"), of(f"user_id:u{n}"), USER) for n in range(5)),
            (ids("ann e1"), ANN, USER),
            (ids("d e1"), ANN, "contact"),
            (ids("d"), DEVICE, "device"),
        ]
    ),
    "what is too late is no link": Case(
        [(ids("ann e1", late=True), ANN, USER), (ids("e1"), of("email:e1"), "contact")]
    ),
    "what is too late follows no link": Case(
        [(ids("ann e1"), ANN, USER), (ids("e1", late=True), of("email:e1"), "contact")]
    ),
    "a key follows its contact": Case(
        [(ids("e1 o7"), ANN, "contact"), (ids("o7"), ANN, "business_key"), (ids("ann e1"), ANN, USER)],
        owners={("order_id", "o7"): ANN},
    ),
    "link a contact": Case([(ids("e1"), ANN, "contact")], [by_hand("link", "email:e1", "ann")]),
    "link a contact of another user": Case(
        [(ids("ben e1"), BEN, USER), (ids("e1"), ANN, "contact"), (ids("e1 c1"), of("email:e1"), "contact")],
        [by_hand("link", "email:e1", "ann")],
    ),
    "the last of two links": Case(
        [(ids("e1"), BEN, "contact"), (ids("d"), BEN, "manual")],
        [by_hand("link", one, user) for one in ("email:e1", "anonymous_id:d") for user in ("ann", "ben")],
    ),
    "link a device": Case(
        [(ids("ben d"), BEN, USER), (ids("d"), ANN, "manual"), (ids("d", late=True, at=1), DEVICE, "device")],
        [by_hand("link", "anonymous_id:d", "ann")],
    ),
    "unlink a contact": Case(
        [(ids("ann e1"), ANN, USER), (ids("e1"), of("email:e1"), "contact")],
        [by_hand("unlink", "email:e1", "ann")],
    ),
    "unlink within a component": Case(
        [(ids("ann e1"), ANN, USER), (ids("e1 c1"), ANN, "contact"), (ids("c1"), of("loyalty_card:c1"), "contact")],
        [by_hand("unlink", "loyalty_card:c1", "ann")],
    ),
    "unlink one of two users": Case(
        [(ids("ann e1"), ANN, USER), (ids("ben e1"), BEN, USER), (ids("e1"), BEN, "contact")],
        [by_hand("unlink", "email:e1", "ann")],
    ),
    "unlink a device": Case(
        [(ids("ann d"), ANN, USER), (ids("d", at=1), DEVICE, "device"), (ids("ben d", at=90), BEN, USER)],
        [by_hand("unlink", "anonymous_id:d", "ann")],
    ),
    "an unlinked login stays a marker": Case(
        [
            (ids("ben d"), BEN, USER),
            (ids("ann d", at=1), ANN, USER),
            (ids("d", at=2), DEVICE, "device"),
        ],
        [by_hand("unlink", "anonymous_id:d", "ann")],
    ),
    "block a contact": Case(
        [(ids("ann p1"), ANN, USER), (ids("p1"), of("phone:p1"), "contact"), (ids("p1 c1"), of("phone:p1"), "contact")],
        [by_hand("block", "phone:p1")],
    ),
    "what is blocked is still counted": Case(
        [*((ids(f"u{n} p1"), of(f"user_id:u{n}"), USER) for n in range(3)), (ids("p1"), of("phone:p1"), "contact")],
        [by_hand("block", "user_id:u0"), by_hand("block", "user_id:u1")],
    ),
    "block a user": Case(
        [(ids("ann d e1"), ANN, USER), (ids("d"), DEVICE, "device"), (ids("e1"), of("email:e1"), "contact")],
        [by_hand("block", "user_id:ann")],
    ),
    "block a device": Case(
        [(ids("ann d e1"), ANN, USER), (ids("d"), DEVICE, "device"), (ids("d e1"), ANN, "contact")],
        [by_hand("block", "anonymous_id:d")],
    ),
    "a block outranks a link": Case(
        [(ids("d"), DEVICE, "device"), (ids("e1"), of("email:e1"), "contact")],
        [
            by_hand("link", "anonymous_id:d", "ann"),
            by_hand("block", "anonymous_id:d"),
            by_hand("block", "email:e1"),
            by_hand("link", "email:e1", "ann"),
        ],
    ),
    "linked to a blocked user": Case(
        [(ids("d"), ANN, "manual"), (ids("e1"), ANN, "contact")],
        [
            by_hand("block", "user_id:ann"),
            by_hand("link", "anonymous_id:d", "ann"),
            by_hand("link", "email:e1", "ann"),
        ],
    ),
    "the link before counts again": Case(
        [(ids("e1"), BEN, "contact")],
        [by_hand("link", "email:e1", "ben"), by_hand("link", "email:e1", "ann"), by_hand("lift", "email:e1", "ann")],
    ),
    "block a key": Case(
        [(ids("ann o7"), ANN, USER), (ids("o7"), None, "waiting")],
        [by_hand("block", "order_id:o7")],
    ),
    "lift": Case(
        [(ids("ann e1"), ANN, USER), (ids("e1"), ANN, "contact"), (ids("p1"), of("phone:p1"), "contact")],
        [
            by_hand("unlink", "email:e1", "ann"),
            by_hand("block", "email:e1"),
            by_hand("link", "phone:p1", "ann"),
            by_hand("lift", "email:e1"),
            by_hand("lift", "email:e1", "ann"),
            by_hand("lift", "phone:p1", "ann"),
        ],
    ),
    "link after unlink": Case(
        [(ids("ann e1"), ANN, USER), (ids("e1"), ANN, "contact")],
        [by_hand("unlink", "email:e1", "ann"), by_hand("link", "email:e1", "ann")],
    ),
    "a browser's claim yields to a server's": Case(
        [
            (ids("ann o7", weak=True), ANN, USER),
            (ids("ben o7"), BEN, USER),
            (ids("o7"), BEN, "business_key"),
        ],
        owners={("order_id", "o7"): BEN},
    ),
    "a browser's claim alone": Case(
        [(ids("d o7", weak=True), DEVICE, "device"), (ids("o7"), DEVICE, "business_key")],
        owners={("order_id", "o7"): DEVICE},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_every_case(name: str) -> None:
    case = CASES[name]
    found = solve(case)
    said = [(one.customer, one.by) for one in found.touchpoints.values()]
    by_id = [(found.touchpoints[f"{n:02d}"].customer, found.touchpoints[f"{n:02d}"].by) for n in range(len(said))]
    assert by_id == [(who, why) for _, who, why in case.touches]
    if case.owners:
        assert found.owners == case.owners


@pytest.mark.parametrize("name", CASES)
def test_names_follow_from_the_set(name: str) -> None:
    """Without decisions every contact names the user whom its own touchpoints get, if nothing else is on them."""
    found = solve(CASES[name])
    for one in found.touchpoints.values():
        alone = list(one.touchpoint.identifiers.items())
        if len(alone) == 1 and alone[0][0] in CONTACTS and not one.too_late:
            user = found.links.names(alone[0])
            assert one.customer == customer_of(("user_id", user) if user is not None else alone[0])


def test_an_untimed_item_says_nothing_of_the_clock() -> None:
    def at(number: int, said: int, **other: Any) -> Touchpoint:
        return Touchpoint(
            touchpoint_id=f"{number:02d}", message_id=f"m{number}", source="web", place="", channel=None,
            name="page_viewed", occurred_at_sent=said, occurred_at=said, log_time=5 * HOUR, sequence=0,
            identifiers={"anonymous_id": "d"}, subject=None, **other,
        )  # fmt: skip

    slow = at(1, 0, sent_at=0, received_at=2 * HOUR)
    ours = at(2, 5 * HOUR, sent_at=5 * HOUR, received_at=5 * HOUR, untimed=True)
    later = at(3, 2 * HOUR, sent_at=2 * HOUR, received_at=4 * HOUR)
    assert [x.occurred_at for x in correct_clocks([slow, ours, later])] == [2 * HOUR, 5 * HOUR, 4 * HOUR]


SECRETS = Rules(personal_key=b"key", proof_secret=b"secret")


@pytest.mark.parametrize("spelled", ["a@example.org", "A@Example.ORG", " a@example.org "])
def test_one_mail_however_it_is_spelled(spelled: str) -> None:
    found, _ = usable({"email": spelled}, {}, browser=False, rules=SECRETS)
    assert found == usable({"email": "a@example.org"}, {}, browser=False, rules=SECRETS)[0]
    assert found["email"].startswith("hmac:")
    assert usable(found, {}, browser=False, rules=SECRETS)[0] == found


@pytest.mark.parametrize("spelled", ["+49 30 1234560", "0049 (30) 123 45-60", "030/1234560"])
def test_one_number_however_it_is_spelled(spelled: str) -> None:
    assert usable({"phone": spelled}, {}, browser=False, rules=Rules())[0] == {"phone": "+49301234560"}


def test_what_cannot_be_read_is_not_usable() -> None:
    sent = {"email": "not a mail", "phone": "12", "loyalty_card": " null ", "user_id": "u"}
    assert usable(sent, {}, browser=False, rules=SECRETS) == ({"user_id": "u"}, False)


def test_a_browser() -> None:
    sent = {"anonymous_id": "d", "user_id": "u", "email": "a@example.org", "order_id": "7"}
    without = {"anonymous_id": "d", "order_id": "7"}
    assert usable(sent, {}, browser=True, rules=SECRETS) == (without, True)
    assert usable(sent, {"user_proof": proof_of("v", b"secret")}, browser=True, rules=SECRETS) == (without, True)
    right = {"user_proof": proof_of("u", b"secret")}
    assert usable(sent, right, browser=True, rules=SECRETS) == (without | {"user_id": "u"}, False)
