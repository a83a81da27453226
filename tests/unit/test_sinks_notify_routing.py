"""Settings, routes file and environment make the routes."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.settings import Settings, SettingsError, read_settings
from sinks.notify.routing import routes_of
from sinks.notify.slack import PER_MINUTE
from tests.unit.test_schemas_routes import ENVIRON, GOOD


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "routes.yaml"
    found.write_text(GOOD)
    return found


def test_without_a_file_there_is_the_webhook_of_the_settings_or_nothing() -> None:
    assert routes_of(Settings(), {}) == ()
    (route,) = routes_of(Settings.model_validate({"webhook_url": "https://a.example/in", "webhook_secret": "s"}), {})
    assert (route.key, route.url, route.secret) == ("webhook:webhook", "https://a.example/in", b"s")
    assert route.per_minute is None


def test_the_file_adds_its_routes_with_addresses_and_secrets(file: Path) -> None:
    settings = Settings.model_validate({"webhook_url": "https://a.example/in", "routes_file": str(file)})
    found = {route.key: route for route in routes_of(settings, ENVIRON)}
    assert list(found) == ["webhook:webhook", "slack:checkout_room", "webhook:paging", "alertmanager:operations"]
    assert found["slack:checkout_room"].url == ENVIRON["SLACK_CHECKOUT_ROOM"]
    assert found["slack:checkout_room"].template == "{state} {journey}"
    assert found["slack:checkout_room"].per_minute == 10
    file.write_text(GOOD.replace("    per_minute: 10\n", ""))
    slack_by_default = next(route for route in routes_of(settings, ENVIRON) if route.kind == "slack")
    assert slack_by_default.per_minute == PER_MINUTE
    assert (found["webhook:paging"].secret, found["webhook:paging"].template) == (b"s", "")
    operations = found["alertmanager:operations"]
    assert operations.url == "http://alertmanager.example:9093/api/v2/alerts"
    assert (operations.username, operations.secret) == ("us", b"p")


def test_a_slack_address_that_is_none_is_refused_and_not_shown(file: Path) -> None:
    with pytest.raises(SettingsError, match="SLACK_CHECKOUT_ROOM") as caught:
        routes_of(Settings(routes_file=file), ENVIRON | {"SLACK_CHECKOUT_ROOM": "hush"})
    assert "hush" not in str(caught.value)


def test_a_refresh_that_comes_too_late_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOUCHLINE_ALERTMANAGER_ENDS_AFTER_MS", "60000")
    with pytest.raises(SettingsError, match="ALERTMANAGER_ENDS_AFTER_MS must be twice"):
        read_settings()
