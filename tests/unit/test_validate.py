"""`touchline validate`: each file is checked as what it is, whatever its name, and what it then says."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli.main import app
from schemas.calendar import Calendar
from schemas.file_kinds import FileKind, kind_of, like
from schemas.yaml_file import read_mapping

ROUTES = """
routes:
  room:
    match: {journeys: [checkout]}
    target: {kind: slack, url_env: ROOM_URL}
"""
SHIPPED: list[tuple[Path, FileKind]] = [
    (Path("touchpoints.yaml"), "catalogue"),
    (Path("sources.yaml"), "sources"),
    (Path("identity.yaml"), "identity"),
    *((file, "journey") for file in sorted(Path("journeys").glob("*.yaml"))),
]


def validated(*files: Path, code: int = 0) -> str:
    told = CliRunner().invoke(app, ["validate", *map(str, files)])
    assert told.exit_code == code, told.output
    return told.output


@pytest.mark.parametrize(("file", "kind"), SHIPPED, ids=str)
def test_a_shipped_file_is_known_by_what_stands_in_it(tmp_path: Path, file: Path, kind: FileKind) -> None:
    assert like(read_mapping(file)) == kind
    copy = tmp_path / "copy.yaml"
    copy.write_text(file.read_text())
    assert kind_of(copy, {}) == kind
    assert f"{copy}: " in validated(copy)


@pytest.mark.parametrize("name", ["touchpoints.yaml", "catalogue of next year.yaml"])
def test_the_catalogue_is_checked_as_a_catalogue(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    text = Path("touchpoints.yaml").read_text()
    file.write_text(text.replace("criticality: low}", "criticality: lo}", 1))
    said = validated(file, code=1)
    assert f"{file}:8:45: page_viewed.impact.criticality: expected 'low'" in said
    assert "journey" not in said


def test_a_journey_is_judged_by_the_catalogue_that_is_named(tmp_path: Path) -> None:
    catalogue, journey = tmp_path / "touchpoints.yaml", tmp_path / "mine.yaml"
    catalogue.write_text("asked: {owner: me, impact: {stage: service, mode: activate, criticality: low}}\n")
    journey.write_text(
        "journey: mine\nversion: 1\nowner: me\ninstance: {key: customer}\nstart: {touchpoint: asked}\n"
        "steps: {again: {touchpoint: asked}}\noutcome: {success: again}\n"
    )
    assert "touchpoint 'asked' is not in the catalogue" in validated(journey, code=1)
    assert (
        f"{journey}: mine version 1, 1 steps"
        in CliRunner().invoke(app, ["validate", str(journey), str(catalogue)]).output
    )


def test_routes_are_checked_wherever_the_secrets_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "whom-to-tell.yaml"
    file.write_text(ROUTES)
    monkeypatch.delenv("ROOM_URL", raising=False)
    assert f"{file}: routes room; not set here, and the notifier needs: ROOM_URL" in validated(file)
    monkeypatch.setenv("ROOM_URL", "https://slack.example/x")
    assert validated(file) == f"{file}: routes room\n"
    file.write_text(ROUTES.replace("url_env", "url_evn"))
    assert f"{file}:5:" in validated(file, code=1)
    monkeypatch.setenv("TOUCHLINE_ROUTES_FILE", str(file))
    assert "url_env is missing" in validated(code=1)


def test_routes_need_no_catalogue_beside_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("routes.yaml").write_text(ROUTES)
    assert "routes room" in validated(Path("routes.yaml"))
    assert "touchpoints.yaml:1:1: cannot be read" in validated(code=1)


def test_the_help_names_every_file_that_is_checked() -> None:
    said = " ".join(CliRunner().invoke(app, ["validate", "--help"], env={"COLUMNS": "400"}).output.split())
    for word in ("journeys", "touchpoints.yaml", "sources.yaml", "identity.yaml", "routes"):
        assert word in said


def test_figures_of_a_demo_are_printed_anyway() -> None:
    told = CliRunner().invoke(app, ["demo", "--help"], env={"COLUMNS": "400"})
    assert "which are printed anyway, to FILE, too (-: only printed)" in " ".join(told.output.split())


@pytest.mark.parametrize(
    ("zone", "says"),
    [("Europe/Berln", "Did you mean 'Europe/Berlin'?"), ("x", "is wanted, such as Europe/Berlin")],
)
def test_a_time_zone_that_is_none_names_the_nearest(zone: str, says: str) -> None:
    with pytest.raises(ValueError, match=says.replace("?", r"\?")):
        Calendar.model_validate({"zone": zone, "open": {"mon": "09:00-20:00"}})
