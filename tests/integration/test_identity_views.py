"""Whose a touchpoint is, as the views show it: rule 3 and what people decided, for touchpoints of any age."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from deploy.embedded.clickhouse.launch import RunningClickHouse
from schemas.identifiers import customer_of
from schemas.records import Resolved
from tests.integration.clickhouse_fixture import clickhouse as clickhouse
from tests.integration.tables_rig import Tables, tables_of
from tests.sink_records import DAY_AT, attach, customer, decision, detach, naming, resolved

pytestmark = pytest.mark.timeout(120)
MAIL, PHONE, CARD = "email:hmac:aa", "phone:hmac:bb", "loyalty_card:L1"
DAY_MS = 86_400_000


@pytest.fixture
def tables(clickhouse: RunningClickHouse) -> Iterator[Tables]:
    yield from tables_of(clickhouse)


def of_user(user_id: str) -> str:
    return customer_of("user_id", user_id)


def on(origin: str, number: int, by: str, *contacts: str, owner: str | None = None, **changes: Any) -> Resolved:
    """A touchpoint on `origin`; its own customer unless somebody else is given."""
    kind, value = origin.split(":", 1)
    fields: dict[str, Any] = {
        "origin": origin,
        "attributed_by": by,
        "contacts": list(contacts),
        "customer_id": customer_of(kind, value) if owner is None else owner,
        "identifiers": {kind: value},
        "keys": {},
    }
    return resolved(number, **fields | changes)


def test_a_link_found_today_moves_old_card_purchases_and_an_unlink_takes_them_back(tables: Tables) -> None:
    own = (customer_of("loyalty_card", "L1"), "contact")
    tables.put(on(CARD, 1, "contact", CARD), on(CARD, 2, "contact", CARD, MAIL))
    assert tables.owners() == {"m1": own, "m2": own}
    tables.put(naming(CARD, "u1", offset=10))
    assert tables.owners() == {"m1": (of_user("u1"), "contact"), "m2": (of_user("u1"), "contact")}
    tables.put(naming(MAIL, "u2", offset=11))
    assert tables.owners() == {"m1": (of_user("u1"), "contact"), "m2": own}, "two users: its own again"
    tables.put(naming(MAIL, "u1", offset=12))
    assert tables.owners()["m2"] == (of_user("u1"), "contact")
    tables.put(naming(CARD, None, offset=13), naming(MAIL, None, offset=14))
    assert tables.owners() == {"m1": own, "m2": own}


def test_an_older_naming_that_comes_again_changes_nothing(tables: Tables) -> None:
    tables.put(on(CARD, 1, "contact", CARD))
    tables.put(naming(CARD, "u1", offset=10))
    tables.put(naming(CARD, "u2", offset=20))
    tables.put(naming(CARD, "u1", offset=10))
    assert tables.owners() == {"m1": (of_user("u2"), "contact")}


def test_contacts_decide_on_a_device_only_where_logins_do_not(tables: Tables) -> None:
    device = "anonymous_id:d1"
    tables.put(
        on(device, 1, "device", MAIL),
        on(device, 2, "device"),
        on(device, 3, "login", MAIL, owner=of_user("u9")),
        on(device, 4, "user_id", MAIL, owner=of_user("u9"), identifiers={"anonymous_id": "d1", "user_id": "u9"}),
        on(device, 5, "device", MAIL, too_late=True),
        on("device_id:d2", 6, "contact", PHONE, MAIL, owner=of_user("u7")),
    )
    tables.put(naming(MAIL, "u1", offset=10))
    own = (customer_of("anonymous_id", "d1"), "device")
    assert tables.owners() == {
        "m1": (of_user("u1"), "contact"),
        "m2": own,
        "m3": (of_user("u9"), "login"),
        "m4": (of_user("u9"), "user_id"),
        "m5": own,
        "m6": (of_user("u1"), "contact"),
    }
    tables.put(naming(MAIL, None, offset=11))
    assert tables.owners()["m6"] == (customer_of("device_id", "d2"), "device")


def test_a_contact_that_is_not_usable_attributes_nothing(tables: Tables) -> None:
    """A browser's: stored with the touchpoint, and not among its contacts."""
    browser = on("anonymous_id:d1", 1, "device", identifiers={"anonymous_id": "d1", "email": "hmac:aa"})
    tables.put(browser, naming(MAIL, "u1", offset=10))
    assert tables.owners() == {"m1": (customer_of("anonymous_id", "d1"), "device")}


def test_what_resolve_says_later_still_counts(tables: Tables) -> None:
    tables.put(on("anonymous_id:d1", 1, "device", MAIL), on("order_id:7", 2, "business_key", owner=customer(2)))
    tables.put(naming(MAIL, "u1", offset=10), attach([1], 40, offset=20), detach([2], 2, offset=21))
    assert tables.owners() == {"m1": (customer(40), "login"), "m2": ("", "waiting")}


def test_decisions_count_for_touchpoints_of_any_age_and_lifting_takes_them_back(tables: Tables) -> None:
    device = "anonymous_id:d1"
    tables.put(
        on(device, 1, "device"),
        on(device, 2, "login", MAIL, owner=of_user("u1")),
        on(device, 3, "login", owner=of_user("u2")),
        on(device, 4, "user_id", owner=of_user("u1")),
        on("order_id:7", 5, "business_key", owner=of_user("u1")),
        on(device, 6, "device", too_late=True),
    )
    stored = tables.owners()
    own = (customer_of("anonymous_id", "d1"), "device")
    tables.put(decision(1, "link", device, "u3"))
    tables.put(decision(2, "link", device, "u4"))
    by_hand = (of_user("u4"), "manual")
    assert tables.owners() == stored | {"m1": by_hand, "m2": by_hand, "m3": by_hand}
    tables.put(decision(3, "lift", device, "u4"))
    assert tables.owners()["m1"] == (of_user("u3"), "manual"), "the link before it counts again"
    tables.put(decision(4, "unlink", device, "u3"), decision(5, "unlink", device, "u1"))
    assert tables.owners() == stored | {"m2": own}
    tables.put(naming(MAIL, "u5", offset=10))
    assert tables.owners() == stored | {"m2": (of_user("u5"), "contact")}
    tables.put(decision(6, "lift", device, "u1"), decision(7, "block", "user_id:u2"))
    assert tables.owners() == stored | {"m3": own}
    tables.put(decision(8, "lift", "user_id:u2"), decision(9, "block", device), decision(10, "block", "order_id:7"))
    expected = stored | {"m2": (of_user("u5"), "contact"), "m3": own, "m5": ("", "waiting")}
    assert tables.owners() == expected
    tables.put(decision(11, "lift", device), decision(12, "lift", "order_id:7"))
    assert tables.owners() == stored


def test_decisions_in_force(tables: Tables) -> None:
    tables.put(decision(1, "link", CARD, "u1"), decision(2, "unlink", CARD, "u1"), decision(3, "block", CARD))
    tables.put(decision(4, "lift", CARD), decision(1, "link", CARD, "u1"))
    found = tables.select("SELECT identifier, user_id, kind, customer_id, decided_by FROM DB.v_identity_decisions")
    assert sorted(found) == [
        (CARD, "", "lifted", customer_of("loyalty_card", "L1"), "support"),
        (CARD, "u1", "unlink", of_user("u1"), "support"),
    ]


def test_the_settings_of_a_client_change_no_owner(tables: Tables) -> None:
    """Some BI tools set join_use_nulls."""
    tables.put(on(CARD, 1, "contact", CARD), on(MAIL, 2, "contact", MAIL), on("anonymous_id:d1", 3, "login", MAIL))
    tables.put(naming(CARD, "u1", offset=10), decision(1, "block", "order_id:1"), attach([3], 40, offset=20))
    query = f"SELECT message_id, customer_id, attributed_by FROM {tables.address.database}.v_touchpoints ORDER BY ALL"
    found = [tables.client.query(query, settings={"join_use_nulls": nulls}).result_rows for nulls in (0, 1)]
    assert found[0] == found[1]
    assert found[0][0] == ("m1", of_user("u1"), "contact")


def test_the_timeline_shows_the_new_owner_at_once(tables: Tables) -> None:
    tables.put(on(CARD, 1, "contact", CARD), naming(CARD, "u1", offset=10))
    timeline = "SELECT what, id FROM DB.v_customer_timeline WHERE customer_id = '{}'"
    assert tables.select(timeline.format(of_user("u1"))) == [("touchpoint", f"{1:032x}")]
    assert tables.select(timeline.format(customer_of("loyalty_card", "L1"))) == []


def test_accounts_follow_the_customer(tables: Tables) -> None:
    tables.put(on(CARD, 1, "contact", CARD), on(CARD, 2, "contact", CARD))
    tables.client.command(
        f"INSERT INTO {tables.address.database}.touchpoints SELECT * REPLACE ('firm' AS account_id, rev + 1 AS rev)"
        f" FROM {tables.address.database}.touchpoints"
    )
    tables.put(naming(CARD, "u1", offset=10))
    found = tables.select("SELECT customer_id, account_id, touchpoints, first_at < last_at FROM DB.v_customer_accounts")
    assert found == [(of_user("u1"), "firm", 2, True)]


def test_links_are_pairs_on_one_on_time_touchpoint(tables: Tables) -> None:
    device, user = "anonymous_id:d1", {"anonymous_id": "d1", "user_id": "u1"}
    tables.put(
        on(device, 1, "user_id", PHONE, MAIL, owner=of_user("u1"), identifiers=user),
        on(device, 2, "user_id", MAIL, owner=of_user("u1"), identifiers=user),
        on(device, 3, "user_id", MAIL, owner=of_user("u1"), identifiers=user, too_late=True),
        on(device, 4, "device", identifiers={"anonymous_id": "d1", "user_id": "guest"}),
    )
    names = "link, one, other, touchpoints, first_touchpoint_id, last_touchpoint_id"
    first, second = f"{1:032x}", f"{2:032x}"
    assert sorted(tables.select(f"SELECT {names} FROM DB.v_identity_links")) == [
        ("contact_contact", MAIL, PHONE, 1, first, first),
        ("user_contact", "user_id:u1", MAIL, 2, first, second),
        ("user_contact", "user_id:u1", PHONE, 1, first, first),
        ("user_device", "user_id:u1", device, 2, first, second),
    ]


def test_health_names_what_is_conspicuous(tables: Tables) -> None:
    records = []
    for n in range(11):
        owner, device = of_user(f"u{n}"), "device_id:till"
        named = {"device_id": "till", "user_id": f"u{n}"}
        records.append(on(device, n, "user_id", CARD, owner=owner, identifiers=named))
        named = {"device_id": "d1", "user_id": f"u{n % 4}"}
        records.append(on("device_id:d1", 20 + n, "user_id", owner=owner, identifiers=named))
    shouted = {"anonymous_id": "d2", "user_id": "u1"}
    records += [on("anonymous_id:d2", 40 + n, "device", identifiers=shouted) for n in range(3)]
    records += [on("anonymous_id:bot", 100 + n, "device", occurred_at=DAY_AT - 3 * DAY_MS) for n in range(1_001)]
    tables.put(*records)
    found = tables.select(
        "SELECT problem, identifier, detail, day IS NULL, number, touchpoints FROM DB.v_identity_health"
    )
    assert sorted(found) == [
        ("crowded", CARD, "user_id", True, 11, 11),
        ("kiosk_day", "anonymous_id:bot", "", False, 0, 1_001),
        ("kiosk_day", "device_id:till", "", False, 11, 11),
        ("shared_device", "device_id:d1", "", True, 4, 11),
        ("shared_device", "device_id:till", "", True, 11, 11),
        ("user_id_ignored", "user_id:u1", "shop", True, 0, 3),
    ]
