"""What `touchline identity` explains is what the workers did, and what it previews is what they do: the real stages,
and their rows in real ClickHouse.
"""

from __future__ import annotations

import pytest

from deploy.cli.identity_screens import preview_screen, show_screen, why_screen
from deploy.identity.asked import Customer, Unclear
from deploy.identity.decide import has_arrived, moved
from deploy.identity.show import find
from deploy.identity.touch import Owner
from deploy.identity.why import why
from schemas.control_records import DecisionKind
from schemas.identifiers import customer_of
from tests.integration.clickhouse_fixture import clickhouse as clickhouse
from tests.integration.identity_rig import GUEST, Make, all_leaves, busy, flat, handed_on, lines
from tests.integration.identity_rig import make as make
from tests.integration.identity_world import READER, RULES

pytestmark = pytest.mark.timeout(280)


@pytest.mark.parametrize("seed", [1, 2])
def test_every_explanation_says_what_the_workers_did(make: Make, seed: int) -> None:
    rig = make()
    busy(rig.world, seed)
    rig.stored()
    wrong = []
    rules = set()
    for touch in rig.touches():
        found = why(rig.source, touch, RULES, rig.world.now)
        rules.add(found.owner.by)
        if found.owner != touch.owner:
            wrong.append((touch.name, touch.origin, touch.contacts, touch.owner, found.owner))
    assert wrong == []
    assert {"user_id", "contact", "device"} <= rules


@pytest.mark.parametrize("seed", [4, 5])
def test_a_decision_changes_what_its_preview_said_and_nothing_else(make: Make, seed: int) -> None:
    rig = make()
    busy(rig.world, seed)
    rig.stored()
    made: list[tuple[DecisionKind, str, str | None]] = [
        ("unlink", "loyalty_card:C1", "u1"),
        ("link", "anonymous_id:a1", "u2"),
        ("block", "user_id:u3", None),
        ("block", "order_id:8", None),
        ("link", "loyalty_card:C2", "u4"),
    ]
    for kind, identifier, user in made:
        before, expected = rig.owners(), rig.preview(kind, identifier, user)
        rig.world.decide(kind, identifier, user)
        after = rig.stored().owners()
        changed = {name for name, owner in after.items() if owner.customer_id != before[name].customer_id}
        assert changed == {move.touch.touchpoint_id for move in expected.moves}, (kind, identifier)
        assert {move.touch.touchpoint_id: move.after for move in expected.moves} == {
            name: after[name] for name in changed
        }
        assert moved(rig.source, expected) == (len(changed), len(changed))


def test_a_wrong_merge_by_card_is_seen_explained_and_split(make: Make) -> None:
    rig = make()
    handed_on(rig.world)
    rig.stored()
    u1, guest = customer_of("user_id", "u1"), customer_of("email", str(GUEST))
    order = rig.why("order")
    assert (order.owner, order.user_id, order.differs) == (Owner(u1, "contact"), "u1", False)
    assert [link.other for link in order.namings[0].path] == ["loyalty_card:C1", "user_id:u1"]
    assert [one.definition for one in order.journeys] == ["click_and_collect"]
    assert "payment_trouble" in " ".join(one.first_line for one in order.alerts)
    leaves = all_leaves(rig.show("user_id:u1"))
    assert {"loyalty_card:C1", f"email:{GUEST}", "order_id:7788"} <= leaves.keys()
    chained = leaves[f"email:{GUEST}"].edge
    assert chained is not None
    assert chained.rule == "chain"

    expected = rig.preview("unlink", "loyalty_card:C1", "u1")
    assert {move.after.customer_id for move in expected.moves if move.touch.message_id == "order"} == {guest}
    assert len(expected.moves) == 5
    assert [one.anchor for one in expected.journeys] == ["order_id:7788"]
    assert len(expected.alerts) == len(order.alerts)
    decision = rig.world.decide("unlink", "loyalty_card:C1", "u1", "card handed on")
    rig.stored()
    assert has_arrived(rig.source, decision)

    split = rig.why("order")
    assert (split.owner, split.touch.owner) == (Owner(guest, "contact"), Owner(guest, "contact"))
    assert [one.customer_id for one in split.journeys] == [guest]
    assert len(split.alerts) == len(order.alerts), "the trouble is still open, for its new customer"
    assert [one.reason for one in split.decisions] == ["card handed on"]
    assert rig.why("sign-up").owner == Owner(u1, "user_id")
    assert "card handed on" in flat(show_screen(rig.show("loyalty_card:C1")))
    told = rig.client.query(
        f"SELECT state FROM {rig.database}.v_alerts WHERE customer_id = {{u1:String}}", parameters={"u1": u1}
    )
    assert {row[0] for row in told.result_rows} == {"moved"}


def test_what_a_split_leaves_joined_is_said(make: Make) -> None:
    rig = make()
    rig.world.tell("signed_up", hours=0, source="till", user_id="u1", loyalty_card="C1", email="guest@example.com")
    rig.world.tell("purchase", hours=1, source="till", loyalty_card="C1", phone="+4915112345678")
    rig.stored()
    phone = f"phone:{READER.read('phone', '+4915112345678')}"
    assert rig.preview("unlink", "loyalty_card:C1", "u1").still == (phone,)


def test_devices_kiosks_and_claims(make: Make) -> None:
    rig = make()
    world = rig.world
    world.tell("page_viewed", hours=0, anonymous_id="a1", message_id="before")
    world.tell("identified", hours=1, anonymous_id="a1", user_id="u1", message_id="login")
    world.tell("signed_out", hours=2, anonymous_id="a1")
    world.tell("page_viewed", hours=3, anonymous_id="a1", order_id="7", message_id="after")
    for number in range(6):
        world.tell("identified", hours=4 + number / 10, anonymous_id="tablet", user_id=f"x{number}")
    world.tell("page_viewed", hours=5, anonymous_id="tablet", message_id="kiosk")
    world.tell("payment_declined", hours=5, source="payments", order_id="7", message_id="keyed")
    world.tell("payment_declined", hours=5, source="payments", order_id="8", message_id="waits")
    world.tell("page_viewed", hours=-100, anonymous_id="a1", late=105, message_id="late")
    world.tell(
        "page_viewed", hours=6, source="browser", trust="browser", user_id="u1", anonymous_id="b", message_id="says"
    )
    rig.stored()
    before, after = rig.why("before"), rig.why("after")
    assert before.after is not None
    assert (before.user_id, before.after.touch.message_id, before.after.fault) == ("u1", "login", "")
    assert after.before is not None
    assert (after.owner.by, after.before.fault) == ("device", "logout")
    kiosk = rig.why("kiosk")
    assert kiosk.kiosk is not None
    assert (kiosk.kiosk.users, kiosk.owner.by) == (6, "device")
    assert rig.why("keyed").owner == Owner(customer_of("anonymous_id", "a1"), "business_key")
    assert (rig.why("waits").owner.by, rig.why("late").touch.too_late) == ("waiting", True)
    words = {name: flat(why_screen(rig.why(name))) for name in ("kiosk", "keyed", "waits", "late", "says", "after")}
    for name, said in (
        ("kiosk", "was a kiosk: 6 users"),
        ("keyed", "claimed first by page_viewed"),
        ("waits", "order_id:8 waits"),
        ("late", "too late"),
        ("says", "a browser said so without a proof"),
        ("after", "signed out"),
    ):
        assert said in words[name]
    marks = {mark.kind for mark in rig.show("anonymous_id:tablet").marks}
    assert marks == {"kiosk", "shared"}
    assert {mark.kind for mark in rig.show("order_id:8").marks} == {"waiting"}
    assert rig.show("order_id:7").customer_id == customer_of("anonymous_id", "a1")


def test_crowds_are_bounded_and_marked(make: Make) -> None:
    rig = make()
    for number in range(60):
        rig.world.tell("purchase", hours=number / 10, source="till", user_id="till", email=f"p{number}@example.com")
        rig.world.tell("identified", hours=number / 10, anonymous_id=f"d{number}", user_id="till")
    rig.stored()
    shown = rig.show("user_id:till")
    branches = {branch.group: branch for branch in shown.branches}
    assert branches["devices"].more == 60 - len(branches["devices"].leaves)
    assert branches["apart"].more + len(branches["apart"].leaves) == 60
    assert {mark.kind for leaf in branches["apart"].leaves for mark in leaf.marks} == {"crowded"}
    assert "crowded" in flat(show_screen(shown))
    email = rig.show("email:p3@example.com")
    assert email.naming is not None
    assert (email.naming.user_id, email.root) == (None, f"email:{READER.read('email', 'p3@example.com')}")


def test_ids_as_screens_show_them_lead_back(make: Make) -> None:
    rig = make()
    handed_on(rig.world)
    rig.stored()
    u1 = customer_of("user_id", "u1")
    for asked in (u1, u1[:8], u1.upper()):
        assert find(rig.source, Customer(asked.lower())) == "user_id:u1"
        assert rig.show(asked).root == "user_id:u1"
    beginning = f"email:{str(GUEST)[:13]}…"
    assert rig.show(beginning).asked == f"email:{GUEST}"
    (touch,) = rig.source.touchpoint("order")
    assert rig.source.touchpoint(touch.touchpoint_id[:8]) == [touch]
    with pytest.raises(Unclear, match="no customer 00000000"):
        rig.show("00000000")
    with pytest.raises(Unclear, match="nothing stored begins"):
        rig.show("email:hmac:00000000")


def test_every_screen_fits_80_columns_and_100(make: Make) -> None:
    rig = make()
    busy(rig.world, 7, touchpoints=30)
    rig.stored()
    shown = [rig.show(asked) for asked in ("user_id:u1", "anonymous_id:a1", "loyalty_card:C1", "order_id:7")]
    answers = [why(rig.source, touch, RULES, rig.world.now) for touch in rig.touches()[:5]]
    expected = rig.preview("block", "user_id:u1")
    for width in (80, 100):
        for tree in shown:
            assert tree.root in lines(show_screen(tree), width)
        for answer in answers:
            screen, touch = flat(why_screen(answer), width), answer.touch
            assert touch.touchpoint_id in screen
            assert f"touchpoints.raw/{touch.raw_partition}/{touch.raw_offset}" in screen
        assert "changes hands" in lines(preview_screen(expected), width)
