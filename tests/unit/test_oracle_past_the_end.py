"""The oracle's reading of docs/journeys.md, by hand: what comes after the end, and what is said once for many journeys.

Times are minutes after T0; a journey lives for two hours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import pytest

from tests.oracle.decode import Touchpoint
from tests.oracle.fold import Outcome
from tests.oracle.journeys import Rulebook, runs
from tests.oracle.modes import Switched
from tests.oracle.rules import HOUR, MINUTE, Definition, LowScore, Pattern, Repeated, Step, Suspicion
from tests.oracle.tiny import minute

DAY: Final = 1_440.0
MS: Final = 1 / 60_000
LATER: Final = 2_000 * DAY
KEYED: Final = Definition(
    name="sale",
    key="order_id",
    joins=True,
    start=Pattern(("start",)),
    steps=(
        Step("paid", Pattern(("pay",)), "start"),
        Step("sent", Pattern(("send",)), "paid"),
        Step("asked", Pattern(("ask",)), "sent", 5 * MINUTE, excused_by=("hush",), feedback=True),
        Step("greeted", Pattern(("greet",)), "start"),
    ),
    success="sent",
    failures=("fail",),
    repeated=(Repeated("trouble", Pattern(("bad",)), 2, HOUR, "paid"),),
    scores=(LowScore("low", "score", 3, None),),
    suspicions=(Suspicion("hurt", "failure_event", "paid", Pattern(("hit",))),),
    grace=MINUTE,
    lifetime=2 * HOUR,
)
OWN: Final = replace(KEYED, key="customer", joins=False)
DONE: Final = [("start", 0), ("send", 2), ("hush", 3), ("greet", 10)]
"""Over after ten minutes; nobody was asked to pay."""
What = tuple[str, float] | tuple[str, float, str | None] | tuple[str, float, str | None, Mapping[str, Any]]
"""Name, time, order, properties."""


def touch(number: int, what: What) -> Touchpoint:
    name, at = what[0], minute(what[1])
    order = what[2] if len(what) > 2 else "7"
    return Touchpoint(
        touchpoint_id=f"{number:02d}", message_id="", source="till", place="", name=name, channel="web",
        occurred_at_sent=at, occurred_at=at, sent_at=None, received_at=None, log_time=at, sequence=0,
        identifiers={"order_id": order} if order else {}, subject=None,
        properties=dict(what[3]) if len(what) > 3 else {},
    )  # fmt: skip


def found(definition: Definition, *whats: What, switches: tuple[Switched, ...] = ()) -> dict[str, tuple[str, Outcome]]:
    """By anchor: the numbers of the touchpoints, and what they say."""
    touchpoints = [touch(number, what) for number, what in enumerate(whats)]
    keyed: dict[tuple[str, str], list[Touchpoint]] = {}
    for x in touchpoints:
        for key in x.identifiers.items():
            keyed.setdefault(key, []).append(x)
    book = Rulebook((definition,), switches)
    said = runs(definition, touchpoints, keyed, minute(LATER), book)
    return {
        anchor.partition(":")[2]: (" ".join(x.touchpoint_id.lstrip("0") or "0" for x in members), outcome)
        for anchor, members, outcome, _ in said
    }


def breaks(outcome: Outcome) -> list[tuple[str, int, int | None]]:
    return [(one.name, one.cause_at, one.cleared_at) for one in outcome.breaks if one.name != "asked"]


def told(*one: tuple[str, float, float | None]) -> list[tuple[str, int, int | None]]:
    return [(name, minute(cause), None if cleared is None else minute(cleared)) for name, cause, cleared in one]


# -- after the end ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("definition", [KEYED, OWN], ids=["keyed", "customer"])
@pytest.mark.parametrize(
    ("at", "cleared"), [(20.0, 20.0), (120.0, 120.0), (120 + MS, None)], ids=["after", "at the last", "too late"]
)
def test_what_ends_trouble_ends_it_after_the_end_up_to_the_lifetime(
    definition: Definition, at: float, cleared: float | None
) -> None:
    whats: list[What] = [("start", 0), ("send", 2), ("bad", 4), ("hush", 5), ("bad", 6), ("hit", 7), ("greet", 10)]
    (_, outcome), *_ = found(definition, *whats, ("pay", at)).values()
    assert (outcome.status, outcome.ended_at) == ("succeeded", minute(10))
    assert breaks(outcome) == told(("trouble", 6, cleared), ("hurt", 7, cleared))


def test_nothing_is_reached_and_nothing_begins_after_the_end() -> None:
    for definition in (KEYED, OWN):
        (members, outcome), *_ = found(definition, *DONE, ("bad", 11), ("bad", 12), ("hit", 13), ("pay", 14)).values()
        assert members == "0 1 2 3 4 5 6 7"
        assert outcome.steps["paid"].status == "skipped"
        assert breaks(outcome) == []


def test_who_comes_past_a_step_has_no_trouble_there() -> None:
    whats: list[What] = [("start", 0), ("bad", 1), ("bad", 2), ("greet", 3), ("hit", 4), ("send", 5), ("bad", 6)]
    _, outcome = found(KEYED, *whats)["7"]
    assert breaks(outcome) == told(("trouble", 2, 5), ("hurt", 4, None))


def test_what_reaches_a_later_step_clears_though_it_is_trouble_itself() -> None:
    rule = replace(KEYED, repeated=(Repeated("trouble", Pattern(("bad", "send")), 2, HOUR, "paid"),))
    _, outcome = found(rule, ("start", 0), ("bad", 1), ("bad", 2), ("send", 3), ("bad", 4), ("send", 5))["7"]
    assert breaks(outcome) == told(("trouble", 2, 3), ("trouble", 5, None))


def test_a_failure_after_the_end_is_about_a_key_or_about_nothing() -> None:
    whats: list[What] = [("start", 0), ("send", 2), ("hush", 3), ("hit", 4), ("greet", 10), ("fail", 20), ("hit", 30)]
    _, outcome = found(KEYED, *whats)["7"]
    assert (outcome.status, breaks(outcome)) == ("failed", told(("hurt", 4, 20)))
    members, outcome = found(OWN, *whats)["00"]
    assert (members, outcome.status, breaks(outcome)) == ("0 1 2 3 4 6", "succeeded", told(("hurt", 4, None)))


def test_a_score_after_the_end_counts_for_the_one_that_ended_last() -> None:
    low = ("fb", 30.0, None, {"score": 1})
    again = [(name, at + 12) for name, at in DONE]
    one = found(OWN, *DONE, *again, low)
    assert [members for members, _ in one.values()] == ["0 1 2 3", "4 5 6 7 8"]
    assert [breaks(outcome) for _, outcome in one.values()] == [[], told(("low", 30, None))]


def test_after_a_lifetime_the_customer_is_nowhere() -> None:
    low = {"score": 1}
    one = found(OWN, ("start", 0), ("fb", 120, None, low), ("fb", 120 + MS, None, low))
    assert [members for members, _ in one.values()] == ["0 1"]


def test_a_start_that_is_off_is_about_nothing() -> None:
    off = (Switched("sale", 1, "off", minute(15)),)
    one = found(OWN, *DONE, ("start", 20), ("fb", 30, None, {"score": 1}), switches=off)
    assert {anchor: members for anchor, (members, _) in one.items()} == {"00": "0 1 2 3 5"}


# -- what is said once ------------------------------------------------------------------------------------------------

SENT: Final = [("start", 0), ("pay", 1), ("send", 2)]


def asked(definition: Definition, *whats: What, order: str = "7") -> tuple[str, str, list[str]]:
    """Members, the step's status, breaks."""
    members, outcome = found(definition, *whats)[order]
    return members, outcome.steps["asked"].status, [one.name for one in outcome.breaks]


MISSED: Final = ("missed", ["asked"])
EXCUSED: Final[tuple[str, list[str]]] = ("skipped", [])
LATE: Final = ("skipped", ["asked"])
YEAR: Final = 365 * DAY


@pytest.mark.parametrize(
    ("at", "expected"), [(-1, EXCUSED), (-9 * DAY, EXCUSED), (-YEAR, EXCUSED), (-YEAR - MS, MISSED), (50, LATE)]
)
@pytest.mark.parametrize("order", [None, "7"])
def test_what_is_said_before_counts_for_a_year(order: str | None, at: float, expected: tuple[str, list[str]]) -> None:
    members, *rest = asked(KEYED, *SENT, ("hush", at, order))
    assert tuple(rest) == expected
    assert members == ("0 1 2" if order is None and at < 0 else "3 0 1 2" if at < 0 else "0 1 2 3")


def test_without_the_joining_word_only_the_key_speaks() -> None:
    alone = replace(KEYED, joins=False)
    assert asked(alone, *SENT, ("hush", -1, None))[1:] == MISSED
    assert asked(alone, *SENT, ("hush", -1))[1:] == EXCUSED


def test_another_order_is_another_order() -> None:
    assert asked(KEYED, *SENT, ("hush", -1, "8"))[1:] == MISSED
    assert asked(KEYED, *SENT, ("hush", 3, "8"))[1:] == MISSED


def test_it_is_said_to_every_open_journey_and_to_those_that_begin_later() -> None:
    eight: list[What] = [(name, at + 3, "8") for name, at in SENT]
    nine: list[What] = [(name, at + 100, "9") for name, at in SENT]
    whats: list[What] = [*SENT, *eight, *nine, ("hush", 6, None), ("bad", 6, None)]
    assert asked(KEYED, *whats)[:2] == ("0 1 2 9", "skipped")
    assert asked(KEYED, *whats, order="8")[:2] == ("3 4 5 9", "skipped")
    assert asked(KEYED, *whats, order="9")[:2] == ("6 7 8", "skipped")


def test_it_is_said_in_one_journey_of_a_customer_and_counts_for_the_next() -> None:
    again: list[What] = [(name, at + 300) for name, at in SENT]
    assert asked(OWN, *SENT, ("hush", 3), *again, order="00")[:2] == ("0 1 2 3", "skipped")
    assert asked(OWN, *SENT, ("hush", 3), *again, order="04")[1:] == EXCUSED
    assert asked(OWN, *SENT, ("hush", 200), *again, order="04") == ("4 5 6", *EXCUSED)


def test_what_was_excused_at_the_start_may_be_reached_and_ends_with_the_rest() -> None:
    _, outcome = found(KEYED, ("hush", -1, None), *SENT, ("greet", 3), ("ask", 4))["7"]
    assert (outcome.status, outcome.ended_at) == ("succeeded", minute(3))
    _, outcome = found(KEYED, ("hush", -1, None), *SENT, ("ask", 3), ("greet", 4))["7"]
    assert (outcome.steps["asked"].status, outcome.ended_at) == ("reached", minute(4))
