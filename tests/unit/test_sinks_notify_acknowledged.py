"""What is acknowledged while nobody is to be told is open all the same when the hold ends: told, counted, with who."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sinks.notify.incident import IncidentNews
from sinks.notify.quiet import Quiet
from sinks.notify.windows import Windows
from tests.unit.test_sinks_notify_quiet import MINUTE, PAGER, POLICY, SLACK, WINDOW, Desk, incidents


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "o.sqlite")


def counts(desk: Desk) -> list[tuple[int, int, list[str]]]:
    return [(found.count, found.acknowledged, found.acknowledged_by) for _, found in incidents(desk)]


def last(desk: Desk) -> dict[str, Any]:
    (*_, body) = desk.outbox._db.run("SELECT body FROM outbox WHERE route = ? ORDER BY seq", PAGER.key).fetchall()
    found: dict[str, Any] = json.loads(body[0])
    return found


def slack(desk: Desk) -> list[IncidentNews]:
    rows = desk.outbox._db.run("SELECT body FROM outbox WHERE route = ? ORDER BY seq", SLACK.key).fetchall()
    return [IncidentNews.model_validate_json(body) for (body,) in rows]


def test_one_beside_another_is_told_and_counted_when_the_silence_ends(desk: Desk) -> None:
    desk.take(1, "firing")
    desk.silence(30, kind="missing_step")
    desk.take(2, "firing")
    desk.take(2, "acknowledged", acknowledged_by="anna")
    assert (desk.states(), counts(desk)) == (["firing"], [(1, 0, [])])
    desk.wait(30 * MINUTE)
    assert desk.states() == ["firing", "acknowledged"]
    assert (last(desk)["acknowledged_by"], last(desk)["anchor"]) == ("anna", "order_id:2")
    assert counts(desk) == [(2, 1, ["anna"])]
    desk.take(1, "resolved")
    assert counts(desk) == [(1, 1, ["anna"])]
    desk.take(2, "resolved")
    assert desk.states() == ["firing", "acknowledged", "resolved", "resolved"]
    assert (counts(desk), desk.heard_open(), desk.news()[-1]) == ([(0, 0, [])], set(), "resolved")


def test_one_alone_opens_its_incident_as_acknowledged(desk: Desk) -> None:
    desk.silence(30, kind="missing_step")
    desk.take(1, "firing")
    desk.take(1, "acknowledged", acknowledged_by="anna")
    desk.wait(30 * MINUTE)
    assert (desk.states(), desk.heard_open()) == (["acknowledged"], {"paid"})
    assert [(one.news, one.incident.count, one.incident.acknowledged_by) for one in slack(desk)] == [
        ("acknowledged", 1, ["anna"])
    ]
    desk.restart()
    desk.release()
    assert desk.states() == ["acknowledged"]
    desk.take(1, "resolved")
    assert (desk.states(), desk.news()) == (["acknowledged", "resolved"], ["acknowledged", "resolved"])


def test_a_word_after_the_silence_but_before_anybody_looked_again_is_not_lost(desk: Desk) -> None:
    desk.silence(30, kind="missing_step")
    desk.take(1, "firing")
    desk.now += 30 * MINUTE
    desk.take(1, "acknowledged", acknowledged_by="anna")
    desk.release()
    assert (desk.states(), counts(desk)) == (["acknowledged"], [(1, 1, ["anna"])])


@pytest.mark.parametrize("ends", ["resolved", "withdrawn"])
def test_what_ended_in_the_silence_is_told_to_nobody(desk: Desk, ends: str) -> None:
    desk.silence(30, kind="missing_step")
    desk.take(1, "firing")
    desk.take(1, "acknowledged", acknowledged_by="anna")
    desk.take(1, ends)
    desk.wait(30 * MINUTE)
    assert (desk.states(), desk.news(), counts(desk)) == ([], [], [])


def test_in_a_maintenance_window_likewise(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "o.sqlite", Quiet(windows=Windows({"release": WINDOW}), flapping=POLICY))
    desk.wait(4 * MINUTE)
    desk.take(1, "firing", break_name="ready")
    desk.take(1, "acknowledged", break_name="ready", acknowledged_by="anna")
    desk.wait(60 * MINUTE)
    assert (desk.states(), counts(desk)) == (["acknowledged"], [(1, 1, ["anna"])])


def test_one_that_flaps_likewise(desk: Desk) -> None:
    for _ in range(4):
        desk.take(1, "firing")
        desk.take(1, "resolved")
    desk.take(1, "firing")
    desk.take(1, "resolved")
    desk.take(1, "firing")
    desk.take(1, "acknowledged", acknowledged_by="anna")
    before = desk.states()
    desk.wait(10 * MINUTE)
    assert (desk.states()[len(before) :], counts(desk)) == (["acknowledged"], [(1, 1, ["anna"])])
