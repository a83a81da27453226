"""The oracle's reading of the five younger kinds of break, case by case, worked out by hand from docs/journeys.md.

For each kind: a break, and what comes close to it, taken from its false alarms: a retry that succeeds, a batch that
comes late, a step that is told afterwards, somebody who went on in another channel, one person taken for two. Times
are ms after the start; grace is 60 ms, the lifetime 10 000 ms; `late` may arrive 300 ms after it occurred.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import pytest

from tests.oracle.decode import Touchpoint
from tests.oracle.fold import Outcome, fold
from tests.oracle.journeys import relevant
from tests.oracle.rules import Abandoned, Ban, Declared, Definition, Pattern, Step, Suspicion

T0: Final = 1_767_571_200_000
LIFETIME: Final = 10_000
GRACE: Final = 60
LATE: Final = 300
What = tuple[str, int] | tuple[str, int, str]
"""Name, ms after the start, channel."""
Found = tuple[int, int, int | None, int | None]
"""Occurrence, cause, due, cleared."""


def touchpoint(number: int, what: What) -> Touchpoint:
    name, at, channel = what if len(what) == 3 else (*what, "web")
    return Touchpoint(
        touchpoint_id=f"{number:04d}",
        message_id=f"m{number}",
        source="till",
        place="here",
        name=name,
        channel=channel,
        occurred_at_sent=T0 + at,
        occurred_at=T0 + at,
        sent_at=None,
        received_at=None,
        log_time=T0 + at,
        sequence=0,
        identifiers={},
        subject=None,
        properties={},
    )


def definition(**breaks: Any) -> Definition:
    """open -> answer -> solve -> thank; solved is the success."""
    return Definition(
        name="case",
        key="ticket_id",
        joins=False,
        start=Pattern(("open",)),
        steps=(
            Step("answered", Pattern(("answer", "late")), "start"),
            Step("solved", Pattern(("solve",)), "answered"),
            Step("thanked", Pattern(("thank",)), "solved"),
        ),
        success="solved",
        failures=("drop", "reject"),
        repeated=(),
        scores=(),
        grace=GRACE,
        lifetime=LIFETIME,
        known={"late": Declared(arrives_within=LATE)},
        **breaks,
    )


def outcome(rule: Definition, whats: Sequence[What], until: int) -> Outcome:
    found = fold(rule, [touchpoint(number, what) for number, what in enumerate((("open", 0), *whats))], T0 + until)
    assert found is not None
    return found


def found(rule: Definition, whats: Sequence[What], until: int) -> list[Found]:
    every = outcome(rule, whats, until).breaks
    return [(one.occurrence, one.cause_at - T0, _after(one.due_at), _after(one.cleared_at)) for one in every]


def _after(at: int | None) -> int | None:
    return None if at is None else at - T0


END: Final = 9_999

# -- a failure --------------------------------------------------------------------------------------------------------

FAILING = Suspicion("trouble", "failure_event", "answered", Pattern(("fault",)))
AT_ONCE = definition(suspicions=(FAILING,))
WAITED = definition(suspicions=(Suspicion("trouble", "failure_event", "answered", Pattern(("fault",)), 1_000),))
JUDGED = 100 + 1_000 + GRACE + LATE
"""When a failure at 100 may be judged: `answered` may come as `late`."""


@pytest.mark.parametrize(
    ("whats", "until", "expected"),
    [
        ([("fault", 100)], 100, [(1, 100, None, None)]),
        ([("fault", 100), ("answer", 101)], 101, [(1, 100, None, 101)]),
        ([("answer", 99), ("fault", 100)], END, [(1, 100, None, None)]),
        ([("fault", 100), ("fault", 200), ("answer", 300)], END, [(1, 100, None, 300)]),
        ([("fault", 1), ("answer", 2), ("fault", 3), ("late", 4)], END, [(1, 1, None, 2), (2, 3, None, 4)]),
        ([("fault", 100), ("drop", 100)], END, [(1, 100, None, 100)]),
        ([("drop", 100), ("fault", 100)], END, []),
        ([("fault", LIFETIME)], LIFETIME, [(1, LIFETIME, None, None)]),
        ([("fault", LIFETIME + 1)], LIFETIME + 1, []),
        ([("fault", 100), ("answer", LIFETIME)], LIFETIME + 9, [(1, 100, None, LIFETIME)]),
        ([("fault", 100), ("answer", LIFETIME + 1)], LIFETIME + 9, [(1, 100, None, None)]),
        ([("solve", 50), ("thank", 60), ("fault", 70)], END, []),
        ([("fault", 40), ("solve", 50), ("thank", 60), ("answer", 70)], END, [(1, 40, None, 70)]),
        ([("fault", 40), ("solve", 50), ("thank", 60), ("reject", 70)], END, [(1, 40, None, 70)]),
        ([("fault", 40), ("solve", 50), ("reject", 60), ("drop", 70)], END, [(1, 40, None, 60)]),
    ],
)
def test_a_failure_at_once(whats: list[What], until: int, expected: list[Found]) -> None:
    assert found(AT_ONCE, whats, until) == expected


@pytest.mark.parametrize(
    ("whats", "until", "expected"),
    [
        ([("fault", 100)], JUDGED - 1, []),
        ([("fault", 100)], JUDGED, [(1, 100, 1_100, None)]),
        ([("fault", 100), ("answer", 1_160)], END, []),
        ([("fault", 100), ("answer", 1_161)], JUDGED - 1, []),
        ([("fault", 100), ("answer", 1_161)], JUDGED, [(1, 100, 1_100, 1_161)]),
        ([("fault", 100), ("reject", 1_160)], END, []),
        ([("fault", 100), ("reject", 1_161)], END, [(1, 100, 1_100, 1_161)]),
        # What came to nothing takes no number, and the next one waits anew.
        ([("fault", 100), ("late", 200), ("fault", 300)], END, [(1, 300, 1_300, None)]),
        # A second failure while the first is waited out begins nothing of its own.
        ([("fault", 100), ("fault", 900), ("answer", 1_161)], END, [(1, 100, 1_100, 1_161)]),
        ([("fault", LIFETIME - 1_000)], 2 * LIFETIME, [(1, LIFETIME - 1_000, LIFETIME, None)]),
        ([("fault", LIFETIME - 999)], 2 * LIFETIME, []),
        # In time although the journey is over: success, and the answer is told afterwards.
        ([("fault", 100), ("solve", 200), ("thank", 300), ("answer", 400)], END, []),
    ],
)
def test_a_failure_waited_out(whats: list[What], until: int, expected: list[Found]) -> None:
    assert found(WAITED, whats, until) == expected


def test_what_fails_by_its_where_and_clears_by_its_where() -> None:
    step = Step("answered", Pattern(("note",), (("channel", "phone"),)), "start")
    rule = definition(suspicions=(Suspicion("trouble", "failure_event", "answered", Pattern(("note",))),))
    rule = replace(rule, steps=(step, *rule.steps[1:]))
    assert found(rule, [("note", 5, "phone")], END) == []
    assert found(rule, [("note", 5), ("note", 6, "phone")], END) == [(1, 5, None, 6)]


# -- out of order -----------------------------------------------------------------------------------------------------

EARLY = definition(suspicions=(Suspicion("early", "out_of_order", "answered", Pattern(("solve",))),))
EARLY_WAITED = definition(suspicions=(Suspicion("early", "out_of_order", "answered", Pattern(("solve",)), 1_000),))


@pytest.mark.parametrize(
    ("whats", "until", "expected"),
    [
        ([("solve", 100)], 100, [(1, 100, None, None)]),
        ([("answer", 100), ("solve", 100)], END, []),
        ([("solve", 100), ("answer", 100)], END, [(1, 100, None, 100)]),
        ([("late", 99), ("solve", 100)], END, []),
        # A second answer reaches no step, and counts as one that came before.
        ([("answer", 10), ("answer", 20), ("solve", 100), ("solve", 200)], END, []),
        # After it was put right there is nothing out of order any more.
        ([("solve", 100), ("answer", 200), ("solve", 300)], END, [(1, 100, None, 200)]),
        ([("solve", 100), ("thank", 150), ("answer", 200)], END, [(1, 100, None, 200)]),
        ([("drop", 50), ("solve", 100)], END, []),
        ([("solve", 100), ("drop", 150)], END, [(1, 100, None, 150)]),
    ],
)
def test_out_of_order_at_once(whats: list[What], until: int, expected: list[Found]) -> None:
    assert found(EARLY, whats, until) == expected


@pytest.mark.parametrize(
    ("whats", "until", "expected"),
    [
        ([("solve", 100)], JUDGED - 1, []),
        ([("solve", 100)], JUDGED, [(1, 100, 1_100, None)]),
        ([("solve", 100), ("answer", 1_160)], END, []),
        ([("solve", 100), ("answer", 1_161)], END, [(1, 100, 1_100, 1_161)]),
        ([("solve", 100), ("solve", 500), ("answer", 1_161)], END, [(1, 100, 1_100, 1_161)]),
    ],
)
def test_out_of_order_waited_out(whats: list[What], until: int, expected: list[Found]) -> None:
    assert found(EARLY_WAITED, whats, until) == expected


def test_what_was_before_the_start_was_not_before() -> None:
    members = [touchpoint(1, ("answer", -5)), touchpoint(2, ("open", 0)), touchpoint(3, ("solve", 5))]
    seen = fold(EARLY, members, T0 + END)
    assert seen is not None
    assert [one.cause_at - T0 for one in seen.breaks] == [5]


# -- skipped ----------------------------------------------------------------------------------------------------------

SKIPPED = definition(suspicions=(Suspicion("unanswered", "skipped_step", "answered"),))
SKIPPED_WAITED = definition(suspicions=(Suspicion("unanswered", "skipped_step", "answered", None, 1_000),))
UNTHANKED = definition(suspicions=(Suspicion("unthanked", "skipped_step", "thanked"),))


@pytest.mark.parametrize(
    ("rule", "whats", "until", "expected"),
    [
        (SKIPPED, [("solve", 100)], 100, [(1, 100, None, None)]),
        (SKIPPED, [("solve", 100), ("solve", 200), ("answer", 300)], END, [(1, 100, None, 300)]),
        (SKIPPED, [("answer", 99), ("solve", 100)], END, []),
        (SKIPPED, [("thank", 99)], END, []),
        (SKIPPED, [("solve", 100), ("reject", 300)], END, [(1, 100, None, 300)]),
        (SKIPPED, [("reject", 99), ("solve", 100)], END, []),
        (SKIPPED_WAITED, [("solve", 100)], JUDGED - 1, []),
        (SKIPPED_WAITED, [("solve", 100)], JUDGED, [(1, 100, 1_100, None)]),
        (SKIPPED_WAITED, [("solve", 100), ("late", 1_160)], END, []),
        (SKIPPED_WAITED, [("solve", 100), ("late", 1_161)], END, [(1, 100, 1_100, 1_161)]),
        # The journey ends with the thanks; the step may still be told.
        (SKIPPED_WAITED, [("solve", 100), ("thank", 200), ("late", 1_160)], END, []),
        (UNTHANKED, [("solve", 100), ("thank", 100)], END, [(1, 100, None, 100)]),
        (UNTHANKED, [("thank", 100), ("solve", 100)], END, []),
    ],
)
def test_skipped(rule: Definition, whats: list[What], until: int, expected: list[Found]) -> None:
    assert found(rule, whats, until) == expected


# -- abandoned --------------------------------------------------------------------------------------------------------

IDLE = definition(abandoned=(Abandoned("gone", 1_000),))
SILENT = 1_000 + GRACE + LATE
"""When the silence after the start may be judged: one of the touchpoints that the definition names comes late."""


@pytest.mark.parametrize(
    ("whats", "until", "expected"),
    [
        ([], SILENT - 1, []),
        ([], SILENT, [(1, 1_000, 1_000, None)]),
        ([("answer", 1_060)], 1_060 + SILENT - 1, []),
        ([("answer", 1_061)], SILENT - 1, []),
        ([("answer", 1_061)], SILENT, [(1, 1_000, 1_000, 1_061)]),
        # Whatever it is, in whatever channel.
        ([("thank", 900), ("answer", 1_800, "phone")], 1_800 + SILENT - 1, []),
        ([("answer", 1_061), ("answer", 3_000)], 4_000, [(1, 1_000, 1_000, 1_061), (2, 2_061, 2_061, 3_000)]),
        ([("answer", 500), ("solve", 1_560)], END, []),
        ([("answer", 500), ("solve", 1_561)], END, [(1, 1_500, 1_500, 1_561)]),
        # After the success nobody need come back.
        ([("solve", 500), ("answer", 5_000)], END, []),
        ([("drop", 1_060)], END, []),
        ([("drop", 1_061), ("answer", 9_000)], END, [(1, 1_000, 1_000, 1_061)]),
    ],
)
def test_abandoned(whats: list[What], until: int, expected: list[Found]) -> None:
    assert found(IDLE, whats, until) == expected


def test_the_end_of_the_lifetime_clears_no_silence() -> None:
    """As with every other kind: the journey has expired, and what is active stays."""
    busy: list[What] = [("answer", at) for at in range(500, 8_600, 500)]
    last = LIFETIME - 1_000
    found_then = [(1, LIFETIME, LIFETIME, None)]
    assert found(IDLE, [*busy, ("answer", last)], LIFETIME + GRACE + LATE) == found_then
    assert found(IDLE, [*busy, ("answer", last), ("answer", LIFETIME + 100)], 2 * LIFETIME) == found_then
    assert found(IDLE, [*busy, ("answer", last + 1)], 2 * LIFETIME) == []
    assert outcome(IDLE, [("answer", last)], 2 * LIFETIME).status == "expired"


# -- forbidden --------------------------------------------------------------------------------------------------------

ONCE = definition(bans=(Ban("charged", Pattern(("charge",)), at_most=1),))
NEVER = definition(bans=(Ban("fought", Pattern(("charge",), (("channel", "phone"),)), at_most=0),))
PAIR = definition(bans=(Ban("both", Pattern(("charge",)), never_with="reject"),))


@pytest.mark.parametrize(
    ("rule", "whats", "expected"),
    [
        (ONCE, [("charge", 1)], []),
        (ONCE, [("charge", 1), ("charge", 2), ("charge", 3)], [2]),
        (NEVER, [("charge", 1)], []),
        (NEVER, [("charge", 1), ("charge", 2, "phone")], [2]),
        (PAIR, [("charge", 1)], []),
        (PAIR, [("charge", 1), ("drop", 2), ("charge", 3)], []),
        (PAIR, [("charge", 1), ("reject", 2), ("charge", 3)], [2]),
        (PAIR, [("reject", 1), ("charge", 2)], [2]),
        # After the end, and after the lifetime.
        (ONCE, [("drop", 1), ("charge", 2), ("charge", 3)], [3]),
        (ONCE, [("charge", 1), ("charge", LIFETIME + 5)], [LIFETIME + 5]),
        # Nothing clears it.
        (ONCE, [("charge", 1), ("charge", 2), ("answer", 3), ("solve", 4), ("drop", 5)], [2]),
    ],
)
def test_forbidden(rule: Definition, whats: list[What], expected: list[int]) -> None:
    assert found(rule, whats, END) == [(1, at, None, None) for at in expected]


def test_the_start_is_not_counted() -> None:
    rule = definition(bans=(Ban("again", Pattern(("open",)), at_most=1),))
    assert found(rule, [("open", 1)], END) == []
    assert found(rule, [("open", 1), ("open", 2)], END) == [(1, 2, None, None)]


# -- together ---------------------------------------------------------------------------------------------------------


def test_kinds_and_steps() -> None:
    waited = (FAILING, *EARLY.suspicions, *SKIPPED.suspicions)
    rule = definition(suspicions=waited, abandoned=IDLE.abandoned, bans=ONCE.bans)
    whats: list[What] = [("fault", 1), ("charge", 2), ("charge", 3), ("solve", 2_000)]
    every = outcome(rule, whats, END).breaks
    assert {(one.kind, one.step) for one in every} == {
        ("failure_event", "answered"),
        ("out_of_order", "answered"),
        ("skipped_step", "answered"),
        ("abandoned", None),
        ("forbidden", None),
    }


def test_how_long_each_is_waited_for() -> None:
    rule = definition(suspicions=(FAILING, Suspicion("b", "skipped_step", "thanked")), abandoned=IDLE.abandoned)
    assert [rule.waits(name) for name in ("trouble", "b", "gone", "answered", "solved")] == [360, 60, 360, 360, 60]


@pytest.mark.parametrize(
    ("rule", "name", "takes_part"),
    [
        (AT_ONCE, "fault", True),
        (EARLY, "fault", False),
        (ONCE, "charge", True),
        (PAIR, "reject", True),
        (definition(bans=(Ban("both", Pattern(("a",)), never_with="b"),)), "b", True),
        (SKIPPED, "charge", False),
    ],
)
def test_which_touchpoints_take_part(rule: Definition, name: str, takes_part: bool) -> None:
    assert relevant(rule, touchpoint(1, (name, 1))) is takes_part
