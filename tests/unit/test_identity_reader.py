"""Which identifiers count, as which text, and what of them is stored; what a browser may say."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.decode import Decoded, decode_touchpoint
from schemas.identifiers import ROUTING_ORDER
from schemas.identity_reader import DEFAULT_READER, HASHED, UNUSABLE, IdentityReader, IdentitySecrets
from schemas.identity_rules import IdentityRules
from schemas.placeholders import PLACEHOLDERS

KEY, PROOFS = b"personal", b"proofs"
SECRETS = IdentitySecrets(KEY, PROOFS)
READER = IdentityReader(secrets=SECRETS)
SMALLEST: dict[str, Any] = {"message_id": "m-1", "name": "page_viewed", "occurred_at": "2026-11-22T10:15:30.123Z"}


def reader_of(secrets: IdentitySecrets = SECRETS, **rules: Any) -> IdentityReader:
    return IdentityReader(IdentityRules.model_validate(rules), secrets)


def hashed(normal: str) -> str:
    return "hmac:" + hmac.new(KEY, normal.encode(), hashlib.sha256).hexdigest()


def decoded(item: dict[str, Any], *headers: tuple[str, bytes], reader: IdentityReader = READER) -> Decoded:
    found = decode_touchpoint(json.dumps(SMALLEST | item).encode(), headers, reader)
    assert isinstance(found, Decoded), found
    return found


@pytest.mark.parametrize(
    ("kind", "value", "normal"),
    [
        ("email", "Ann@Example.com", "ann@example.com"),
        ("email", "  ann@EXAMPLE.com\n", "ann@example.com"),
        ("email", "ann@xn--mnchen-3ya.de", "ann@münchen.de"),
        ("email", "ann+shop@example.com", "ann+shop@example.com"),
        ("email", "ann@localhost", None),
        ("email", "ann", None),
        ("email", "Ann <ann@example.com>", None),
        ("email", "null", None),
        ("phone", "+49 (0) 151 234-567-89", "+4915123456789"),
        ("phone", "+1 202 555 0123", "+12025550123"),
        ("phone", "0151 23456789", None),
        ("phone", "+49 30 123456 ext 5", None),
        ("phone", "+491", None),
        ("phone", "000000", None),
        ("loyalty_card", " C-17 ", " C-17 "),
        ("user_id", "U-1", "U-1"),
        ("user_id", " Undefined ", None),
    ],
)
def test_one_spelling_for_each_identifier(kind: str, value: str, normal: str | None) -> None:
    assert DEFAULT_READER.read(kind, value) == normal
    personal = kind in ("email", "phone")
    assert READER.read(kind, value) == (hashed(normal) if personal and normal is not None else normal)


def test_numbers_without_plus_are_those_of_the_region() -> None:
    german = reader_of(phone_region="DE")
    for spelt in ("0151 23456789", "0049 151 23456789", "+4915123456789", "0151/234567-89"):
        assert german.read("phone", spelt) == hashed("+4915123456789")
    assert reader_of(phone_region="FR").read("phone", "0151 23456789") != hashed("+4915123456789")


@given(st.sampled_from(ROUTING_ORDER), st.text(min_size=1, max_size=230))
def test_any_text_is_read_and_what_was_read_stays(kind: str, value: str) -> None:
    for reader in (READER, DEFAULT_READER, reader_of(phone_region="DE")):
        once = reader.read(kind, value)
        if once is not None and kind in ("email", "phone"):
            assert reader.read(kind, once) == once
    stored = READER.stored(kind, value)
    assert READER.stored(kind, stored) == stored
    assert READER.read(kind, stored) == READER.read(kind, value)


@given(st.sampled_from(("email", "phone")), st.text(min_size=1, max_size=60))
def test_what_is_stored_of_a_personal_value_is_a_hash_or_a_placeholder(kind: str, value: str) -> None:
    stored = READER.stored(kind, value)
    if READER.read(kind, value) is not None:
        assert HASHED.fullmatch(stored)
    else:
        bare = stored.strip().strip("\"'").strip().lower()
        assert UNUSABLE.fullmatch(stored) or bare in PLACEHOLDERS or not bare.strip("0-")


def test_a_hash_that_a_producer_made_is_kept() -> None:
    theirs = "hmac:" + "0a" * 32
    assert READER.read("email", theirs) == READER.stored("email", theirs) == theirs
    assert DEFAULT_READER.read("email", theirs) == theirs
    for near in ("hmac:" + "0A" * 32, "hmac:" + "0a" * 31, f"x{theirs}"):
        assert READER.read("email", near) is None


def test_ignored_values_join_nobody_whoever_hashed_them() -> None:
    rules = {
        "ignore": ["Void"],
        "identifiers": {"email": {"ignore": ["info@Shop.de"], "ignore_matching": ["no-?reply@.*"]}},
    }
    reader = IdentityReader(IdentityRules.model_validate(rules), SECRETS)
    for value in ("info@shop.de", " INFO@shop.DE", hashed("info@shop.de"), "noreply@a.de", "No-Reply@b.de"):
        assert reader.read("email", value) is None
    assert reader.read("email", "ann@shop.de") == hashed("ann@shop.de")
    for kind in ("user_id", "anonymous_id", "order_id"):
        assert [reader.read(kind, value) for value in ("void", " 'VOID' ", "avoid")] == [None, None, "avoid"]
    assert reader.stored("email", "info@shop.de") == hashed("info@shop.de"), "it counts again when it is let in again"
    assert UNUSABLE.fullmatch(reader.stored("email", "noreply@a.de")), "who sees the hash cannot match it"
    found = decoded(
        {"identifiers": {"email": "info@shop.de", "order_id": "void", "phone": "+4915123456789"}}, reader=reader
    )
    assert found.usable == {"phone": hashed("+4915123456789")}
    assert found.identifiers.order_id == "void"


def test_a_kind_without_a_spelling_of_its_own_can_be_personal_too() -> None:
    card = {"personal": True, "ignore_matching": ["test.*"], "personal_fields": ["club_card"]}
    reader = reader_of(identifiers={"loyalty_card": card})
    assert reader.read("loyalty_card", "C-1") == hashed("C-1")
    staff = reader.stored("loyalty_card", "test-7")
    assert UNUSABLE.fullmatch(staff)
    assert reader.read("loyalty_card", staff) is None
    found = decoded({"identifiers": {"loyalty_card": "C-1"}, "properties": {"clubCard": "test-7"}}, reader=reader)
    assert (found.routing, found.properties) == (f"loyalty_card:{hashed('C-1')}", {"clubCard": staff})


def test_personal_values_are_stored_hashed_wherever_they_stand() -> None:
    item = {
        "identifiers": {"email": "Ann@Shop.de", "phone": "call me", "account_id": "acme"},
        "properties": {"customerEmail": "ann@shop.de", "email_sent": True, "n": 1},
        "context": {"traits": [{"Phone": "+49 151 23456789"}]},
    }
    found = decoded(item)
    assert found.identifiers.email == hashed("ann@shop.de")
    assert found.properties == {"customerEmail": hashed("ann@shop.de"), "email_sent": True, "n": 1}
    assert found.context == {"traits": [{"Phone": hashed("+4915123456789")}]}
    assert UNUSABLE.fullmatch(found.identifiers.phone or "")
    assert found.usable == {"email": hashed("ann@shop.de")}
    assert found.routing == f"email:{hashed('ann@shop.de')}"
    assert found.contacts == (found.routing,)
    assert found.identifiers.account_id == "acme"
    clear = decoded(item, reader=DEFAULT_READER)
    assert (clear.identifiers.email, clear.usable) == ("Ann@Shop.de", {"email": "ann@shop.de"})


BROWSER = ("trust", b"browser")
EVERYTHING = {
    "user_id": "u1",
    "anonymous_id": "d1",
    "email": "ann@shop.de",
    "phone": "+4915123456789",
    "loyalty_card": "c1",
    "order_id": "o1",
}


def proof_of(user_id: str, secret: bytes = PROOFS) -> str:
    return hmac.new(secret, user_id.encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("proof", "proven"),
    [
        (proof_of("u1"), True),
        (proof_of("u1").upper(), True),
        (proof_of("u2"), False),
        (proof_of("u1", b"other"), False),
        (proof_of("u1")[:-1], False),
        ("é" * 64, False),
        ("", False),
        (None, False),
        ([proof_of("u1")], False),
    ],
)
def test_a_browser_proves_its_user_and_never_its_contacts(proof: object, proven: bool) -> None:
    context = {"page": "/"} | ({} if proof is None else {"user_proof": proof})
    found = decoded({"identifiers": EVERYTHING, "context": context}, BROWSER)
    assert set(found.usable) == {"anonymous_id", "order_id"} | ({"user_id"} if proven else set())
    assert found.user_id == ("u1" if proven else None)
    assert found.contacts == ()
    assert found.weak
    assert found.context == {"page": "/"}, "who has the proof can claim the user, so it is passed on to nobody"
    assert found.identifiers.user_id == "u1"
    assert found.identifiers.email == hashed("ann@shop.de")
    unkeyed = decoded({"identifiers": EVERYTHING, "context": context}, BROWSER, reader=DEFAULT_READER)
    assert unkeyed.user_id is None


@pytest.mark.parametrize("headers", [(), (("trust", b"server"),)], ids=["kafka", "server"])
def test_a_server_is_believed(headers: tuple[tuple[str, bytes], ...]) -> None:
    found = decoded({"identifiers": EVERYTHING, "context": {"user_proof": "nonsense"}}, *headers)
    assert set(found.usable) == set(EVERYTHING)
    assert not found.weak
    assert len(found.contacts) == 3


def test_a_browser_with_nothing_it_may_say_is_routed_like_one_that_says_nothing() -> None:
    found = decoded({"identifiers": {"email": "ann@shop.de", "user_id": "u1"}}, BROWSER)
    assert (found.routing, found.device, found.user_id) == ("message:m-1", None, None)
    subject = {"kind": "store", "id": "s1"}
    assert decoded({"identifiers": {"email": "ann@shop.de"}, "subject": subject}, BROWSER).routing == "store:s1"


def test_the_proof_is_over_the_user_id_as_it_was_sent() -> None:
    lower = reader_of(identifiers={"user_id": {"normalise": "lower"}})
    item = {"identifiers": {"user_id": "U1"}, "context": {"user_proof": proof_of("U1")}}
    assert decoded(item, BROWSER, reader=lower).user_id == "u1"


def test_what_counts_is_stored_in_the_spelling_that_counts() -> None:
    """Rows, views and commands look a user up by the text by which the workers know it."""
    lower = {"normalise": "lower"}
    reader = reader_of(identifiers={"user_id": lower | {"ignore": ["KASSE"]}, "order_id": lower, "loyalty_card": lower})
    sent = {"user_id": " Ann", "order_id": "AB7", "loyalty_card": "NULL", "ticket_id": "T1", "email": "ann@shop.de"}
    found = decoded({"identifiers": sent}, reader=reader)
    stored = {kind: getattr(found.identifiers, kind) for kind in sent}
    assert stored == {**sent, "user_id": "ann", "order_id": "ab7", "email": hashed("ann@shop.de")}
    assert decoded({"identifiers": {"user_id": "Kasse"}}, reader=reader).identifiers.user_id == "Kasse"
    unproven = decoded({"identifiers": {"user_id": "Ann", "device_id": "d"}}, BROWSER, reader=reader)
    assert (unproven.user_id, unproven.identifiers.user_id) == (None, "ann")
    assert reader_of().respelt == ()


@given(st.dictionaries(st.sampled_from(ROUTING_ORDER), st.just("v1"), min_size=1))
def test_priorities_change_the_order_of_routing(sent: dict[str, str]) -> None:
    plain = {kind: {"normalise": "none", "personal": False} for kind in ("email", "phone")}
    rules = {
        "device_id": {"priority": 1},
        "anonymous_id": {"priority": 2},
        "email": plain["email"] | {"priority": 9},
        "phone": plain["phone"],
        "claim_id": {"priority": 1},
        "order_id": {"priority": 4},
    }
    order = ["device_id", "anonymous_id", "user_id", "phone", "loyalty_card", "email"]
    order += ["claim_id", "receipt_id", "ticket_id", "order_id"]
    reader = reader_of(identifiers=rules)
    assert list(reader.order) == order
    found = decoded({"identifiers": sent}, reader=reader)
    first = next(kind for kind in order if kind in sent)
    assert found.routing == f"{first}:v1"
    assert found.device == (found.routing if first in ("device_id", "anonymous_id") else None)
    assert found.usable == sent


def test_the_header_that_says_cleaned_is_believed_from_who_knows_the_key_and_these_fields() -> None:
    item = {"identifiers": {"email": "ann@shop.de"}}
    assert READER.mark is not None
    marked = decode_touchpoint(json.dumps(SMALLEST | item).encode(), [("cleaned", READER.mark)], READER)
    assert isinstance(marked, Decoded)
    assert marked.identifiers.email == "ann@shop.de", "it was not cleaned, although it says so"
    assert marked.usable == {"email": hashed("ann@shop.de")}
    others = [
        IdentityReader(secrets=IdentitySecrets(b"other")),
        reader_of(identifiers={"email": {"personal_fields": []}}),
    ]
    for other in others:
        assert other.mark is not None
        assert decoded(item, ("cleaned", other.mark)).identifiers.email == hashed("ann@shop.de")
    assert DEFAULT_READER.mark is None
    assert "personal" not in repr(SECRETS)
