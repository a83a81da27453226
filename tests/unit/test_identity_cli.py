"""What `touchline identity` understands and how it reasons: from values alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deploy.identity import texts
from deploy.identity.asked import (
    Customer,
    Identifier,
    Unclear,
    identifier_of,
    read_id,
    read_identifier,
    read_linkable,
    read_user,
)
from deploy.identity.decide import user_to_lift
from deploy.identity.judge import Rules, deciding_claim, hearsay_of, in_force, key_of, owners_on, too_many
from deploy.identity.touch import Owner, Touch
from deploy.identity.words import short
from schemas.control import Control, control_headers, read_control
from schemas.control_records import Decision
from schemas.fast import encode
from schemas.identifiers import customer_of
from schemas.identity_reader import IdentityReader
from schemas.identity_rules import IdentityRules, Kinds, UserRules
from streams.identity.decisions import MOST, Decisions
from streams.pace.keep_time import KeepTime
from streams.stage import Effect
from tests.simulated.log import Logs
from tests.unit.identity_cases import AT, CARD, MAIL, PHONE, READER, RULES, SECRET, decided, links, named, touch

# -- what was asked ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("mail:x", "Did you mean email?"),
        ("emial:x", "Did you mean email?"),
        ("card:1", "Did you mean loyalty_card?"),
        ("zzz:1", "zzz is no kind of identifier. The kinds are"),
        ("u1", "say what kind of identifier it is"),
        ("0123456789abcdef0123456789abcdef", "touchline identity why"),
        ("email:null", "stands for no identifier"),
        ("email:", "is empty"),
        ("email:anna", "does not count as an identifier"),
        ("account_id:acme", "attributes nothing"),
        ("user_id:" + "x" * 201, "more than 200 characters"),
    ],
)
def test_nonsense_is_refused_with_help(said: str, answer: str) -> None:
    with pytest.raises(Unclear, match=answer):
        read_id(said, READER.read)


def test_a_clear_value_becomes_its_hash_at_once() -> None:
    spelt = [read_identifier(f"email:{text}", READER.read) for text in ("Anna@Example.com", " anna@example.com ")]
    assert spelt[0] == spelt[1]
    assert spelt[0].value.startswith("hmac:")
    assert read_identifier(spelt[0].text, READER.read) == spelt[0]
    for wrong in ("email:anna.at.example", "email:" + "anna" * 60):
        with pytest.raises(Unclear) as refused:
            read_identifier(wrong, READER.read)
        assert "anna" not in str(refused.value)


def test_what_a_screen_cuts_may_be_typed_again() -> None:
    whole = read_identifier("phone:+4915112345678", READER.read)
    cut = read_identifier(short(whole.text), READER.read)
    assert not cut.is_whole
    assert whole.value.startswith(cut.value)
    assert read_id("4477C905-b644", READER.read) == Customer("4477c905-b644")
    assert isinstance(read_id("order_id:4477c905", READER.read), Identifier)


@pytest.mark.parametrize(
    ("said", "answer"),
    [("order_id:7", "whoever claimed it first"), ("user_id:u1", "Two users are never one customer")],
)
def test_only_devices_and_contacts_are_linked(said: str, answer: str) -> None:
    with pytest.raises(Unclear, match=answer):
        read_linkable(said, READER.read, "link")
    assert read_linkable("anonymous_id:a1", READER.read, "link").is_device


def test_a_user_with_or_without_its_kind() -> None:
    assert [read_user(said, "link", READER.read) for said in ("u1", "user_id:u:1", "u:1")] == ["u1", "u:1", "u:1"]
    lower = IdentityReader(IdentityRules(identifiers=Kinds(user_id=UserRules(normalise="lower", ignore=["kasse"]))))
    assert read_user("user_id:Ann", "link", lower.read) == "ann", "as the workers know it"
    with pytest.raises(Unclear):
        read_user("Kasse", "link", lower.read)
    for wrong in ("null", "order_id:7", " "):
        with pytest.raises(Unclear):
            read_user(wrong, "link", READER.read)


# -- whom a contact names ----------------------------------------------------------------------------------------------


CROWD = tuple(f"{CARD} user_id:x{number}" for number in range(12))


@pytest.mark.parametrize(
    ("pairs", "made", "user", "how", "said"),
    [
        ((f"{CARD} user_id:u1",), (), "u1", "link", "names user_id:u1: seen together once, last on 2026-03-02"),
        ((f"{CARD} {MAIL}", f"{MAIL} user_id:u1"), (), "u1", "chain", "seen together with email:m (purchase 00000000)"),
        ((f"{CARD} {MAIL}",), (), None, "nobody", "never seen together with a user"),
        ((f"{CARD} user_id:u1", f"{CARD} user_id:u2"), (), None, "several", "user_id:u1 and user_id:u2"),
        (
            (f"{CARD} user_id:u1", f"{CARD} {MAIL}", f"{MAIL} user_id:u2"),
            (),
            "u1",
            "own_links",
            "though other users are near",
        ),
        (CROWD, (), None, "nobody", "it is crowded"),
        (
            (f"{CARD} user_id:u1", f"{CARD} {MAIL}", f"{MAIL} user_id:u1"),
            (decided("unlink", CARD, "u1"),),
            None,
            "unlinked",
            "it was unlinked from user_id:u1 by hand",
        ),
        ((f"{CARD} user_id:u1",), (decided("unlink", CARD, "u1"),), None, "nobody", "a person decided that its links"),
        ((f"{CARD} user_id:u1",), (decided("block", CARD),), None, "blocked", "blocked by hand"),
        ((f"{CARD} user_id:u1",), (decided("link", CARD, "u2"),), "u2", "by_hand", "somebody linked it by hand"),
        (
            (f"{CARD} user_id:u1",),
            (decided("unlink", CARD, "u1"), decided("lift", CARD, "u1")),
            "u1",
            "link",
            "names user_id:u1",
        ),
    ],
)
def test_a_contact_and_the_reason(
    pairs: tuple[str, ...], made: tuple[Decision, ...], user: str | None, how: str, said: str
) -> None:
    found = named(CARD, *pairs, made=made)
    assert (found.user_id, found.how) == (user, how)
    assert said in texts.naming(found)


def test_a_chain_is_told_step_by_step() -> None:
    found = named(CARD, f"{CARD} {MAIL}", f"{MAIL} {PHONE}", f"{PHONE} user_id:u1")
    assert [link.other for link in found.path] == [MAIL, PHONE, "user_id:u1"]
    said = texts.naming(found)
    assert said.index("email:m") < said.index("phone:p") < said.rindex("user_id:u1")


# -- whose a touchpoint is ---------------------------------------------------------------------------------------------


def test_a_login_is_the_workers_answer() -> None:
    touches = [
        touch(1),
        touch(2, "identified", hours=1, user_id="u1"),
        touch(3, hours=2),
        touch(4, "signed_out", hours=3),
    ]
    touches.append(touch(5, hours=4))
    hearsay = hearsay_of(links().graph(Decisions(), RULES.limits), (), Decisions())
    owners = owners_on("anonymous_id:a", touches, hearsay, RULES)
    u1, device = customer_of("user_id", "u1"), customer_of("anonymous_id", "a")
    assert [owners[one.touchpoint_id] for one in touches] == [
        Owner(u1, "login"),
        Owner(u1, "user_id"),
        Owner(u1, "login"),
        Owner(u1, "login"),
        Owner(device, "device"),
    ]


def test_a_split_device_names_nobody() -> None:
    touches = [touch(1), touch(2, "identified", hours=1, user_id="u1")]
    standing = in_force([decided("unlink", "anonymous_id:a", "u1")])
    hearsay = hearsay_of(links().graph(standing, RULES.limits), (), standing)
    assert owners_on("anonymous_id:a", touches, hearsay, RULES)[touches[0].touchpoint_id].by == "device"


def test_only_usable_keys_are_keys() -> None:
    """Of a till that sends "null" as the order, every touchpoint claimed the order null."""
    assert touch(1, order_id="null", ticket_id="0000-00", receipt_id="R7").keys == ("receipt_id:R7",)


def test_what_fell_out_is_judged_by_what_it_carries_itself() -> None:
    """As the workers do: a login that fell out speaks for nobody."""
    few = Rules(replace(RULES.limits, kept=2, kiosk_touchpoints=1_000), RULES.ends)
    login, seen, *later = [
        touch(number, hours=number, **({"user_id": "u"} if not number else {})) for number in range(4)
    ]
    hearsay = hearsay_of(links().graph(Decisions(), few.limits), (), Decisions())
    owners = owners_on("anonymous_id:a", [login, seen, *later], hearsay, few)
    assert [owners[one.touchpoint_id].by for one in (login, seen, *later)] == ["user_id", "device", "device", "device"]
    long_ago = [touch(number, hours=number * 24 * 30) for number in range(4)]
    assert not too_many(long_ago, few.limits), "what was forgotten by its age had its answer before"


def test_the_claim_that_decides_a_key() -> None:
    def claim(number: int, hours: float, customer: str | None, by: str, **changes: object) -> Touch:
        one = touch(number, hours=hours, order_id="7")
        values = {name: getattr(one, name) for name in Touch.__dataclass_fields__}
        return Touch(**values | {"owner": Owner(customer, by)} | changes)

    weak = claim(1, 0, "browser", "device", weak=True)
    strong, later = claim(2, 1, "shop", "contact"), claim(3, 2, "other", "login")
    waits = claim(4, -1, None, "waiting", origin="order_id:7")
    key = key_of("order_id:7", [weak, strong, later, waits], {}, Decisions(), RULES.limits)
    found = deciding_claim(key)
    assert (key.owner, found and found.touchpoint_id) == ("shop", strong.touchpoint_id)
    alone = key_of("order_id:7", [weak, waits], {}, Decisions(), RULES.limits)
    assert (alone.owner, deciding_claim(key_of("order_id:7", [waits], {}, Decisions(), RULES.limits))) == (
        "browser",
        None,
    )
    blocked = key_of("order_id:7", [strong], {}, in_force([decided("block", "order_id:7")]), RULES.limits)
    assert (blocked.owner, deciding_claim(blocked)) == (None, None)
    worn = key_of("order_id:7", [strong, later], {}, Decisions(), replace(RULES.limits, key_touchpoints=1))
    assert (worn.owner, worn.is_worn, deciding_claim(worn)) == (None, True, None)


# -- decisions ---------------------------------------------------------------------------------------------------------


def test_the_same_decision_sent_twice_is_one() -> None:
    one, same, other = decided("block", CARD), decided("block", CARD), decided("block", CARD, reason="another")
    assert one.decision_id == same.decision_id != other.decision_id


def test_keep_time_hands_a_decision_to_every_partition() -> None:
    value = encode(decided("unlink", CARD, "u1"))
    headers = control_headers("decision", 0, value, SECRET)
    assert read_control(headers, 0, value, SECRET) == Control("decision")
    logs = Logs(AT)
    logs.append("progress", 0, None, value, headers)
    out: list[Effect] = []
    KeepTime(12, 12, SECRET).apply(logs.read("progress", 0)[0], out)
    assert sorted(effect.partition for effect in out if effect.topic == "touchpoints.raw") == list(range(12))


def test_no_more_decisions_than_the_workers_keep() -> None:
    standing = in_force(decided("link", f"loyalty_card:{number}", "u1") for number in range(MOST))
    assert not standing.has_room(decided("block", CARD))
    assert standing.has_room(decided("lift", CARD))
    assert standing.has_room(decided("unlink", "loyalty_card:7", "u1")), "it takes the place of another"
    standing.take(decided("block", CARD), MOST)
    assert (len(standing), standing.is_blocked(CARD)) == (MOST, False)
    standing.take(decided("lift", "loyalty_card:7", "u1"), MOST + 1)
    assert standing.has_room(decided("block", CARD))


def test_lift_finds_the_decision_that_is_meant() -> None:
    card = identifier_of("loyalty_card:C")
    made = [decided("unlink", CARD, "u1"), decided("block", CARD)]
    assert user_to_lift(card, made[:1], None) == "u1"
    assert user_to_lift(card, made, "u1") == "u1"
    with pytest.raises(Unclear, match="2 decisions on loyalty_card:C"):
        user_to_lift(card, made, None)
    with pytest.raises(Unclear, match="no decision on loyalty_card:C"):
        user_to_lift(card, [*made[:1], decided("lift", CARD, "u1")], None)
