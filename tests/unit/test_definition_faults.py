"""Laws of refusing: whatever is in a file, the outcome is a definition or flaws that point into the file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from io import StringIO
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from schemas.definition import Catalogue, Definition, shape_of
from schemas.definition_files import DefinitionError, find_definition, load_catalogue, load_definition, load_definitions
from schemas.yaml_file import DEPTH_MAX, read_mapping
from tests.tries import tries
from tests.unit.definition_cases import MISSHAPED, SHAPED, with_break

CATALOGUE_FILE = Path("touchpoints.yaml")
CATALOGUE = load_catalogue(CATALOGUE_FILE)
GOOD = Path("journeys/click_and_collect.yaml")
TEXT = GOOD.read_text()
NEXT: Final = re.sub(r"^version: \d+$", "version: 99", TEXT, flags=re.MULTILINE)
LAW = settings(max_examples=tries(60), deadline=None, derandomize=True, database=None)
PIECES = st.sampled_from(
    [
        "",
        ":",
        "- ",
        "{",
        "]",
        "'",
        '"',
        "\t",
        "\n",
        "#",
        "&a ",
        "*a",
        "!x ",
        "%",
        "10:00",
        "<<: ",
        "? ",
        "~",
        "\x00",
        "é",
    ]
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 10**30),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["start", "paid", "10m", "9 hours", "store", "order_cancelled", "x" * 200]),
    st.lists(st.text(max_size=3), max_size=25),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=3),
)


def refused(file: Path, content: bytes) -> DefinitionError | Definition:
    file.write_bytes(content)
    try:
        return load_definition(file, CATALOGUE)
    except DefinitionError as error:
        return error


def points_into(error: DefinitionError, content: bytes) -> None:
    lines = content.decode("utf-8", "replace").split("\n")
    for flaw in error.flaws:
        assert 1 <= flaw.line <= len(lines) + 1
        assert flaw.column >= 1
        assert flaw.text.endswith((".", "?")), flaw.text
        assert "Input should" not in flaw.text, flaw.text
        assert "valid dictionary" not in flaw.text, flaw.text


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spoilt") / "journey.yaml"


def test_any_text_is_a_definition_or_flaws_with_places(spoilt: Path) -> None:
    @LAW
    @given(st.lists(st.tuples(st.integers(0, len(TEXT)), st.integers(0, 12), PIECES), min_size=1, max_size=4))
    def law(cuts: list[tuple[int, int, str]]) -> None:
        text = TEXT
        for start, length, piece in cuts:
            text = text[:start] + piece + text[start + length :]
        found = refused(spoilt, text.encode())
        if isinstance(found, DefinitionError):
            assert found.flaws
            points_into(found, text.encode())

    law()


def test_any_bytes_are_a_definition_or_flaws(spoilt: Path) -> None:
    @LAW
    @given(st.binary(max_size=80))
    def law(content: bytes) -> None:
        assert isinstance(refused(spoilt, content), DefinitionError)

    law()


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from places(value, (*path, key))


def test_a_wrong_value_is_told_in_our_words_at_its_own_line(spoilt: Path) -> None:
    """One value of the shipped definition is replaced by something else. A flaw of the shape stands on its line."""
    yaml = YAML()
    whole = YAML(typ="safe").load(TEXT)
    everywhere = list(places(whole))

    @LAW
    @given(st.sampled_from(everywhere), VALUES)
    def law(path: tuple[Any, ...], value: Any) -> None:
        node = document = deepcopy(whole)
        for part in path[:-1]:
            node = node[part]
        node[path[-1]] = value
        text = StringIO()
        yaml.dump(document, text)
        content = text.getvalue().encode()
        found = refused(spoilt, content)
        if isinstance(found, DefinitionError):
            points_into(found, content)
            dotted = ".".join(map(str, path))
            about = [flaw for flaw in found.flaws if flaw.text.startswith((f"{dotted}:", f"{dotted} is"))]
            for flaw in about:
                line = content.decode().split("\n")[flaw.line - 1][flaw.column - 1 :]
                assert isinstance(path[-1], int) or line.startswith(str(path[-1])), (flaw, line)

    law()


@pytest.mark.parametrize("depth", [DEPTH_MAX + 1, 100_000])
def test_deep_nesting_is_a_flaw_and_no_crash(tmp_path: Path, depth: int) -> None:
    file = tmp_path / "deep.yaml"
    file.write_text("a: " + "[" * depth)
    with pytest.raises(DefinitionError, match="nested deeper"):
        read_mapping(file)


def test_a_version_that_two_files_define_is_told_at_its_number(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(TEXT)
    (tmp_path / "b.yaml").write_text(TEXT)
    with pytest.raises(DefinitionError) as caught:
        load_definitions(tmp_path, CATALOGUE)
    (flaw,) = caught.value.flaws
    assert flaw.file.endswith("b.yaml")
    assert "a.yaml too" in flaw.text
    assert TEXT.split("\n")[flaw.line - 1].startswith("version:")


def test_versions_stand_side_by_side(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(TEXT)
    (tmp_path / "b.yaml").write_text(NEXT.replace("mode: live", "mode: shadow"))
    found = [(one.version, one.mode) for one in load_definitions(tmp_path, CATALOGUE) if one.journey == GOOD.stem]
    assert found == [(load_definition(GOOD, CATALOGUE).version, "live"), (99, "shadow")]


def test_one_version_may_be_live_and_the_other_is_told_so_at_its_mode(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(TEXT)
    (tmp_path / "b.yaml").write_text(NEXT)
    with pytest.raises(DefinitionError) as caught:
        load_definitions(tmp_path, CATALOGUE)
    (flaw,) = caught.value.flaws
    assert flaw.file.endswith("b.yaml")
    assert "a.yaml too. Let one of them say shadow" in flaw.text
    assert NEXT.split("\n")[flaw.line - 1].startswith("mode:")


def test_a_version_is_found_by_its_number_and_without_one_the_live_one(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(TEXT)
    (tmp_path / "b.yaml").write_text(NEXT.replace("mode: live", "mode: shadow"))
    live = load_definition(GOOD, CATALOGUE)
    assert find_definition("click_and_collect", tmp_path, CATALOGUE) == live
    assert find_definition(f"click_and_collect@{live.version}", tmp_path, CATALOGUE) == live
    assert find_definition("click_and_collect@99", tmp_path, CATALOGUE).version == 99
    (tmp_path / "a.yaml").write_text(TEXT.replace("mode: live", "mode: shadow"))
    assert find_definition("click_and_collect", tmp_path, CATALOGUE).version == 99
    with pytest.raises(DefinitionError, match=f"no file here defines version '7' .* There is: {live.version}, 99"):
        find_definition("click_and_collect@7", tmp_path, CATALOGUE)
    with pytest.raises(DefinitionError, match="Did you mean 'click_and_collect'"):
        find_definition("click_collect@7", tmp_path, CATALOGUE)


def test_a_definition_is_found_by_its_name_beside_broken_files(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("a: [")
    (tmp_path / "other_name.yaml").write_text(TEXT)
    assert find_definition("click_and_collect", tmp_path, CATALOGUE) == load_definition(GOOD, CATALOGUE)
    with pytest.raises(DefinitionError, match="Did you mean 'click_and_collect'"):
        find_definition("click_collect", tmp_path, CATALOGUE)


@pytest.mark.parametrize(
    ("old", "new", "found_at", "says"),
    [
        ("arrives_within: 20m ", "arrives_within: 20 min ", "arrives_within", "Did you mean '20m'?"),
        ("criticality: low", "critical: low", "critical: low", "Did you mean 'criticality'?"),
        ("mode: monitor", "mode: monitr", "mode: monitr", "Did you mean 'monitor'?"),
        ("ends_session: true", "ends_session: yes", "ends_session: yes", "expected true or false"),
        ("attributed_by: order_id", "attributed_by: order", "attributed_by: order", "Did you mean 'order_id'?"),
        ("type: string}", "type: text}", "type: text", "expected 'string'"),
        ("page_viewed:", "7:", "7:", "expected a word of small letters"),
        ("page_viewed:", "PageViewed:", "PageViewed:", "Did you mean 'page_viewed'?"),
        ("  owner: team-web\n", "", "page_viewed:", "page_viewed.owner is missing"),
        ("screen_viewed:", "page_viewed:", "page_viewed:\n  channel: app", "stands here twice"),
        ("channel: web\n", "channel:\n", "channel:\n", "is empty"),
    ],
)
def test_a_fault_of_the_catalogue_is_named_with_its_place(
    tmp_path: Path, old: str, new: str, found_at: str, says: str
) -> None:
    text = CATALOGUE_FILE.read_text()
    assert old in text
    text = text.replace(old, new, 1)
    file = tmp_path / "touchpoints.yaml"
    file.write_text(text)
    with pytest.raises(DefinitionError) as caught:
        load_catalogue(file)
    (flaw,) = caught.value.flaws
    line = text[: text.index(found_at)].count("\n") + 1
    assert (flaw.line, says in flaw.text) == (line, True), flaw
    assert text.split("\n")[line - 1][flaw.column - 1 :].startswith(found_at.split("\n")[0])


@pytest.mark.parametrize(("rule", "found_at", "says", "_"), MISSHAPED)
def test_a_fault_of_a_break_is_named_with_its_place(
    tmp_path: Path, rule: str, found_at: str, says: str, _: bool
) -> None:
    text, file = with_break(rule), tmp_path / "x.yaml"
    file.write_text(text)
    with pytest.raises(DefinitionError) as caught:
        load_definition(file, CATALOGUE)
    (flaw,) = caught.value.flaws
    stands = text.index(found_at, text.index("  trouble:"))
    line, column = text[:stands].count("\n") + 1, stands - text.rindex("\n", 0, stands)
    assert (flaw.line, flaw.column, says in flaw.text) == (line, column, True), flaw


@pytest.mark.parametrize(("kind", "rule"), SHAPED)
def test_a_break_of_each_shape_is_told_by_its_fields(tmp_path: Path, kind: str, rule: str) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(with_break(rule))
    assert shape_of(load_definition(file, CATALOGUE).breaks["trouble"]).kind == kind


@pytest.mark.parametrize(
    ("collected", "ready", "begins"),
    [
        ("touchpoint: picked_up", "touchpoint: picked_up", False),
        ("touchpoint: picked_up, where: {channel: store}", "touchpoint: picked_up", False),
        ("touchpoint: picked_up", "touchpoint: picked_up, where: {channel: store}", True),
        ("touchpoint: picked_up", "any_of: [picked_up, ready_for_pickup]", False),
        ("any_of: [picked_up, page_viewed]", "any_of: [picked_up, ready_for_pickup]", True),
    ],
)
def test_a_step_that_the_success_itself_brings_is_never_skipped(
    tmp_path: Path, collected: str, ready: str, begins: bool
) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(
        "journey: x\nversion: 1\nowner: a\ninstance: {key: order_id}\nstart: {touchpoint: order_placed}\n"
        f"steps:\n  ready: {{{ready}}}\n  collected: {{{collected}}}\n"
        "outcome: {success: collected}\nbreaks: {trouble: {without: ready}}\n"
    )
    if begins:
        assert load_definition(file, CATALOGUE).breaks["trouble"].without == "ready"
        return
    with pytest.raises(DefinitionError, match="so it never begins") as caught:
        load_definition(file, CATALOGUE)
    (flaw,) = caught.value.flaws
    assert (flaw.line, flaw.column) == (10, 20)


@pytest.mark.parametrize(
    ("calendar", "step", "found_at", "says"),
    [
        ('zone: Europe/Berln, open: {mon: "09:00-20:00"}', "shop", "zone:", "zone: no time zone of this name"),
        ('zone: Europe/Berlin, open: {mon: "9-20"}', "shop", "open:", "write them in quotes"),
        ('zone: Europe/Berlin, open: {mo: "09:00-20:00"}', "shop", "open:", "no day and no range of days"),
        ('zone: UTC, open: {mon: "20:00-09:00"}', "shop", "open:", "ends before it begins"),
        ('zone: UTC, open: {mon: "09:00-20:00"}, holidays: XX', "shop", "holidays:", "no country of this code"),
        ('zone: UTC, open: {mon: "09:00-20:00"}', "shp", "counting:", "Did you mean 'shop'?"),
    ],
)
def test_a_fault_of_a_calendar_is_named_with_its_place(
    tmp_path: Path, calendar: str, step: str, found_at: str, says: str
) -> None:
    text = TEXT.replace("grace:", f"calendars:\n  shop: {{{calendar}}}\ngrace:", 1)
    text = text.replace("    within: 8h\n", f"    within: 8h\n    counting: {step}\n", 1)
    file = tmp_path / "x.yaml"
    file.write_text(text)
    with pytest.raises(DefinitionError) as caught:
        load_definition(file, CATALOGUE)
    flaw = caught.value.flaws[0]
    assert text.split("\n")[flaw.line - 1][flaw.column - 1 :].startswith(found_at)
    assert says in flaw.text


def test_no_journey_waits_for_what_is_ignored(tmp_path: Path) -> None:
    text = CATALOGUE_FILE.read_text()
    ignored = text.replace("mode: activate, criticality: low}", "mode: ignore, criticality: low}", 1)
    file = tmp_path / "touchpoints.yaml"
    file.write_text(ignored)
    with pytest.raises(DefinitionError) as caught:
        load_definition(GOOD, load_catalogue(file))
    (flaw,) = caught.value.flaws
    assert "'order_approved' is of mode ignore" in flaw.text
    assert TEXT.split("\n")[flaw.line - 1].strip() == "touchpoint: order_approved"


def test_a_number_where_the_catalogue_says_number(tmp_path: Path) -> None:
    """`where` compares 3 with 3.0 as equal, and never true with 1."""
    entry = CATALOGUE.touchpoints["order_placed"].model_dump()
    kinds = {"count": "integer", "price": "number", "gift": "boolean"}
    entry["properties"] = {name: {"type": kind} for name, kind in kinds.items()}
    catalogue = Catalogue.model_validate(
        {"touchpoints": {**CATALOGUE.model_dump()["touchpoints"], "order_placed": entry}}
    )
    wanted = {
        "{count: 3, price: 3, gift: true}": [],
        "{count: 3.0, price: 2.5}": [],
        "{count: 2.5}": ["count"],
        "{count: true, price: false, gift: 1}": ["count", "price", "gift"],
        "{price: '3'}": ["price"],
    }
    for where, wrong in wanted.items():
        file = tmp_path / "x.yaml"
        file.write_text(TEXT.replace("{fulfilment: pickup}", where))
        try:
            load_definition(file, catalogue)
            found = []
        except DefinitionError as error:
            found = [flaw.text.split(" ")[0] for flaw in error.flaws]
        assert found == wrong
