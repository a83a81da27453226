"""Mermaid itself reads what `touchline explain --diagram` draws, and understands what our own strict reader does."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from schemas.definition import Catalogue, Definition
from schemas.definition_files import load_catalogue, load_definitions
from schemas.explain_diagram import diagram
from tests.integration.npm_packages import npm_packages
from tests.unit.explain_cases import cases
from tests.unit.mermaid_reader import read

NODE = Path(__file__).with_name("mermaid_node")
STROKES = {"-->": "normal", "==>": "thick", "-.->": "dotted"}
DIAGRAMS = 60


@pytest.fixture(scope="module")
def installed() -> Path:
    npm_packages(NODE)
    return NODE


def understood(diagrams: list[str], home: Path) -> list[dict[str, Any]]:
    done = subprocess.run(
        ["node", "parse.mjs"], cwd=home, input=json.dumps(diagrams), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def test_mermaid_understands_every_drawing(installed: Path) -> None:
    catalogue = load_catalogue(Path("touchpoints.yaml"))
    drawings = [diagram(definition) for definition in load_definitions(Path("journeys"), catalogue)]

    @settings(max_examples=DIAGRAMS, deadline=None, derandomize=True, database=None)
    @given(cases())
    def draw(case: tuple[Definition, Catalogue]) -> None:
        drawings.append(diagram(case[0]))

    draw()
    assert len(drawings) >= DIAGRAMS
    for drawing, answer in zip(drawings, understood(drawings, installed), strict=True):
        assert "error" not in answer, f"{answer['error']}\n{drawing}"
        ours = read(drawing)
        assert answer["type"] == "flowchart-v2"
        assert answer["nodes"] == ours.nodes
        assert answer["edges"] == [
            [source, STROKES[arrow], target, label] for source, arrow, target, label in ours.edges
        ]


def test_mermaid_refuses_what_is_no_flowchart(installed: Path) -> None:
    """The check above can fail: a name of ours without quotes and prefix is a word of Mermaid's."""
    (answer,) = understood(["flowchart TD\n    start --> end\n"], installed)
    assert "Parse error" in answer["error"]
