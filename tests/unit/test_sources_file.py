"""sources.yaml: what is wrong is told by line, forms exclude each other, and a source finds its entry."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.definition import Catalogue
from schemas.settings import Settings
from schemas.sources import SourceRules, bringers_of, form_of, forms_of
from schemas.sources_files import load_sources, sources_of
from schemas.yaml_file import DefinitionError
from streams.main import product_of
from tests.unit.test_product import GIVEN

ENTRY = {"owner": "stores", "impact": {"stage": "purchase", "mode": "activate", "criticality": "high"}}
CATALOGUE = Catalogue.model_validate(
    {
        "touchpoints": {
            "picked_up": ENTRY | {"properties": {"store_id": {"type": "string"}, "desk": {"type": "integer"}}},
            "ready": ENTRY,
            "pinged": ENTRY | {"impact": ENTRY["impact"] | {"mode": "ignore"}},  # type: ignore[operator]
        }
    }
)
GOOD = """
"till-{store_id}":
  owner: stores
  brings: [ready, picked_up]
  silent_after: 45m
  counting: {zone: Europe/Berlin, open: {mon-fri: "09:00-20:00"}}
  catches_up: 30m
crm:
  owner: service
  brings: [ready]
  silent_after: 3h
"""


def flaws(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "sources.yaml"
    file.write_text(text)
    with pytest.raises(DefinitionError) as caught:
        load_sources(file, CATALOGUE)
    return [f"{flaw.line}:{flaw.column}: {flaw.text}" for flaw in caught.value.flaws]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[ready, picked_up]", "[redy]", "4:12: touchpoint 'redy' is not in the catalogue. Did you mean 'ready'?"),
        ("[ready, picked_up]", "[pinged]", "4:12: touchpoint 'pinged' is of mode ignore in the catalogue: nothing"),
        ("[ready, picked_up]", "[ready, ready]", "4:19: 'ready' stands here twice. Remove one."),
        ("[ready, picked_up]", "[]", "4:3: till-{store_id}.brings: expected 1 or more entries"),
        ("silent_after: 45m", "silent_after: 45", "5:3: till-{store_id}.silent_after: expected a duration"),
        ("silent_after: 45m", "silent_for: 45m", "5:3: till-{store_id}.silent_for: unknown field."),
        ("catches_up: 30m", "catches_up: 8d", "7:3: at most 7d: what waits so long is forgotten."),
        ("mon-fri", "mon-fry", "6:35: till-{store_id}.counting.open: 'mon-fry' is no day"),
        ("crm:", '"{a}{b}":', "8:1: {a}{b}: expected the name of a source, in which at most one part stands open"),
        ("crm:", '"till 7":', "8:1: till 7: expected the name of a source"),
        ("crm:", "till-7:", "8:1: a source may be of this form and of 'till-{store_id}'. Make them exclude"),
        ("crm:", '"{all}":', "8:1: a source may be of this form and of 'till-{store_id}'."),
        ("crm:", '"till-{desk}-b":', "8:1: a source may be of this form and of 'till-{store_id}'."),
        ("crm:", '"desk-{desk}":', "8:1: 'desk' is declared as integer in the catalogue, and only a text"),
    ],
)
def test_what_is_wrong_is_told_by_its_place(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in GOOD
    found = flaws(tmp_path, GOOD.replace(old, new, 1))
    assert any(flaw.startswith(told) for flaw in found), found


def test_a_good_file_says_who_brings_what(tmp_path: Path) -> None:
    file = tmp_path / "sources.yaml"
    file.write_text(GOOD)
    rules = load_sources(file, CATALOGUE)
    till, crm = form_of("till-{store_id}"), form_of("crm")
    assert bringers_of(rules) == {"ready": (till, crm), "picked_up": (till,)}
    assert [rules.sources[name].catches_up_ms for name in ("till-{store_id}", "crm")] == [1_800_000, 0]
    forms = forms_of(rules)
    assert [forms.of(source) for source in ("till-0417", "till-", "crm", "crm2", "Till-1")] == [
        *(till, None, crm, None, None)
    ]
    assert till.of("0417") == "till-0417"


def test_where_no_file_lies_nothing_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert sources_of(Settings.model_validate(GIVEN), CATALOGUE) == SourceRules()
    with pytest.raises(DefinitionError, match="cannot be read"):
        sources_of(Settings.model_validate(GIVEN | {"sources_file": tmp_path / "mine.yaml"}), CATALOGUE)


def test_another_silence_is_another_fingerprint(tmp_path: Path) -> None:
    prints = set()
    for silent_after in ("45m", "50m"):
        file = tmp_path / "sources.yaml"
        file.write_text(
            GOOD.replace("45m", silent_after)
            .replace("[ready, picked_up]", "[picked_up]")
            .replace("[ready]", "[order_placed]")
        )
        prints.add(product_of(Settings.model_validate(GIVEN | {"sources_file": file})).fingerprint())
    assert len(prints) == 2


TEXT = st.text("ab", max_size=2)
FORMS = st.one_of(
    st.text("ab", min_size=1, max_size=4),
    st.builds(lambda prefix, suffix: f"{prefix}{{x}}{suffix}", TEXT, TEXT),
)


@given(FORMS, FORMS)
def test_forms_meet_exactly_when_one_source_is_of_both(one: str, other: str) -> None:
    first, second = form_of(one), form_of(other)
    names = ("".join(letters) for length in range(1, 7) for letters in product("ab", repeat=length))
    assert first.meets(second) == any(first.fits(name) and second.fits(name) for name in names)
