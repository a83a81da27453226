"""identity.yaml declares further kinds: what it may say, and how a mistake is told."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from schemas.definition_files import DefinitionError, load_catalogue, load_definition
from schemas.definition_schema import catalogue_schema, definition_schema, identity_schema
from schemas.export import export_schemas
from schemas.identifiers import BUILT_IN_KINDS, ROUTING_ORDER
from schemas.identity_files import load_identity_rules
from schemas.identity_reader import IdentityReader
from schemas.identity_rules import BUILT_IN, IdentityRules
from schemas.own_kinds import FIELDS, OWN_MAX, TAKEN
from tests.contract.json_schema import fits
from tests.unit.own_rules import KINDS, RULES, SAID

CATALOGUE_FILE, COLLECT = Path("touchpoints.yaml"), Path("journeys/click_and_collect.yaml")


def load(tmp_path: Path, text: str) -> IdentityRules:
    file = tmp_path / "identity.yaml"
    file.write_text(text)
    return load_identity_rules(file)


def test_a_file_adds_kinds_to_their_groups(tmp_path: Path) -> None:
    rules = load(
        tmp_path,
        "identifiers:\n  booking_id: {group: business_key, priority: 5}\n  cookie_id: {group: device, priority: 3}\n"
        "  passport: {group: contact, priority: 4, personal: true, normalise: lower, most: 2}\n",
    )
    assert rules.kinds.devices == ("anonymous_id", "device_id", "cookie_id")
    assert rules.kinds.contacts == ("email", "phone", "loyalty_card", "passport")
    assert rules.kinds.keys[-1] == "booking_id"
    assert rules.kinds.added == ("cookie_id", "passport", "booking_id")
    assert rules.personal_kinds == ("email", "phone", "passport")
    assert rules.most["passport"] == 2
    groups = [rules.kinds.group_of(kind) for kind in ("cookie_id", "user_id", "passport", "booking_id", "store")]
    assert groups == ["device", "user", "contact", "business_key", None]


def test_without_kinds_of_its_own_a_deployment_is_what_it_was() -> None:
    assert BUILT_IN.kinds is BUILT_IN_KINDS
    assert BUILT_IN_KINDS.all == ROUTING_ORDER
    assert not BUILT_IN_KINDS.added
    assert set(BUILT_IN.model_dump()["identifiers"]) == set(ROUTING_ORDER)


@pytest.mark.parametrize("seed", range(5))
def test_where_a_kind_stands_in_the_file_makes_no_difference_but_whether_it_stands_there_does(seed: int) -> None:
    entries = list(SAID.items())
    Random(seed).shuffle(entries)
    shuffled = IdentityRules.model_validate({"identifiers": dict(entries)})
    assert shuffled == RULES
    assert shuffled.kinds == KINDS
    assert IdentityReader(shuffled).fingerprint() == IdentityReader(RULES).fingerprint()
    fewer = IdentityRules.model_validate({"identifiers": dict(entries[1:])})
    assert IdentityReader(fewer).fingerprint() != IdentityReader(RULES).fingerprint()
    assert IdentityReader().fingerprint() not in (
        IdentityReader(fewer).fingerprint(),
        IdentityReader(RULES).fingerprint(),
    )


KEY = "{group: business_key, priority: 5}"
CONTACT = "{group: contact, priority: 5, personal: true}"


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("emial: {most: 3}", "2:3", "unknown field. Did you mean 'email'?"),
        ("booking_id: {priority: 5}", "2:3", "A kind of your own says its group: device, contact or business_key."),
        ("booking_id: 5", "2:3", "expected a mapping"),
        ("booking_id: {group: contract, priority: 5}", "2:16", "Did you mean 'contact'?"),
        ("booking_id: {group: user, priority: 5}", "2:16", "expected 'device', 'contact', 'business_key', not 'user'"),
        ("booking_id: {group: business_key}", "2:3", "priority is missing: Place in the order"),
        ("booking_id: {group: business_key, priorty: 5}", "2:37", "unknown field. Did you mean 'priority'?"),
        ("booking_id: {group: business_key, priority: 0}", "2:37", "expected 1 or more, not 0"),
        ("booking_id: {group: business_key, priority: 5, personal: true}", "2:50", "unknown field. Fields here:"),
        ("booking_id: {group: business_key, priority: 3}", "2:37", "ticket_id has 3 too"),
        ("booking_id: {group: device, priority: 3, ignore_matching: ['(a']}", "2:62", "no regular expression"),
        ("order_id: {group: business_key, priority: 1}", "2:14", "order_id.group: unknown field"),
        (f"bookingId: {KEY}", "2:3", "Did you mean 'booking_id'?"),
        (f"booking__id: {KEY}", "2:3", "one _ between two words, none at the end. Did you mean 'booking_id'?"),
        (f"7: {KEY}", "2:3", "a kind is a word of small letters"),
        (f"{'x' * 41}: {KEY}", "2:3", "of at most 40 characters"),
        (f"store: {KEY}", "2:3", "Give the kind another name, such as 'our_store'."),
        (f"customer: {KEY}", "2:3", "means something else already"),
        (f"account_id: {KEY}", "2:3", "means something else already"),
        (f"message_id: {KEY}", "2:3", "means something else already"),
        (
            "work_phone: {group: contact, priority: 5}",
            "2:3",
            "are hashed as those of phone, so it would be, too. Make it",
        ),
        ("work_phone: {group: device, priority: 5}", "2:3", "so it would be, too. Give one of them another name."),
        (f"card: {CONTACT}", "2:3", "loyalty_card: fields whose name is or ends in 'card'"),
        (f"at: {CONTACT}", "2:3", "at: the field occurred_at of every touchpoint is called so"),
        (
            "passport: {group: contact, priority: 5, personal: true, personal_fields: [a1, name]}",
            "2:81",
            "name: the field name of every touchpoint is called so; its values would be hashed.",
        ),
        (
            "passport: {group: contact, priority: 5, personal: true, personal_fields: [mail]}",
            "2:77",
            "mail: fields of this name are those of email. Leave it to one of them.",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, place: str, says: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        load(tmp_path, f"identifiers:\n  {text}\n")
    flaw = caught.value.flaws[0]
    assert says in flaw.text
    assert f"{flaw.line}:{flaw.column}" == place


def test_so_many_and_no_more(tmp_path: Path) -> None:
    lines = [f"  kind{n:02}: {{group: device, priority: {n + 3}}}\n" for n in range(OWN_MAX + 1)]
    assert len(load(tmp_path, "identifiers:\n" + "".join(lines[:-1])).kinds.added) == OWN_MAX
    with pytest.raises(DefinitionError, match=rf":{OWN_MAX + 2}:3: 11 kinds of one's own; at most {OWN_MAX}"):
        load(tmp_path, "identifiers:\n" + "".join(lines))


def test_what_a_kind_may_not_be_called_is_what_a_touchpoint_says_anyway() -> None:
    assert not TAKEN & {*KINDS.added}
    assert {"message_id", "occurred_at", "properties", "traits", "event"} <= FIELDS


def test_journeys_and_touchpoints_may_go_by_an_own_key(tmp_path: Path) -> None:
    definition = tmp_path / "bookings.yaml"
    definition.write_text(COLLECT.read_text().replace("key: order_id", "key: booking_id"))
    catalogue = tmp_path / "touchpoints.yaml"
    text = CATALOGUE_FILE.read_text().replace("attributed_by: order_id", "attributed_by: booking_id")
    assert "attributed_by: booking_id" in text
    catalogue.write_text(text)
    known = load_catalogue(catalogue, KINDS)
    assert load_definition(definition, known).instance.key == "booking_id"
    with pytest.raises(
        DefinitionError, match="expected 'order_id', 'receipt_id', 'ticket_id' or 'claim_id', not 'book"
    ):
        load_catalogue(catalogue)
    with pytest.raises(DefinitionError, match=r"instance\.key: expected .* or 'customer', not 'booking_id'"):
        load_definition(definition, load_catalogue(CATALOGUE_FILE))
    definition.write_text(COLLECT.read_text().replace("key: order_id", "key: boking_id"))
    with pytest.raises(DefinitionError, match=r"bookings.yaml:7:12: .*Did you mean 'booking_id'\?"):
        load_definition(definition, known)


def test_schemas_know_them(tmp_path: Path) -> None:
    instance = definition_schema(None, KINDS)["$defs"]["Instance"]["properties"]["key"]
    assert instance["enum"][-2:] == ["booking_id", "customer"]
    assert catalogue_schema(KINDS)["$defs"]["CatalogueEntry"]["properties"]["attributed_by"]["enum"] == [*KINDS.keys]
    rules = identity_schema()
    assert fits(rules, {"identifiers": SAID}, rules)
    for wrong in ({"booking_id": {"priority": 5}}, {"Booking": SAID["booking_id"]}, {"store": SAID["booking_id"]}):
        assert not fits(rules, {"identifiers": wrong}, rules)
    exported = {str(file.relative_to(tmp_path)): file.read_text() for file in export_schemas(tmp_path, None, KINDS)}
    assert '"booking_id"' in exported["touchpoints.raw/v1/Touchpoint.schema.json"]
    assert '"booking_id"' not in exported["touchpoints/v1/Resolved.schema.json"], "there they stand in one map"
