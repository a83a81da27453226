"""What `up` gives to its parts: everything that somebody has set, and nothing of it in a simulation."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.keys import Secrets
from deploy.part import Part, Surroundings, last_line, parts_of, write_keys_of
from schemas.settings import Settings, read_settings

SET = {
    "TOUCHLINE_WEBHOOK_URL": "http://127.0.0.1:9/hook",
    "TOUCHLINE_WEBHOOK_SECRET": "hush",
    "TOUCHLINE_SESSION_TIMEOUT_MS": "6000",
    "TOUCHLINE_COLLECTOR_PORT": "28123",
    "TOUCHLINE_WRITE_KEYS_FILE": "mine.yaml",
}


def parts(settings: Settings, home: Path, webhook_url: str = "", workers: int = 1) -> dict[str, Part]:
    around = Surroundings(
        settings,
        home,
        "127.0.0.1:1",
        "http://127.0.0.1:2",
        Secrets("control", {}, "admin", "personal", "proof"),
        webhook_url,
    )
    return {part.name: part for part in parts_of(around, workers)}


def test_what_is_set_reaches_the_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in SET.items():
        monkeypatch.setenv(name, value)
    found = parts(settings := read_settings(), tmp_path)
    env = found["notifier"].env
    assert (env["TOUCHLINE_WEBHOOK_URL"], env["TOUCHLINE_WEBHOOK_SECRET"]) == ("http://127.0.0.1:9/hook", "hush")
    assert found["worker-1"].env["TOUCHLINE_SESSION_TIMEOUT_MS"] == "6000"
    assert found["collector"].health_port == 28123
    assert found["collector"].env["TOUCHLINE_WRITE_KEYS_FILE"] == str(tmp_path / "mine.yaml")
    assert write_keys_of(tmp_path / "home", settings) == tmp_path / "mine.yaml"


def test_port_0_is_a_port_that_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COLLECTOR_PORT", "HEALTH_PORT", "LOADER_HEALTH_PORT", "NOTIFIER_HEALTH_PORT"):
        monkeypatch.setenv(f"TOUCHLINE_{name}", "0")
    found = parts(read_settings(), tmp_path)
    assert all(part.health_port > 0 for part in found.values()), "`up` asks there whether it is ready"
    assert found["collector"].env["TOUCHLINE_COLLECTOR_PORT"] == str(found["collector"].health_port)
    assert len({part.health_port for part in found.values()}) == len(found)


def test_a_simulation_is_the_same_whatever_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SET.items():
        monkeypatch.setenv(name, value)
    found = parts(read_settings(run="simulation"), tmp_path, webhook_url="http://127.0.0.1:7/")
    assert found["collector"].health_port != 28123
    assert found["collector"].env["TOUCHLINE_WRITE_KEYS_FILE"] == str(tmp_path / "write-keys.yaml")
    assert found["notifier"].env["TOUCHLINE_WEBHOOK_URL"] == "http://127.0.0.1:7/"
    assert "TOUCHLINE_SESSION_TIMEOUT_MS" not in found["worker-1"].env


def test_the_routes_of_a_demo_reach_its_notifier_alone(tmp_path: Path) -> None:
    secrets = Secrets("control", {}, "admin", "personal", "proof")
    around = Surroundings(read_settings(run="simulation"), tmp_path, "k", "c", secrets, "", tmp_path / "routes.yaml")
    has = {part.name for part in parts_of(around, 1) if "TOUCHLINE_ROUTES_FILE" in part.env}
    assert has == {"notifier"}


def test_every_part_has_a_port_and_a_name_of_its_own(tmp_path: Path) -> None:
    found = parts(Settings(), tmp_path, workers=3)
    assert list(found) == ["collector", "worker-1", "worker-2", "worker-3", "loader", "notifier"]
    assert len({part.health_port for part in found.values()}) == len(found)


def test_the_last_words_are_the_last_line_that_is_not_empty(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert last_line(log) == "none"
    log.write_text("\n")
    assert last_line(log) == "none"
    log.write_text("a" * 100_000 + "\nlast words\n\n")
    assert last_line(log) == "last words"
