"""A definition with an error names file, line, column and the nearest right word."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli.main import app
from schemas.definition import Catalogue
from schemas.definition_files import DefinitionError, load_catalogue, load_definition, load_definitions
from schemas.yaml_file import read_mapping
from tests.unit.definition_cases import BROKEN, FINE, GOOD

CATALOGUE = Path("touchpoints.yaml")


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue(CATALOGUE)


def test_what_is_shipped_is_right(catalogue: Catalogue) -> None:
    assert {definition.journey for definition in load_definitions(Path("journeys"), catalogue)} >= {
        "checkout",
        "click_and_collect",
    }


def spoil(tmp_path: Path, old: str, new: str) -> Path:
    text = GOOD.read_text()
    assert old in text
    file = tmp_path / "spoilt.yaml"
    file.write_text(text.replace(old, new, 1))
    return file


@pytest.mark.parametrize(
    ("old", "new", "found_at", "says"),
    BROKEN,
)
def test_a_fault_is_named_with_its_place(
    tmp_path: Path, catalogue: Catalogue, old: str, new: str, found_at: str, says: str
) -> None:
    file = spoil(tmp_path, old, new)
    with pytest.raises(DefinitionError) as caught:
        load_definition(file, catalogue)
    text = file.read_text()
    line = text[: text.index(found_at)].count("\n") + 1
    (flaw,) = caught.value.flaws
    assert flaw.line == line
    assert text.splitlines()[line - 1][flaw.column - 1 :].startswith(found_at.split("\n")[0])
    assert says in flaw.text


@pytest.mark.parametrize("clearing", FINE)
def test_a_repetition_may_count_what_clears_it_elsewhere(tmp_path: Path, catalogue: Catalogue, clearing: str) -> None:
    """True is not 1, and a store is no web: such touchpoints are counted and do not clear. The touchpoint declares no
    property here, so any will do.
    """
    free = catalogue.touchpoints | {
        "picked_up": catalogue.touchpoints["picked_up"].model_copy(update={"properties": {}})
    }
    text = GOOD.read_text().replace(
        "steps:\n", "steps:\n  gifted:\n    touchpoint: picked_up\n    where: {gift: true}\n    after: ready\n", 1
    )
    text = text.replace("touchpoint: payment_declined", "touchpoint: picked_up").replace("cleared_by: paid", clearing)
    file = tmp_path / "fine.yaml"
    file.write_text(text)
    found = load_definition(file, catalogue.model_copy(update={"touchpoints": free}))
    assert found.breaks["payment_trouble"].touchpoint == "picked_up"


def test_all_faults_of_all_files_are_told_at_once(tmp_path: Path, catalogue: Catalogue) -> None:
    (tmp_path / "a.yaml").write_text(
        GOOD.read_text().replace("within: 8h", "within: x").replace("mode: live", "mode: on")
    )
    (tmp_path / "b.yaml").write_text("[]")
    with pytest.raises(DefinitionError) as caught:
        load_definitions(tmp_path, catalogue)
    assert len(caught.value.flaws) == 3


def test_a_key_given_twice_and_a_bare_date_are_told_at_once(tmp_path: Path, catalogue: Catalogue) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("journey: a\nowner: 2026-01-01\ngrace: 10:00\njourney: b\n")
    with pytest.raises(DefinitionError) as caught:
        load_definition(file, catalogue)
    assert [(flaw.line, flaw.text.split(";")[0].split(" in quotes")[0]) for flaw in caught.value.flaws] == [
        (2, "write '2026-01-01'"),
        (3, "write '10:00'"),
        (4, "this key stands here twice"),
    ]


@pytest.mark.parametrize("content", ["a: 2026-13-45\nb: 1\n", "a: {<<: 1}\nb: 1\n", "a: 2026-01-01T99:99:99Z\n"])
def test_what_yaml_would_misread_and_cannot_load_is_told_as_misread(tmp_path: Path, content: str) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(content)
    with pytest.raises(DefinitionError, match=r"in quotes|merge keys"):
        read_mapping(file)


def test_where_the_catalogue_knows_no_channels_and_no_scores_any_will_do(tmp_path: Path) -> None:
    entry = "{owner: team, impact: {stage: purchase, mode: activate, criticality: low}}"
    (tmp_path / "touchpoints.yaml").write_text(f"placed: {entry}\npaid: {entry}\n")
    file = tmp_path / "x.yaml"
    file.write_text(
        "journey: a\nversion: 1\nowner: team\ninstance: {key: order_id}\n"
        "start: {touchpoint: placed, where: {channel: fax}}\nsteps: {paid: {touchpoint: paid}}\n"
        "outcome: {success: paid}\nbreaks: {sad: {score: mood, below: 3}}\n"
    )
    assert load_definition(file, load_catalogue(tmp_path / "touchpoints.yaml")).breaks["sad"].score == "mood"


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a: [", b"a: !!python/object:os.system {}", b"", b"x" * (1 << 21)])
def test_a_file_that_is_no_definition_is_refused(tmp_path: Path, catalogue: Catalogue, content: bytes) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(content)
    with pytest.raises(DefinitionError):
        load_definition(file, catalogue)


def test_a_file_of_another_kind_is_refused_soon_and_in_short(tmp_path: Path, catalogue: Catalogue) -> None:
    file = tmp_path / "export.yaml"
    file.write_text("".join(f"k{number}: {number}\n" for number in range(600)))
    with pytest.raises(DefinitionError) as caught:
        load_definition(file, catalogue)
    assert len(caught.value.flaws) == 101
    assert "the first 100 flaws" in caught.value.flaws[-1].text
    file.write_text("".join(f"k{number}:\n" for number in range(600)))
    with pytest.raises(DefinitionError) as caught:
        load_catalogue(file)
    assert len(caught.value.flaws) == 101


def test_a_definition_that_is_not_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "good.yaml").write_text(GOOD.read_text())
    monkeypatch.setenv("TOUCHLINE_DEFINITIONS_DIR", str(tmp_path))
    assert CliRunner().invoke(app, ["validate"]).exit_code == 0
    (tmp_path / "mine.yml").write_text(GOOD.read_text())
    found = CliRunner().invoke(app, ["validate"])
    assert found.exit_code == 1
    assert "mine.yml:1:1: only *.yaml is read here. Name it mine.yaml" in found.output
