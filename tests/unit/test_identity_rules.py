"""identity.yaml: what is shipped is what is built in, and what is wrong is named with its place and the right word."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from deploy.cli.main import app
from schemas.definition_files import DefinitionError
from schemas.definition_schema import identity_schema
from schemas.identifiers import ROUTING_ORDER
from schemas.identity_checks import pattern_flaw
from schemas.identity_files import identity_reader_of, identity_rules_of, load_identity_rules
from schemas.identity_reader import IdentityReader
from schemas.identity_reference import PARTS, reference
from schemas.identity_rules import BUILT_IN, IdentityRules
from schemas.normalise import LENGTH_MAX
from schemas.settings import Settings, SettingsError
from schemas.yaml_file import plain, read_mapping

SHIPPED = Path("identity.yaml")
KEYS = {"personal_key": "0123456789abcdef"}


def load(tmp_path: Path, text: str) -> IdentityRules:
    file = tmp_path / "identity.yaml"
    file.write_text(text)
    return load_identity_rules(file)


def test_the_shipped_file_is_what_is_built_in_and_leaves_nothing_out() -> None:
    assert load_identity_rules(SHIPPED) == BUILT_IN
    said = plain(read_mapping(SHIPPED))
    built_in = BUILT_IN.model_dump(exclude={"phone_region"})
    assert said == built_in, "every rule stands in the file, so that it can be found there"
    assert "# phone_region:" in SHIPPED.read_text()


def test_the_built_in_rules_are_those_of_the_page() -> None:
    assert BUILT_IN.routing_order == ROUTING_ORDER
    assert BUILT_IN.personal_kinds == ("email", "phone")
    assert BUILT_IN.most == {"user_id": 10, "email": 10, "phone": 10, "loyalty_card": 10}
    assert (BUILT_IN.login_before_ms, BUILT_IN.link_ms) == (72 * 3_600_000, 400 * 86_400_000)
    limits = BUILT_IN.limits
    assert (limits.kiosk_users, limits.kiosk_touchpoints, limits.component, limits.kept) == (4, 1_000, 50, 5_000)
    assert limits.key_touchpoints == 200


def test_a_file_says_only_what_is_different(tmp_path: Path) -> None:
    rules = load(tmp_path, "identifiers:\n  phone: {priority: 1, most: 3}\n  email: {priority: 2}\n")
    assert rules.routing_order[3:6] == ("phone", "email", "loyalty_card")
    assert rules.most["phone"] == 3
    assert rules.personal_kinds == ("email", "phone")
    assert rules.of("email").normalise == "email"


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("identifiers:\n  emial: {most: 3}\n", "2:3", "unknown field. Did you mean 'email'?"),
        ("identifiers:\n  email: {mots: 3}\n", "2:11", "unknown field. Did you mean 'most'?"),
        ("identifiers:\n  email: {normalise: mail}\n", "2:11", "Did you mean 'email'?"),
        ("identifiers:\n  email: {most: 0}\n", "2:11", "expected 1 or more, not 0"),
        (
            "identifiers:\n  anonymous_id: {most: 4}\n",
            "2:18",
            "Fields here: normalise, ignore, ignore_matching, priority",
        ),
        ("identifiers:\n  order_id: {personal: true}\n", "2:14", "unknown field"),
        ("unique: email\n", "1:1", "expected 'user_id', not 'email'"),
        (
            "limits: {kept: 100, kiosk_touchpoints: 1000}\n",
            "1:10",
            "limits.kept: of an identifier 100 touchpoints are kept",
        ),
        ("limits:\n  kiosk_touchpoints: 5000\n", "2:3", "Keep more than kiosk_touchpoints."),
        ("limits: {key_touchpoints: 9}\n", "1:10", "expected 10 or more, not 9"),
        ("windows: {login_before: 72}\n", "1:11", "Add the unit: 72s, 72m, 72h or 72d."),
        ("windows: {login_before: 31d}\n", "1:11", "expected a duration of 1m to 30d, not '31d'"),
        ("windows: {link: 23h}\n", "1:11", "expected a duration of 1d to 3650d, not '23h'"),
        ("phone_region: de\n", "1:1", "not 'de'. Did you mean 'DE'?"),
        ("phone_region: UK\n", "1:1", "expected a country of ISO 3166 such as 'DE', not 'UK'."),
        ("phone_region: Germany\n", "1:1", "at most 2 characters"),
        ("identifiers:\n  phone:\n    priority: 1\n", "3:5", "email has 1 too. Give each of the contacts"),
        ("ignore: [a, 0]\n", "1:13", "expected a text, not 0. Write it in quotes"),
        ("ignore: [a]\nignore: [b]\n", "2:1", "this key stands here twice"),
        ("identifiers:\n  phone:\n", "2:3", "identifiers.phone is empty"),
        ("identifiers:\n  email: {ignore_matching: ['a(']}\n", "2:29", "no regular expression: missing )"),
        ("identifiers:\n  email: {ignore_matching: [a, '(a+)+']}\n", "2:32", "a repeated group may take for ever"),
        (f"identifiers:\n  email: {{ignore_matching: ['{'a' * 201}']}}\n", "2:29", "at most 200 characters"),
        (f"identifiers:\n  email: {{ignore_matching: [{', '.join('a' * 21)}]}}\n", "2:11", "at most 20 entries"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path: Path, text: str, place: str, says: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        load(tmp_path, text)
    (flaw,) = caught.value.flaws
    assert f"{flaw.line}:{flaw.column}" == place
    assert says in flaw.text


@pytest.mark.parametrize(
    ("pattern", "word"),
    [
        ("(a+)+", "repeated group"),
        ("(a|a)*", "repeated group"),
        ("(?:a*)*", "repeated group"),
        ("(a*){20}", "repeated group"),
        (".*a.*b.*c.*", "4 repetitions"),
        ("a?" * 11, "choices"),
        ("(?=a)b", "look-ahead"),
        (r"(a)\1", "reference"),
        ("[z-a]", "no regular expression"),
        ("a{99999999999}", "no regular expression"),
    ],
)
def test_a_pattern_that_may_take_for_ever_is_refused(pattern: str, word: str) -> None:
    assert word in str(pattern_flaw(pattern))


@pytest.mark.parametrize(
    "pattern", ["no-?reply@.*", r".*@(test|dev)\.shop\.de", "(?i)Guest", r"0{3,}", "[(*+]x", r"\(\)\+\*a{", "(?:a|b)?c"]
)
def test_ordinary_patterns_are_taken(pattern: str) -> None:
    assert pattern_flaw(pattern) is None


@given(st.text(alphabet="a.*+?|()[]{}1,^$\\-", min_size=1, max_size=40))
def test_what_is_taken_is_quick_on_values_made_for_it(pattern: str) -> None:
    if pattern_flaw(pattern) is not None:
        return
    rules = IdentityRules.model_validate({"identifiers": {"loyalty_card": {"ignore_matching": [pattern]}}})
    reader = IdentityReader(rules)
    began = time.process_time()
    for value in ("a" * LENGTH_MAX, "a" * (LENGTH_MAX - 1) + "b", "1" * (LENGTH_MAX - 1) + "a"):
        reader.read("loyalty_card", value)
    assert time.process_time() - began < 1.0


def test_settings_give_the_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert identity_rules_of(Settings()) is BUILT_IN
    with pytest.raises(SettingsError, match="TOUCHLINE_PERSONAL_KEY is missing"):
        identity_reader_of(Settings())
    keyed = Settings.model_validate(KEYS)
    other = Settings.model_validate(KEYS | {"proof_secret": "fedcba9876543210"})
    assert identity_reader_of(keyed).fingerprint() == identity_reader_of(keyed).fingerprint()
    assert identity_reader_of(keyed).fingerprint() != identity_reader_of(other).fingerprint()
    (tmp_path / "identity.yaml").write_text("ignore: [test]\n")
    assert identity_rules_of(keyed).ignore == ["test"]
    assert identity_reader_of(keyed).fingerprint() != IdentityReader().fingerprint()
    (tmp_path / "other.yaml").write_text("identifiers: {email: {personal: false}, phone: {personal: false}}\n")
    open_rules = Settings.model_validate({"identity_file": tmp_path / "other.yaml"})
    assert identity_reader_of(open_rules).mark is None, "where nothing is personal no key is needed"
    with pytest.raises(DefinitionError, match=r"none\.yaml:1:1: cannot be read"):
        identity_rules_of(Settings.model_validate({"identity_file": tmp_path / "none.yaml"}))


def test_validate_checks_the_rules_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = CliRunner().invoke(app, ["validate"])
    assert told.exit_code == 0
    assert "identity.yaml: identity rules; personal: email, phone" in told.stdout
    file = tmp_path / "identity.yaml"
    file.write_text("identifiers:\n  emial: {most: 3}\n")
    monkeypatch.setenv("TOUCHLINE_IDENTITY_FILE", str(file))
    for command in (["validate"], ["validate", str(file)]):
        told = CliRunner().invoke(app, command)
        assert told.exit_code == 1
        assert f"{file}:2:3: identifiers.emial: unknown field. Did you mean 'email'?" in told.stdout


def test_the_page_has_the_tables_of_the_schema_and_an_example_that_is_taken(tmp_path: Path) -> None:
    page = Path("docs/identity-rules.md").read_text()
    assert f"\n## Reference\n\n{reference()}" in page, "write schemas.identity_reference.reference() into the page"
    example = page.split("```yaml\n")[1].split("```")[0]
    rules = load(tmp_path, example)
    reader = IdentityReader(rules)
    assert reader.read("phone", "0151 23456789") == "+4915123456789"
    assert [reader.read("email", text) for text in ("Info@Shop.example", "noreply@a.de")] == [None, None]
    assert reader.read("loyalty_card", "AB-1") == "ab-1"
    parts = identity_schema()["$defs"]
    fields = {frozenset(parts[name]["properties"]) for name in PARTS if name}
    assert {
        frozenset(part["properties"]) for name, part in parts.items() if not name.startswith(("Kinds", "Own"))
    } == fields
