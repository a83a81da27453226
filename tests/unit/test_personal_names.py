"""Which fields hold an address or a number, by their names (docs/identity-rules.md)."""

from __future__ import annotations

import json

import pytest

from schemas.identity_reader import IdentityReader, IdentitySecrets
from schemas.identity_rules import IdentityRules
from schemas.personal import END_MIN, HONEST, PersonalFields

READER = IdentityReader(secrets=IdentitySecrets(b"personal", b"proofs"))
EMAILS = [
    *("email", "emails", "E-Mail", "EMAIL", "email_1", "email2", "e_mail", "mail", "mails", "useremail"),
    *("customerEmail", "user_mail2", "emailAddress", "E-Mail Address", "email ", "e mail"),
]
PHONES = [
    *("phone", "phones", "billing_phone", "telephone", "telephoneNumber", "phoneNumbers", " Phone number "),
    *("tel", "TEL_1", "customer_tel", "mobile", "userMobile"),
]
OTHERS = [
    *("hotel", "hotels", "hotel_1", "motel", "chapel", "telemetry", "telephony", "phone_model", "mail_sent"),
    *("headphones", "smartphone", "iPhone", "microphone", "voicemail", "automobile", "is_mobile", "mobile_app"),
    *("mobility", "name"),
]


def is_found(name: str) -> bool:
    """At any depth, and by the quick look alike."""
    found = json.loads(READER.cleaned(json.dumps({"properties": {"deep": [{name: "clear"}]}}).encode()))
    return bool(found["properties"]["deep"][0][name] != "clear")


@pytest.mark.parametrize("name", [*EMAILS, *PHONES])
def test_names_of_personal_fields(name: str) -> None:
    assert is_found(name)


@pytest.mark.parametrize("name", OTHERS)
def test_honest_fields_stay(name: str) -> None:
    assert not is_found(name)


def test_an_end_within_a_word_counts_from_five_letters_on() -> None:
    fields = PersonalFields({"abcd": "email", "vwxyz": "phone"}, "")
    assert [fields.kind_of(name) for name in ("abcd", "my_abcd", "myAbcd2", "myabcd")] == ["email"] * 3 + [None]
    assert [fields.kind_of(name) for name in ("vwxyz", "myvwxyz", "my_vwxyzs", "vwxyzmy")] == ["phone"] * 3 + [None]
    assert END_MIN == 5
    assert len(set(HONEST)) == len(HONEST)


def test_names_of_a_deployment_are_compared_so_too() -> None:
    rules = IdentityRules.model_validate(
        {"identifiers": {"loyalty_card": {"personal": True, "personal_fields": ["club_cards", "karte1", "22"]}}}
    )
    fields = IdentityReader(rules, IdentitySecrets(b"personal"))
    for name in ("ClubCard", "my club-card 2", "KARTE", "loyaltyCards"):
        assert b"clear" not in fields.cleaned(json.dumps({name: "clear"}).encode()), name
    assert b"clear" in fields.cleaned(b'{"22": "clear", "card": "clear"}')
