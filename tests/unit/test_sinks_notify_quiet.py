"""Laws of what is held back: while nobody is to be told nobody is, and afterwards what was told last is the truth.

The oracle knows nothing of holds: it keeps the last word of each alert, and a wall clock.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.quiet_times import Flapping
from schemas.records import Alert
from schemas.routes import Filter, MaintenanceWindow
from sinks.notify.incident import IncidentNews
from sinks.notify.outbox import Arrived, Outbox
from sinks.notify.quiet import Matchers, Quiet, Silence, silence_of
from sinks.notify.routing import Route
from sinks.notify.windows import Windows
from tests.sink_records import alert
from tests.tries import tries

SLACK: Final = Route("room", "slack", "http://127.0.0.1/slack", template="{state}")
PAGER: Final = Route("pager", "webhook", "http://127.0.0.1/hook")
OPERATIONS: Final = Route("operations", "alertmanager", "http://127.0.0.1/am", template="{journey}")
ROUTES: Final = (SLACK, PAGER, OPERATIONS)
MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
START: Final = 1_780_000_000_000  # Thursday, 2026-05-28, 20:26:40 UTC
POLICY: Final = Flapping(more_than=2, within="1h", steady_for="10m")
WINDOW: Final = MaintenanceWindow(
    days=["thu"], at=["20:30"], lasts="1h", zone="UTC", match=Filter(breaks=["ready"]), reason="release"
)


@dataclass
class Desk:
    """An outbox on disk, closed and opened at will; a wall clock."""

    path: Path
    rules: Quiet = field(default_factory=lambda: Quiet(flapping=POLICY))
    now: int = START
    offset: int = 0
    reasons: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.outbox = Outbox(self.path, ROUTES, self.rules)

    def restart(self) -> None:
        self.outbox.close()
        self.outbox = Outbox(self.path, ROUTES, self.rules)
        self.outbox.adopt(self.now)

    def take(self, number: int, state: str, **changes: Any) -> None:
        self.offset += 1
        found = alert(number, state, offset=self.offset, **changes)
        self.take_all([found])

    def take_all(self, found: Sequence[Alert]) -> None:
        accepted = self.outbox.accept([Arrived(0, one) for one in found], self.now)
        self.reasons += [decision.reason for decision in accepted.decisions if decision]

    def wait(self, ms: int) -> None:
        self.now += ms
        self.release()

    def release(self) -> None:
        while self.outbox.release(self.now, 2).decisions:
            pass

    def silence(self, minutes: int, **matchers: str) -> Silence:
        made = silence_of(
            Matchers.model_validate(matchers), self.now, self.now + minutes * MINUTE, "planned", "anna", self.now
        )
        assert self.outbox.add_silence(made, self.now)
        return made

    def told(self) -> list[tuple[str, str, bool]]:
        """To the webhook: dedup key, state, whether it flaps."""
        rows = self.outbox._db.run("SELECT body FROM outbox WHERE route = ? ORDER BY seq", PAGER.key).fetchall()
        found = [json.loads(body) for (body,) in rows]
        return [(one["dedup_key"], one["state"], one["flapping"]) for one in found]

    def states(self) -> list[str]:
        return [state for _, state, _ in self.told()]

    def news(self) -> list[str]:
        rows = self.outbox._db.run("SELECT body FROM outbox WHERE route = ? ORDER BY seq", SLACK.key).fetchall()
        return [IncidentNews.model_validate_json(body).news for (body,) in rows]

    def rows(self) -> int:
        return int(self.outbox._db.one("SELECT count(*) FROM outbox")[0])

    def heard_open(self) -> set[str]:
        """Breaks that Alertmanager was told are open."""
        query = "SELECT labels FROM heard JOIN incident ON key = incident WHERE route = ? AND is_open"
        rows = self.outbox._db.run(query, OPERATIONS.key).fetchall()
        return {json.loads(labels)["break_name"] for (labels,) in rows}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "o.sqlite")


def test_nobody_hears_of_what_a_silence_matches_and_of_what_is_still_open_when_it_ends(desk: Desk) -> None:
    desk.silence(30, definition="click_and_collect", **{"break": "paid"})
    desk.take(1, "firing")
    desk.take(2, "firing")
    desk.take(1, "resolved")
    desk.take(3, "firing", break_name="ready")
    assert desk.reasons == ["silenced", "silenced", "not_told", "told"]
    desk.wait(30 * MINUTE - 1)
    assert desk.states() == ["firing"]
    desk.wait(1)
    assert [(key, state) for key, state, _ in desk.told()[1:]] == [(alert(2, offset=0).dedup_key, "firing")]
    assert desk.news() == ["fired", "fired"]


def test_what_was_told_before_a_silence_and_ended_in_it_is_told_after_it(desk: Desk) -> None:
    desk.take(1, "firing")
    silence = desk.silence(30, anchor="order_id:1")
    desk.take(1, "resolved")
    desk.wait(29 * MINUTE)
    assert (desk.states(), desk.news(), desk.heard_open()) == (["firing"], ["fired"], {"paid"})
    desk.outbox.remove_silence(silence.silence_id)
    desk.release()
    assert (desk.states(), desk.news(), desk.heard_open()) == (["firing", "resolved"], ["fired", "resolved"], set())


def test_a_window_of_the_routes_file_is_quiet_for_what_it_takes(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "o.sqlite", Quiet(windows=Windows({"release": WINDOW}), flapping=POLICY))
    desk.take(1, "firing", break_name="ready")
    desk.wait(4 * MINUTE)
    desk.take(2, "firing", break_name="ready")
    desk.take(3, "firing", break_name="paid")
    assert desk.reasons == ["told", "maintenance", "told"]
    desk.wait(59 * MINUTE)
    assert len(desk.told()) == 2
    desk.wait(MINUTE)
    assert len(desk.told()) == 3


def test_a_window_that_left_the_file_holds_nothing_back_any_more(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "o.sqlite", Quiet(windows=Windows({"release": WINDOW})), now=START + 10 * MINUTE)
    desk.take(1, "firing", break_name="ready")
    desk.rules = Quiet()
    desk.restart()
    desk.release()
    assert desk.states() == ["firing"]


def test_what_flaps_is_told_once_as_flapping_and_then_when_it_is_steady(desk: Desk) -> None:
    for _ in range(6):
        desk.take(1, "firing")
        desk.take(1, "resolved")
    desk.take(1, "firing")
    told = ["firing", "resolved", "firing", "resolved", "firing", "resolved", "firing"]
    assert desk.states() == told
    assert [flaps for _, _, flaps in desk.told()] == [False] * 6 + [True]
    assert desk.news() == ["fired", "resolved", "fired", "resolved", "fired", "resolved", "flapping"]
    assert desk.heard_open() == {"paid"}
    desk.take(1, "resolved")
    desk.wait(10 * MINUTE - 1)
    assert desk.states() == told
    desk.wait(1)
    assert desk.states() == [*told, "resolved"]
    desk.wait(10 * MINUTE)
    assert (desk.news()[-1], desk.heard_open()) == ("resolved", set())


def test_what_is_open_when_it_is_steady_is_said_so_in_slack_and_known_to_the_pager(desk: Desk) -> None:
    for _ in range(4):
        desk.take(1, "firing")
        desk.take(1, "resolved")
    desk.take(1, "firing")
    before = desk.states()
    desk.wait(10 * MINUTE)
    assert (desk.states(), desk.news()[-1], desk.heard_open()) == (before, "grew", {"paid"})


def test_an_incident_of_many_that_come_and_go_flaps_although_none_of_them_does(desk: Desk) -> None:
    for number in range(8):
        desk.take(number, "firing")
        desk.take(number, "resolved")
    assert len(desk.told()) == 16, "a pager hears of each order"
    assert desk.news() == ["fired", "resolved"] * 3 + ["flapping"]
    desk.wait(10 * MINUTE)
    assert desk.news()[-1] == "resolved"


@pytest.mark.parametrize("run", ["simulation"])
def test_in_a_simulation_nothing_flaps(desk: Desk, run: str) -> None:
    for _ in range(9):
        desk.take(1, "firing", run=run)
        desk.take(1, "resolved", run=run)
    assert len(desk.told()) == 18


# -- acknowledged --


def test_an_incident_all_of_whose_alerts_are_acknowledged_is_so_and_stays_open(desk: Desk) -> None:
    desk.take_all([alert(number, offset=number) for number in range(1, 13)])
    desk.offset = 20
    for number in range(1, 13):
        desk.take(number, "acknowledged", acknowledged_by="anna")
        desk.take(number, "acknowledged", acknowledged_by="anna")
    assert desk.news() == ["fired", "acknowledged"]
    assert desk.heard_open() == {"paid"}
    assert desk.states() == ["firing"] * 12 + ["acknowledged"] * 12
    (incident,) = (found for _, found in incidents(desk))
    assert (incident.count, incident.acknowledged, incident.acknowledged_by) == (12, 12, ["anna"])
    desk.take(13, "firing")
    assert desk.news()[2:] == ["grew"], "of the new one nobody looks after"
    for number in range(1, 14):
        desk.take(number, "resolved")
    assert desk.news()[3:] == ["resolved"]


def incidents(desk: Desk) -> list[tuple[str, Any]]:
    keys = desk.outbox._db.run("SELECT key FROM incident").fetchall()
    return [(key, desk.outbox._incidents.read(key)) for (key,) in keys]


def test_one_who_continues_an_acknowledged_one_is_looked_after_too(desk: Desk) -> None:
    desk.take(1, "firing")
    desk.take(1, "acknowledged", acknowledged_by="anna")
    desk.take(1, "moved")
    desk.take(1, "firing", alert_id="heir", continues="x")
    (entry,) = desk.outbox.board.listed(("acknowledged",), None, 9)
    assert (entry.alert.alert_id, entry.acknowledged_by) == ("heir", "anna")
    assert desk.states() == ["firing", "acknowledged"]


# -- the law of the last word --

MOVES: Final = st.one_of(
    st.tuples(
        st.just("alert"),
        st.integers(1, 3),
        st.sampled_from(("firing", "resolved", "withdrawn", "acknowledged", "firing", "resolved")),
    ),
    st.tuples(st.just("move"), st.integers(1, 3), st.sampled_from(("leaves first", "comes first"))),
    st.tuples(st.just("wait"), st.integers(0, 20), st.just("")),
    st.tuples(st.just("silence"), st.integers(1, 40), st.sampled_from(("paid", "ready"))),
    st.tuples(st.just("unsilence"), st.just(0), st.just("")),
    st.tuples(st.just("restart"), st.just(0), st.just("")),
)
NAMES: Final = {1: "paid", 2: "paid", 3: "ready"}


@settings(max_examples=tries(150), deadline=None)
@given(st.lists(MOVES, max_size=60))
def test_after_all_holds_ended_what_was_told_last_is_the_truth(moves: list[tuple[str, int, str]]) -> None:
    with TemporaryDirectory() as directory:
        desk = Desk(Path(directory) / "o.sqlite", Quiet(windows=Windows({"release": WINDOW}), flapping=POLICY))
        truth: dict[int, str] = {}
        silenced: dict[str, tuple[str, int]] = {}
        heirs: dict[int, dict[str, str]] = {}
        for what, number, word in moves:
            match what:
                case "alert":
                    if (word == "firing") == (truth.get(number, "resolved") in ("firing", "acknowledged")):
                        continue  # As the table of journeys.md: it begins when it is over, and the rest while open.
                    rows, broken = desk.rows(), NAMES[number]
                    by = "anna" if word == "acknowledged" else None
                    desk.take(number, word, break_name=broken, acknowledged_by=by, **heirs.get(number, {}))
                    truth[number] = word
                    if any(name == broken and desk.now < until for name, until in silenced.values()):
                        assert desk.rows() == rows, "somebody was told during a silence"
                case "move":
                    if truth.get(number) == "firing":
                        move(desk, number, heirs, leaves_first=word == "leaves first")
                case "wait":
                    desk.wait(number * MINUTE)
                case "silence":
                    made = desk.silence(number, **{"break": word})
                    silenced[made.silence_id] = (word, made.until_at)
                case "unsilence":
                    for silence_id in silenced:
                        desk.outbox.remove_silence(silence_id)
                    silenced.clear()
                    desk.release()
                case "restart":
                    desk.restart()
        for _ in range(3):
            desk.wait(3 * HOUR)
        check_last_words(desk, truth)
        desk.outbox.close()


def move(desk: Desk, number: int, heirs: dict[int, dict[str, str]], leaves_first: bool) -> None:
    """To another customer, whose partition may be read before or after."""
    former = heirs.get(number, {})
    heirs[number] = {"alert_id": f"{former.get('alert_id', '')}heir {number}", "continues": "the former"}
    steps = [("moved", former), ("firing", heirs[number])]
    for state, who in steps if leaves_first else reversed(steps):
        desk.take(number, state, break_name=NAMES[number], **who)


def check_last_words(desk: Desk, truth: dict[int, str]) -> None:
    last = {key: state for key, state, _ in desk.told()}
    for number, state in truth.items():
        said = last.get(alert(number, offset=0).dedup_key)
        if said is None:
            assert state != "firing", "it is open, nobody looks after it, and nobody was told"
        elif said != state:
            assert {said, state} == {"resolved", "withdrawn"}
    is_open = {NAMES[number] for number, state in truth.items() if state in ("firing", "acknowledged")}
    assert {NAMES[number] for number, state in truth.items() if state == "firing"} <= desk.heard_open() <= is_open
    rows = desk.outbox._db.run("SELECT body FROM outbox WHERE route = ? ORDER BY seq", SLACK.key).fetchall()
    news = [IncidentNews.model_validate_json(body) for (body,) in rows]
    by_break = {one.incident.labels.break_name: one.news for one in news}
    for name in set(NAMES.values()):
        states = [state for number, state in truth.items() if NAMES[number] == name]
        if "firing" in states:
            assert by_break[name] in ("fired", "grew")
        elif "acknowledged" not in states:
            assert by_break.get(name, "resolved") == "resolved"
    assert desk.outbox.board.held() == {}
    assert not desk.outbox._db.run("SELECT 1 FROM board WHERE state NOT IN ('firing', 'acknowledged')").fetchall()
    assert not desk.outbox._db.run("SELECT 1 FROM flap WHERE is_flapping").fetchall()
