"""A webhook's template: what is no JSON is found when the file is read, and what passes is JSON with any values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.routes import load_routes
from schemas.templates import BODY_FIELDS, body_fault, filled_body
from schemas.yaml_file import DefinitionError
from tests.tries import tries

ROUTES: Final = """
routes:
  duty:
    target: {kind: webhook, url: "https://pager.example/in", secret_env: KEY}
    template: |
      {{
        "summary": "{first_line}",
        "n": {occurrence}
      }}
"""
ENVIRON: Final = {"KEY": "k"}


def flaw(tmp_path: Path, text: str) -> tuple[int, str]:
    (file := tmp_path / "routes.yaml").write_text(text)
    with pytest.raises(DefinitionError) as caught:
        load_routes(file, ENVIRON)
    (found,) = caught.value.flaws
    assert found.file == str(file)
    return found.line, found.text


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ('"{first_line}"', "{first_line}", 7, '{first_line} it is no JSON: a text stands in quotes, "{first_line}"'),
        ("{occurrence}", "{evidense}", 8, "Did you mean 'evidence'?"),
        ("{occurrence}", '"{evidence}"', 8, "{evidence} is JSON itself, without quotes"),
        ("{occurrence}", "0{occurrence}", 8, "no JSON"),
        ("{occurrence}", "NaN", 5 + 1, "NaN is none of its words"),
        ("{occurrence}", "{due_at}", 8, "a text stands in quotes"),
        ("{occurrence}", "{flapping}{flapping}", 8, "{flapping} it is no JSON"),
        ('"{first_line}",', '"{first_line}"', 8, "no JSON: Expecting ',' delimiter"),
        ('"{first_line}"', '"\\{first_line}"', 7, "no JSON"),
        ('"{first_line}"', '"\\u00{first_line}"', 7, "no JSON"),
        ("{{\n", "{\n", 6, "Write {{ and }} for braces"),
        ("      }}\n", "      }\n", 9, "Write {{ and }} for braces"),
        ('"{first_line}"', '"{first_line!r}"', 7, "bare name"),
        ('"{first_line}"', '"{count}"', 7, "{count} is no field"),
        (", secret_env: KEY", "", None, ""),
        ("{occurrence}", '"{secret}"', None, ""),
    ],
)
def test_a_fault_names_file_line_and_field(tmp_path: Path, old: str, new: str, line: int | None, says: str) -> None:
    assert old in ROUTES
    text = ROUTES.replace(old, new, 1)
    if line is None:
        (tmp_path / "routes.yaml").write_text(text)
        assert load_routes(tmp_path / "routes.yaml", ENVIRON).routes["duty"].template
        return
    found_at, found = flaw(tmp_path, text)
    assert (found_at, says in found) == (line, True), found
    assert found.startswith("routes.duty.template, line ")


def test_a_secret_that_there_is_not_is_missed(tmp_path: Path) -> None:
    text = ROUTES.replace(", secret_env: KEY", "").replace("{occurrence}", '"{secret}"')
    assert "secret_env, which this target lacks" in flaw(tmp_path, text)[1]


def test_a_template_on_one_line_is_named_by_that(tmp_path: Path) -> None:
    text = ROUTES.partition("    template")[0] + """    template: '{{"a": {state}}}'\n"""
    assert flaw(tmp_path, text)[0] == 5


def test_all_faults_of_the_file_are_told_at_once(tmp_path: Path) -> None:
    (file := tmp_path / "routes.yaml").write_text(
        ROUTES.replace("KEY", "OTHER").replace("{occurrence}", "{state}") + "  room:\n"
        "    target: {kind: slack, url_env: KEY}\n    template: '{nonsense}'\n"
    )
    with pytest.raises(DefinitionError) as caught:
        load_routes(file, ENVIRON)
    assert len(caught.value.flaws) == 3


TEXTS: Final = st.one_of(
    st.text(), st.sampled_from(('"', "\\", "\n", '","x":"', "}}", "{state}", "\u2028", "😀", "</a>"))
)
VALUES: Final = st.fixed_dictionaries(
    {
        name: {
            "text": st.none() | TEXTS,
            "number": st.integers(0, 10**9),
            "truth": st.booleans(),
            "json": st.lists(st.dictionaries(TEXTS, TEXTS), max_size=2),
        }[kind]
        for name, kind in BODY_FIELDS.items()
    }
)
PIECES: Final = st.sampled_from(
    (
        "{{", "}}", "[", "]", ",", ":", '"', "\\", "\n", " ", "0", "1", "-", "u", "\\u00", "true", "nu", "ll", "x", "é",
        '"a":', '"{state}"', *(f"{{{name}}}" for name in ("state", "due_at", "occurrence", "flapping", "evidence")),
    )
)  # fmt: skip


@settings(max_examples=tries(300), deadline=None)
@given(
    st.lists(PIECES, max_size=8),
    st.sampled_from(("{}", "[{}]", '{{{{"k": {}}}}}', '"{}"', '[{}, "{{state}}"]')),
    VALUES,
)
def test_what_passes_is_json_with_any_values(pieces: list[str], around: str, values: dict[str, Any]) -> None:
    template = around.format("".join(pieces))
    if body_fault(template) is None:
        json.loads(filled_body(template, values).decode())


@given(VALUES)
def test_every_field_comes_out_as_it_went_in(values: dict[str, Any]) -> None:
    quoted = [name for name, kind in BODY_FIELDS.items() if kind == "text"]
    entries = [f'"{name}": "{{{name}}}"' for name in quoted]
    entries += [f'"{name}": {{{name}}}' for name in BODY_FIELDS if name not in quoted]
    template = "{{\n" + ",\n".join(entries) + "\n}}"
    assert body_fault(template) is None
    assert json.loads(filled_body(template, values)) == values | {name: values[name] or "" for name in quoted}


def test_no_line_of_a_body_is_left_out() -> None:
    template = '{{\n"a": "{step}",\n"b": 1\n}}'
    assert json.loads(filled_body(template, {"step": None})) == {"a": "", "b": 1}


@pytest.mark.parametrize("template", ["[" * 100_000 + "]" * 100_000, '"\ud800"', "", " "])
def test_what_nobody_could_take_is_refused(template: str) -> None:
    assert body_fault(template) is not None
