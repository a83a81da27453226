"""Views that know kinds of identifiers of a deployment's own: for rows of any age, also those that lay there before."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploy.embedded.clickhouse.launch import RunningClickHouse
from schemas.identifiers import BUILT_IN_KINDS, IdentifierKinds, customer_of
from sinks.clickhouse.migrate import ClickHouseDatabase, migrate
from sinks.clickhouse.statements import Target
from tests.integration.clickhouse_fixture import clickhouse as clickhouse
from tests.integration.tables_rig import Tables, tables_of
from tests.integration.test_identity_views import of_user, on
from tests.sink_records import decision, naming

pytestmark = pytest.mark.timeout(120)
KINDS = IdentifierKinds(
    devices=(*BUILT_IN_KINDS.devices, "cookie_id"),
    contacts=(*BUILT_IN_KINDS.contacts, "member", "passport"),
    keys=(*BUILT_IN_KINDS.keys, "booking_id"),
)
COOKIE, MEMBER, PASSPORT, MAIL = "cookie_id:c1", "member:m1", "passport:hmac:aa", "email:hmac:bb"


@pytest.fixture
def tables(clickhouse: RunningClickHouse) -> Iterator[Tables]:
    yield from tables_of(clickhouse)


def with_views(tables: Tables, kinds: IdentifierKinds) -> None:
    target = Target(tables.address.database, kinds=kinds)
    assert migrate(ClickHouseDatabase(tables.client, target), target) == [], "a kind needs no migration"


def test_rows_of_any_age_follow_whom_own_contacts_name_and_what_was_decided(tables: Tables) -> None:
    tables.put(
        on(PASSPORT, 1, "contact", PASSPORT, identifiers={"other": {"passport": "hmac:aa"}}),
        on(MAIL, 2, "contact", MAIL, MEMBER, identifiers={"email": "hmac:bb", "other": {"member": "m1"}}),
        on(COOKIE, 3, "device", identifiers={"other": {"cookie_id": "c1"}}),
        on(COOKIE, 4, "device", MEMBER, identifiers={"other": {"cookie_id": "c1", "member": "m1"}}),
        on("booking_id:B", 5, "business_key", owner=of_user("u9"), identifiers={"other": {"booking_id": "B"}}),
        on("anonymous_id:a", 6, "device", identifiers={"anonymous_id": "a"}),
    )
    with_views(tables, KINDS)
    plain = tables.owners()
    own = customer_of("cookie_id", "c1")
    assert (plain["m3"], plain["m4"]) == ((own, "device"), (own, "device")), "nothing is named or decided yet"
    tables.put(naming(PASSPORT, "u1", offset=10), naming(MEMBER, "u2", offset=11))
    named = plain | {
        "m1": (of_user("u1"), "contact"),
        "m2": (of_user("u2"), "contact"),
        "m4": (of_user("u2"), "contact"),
    }
    assert tables.owners() == named
    tables.put(naming(MAIL, "u3", offset=12))
    assert tables.owners()["m2"] == plain["m2"], "two users: its own again"
    tables.put(decision(1, "link", COOKIE, "u4"), decision(2, "block", "booking_id:B"))
    by_hand = (of_user("u4"), "manual")
    assert tables.owners() == named | {"m2": plain["m2"], "m3": by_hand, "m4": by_hand, "m5": ("", "waiting")}
    tables.put(decision(3, "lift", COOKIE, "u4"), decision(4, "lift", "booking_id:B"), naming(MAIL, None, offset=13))
    assert tables.owners() == named
    found = tables.select("SELECT message_id, other_identifiers FROM DB.v_touchpoints ORDER BY message_id")
    assert found[3] == ("m4", {"cookie_id": "c1", "member": "m1"})
    assert found[5] == ("m6", {})


def test_own_devices_are_devices_in_links_and_health(tables: Tables) -> None:
    with_views(tables, KINDS)
    records = [
        on(COOKIE, n, "user_id", owner=of_user(f"u{n}"), identifiers={"user_id": f"u{n}", "other": {"cookie_id": "c1"}})
        for n in range(6)
    ]
    tables.put(*records)
    links = tables.select("SELECT link, one, other FROM DB.v_identity_links ORDER BY one")
    assert links == [("user_device", f"user_id:u{n}", COOKIE) for n in range(6)]
    health = tables.select("SELECT problem, identifier, number FROM DB.v_identity_health")
    assert sorted(health) == [("kiosk_day", COOKIE, 6), ("shared_device", COOKIE, 6)]


def test_an_alone_own_contact_is_the_customer_that_the_workers_say(tables: Tables) -> None:
    with_views(tables, KINDS)
    said = {"other": {"passport": "hmac:aa"}}
    lent = on(PASSPORT, 1, "contact", PASSPORT, owner=of_user("u1"), identifiers=said)
    tables.put(lent, naming(PASSPORT, None, offset=3))
    assert tables.owners() == {"m1": (customer_of("passport", "hmac:aa"), "contact")}
