"""A kind of one's own is worth what the built-in ones of its group are, from the border to journeys and rows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any, Final

import msgspec
import pytest
from pydantic import ValidationError

from deploy.identity.asked import Unclear, read_id, read_identifier, read_linkable
from schemas import decoded as border
from schemas.decode import Invalid
from schemas.fast import DECODE_ERRORS, encode, fast_decoder
from schemas.identifiers import IdentifierKinds
from schemas.identity_reader import DEFAULT_READER
from schemas.records import Resolved, StoredIdentifiers
from schemas.touchpoint import Identifiers, Touchpoint
from schemas.wire import wire_of
from sinks.clickhouse.rows import COLUMNS, rows_of
from sinks.clickhouse.statements import Target, column_of, kind_variables
from streams.identity import device, state
from streams.journey.track import Track
from streams.journey.values import Kept
from tests.journey_case import MINUTE, NOON, Log, assert_restart_changes_nothing, compiled, play, touch
from tests.simulated.judge import judge_own_kinds
from tests.sink_records import resolved
from tests.unit.own_rules import KINDS, READER, TIME, decode, decoded, segment

HISTORIES: Final = 25


def test_a_touchpoint_carries_them_like_any_other() -> None:
    found = decoded(cookie_id="c1", user_id="u1", member=" M-7 ", booking_id="B-7", order_id="7")
    assert (found.routing, found.device, found.user_id) == ("cookie_id:c1", "cookie_id:c1", "u1")
    assert found.contacts == ("member:m-7",)
    assert found.keys == {"order_id": "7", "booking_id": "B-7"}
    assert decoded(booking_id="B-7").routing == "booking_id:B-7"
    assert decoded(booking_id="B-7", member="m").routing == "member:m"
    assert decoded(anonymous_id="a", cookie_id="c1").routing == "anonymous_id:a", "by priority"
    assert decoded(cookie_id="null", booking_id="B-7").routing == "booking_id:B-7", "a placeholder is none"


def test_what_is_stored_of_them_needs_no_field() -> None:
    found = decoded(cookie_id="c1", booking_id="B-7", email="ann@example.com").identifiers
    stored = json.loads(encode(found))
    assert stored["other"] == {"cookie_id": "c1", "booking_id": "B-7"}
    assert stored["email"].startswith("hmac:")
    assert fast_decoder(StoredIdentifiers)(encode(found)) == found
    assert json.loads(encode(decoded(order_id="7").identifiers)) == {"order_id": "7"}


def test_a_kind_that_is_not_declared_is_a_violation_that_names_the_nearest() -> None:
    found = decode(boking_id="B-7")
    assert found == Invalid("contract_violation", "identifiers.boking_id", "unknown field, perhaps booking_id is meant")
    assert decode(other="x") == Invalid("contract_violation", "identifiers.other", "unknown field")
    assert decode(zzz="x") == Invalid("contract_violation", "identifiers.zzz", "unknown field")
    long = decode(booking_id="B" * 201)
    assert isinstance(long, Invalid)
    assert long.field == "identifiers.booking_id"


def test_personal_ones_are_hashed_wherever_they_stand() -> None:
    found = decoded(passport="C01X", properties={"passportNo": "C01X", "deep": {"guest_passport": "C01X"}, "note": "x"})
    hashed = READER.read("passport", "C01X")
    assert hashed is not None
    assert hashed.startswith("hmac:")
    assert found.contacts == (f"passport:{hashed}",)
    assert found.properties == {"passportNo": hashed, "deep": {"guest_passport": hashed}, "note": "x"}


def test_of_a_browser_contacts_count_nothing() -> None:
    found = decoded(("trust", b"browser"), cookie_id="c1", member="M", booking_id="B-7", user_id="u1")
    assert (found.device, found.contacts, found.user_id) == ("cookie_id:c1", (), None)
    assert found.keys == {"booking_id": "B-7"}


def test_segment_items_carry_them_in_the_places_of_their_groups() -> None:
    found = segment(
        anonymousId=None,
        context={"cookieId": "c1", "traits": {"passport": "C01X", "member": "M-7"}},
        properties={"bookingId": "B-7", "order_id": 7},
    )
    assert found.device == "cookie_id:c1"
    assert found.keys == {"order_id": "7", "booking_id": "B-7"}
    assert [contact.partition(":")[0] for contact in found.contacts] == ["member", "passport"]
    assert found.contacts[0] == "member:m-7"
    identified = segment(type="identify", userId="u1", traits={"member": "M-7", "plan": "gold"})
    assert identified.contacts == ("member:m-7",)
    assert identified.properties == {"plan": "gold"}, "what became an identifier is no property"


@pytest.mark.parametrize(
    "identifiers",
    [
        {},
        {"cookie_id": "c"},
        {"cookie_id": None},
        {"cookie_id": ""},
        {"cookie_id": 7},
        {"x": "y"},
        {"booking_id": "b" * 201},
    ]
    + [{"booking_id": "b", "email": "e", "account_id": "a"}, {"other": {"cookie_id": "c"}}, []],
)
def test_both_decoders_of_the_contract_agree(identifiers: Any) -> None:
    wire = wire_of(KINDS)
    content = json.dumps({"message_id": "m", "name": "n", "occurred_at": TIME, "identifiers": identifiers}).encode()
    try:
        by_pydantic = wire.touchpoint.model_validate_json(content)
    except ValidationError:
        by_pydantic = None
    try:
        found = wire.decode(content)
    except DECODE_ERRORS:
        found = None
    assert (found is None) == (by_pydantic is None)
    if by_pydantic is not None:
        assert encode(found) == encode(by_pydantic)


def test_without_own_kinds_the_contract_is_the_very_same() -> None:
    wire = DEFAULT_READER.wire
    assert wire.touchpoint is Touchpoint
    assert wire.identifiers is wire_of(DEFAULT_READER.kinds).identifiers
    assert set(wire_of(KINDS).touchpoint.model_fields) == set(Touchpoint.model_fields)
    assert "booking_id" not in Identifiers.model_fields


def test_laws_hold_in_histories_with_kinds_of_ones_own() -> None:
    """Against the oracle that knows nothing of this code; more of them: `make histories`."""
    covered = Counter(name for seed in range(HISTORIES) for name in judge_own_kinds(seed))
    wanted = {"cookie_id: device", "cookie_id: login", "cookie_id: user_id", "passport: contact"}
    wanted |= {"booking_id: business_key", "booking_id: waiting", "a touchpoint in a foreign partition"}
    assert wanted <= covered.keys()


def new_tail(routing: str, _: IdentifierKinds) -> Any:
    return device.new_tail(routing)


group_of_all = IdentifierKinds.group_of


def group_of(kinds: IdentifierKinds, kind: str) -> str | None:
    return None if kind in kinds.added else group_of_all(kinds, kind)


def judge_all(histories: int) -> None:
    for seed in range(histories):
        judge_own_kinds(seed)


DEFECTS: Final[dict[str, tuple[object, str, Callable[..., Any], int]]] = {
    "the owner of an own device takes it for a subject": (state, "new_tail", new_tail, 5),
    "an own contact is not among the contacts": (border, "_named", lambda usable, reader: (), 5),
    "decisions about own kinds are not heard": (IdentifierKinds, "group_of", group_of, 40),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_the_laws_find(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where, what, instead, histories = DEFECTS[name]
    monkeypatch.setattr(where, what, instead)
    with pytest.raises(AssertionError):
        judge_all(histories)


def test_what_was_kept_before_there_were_own_kinds_can_be_read() -> None:
    before = ["t", "seen", NOON, 0, NOON, "web", None, 1, 7, None, None]
    kept = msgspec.convert(before, Kept)
    assert (kept.kinds, kept.own) == (1, ())


def told(rng: Random) -> Log:
    """A customer's touchpoints at random, some with an order, told to it and to the owner of the order."""
    log, at = Log(), NOON
    names = ("order_placed", "payment_captured", "ready_for_pickup", "picked_up", "payment_declined", "page_viewed")
    for number in range(rng.randint(3, 14)):
        at += rng.randrange(40) * MINUTE
        order = rng.choice(("7", "7", "8", None))
        name = rng.choice(names)
        facts: dict[str, Any] = {"fulfilment": "pickup"} if name == "order_placed" else {}
        entry = touch(name, at, tid=f"t{number:02}", channel=rng.choice(("web", "store")), order=order, **facts)
        if rng.random() < 0.3:
            entry = entry.model_copy(update={"keys": {**entry.keys, "receipt_id": "r"}})
        log.resolved(entry)
        if order is not None:
            log.attach(entry, scope=f"order_id:{order}")
        if rng.random() < 0.3:
            log.tick(at)
    log.tick(at + 3_000 * MINUTE)
    return log


def renamed(log: Log) -> Log:
    for record in log.records:
        assert record.value is not None
        record.value = record.value.replace(b"order_id", b"booking_id")
    return log


def seen(value: bytes) -> Any:
    """Without ids, which follow from the anchor; what it is about by its old name."""
    found = msgspec.json.decode(value.replace(b"booking_id", b"order_id"))
    ids = ("journey_id", "alert_id", "dedup_key", "continues")
    return {name: content for name, content in found.items() if name not in ids}


@pytest.mark.parametrize("absent", ["ignore", "only_open_one"])
def test_journeys_of_a_renamed_key_are_those_of_the_key_renamed(absent: str) -> None:
    built_in, own = ({"instance": {"key": key, "if_absent": absent}} for key in ("order_id", "booking_id"))
    written = 0
    for seed in range(60):
        first = play(told(Random(seed)), Track(0, compiled(built_in), "live")).effects
        second = play(renamed(told(Random(seed))), Track(0, compiled(own), "live")).effects
        expected = sorted((one.topic, json.dumps(seen(one.value), sort_keys=True)) for one in first)
        assert sorted((one.topic, json.dumps(seen(one.value), sort_keys=True)) for one in second) == expected
        written += len(second)
    assert written > 100
    log = renamed(told(Random(7)))
    assert_restart_changes_nothing(log, len(log.records) // 2, lambda: Track(0, compiled(own), "live"))


def test_rows_hold_them_in_one_map() -> None:
    place = COLUMNS["touchpoints"].index("other_identifiers")

    def stored(record: Resolved) -> object:
        ((_, row),) = rows_of(record)
        assert len(row) == len(COLUMNS["touchpoints"])
        return row[place]

    identifiers = {"device_id": "d", "other": {"cookie_id": "c", "booking_id": " B "}}
    assert stored(resolved(1)) == {}
    assert stored(resolved(1, identifiers=identifiers, keys={"order_id": "7", "booking_id": "B"})) == {
        "cookie_id": "c",
        "booking_id": "B",
    }


def test_views_look_for_whom_own_contacts_name_and_nothing_more() -> None:
    plain, own = kind_variables(Target("d")), kind_variables(Target("d", kinds=KINDS))
    assert [plain[name] for name in plain if name.startswith("own_")] == [""] * 4
    assert plain["on_device"] == "startsWith(origin, 'anonymous_id:') OR startsWith(origin, 'device_id:')"
    assert own["t_on_device"].endswith(" OR startsWith(t.origin, 'cookie_id:')")
    assert own["own_joins"].count("LEFT ANY JOIN") == 2
    assert [column_of(kind) for kind in ("order_id", "booking_id")] == ["order_id", "other_identifiers['booking_id']"]


def test_people_may_ask_about_them() -> None:
    assert read_linkable("cookie_id:c1", READER.read, "link", KINDS).is_device
    assert read_identifier("passport:C01X", READER.read, KINDS).is_contact
    with pytest.raises(Unclear, match="belongs to whoever claimed it first"):
        read_linkable("booking_id:B-7", READER.read, "link", KINDS)
    with pytest.raises(Unclear, match="Did you mean booking_id"):
        read_id("boking_id:B-7", READER.read, KINDS)
    with pytest.raises(Unclear, match="is no kind of identifier"):
        read_id("booking_id:B-7", DEFAULT_READER.read)
