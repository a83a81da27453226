"""A version in shadow mode beside the live one: whatever the order of their changes, nobody notices the shadow."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import pytest

from schemas.control_records import Acknowledgement
from schemas.fast import fast_decoder
from schemas.identifiers import dedup_key_of
from schemas.records import Alert
from sinks.notify.desk import Desk
from sinks.notify.forms import WordForm
from sinks.notify.incident import IncidentNews
from sinks.notify.outbox import Arrived, Outbox
from sinks.notify.quiet import Matchers, silence_of
from sinks.notify.routing import Route
from tests.journey_case import COLLECT, HOUR, MINUTE, NOON, Log, placed, run, touch

PAGER: Final = Route("pager", "webhook", "http://127.0.0.1/hook")
ROOM: Final = Route("room", "slack", "http://127.0.0.1/slack", template="{state}")
OPEN: Final = ("firing", "acknowledged")
STEPS: Final[dict[str, Any]] = COLLECT["steps"]
LIVE: Final = {"version": 1, "mode": "live"}
SHADOW: Final = {
    "version": 2,
    "mode": "shadow",
    "steps": STEPS | {"ready": {"any_of": ["ready_for_pickup", "locker_filled"], "after": "paid", "within": "9h"}},
}
_decode = fast_decoder(Alert)


def alerts_of(*words: bool) -> tuple[list[Alert], list[Alert]]:
    """One late order under both versions: of the live one, of the shadow. `words`: acknowledged; closed if true."""
    log = Log()
    log.attach(placed(), touch("payment_captured", NOON + MINUTE))
    log.tick(NOON + 8 * HOUR + 10 * MINUTE)
    for closes in words:
        log.acknowledge("ready", version=1, closes=closes)
    log.tick(NOON + 9 * HOUR + 10 * MINUTE)
    log.attach(touch("locker_filled", NOON + 9 * HOUR + 30 * MINUTE))
    log.attach(touch("ready_for_pickup", NOON + 11 * HOUR))
    log.tick(NOON + 12 * HOUR)
    found = [_decode(effect.value or b"") for effect in run(log, LIVE, SHADOW).effects if effect.topic == "alerts"]
    return [one for one in found if one.version == 1], [one for one in found if one.version == 2]


def interleaved(live: Sequence[Alert], shadow: Sequence[Alert]) -> Iterator[list[Alert]]:
    """Every order in which the changes of two alerts may be read: each keeps its own."""
    for places in combinations(range(len(live) + len(shadow)), len(shadow)):
        ahead, beside = iter(live), iter(shadow)
        yield [next(beside if place in places else ahead) for place in range(len(live) + len(shadow))]


def heard(directory: Path, alerts: Sequence[Alert], *, silent: bool = False) -> tuple[list[Any], list[Any]]:
    """What pager and room hear; the board is looked at after each change."""
    outbox = Outbox(directory / "o.sqlite", [PAGER, ROOM])
    if silent:
        outbox.add_silence(silence_of(Matchers(definition="click_and_collect"), 0, HOUR, "test", "anna", 0), 0)
    for offset, change in enumerate(alerts):
        # Each alert comes from a source of its own, so that every order of the two is a good one.
        outbox.accept([Arrived(change.version, change)], offset)
        assert {entry.alert.version for entry in outbox.board.listed(OPEN, None, 9)} <= {1}
    outbox.release(HOUR, 100)
    told = [json.loads(waiting.body) for waiting in outbox.pile(PAGER.key, 2**60, 100)]
    news = [IncidentNews.model_validate_json(waiting.body) for waiting in outbox.pile(ROOM.key, 2**60, 100)]
    assert outbox.board.listed(OPEN, None, 9) == []
    assert outbox.open_incidents() == 0
    outbox.close()
    return [(one["definition_version"], one["state"]) for one in told], [(one.news, one.incident.count) for one in news]


def test_two_versions_have_two_keys_and_a_moved_journey_keeps_its_own() -> None:
    live, shadow = alerts_of()
    assert {one.dedup_key for one in live} == {dedup_key_of("click_and_collect", 1, "order_id:7", "ready", 1)}
    assert {one.dedup_key for one in shadow} == {dedup_key_of("click_and_collect", 2, "order_id:7", "ready", 1)}
    assert {(one.mode, one.notify) for one in shadow} == {("shadow", False)}


@pytest.mark.parametrize("words", [(), (False,), (True,), (False, True)])
def test_the_shadow_is_never_heard_and_never_ends_the_live_one(tmp_path: Path, words: tuple[bool, ...]) -> None:
    live, shadow = alerts_of(*words)
    assert (live[0].state, [one.state for one in shadow]) == ("firing", ["firing", "resolved"])
    states = {
        (): ["firing", "resolved"],
        (False,): ["firing", "acknowledged", "resolved"],
        (True,): ["firing", "resolved"],
        (False, True): ["firing", "acknowledged", "resolved"],
    }[words]
    for number, order in enumerate(interleaved(live, shadow)):
        (place := tmp_path / str(number)).mkdir()
        told, news = heard(place, order)
        assert told == [(1, state) for state in states]
        assert (news[0], news[-1]) == (("fired", 1), ("resolved", 0))


def test_in_a_silence_neither(tmp_path: Path) -> None:
    live, shadow = alerts_of(False)
    for number, order in enumerate(interleaved(live, shadow)):
        (place := tmp_path / str(number)).mkdir()
        assert heard(place, order, silent=True) == ([], [])


def test_a_word_on_a_shadow_alert_takes_no_row_either(tmp_path: Path) -> None:
    """It can be said by its id, which ClickHouse shows."""
    log = Log()
    log.attach(placed())
    log.tick(NOON + HOUR)
    log.acknowledge("paid", version=2)
    found = [_decode(effect.value or b"") for effect in run(log, LIVE, SHADOW).effects if effect.topic == "alerts"]
    word = next(one for one in found if one.state == "acknowledged")
    assert (word.version, word.notify, word.reason) == (2, False, "shadow")
    outbox = Outbox(tmp_path / "o.sqlite", [PAGER, ROOM])
    outbox.accept([Arrived(one.version, one) for one in found], 1)
    assert [(entry.alert.version, entry.state) for entry in outbox.board.listed(OPEN, None, 9)] == [(1, "firing")]
    assert outbox.waiting() == 2
    outbox.close()


@pytest.mark.parametrize("closes", [False, True])
def test_a_word_reaches_the_live_one(tmp_path: Path, closes: bool) -> None:
    live, shadow = alerts_of()
    for number, order in enumerate(interleaved(live[:1], shadow[:1])):
        sent: list[Acknowledgement] = []
        outbox = Outbox(tmp_path / f"{number}.sqlite", [PAGER])
        outbox.accept([Arrived(one.version, one) for one in order], 1)
        desk = Desk(outbox, _Words(sent), lambda _: None, lambda: 1)
        form = WordForm(by="anna", reason="calls the customer")
        for said in ("order_id:7", live[0].alert_id[:8]):
            desk.send(desk.say(said, form, closes=closes)[1], form, closes=closes)
        assert [(one.version, one.alert_id, one.closes) for one in sent] == [(1, live[0].alert_id, closes)] * 2
        outbox.close()


class _Words:
    """Keeps what would go to Kafka."""

    def __init__(self, sent: list[Acknowledgement]) -> None:
        self._sent = sent

    def send(self, said: Sequence[Acknowledgement]) -> None:
        self._sent.extend(said)
