"""What `touchline definitions` says: which version is in which mode, since when and why, and what a switch will do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from deploy.cli.main import app
from deploy.cli.versions import expected, is_so_already, screen
from deploy.definitions.versions import Standing, Switched, standings
from deploy.identity.asked import Unclear
from schemas.control_records import Switch
from schemas.definition import Definition
from schemas.records import Mode
from streams.journey.modes import Turn
from tests.journey_case import COLLECT, DAY, HOUR, NOON

ONE = Definition.model_validate({**COLLECT, "version": 1, "mode": "live"})
TWO = Definition.model_validate({**COLLECT, "version": 2, "mode": "shadow"})
LOCATED = [(TWO, Path("journeys/next.yaml")), (ONE, Path("journeys/collect.yaml"))]


def switched(version: int, mode: Mode, at: int, order: int, reason: str = "a week without a false one") -> Switched:
    return Switched("click_and_collect", Turn(version, mode, at, order), reason, "anna")


def modes(found: list[Standing]) -> list[tuple[int, str, int | None, tuple[int, Mode] | None]]:
    return [(one.version, one.mode, one.since, one.next) for one in found]


def test_without_a_switch_the_files_say_it() -> None:
    assert modes(standings(LOCATED, [], NOON)) == [(1, "live", None, None), (2, "shadow", None, None)]


def test_a_switch_to_come_and_what_gives_way_to_it() -> None:
    known = [switched(2, "live", NOON + HOUR, 7)]
    assert modes(standings(LOCATED, known, NOON)) == [
        (1, "live", None, (NOON + HOUR, "off")),
        (2, "shadow", None, (NOON + HOUR, "live")),
    ]
    later = standings(LOCATED, known, NOON + DAY)
    assert modes(later) == [(1, "off", NOON + HOUR, None), (2, "live", NOON + HOUR, None)]
    assert [one.switched for one in later] == [known[0], known[0]]
    assert modes(standings(LOCATED, [*known, switched(2, "shadow", NOON + HOUR, 8)], NOON + DAY)) == [
        (1, "live", None, None),
        (2, "shadow", None, None),
    ]


def said(mode: Mode, version: int = 2) -> Switch:
    rest: dict[str, Any] = {"reason": "x", "decided_by": "anna", "decided_at": NOON}
    return Switch(definition="click_and_collect", version=version, mode=mode, from_at=NOON, **rest)


def test_what_a_switch_will_do_is_said_before() -> None:
    before = standings(LOCATED, [], NOON)
    assert expected(said("live"), before) == [
        "click_and_collect@2 is shadow; from 2026-03-01 12:00:00 UTC on it is live: journeys that start then are told"
        " of.",
        "click_and_collect@1 is live until then, and begins nothing more from then on.",
        "Journeys under way go on as they began, under the version they began with.",
    ]
    assert "no journey starts under it" in expected(said("off", 1), before)[0]
    assert len(expected(said("off", 1), before)) == 2


def test_a_switch_that_changes_nothing_is_known() -> None:
    files = standings(LOCATED, [], NOON)
    assert not is_so_already(said("live", 1), files), "the file says it so far: a switch holds against the file"
    live = standings(LOCATED, [switched(2, "live", NOON - HOUR, 7)], NOON)
    assert is_so_already(said("live"), live)
    assert is_so_already(said("off", 1), live)
    assert not is_so_already(said("shadow"), live)
    to_come = [switched(2, "live", NOON - HOUR, 7), switched(2, "off", NOON + HOUR, 8)]
    assert not is_so_already(said("live"), standings(LOCATED, to_come, NOON)), "it takes the other one back"


@pytest.mark.parametrize("width", [80, 120])
def test_the_list_is_readable(width: int) -> None:
    known = [switched(2, "live", NOON, 7, "[bold] is text")]
    console = Console(width=width, highlight=False, force_terminal=False)
    with console.capture() as captured:
        console.print(screen(standings(LOCATED, known, NOON + DAY)))
    text = captured.get()
    assert max(map(len, text.splitlines())) <= width
    words = " ".join(text.split())
    for one in ("click_and_collect@1", "click_and_collect@2", "off", "live", "collect.yaml", "next.yaml"):
        assert one in words
    if width > 80:
        assert "version 2 went live" in words
        assert "[bold] is text (anna)" in words


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["checkot@1", "live", "--reason", "x"], "Did you mean 'checkout'"),
        (["checkout@99", "live", "--reason", "x"], "checkout has no version 99 here: checkout@"),
        (["Checkout", "live", "--reason", "x"], "names no definition"),
        (["checkout@1", "live"], "give a --reason"),
        (["checkout@1", "live", "--reason", "x", "--from", "soon"], "is no time"),
    ],
)
def test_what_cannot_be_meant_is_told_before_anything_is_asked(arguments: list[str], says: str) -> None:
    result = CliRunner().invoke(app, ["definitions", "switch", *arguments])
    assert isinstance(result.exception, Unclear)
    assert says in str(result.exception)


def test_only_modes_are_modes() -> None:
    result = CliRunner().invoke(app, ["definitions", "switch", "checkout@1", "on", "--reason", "x"])
    assert result.exit_code == 2
