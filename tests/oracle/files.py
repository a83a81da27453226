"""Reads the files a run was made by: those in its `definitions/`, else the repository's. YAML is all that a package
does here; what it says is read by `reading`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

from tests.oracle.expectation import Files
from tests.oracle.modes import Switched
from tests.oracle.reading import answers_of, catalogue_of, definition_of, sources_of

ROOT: Final = Path(__file__).resolve().parents[2]


def files_of(directory: Path) -> Files:
    """`definitions/` holds `touchpoints.yaml`, `sources.yaml` if there is one, and `journeys/`; `switches.jsonl` beside
    it what people switched. Raises OSError, KeyError, ValueError.
    """
    own = directory / "definitions"
    return files_in(own if own.exists() else ROOT, tuple(_switches(directory / "switches.jsonl")))


def files_in(place: Path, switches: tuple[Switched, ...] = ()) -> Files:
    entries = _yaml(place / "touchpoints.yaml")
    known = catalogue_of(entries)
    journeys = sorted((place / "journeys").glob("*.yaml"))
    sources = place / "sources.yaml"
    return Files(
        definitions=(*(definition_of(_yaml(file), known) for file in journeys), *answers_of(entries, known)),
        known=known,
        watched=sources_of(_yaml(sources)) if sources.exists() else (),
        switches=switches,
    )


def _yaml(file: Path) -> Mapping[str, Any]:
    said = YAML(typ="safe", pure=True).load(file.read_text())
    if not isinstance(said, dict):
        raise ValueError(f"{file}: not a mapping")
    return said


def _switches(file: Path) -> list[Switched]:
    lines = file.read_text().splitlines() if file.exists() else []
    said = [json.loads(line) for line in lines if line.strip()]
    return [Switched(one["definition"], one["version"], one["mode"], one["from_at"]) for one in said]
