"""What a worker is made of, from settings: the identity rules reach the stages, and a changed rule is another build."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.settings import Settings, SettingsError
from streams.identity.limits import Limits
from streams.main import product_of
from streams.stage import Effect
from tests.simulated.log import Record

GIVEN = {"control_secret": "0123456789abcdef", "personal_key": "0123456789abcdef", "horizon_ms": 72 * 3_600_000}


def settings(tmp_path: Path, rules: str | None = None, **given: Any) -> Settings:
    if rules is not None:
        (tmp_path / "rules.yaml").write_text(rules)
        given["identity_file"] = tmp_path / "rules.yaml"
    return Settings.model_validate(GIVEN | given)


def test_the_shipped_rules_are_the_limits_that_are_built_in(tmp_path: Path) -> None:
    built_in = Limits()
    assert product_of(settings(tmp_path)).limits() == built_in


def test_changed_rules_reach_the_limits(tmp_path: Path) -> None:
    rules = """
windows: {login_before: 24h, link: 30d}
limits: {kiosk_users: 2, kiosk_touchpoints: 50, component: 20, kept: 700}
identifiers: {user_id: {most: 3}, phone: {most: 4}}
"""
    limits = product_of(settings(tmp_path, rules)).limits()
    assert (limits.login_ms, limits.link_ms) == (24 * 3_600_000, 30 * 86_400_000)
    assert (limits.kiosk_users, limits.kiosk_touchpoints, limits.component, limits.kept) == (2, 50, 20, 700)
    assert limits.most == {"user_id": 3, "email": 10, "phone": 4, "loyalty_card": 10}


@pytest.mark.parametrize(
    "other",
    [
        {"rules": "ignore: [test]\n"},
        {"rules": "phone_region: DE\n"},
        {"rules": "limits: {component: 49}\n"},
        {"personal_key": "fedcba9876543210"},
        {"proof_secret": "fedcba9876543210"},
    ],
    ids=str,
)
def test_what_reads_identifiers_otherwise_has_another_fingerprint(tmp_path: Path, other: dict[str, Any]) -> None:
    usual = product_of(settings(tmp_path)).fingerprint()
    assert product_of(settings(tmp_path)).fingerprint() == usual
    assert product_of(settings(tmp_path, **other)).fingerprint() != usual


def test_a_login_may_not_speak_for_longer_than_it_is_remembered(tmp_path: Path) -> None:
    rules = "windows: {login_before: 145h}\n"
    with pytest.raises(
        SettingsError, match=r"login_before of the identity rules is 145h, more than 2 times TOUCHLINE_"
    ):
        product_of(settings(tmp_path, rules))
    assert product_of(settings(tmp_path, rules, horizon_ms=73 * 3_600_000)).limits().login_ms == 145 * 3_600_000


def test_where_no_collector_beats_a_workers_own_beats_let_time_pass(tmp_path: Path) -> None:
    """Live, a beat counts as far as it was sent: one that says nothing of that would stop time."""
    product = product_of(settings(tmp_path, beats="worker"))
    spec = next(spec for spec in product.stages() if spec.name == "resolve")
    assert spec.beat is not None
    at = 1_772_366_400_000
    beat, out = spec.beat(3, at), list[Effect]()
    spec.factory(3).apply(Record(0, at + 5, None, beat.value, beat.headers), out)
    (report,) = out
    assert json.loads(report.value)["log_time"] == at + 4
