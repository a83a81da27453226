"""The container files say what the code knows: files that are shipped, settings that exist, modules that run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from schemas.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
CONTAINERFILE = (ROOT / "deploy/Containerfile").read_text()
SERVICES: dict[str, dict[str, Any]] = YAML(typ="safe").load((ROOT / "deploy/compose.yaml").read_text())["services"]
OWN = [name for name, service in SERVICES.items() if "build" in service]


def test_every_shipped_file_of_rules_is_in_the_image() -> None:
    copied = {word for line in re.findall(r"^COPY (.*) \S+$", CONTAINERFILE, re.MULTILINE) for word in line.split()}
    shipped = {file.name for file in ROOT.glob("*.yaml")}
    assert shipped
    assert shipped <= copied
    assert {word for word in copied if not (ROOT / word).exists()} == set()


@pytest.mark.parametrize("name", OWN)
def test_every_setting_of_a_service_exists(name: str) -> None:
    known = {PREFIX + field.upper() for field in Settings.model_fields}
    known |= {str(field.validation_alias) for field in Settings.model_fields.values() if field.validation_alias}
    assert set(SERVICES[name]["environment"]) <= known


@pytest.mark.parametrize("name", [name for name in OWN if "entrypoint" not in SERVICES[name]])
def test_every_service_runs_a_module(name: str) -> None:
    path = ROOT / SERVICES[name]["command"][0].replace(".", "/")
    assert path.with_suffix(".py").exists() or (path / "__main__.py").exists()
