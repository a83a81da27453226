"""Stories of the service desk: answered or not, told or not, forgotten, asked too soon, reopened, hard work, NPS.

First answer within 4 open hours of the desk; a reply that fails is waited out for 30 min, a question how it was before
the solution for 30 min, a solution that nobody was told of for 2 h; a case is forgotten after 3 d of silence; reopened
once is allowed; `ease` below 3 is hard, `nps` below 7 no recommendation. Each has 1 min of grace; call-backs may be
told 15 min late.
"""

from __future__ import annotations

from sources.simulation.course import GRACE, missed
from sources.simulation.plan import DAY, HOUR, MINUTE, ExpectedBreak
from sources.simulation.teller import Teller
from sources.simulation.tills import desk_time

WAITED = 30 * MINUTE
UNDELIVERED = "answer_undelivered"
TOO_SOON = "asked_too_soon"
SILENT = "solved_in_silence"
FORGOTTEN = "forgotten"
REOPENED = "reopened_again"
HARD = "hard_work"
DETRACTOR = "would_not_recommend"
FORGOTTEN_NOW = ExpectedBreak(FORGOTTEN, "abandoned", "firing")


def _answered(t: Teller, at: int) -> int:
    """The question, and its first answer in time. Returns when that was."""
    t.open_ticket(at)
    at += t.soon(5, 220)
    if t.rng.random() < 0.3:
        t.of_ticket("callback_made", at, arrives_after=t.soon(1, 14))
    else:
        t.of_ticket("ticket_answered", at)
    return at


def _solved(t: Teller, at: int) -> int:
    t.of_ticket("solution_sent", at + t.soon(10, 600))
    at += t.soon(610, 700)
    t.of_ticket("ticket_solved", at)
    return at


def _asked(t: Teller, at: int) -> int:
    at += t.soon(30, 20 * 60)
    t.of_ticket("service_rating_requested", at)
    return at


def _finish(t: Teller, at: int) -> None:
    asked = _asked(t, _solved(t, at))
    if t.rng.random() < 0.5:
        t.of_ticket("service_rated", asked + t.soon(5, 600), ease=t.rng.choice((3, 4, 5)))


def solved_well(t: Teller, at: int) -> None:
    _finish(t, _answered(t, at))
    t.expect_case("succeeded", story="asked, answered, solved")


# -- answered ---------------------------------------------------------------------------------------------------------


def never_answered(t: Teller, at: int) -> None:
    t.open_ticket(at)
    t.expect_case("open", missed("answered", "firing"), FORGOTTEN_NOW, story="nobody answers")


def answered_late(t: Teller, at: int) -> None:
    t.open_ticket(at)
    answered = desk_time(at, 4 * HOUR) + GRACE + t.rng.choice((1, t.soon(1, 300)))
    t.of_ticket("ticket_answered", answered)
    _finish(t, answered)
    t.expect_case("succeeded", missed("answered", "resolved"), story="answered after the deadline")


def answered_in_grace(t: Teller, at: int) -> None:
    t.open_ticket(at)
    answered = desk_time(at, 4 * HOUR) + t.rng.choice((0, 1, GRACE - 1, GRACE))
    t.of_ticket("callback_made", answered, arrives_after=t.soon(5, 13))
    _finish(t, answered)
    t.expect_case("succeeded", near_miss="answered", story="called back at the last moment, told later")


def withdrawn_at_deadline(t: Teller, at: int) -> None:
    t.open_ticket(at)
    t.of_ticket("ticket_withdrawn", desk_time(at, 4 * HOUR) + t.rng.choice((0, GRACE)), arrives_after=0)
    t.expect_case("failed", near_miss="answered", story="the customer needs no answer any more")


# -- answer_undelivered -----------------------------------------------------------------------------------------------


def bounced_for_good(t: Teller, at: int) -> None:
    answered = _answered(t, at)
    t.of_ticket("reply_failed", answered + t.soon(1, 5), why="mailbox full")
    _finish(t, answered)
    t.expect_case("succeeded", ExpectedBreak(UNDELIVERED, "failure_event", "firing"), story="a reply that never came")


def bounced_long(t: Teller, at: int) -> None:
    t.open_ticket(at)
    failed = at + t.soon(1, 60)
    t.of_ticket("reply_failed", failed, why="mailbox full")
    again = failed + WAITED + GRACE + t.rng.choice((1, t.soon(1, 120)))
    t.of_ticket("ticket_answered", again)
    _finish(t, again)
    t.expect_case("succeeded", ExpectedBreak(UNDELIVERED, "failure_event", "resolved"), story="a reply that came late")


def bounced_once(t: Teller, at: int) -> None:
    """A mail server says no, and takes it with the second try."""
    t.open_ticket(at)
    failed = at + t.soon(1, 180)
    t.of_ticket("reply_failed", failed, why="try again later")
    again = failed + t.rng.choice((1, 20_000, WAITED, WAITED + GRACE))
    t.of_ticket("ticket_answered", again, arrives_after=0)
    _finish(t, again)
    t.expect_case("succeeded", near_miss=UNDELIVERED, story="the second try succeeds")


def bounced_then_called(t: Teller, at: int) -> None:
    """In another channel, and told by its next upload."""
    t.open_ticket(at)
    failed = at + t.soon(1, 180)
    t.of_ticket("reply_failed", failed, why="unknown address")
    called = failed + t.rng.choice((WAITED, WAITED + GRACE))
    t.of_ticket("callback_made", called, arrives_after=t.soon(5, 13))
    _finish(t, called)
    t.expect_case("succeeded", near_miss=UNDELIVERED, story="called instead, told later")


# -- asked_too_soon ---------------------------------------------------------------------------------------------------


def asked_and_unsolved(t: Teller, at: int) -> None:
    t.of_ticket("service_rating_requested", _answered(t, at) + t.soon(10, 300))
    breaks = (ExpectedBreak(TOO_SOON, "out_of_order", "firing"), FORGOTTEN_NOW)
    t.expect_case("open", *breaks, story="asked how it was, and it is not solved")


def asked_before_solved(t: Teller, at: int) -> None:
    asked = _answered(t, at) + t.soon(10, 300)
    t.of_ticket("service_rating_requested", asked)
    t.of_ticket("solution_sent", asked + t.soon(1, 30))
    t.of_ticket("ticket_solved", asked + WAITED + GRACE + t.rng.choice((1, t.soon(1, 900))))
    t.expect_case("succeeded", ExpectedBreak(TOO_SOON, "out_of_order", "resolved"), story="asked long before solved")


def asked_while_closing(t: Teller, at: int) -> None:
    """Two tools, one act: the order in which they tell it says nothing."""
    asked = _answered(t, at) + t.soon(10, 300)
    t.of_ticket("solution_sent", asked - 30_000)
    t.of_ticket("service_rating_requested", asked)
    t.of_ticket("ticket_solved", asked + t.rng.choice((1, 5_000, WAITED, WAITED + GRACE)), arrives_after=0)
    t.expect_case("succeeded", near_miss=TOO_SOON, story="asked a moment before the case was closed")


def solved_uploaded_late(t: Teller, at: int) -> None:
    """Solved before the question, and told in a batch hours later: an alert comes about, and is withdrawn."""
    told = _answered(t, at) + t.soon(10, 300)
    t.of_ticket("solution_sent", told)
    t.of_ticket("ticket_solved", told + MINUTE, arrives_after=6 * HOUR)
    t.of_ticket("service_rating_requested", told + HOUR)
    t.expect_case("succeeded", near_miss=TOO_SOON, story="solved in time, told in a batch")


# -- solved_in_silence ------------------------------------------------------------------------------------------------


def never_told(t: Teller, at: int) -> None:
    solved = _answered(t, at) + t.soon(10, 900)
    t.of_ticket("ticket_solved", solved)
    _asked(t, solved)
    t.expect_case("succeeded", ExpectedBreak(SILENT, "skipped_step", "firing"), story="closed, and nobody was told")


def told_late(t: Teller, at: int) -> None:
    solved = _answered(t, at) + t.soon(10, 900)
    t.of_ticket("ticket_solved", solved)
    t.of_ticket("solution_sent", solved + 2 * HOUR + GRACE + t.rng.choice((1, t.soon(1, 600))))
    t.expect_case("succeeded", ExpectedBreak(SILENT, "skipped_step", "resolved"), story="told long after it was closed")


def told_afterwards(t: Teller, at: int) -> None:
    solved = _answered(t, at) + t.soon(10, 900)
    t.of_ticket("ticket_solved", solved)
    t.of_ticket("solution_sent", solved + t.rng.choice((0, 2 * HOUR, 2 * HOUR + GRACE)), arrives_after=0)
    t.expect_case("succeeded", near_miss=SILENT, story="closed first, told within two hours")


def told_by_batch(t: Teller, at: int) -> None:
    """Told before it was closed, by a tool that reports each hour."""
    told = _answered(t, at) + t.soon(10, 900)
    t.of_ticket("solution_sent", told, arrives_after=t.soon(40, 60))
    t.of_ticket("ticket_solved", told + MINUTE)
    t.expect_case("succeeded", near_miss=SILENT, story="told in time, by a slow tool")


def told_by_night(t: Teller, at: int) -> None:
    """Told before it was closed, by a channel that reports at night: an alert comes about, and is withdrawn."""
    told = _answered(t, at) + t.soon(10, 900)
    t.of_ticket("solution_sent", told, arrives_after=t.soon(5 * 60, 11 * 60))
    t.of_ticket("ticket_solved", told + MINUTE)
    t.expect_case("succeeded", near_miss=SILENT, story="told in time, by a channel that reports at night")


# -- forgotten --------------------------------------------------------------------------------------------------------


def forgotten(t: Teller, at: int) -> None:
    _answered(t, at)
    t.expect_case("open", FORGOTTEN_NOW, story="answered once, then forgotten")


def taken_up_again(t: Teller, at: int) -> None:
    again = _answered(t, at) + 3 * DAY + GRACE + t.rng.choice((1, t.soon(1, 900)))
    t.of_ticket("ticket_answered", again)
    _finish(t, again)
    t.expect_case("succeeded", ExpectedBreak(FORGOTTEN, "abandoned", "resolved"), story="taken up after four days")


def taken_up_in_time(t: Teller, at: int) -> None:
    """In another channel, at the last moment, told by the next upload."""
    again = _answered(t, at) + 3 * DAY + t.rng.choice((0, GRACE))
    t.of_ticket("callback_made", again, arrives_after=t.soon(5, 13))
    _finish(t, again)
    t.expect_case("succeeded", near_miss=FORGOTTEN, story="called at the last moment")


def solved_and_quiet(t: Teller, at: int) -> None:
    _solved(t, _answered(t, at))
    t.expect_case("succeeded", near_miss=FORGOTTEN, story="nothing more to say")


# -- reopened_again ---------------------------------------------------------------------------------------------------


def reopened_twice(t: Teller, at: int) -> None:
    solved = _solved(t, _answered(t, at))
    for wait in (t.soon(10, 100), t.soon(110, 900)):
        t.of_ticket("ticket_reopened", solved + wait)
    t.expect_case("succeeded", ExpectedBreak(REOPENED, "forbidden", "firing"), story="reopened twice")


def reopened_once(t: Teller, at: int) -> None:
    """Told twice by a tool that is not sure that it was heard."""
    again = t.of_ticket("ticket_reopened", _solved(t, _answered(t, at)) + t.soon(10, 100))
    t.repeat(again)
    t.expect_case("succeeded", near_miss=REOPENED, story="reopened once, told twice")


# -- hard_work --------------------------------------------------------------------------------------------------------


def rated_hard(t: Teller, at: int) -> None:
    t.of_ticket("service_rated", _asked(t, _solved(t, _answered(t, at))) + t.soon(5, 600), ease=t.rng.choice((1, 2)))
    t.expect_case("succeeded", ExpectedBreak(HARD, "low_score", "firing"), story="it was hard work")


def rated_hard_then_easy(t: Teller, at: int) -> None:
    rated = _asked(t, _solved(t, _answered(t, at))) + t.soon(5, 600)
    t.of_ticket("service_rated", rated, ease=1)
    t.of_ticket("service_rated", rated + t.soon(10, 900), ease=4)
    t.expect_case("succeeded", ExpectedBreak(HARD, "low_score", "resolved"), story="hard work, made good")


def rated_easy_enough(t: Teller, at: int) -> None:
    ease = t.rng.choice((3, 3.0, "1", True))  # the catalogue wants no type of it
    t.of_ticket("service_rated", _asked(t, _solved(t, _answered(t, at))) + t.soon(5, 600), ease=ease)
    t.expect_case("succeeded", near_miss=HARD, story="just easy enough, or no number")


def rated_before_solved(t: Teller, at: int) -> None:
    """How hard it was to be heard at all: said before the solution, so it is not about that."""
    answered = _answered(t, at)
    t.of_ticket("service_rated", answered + MINUTE, ease=1)
    _solved(t, answered + 2 * MINUTE)
    t.expect_case("succeeded", near_miss=HARD, story="a bad rating before the solution")


# -- would_not_recommend ----------------------------------------------------------------------------------------------


def _recommends(t: Teller, at: int, nps: object) -> None:
    t.of_ticket("nps_given", at, nps=nps)


def detractor(t: Teller, at: int) -> None:
    _recommends(t, _solved(t, _answered(t, at)) + t.soon(60, 1_200), t.rng.choice((0, 3, 6)))
    t.expect_case("succeeded", ExpectedBreak(DETRACTOR, "low_score", "firing"), story="would not recommend us")


def detractor_won_over(t: Teller, at: int) -> None:
    given = _solved(t, _answered(t, at)) + t.soon(60, 1_200)
    _recommends(t, given, 6)
    _recommends(t, given + t.soon(30, 900), t.rng.choice((7, 9, 10)))
    again = ExpectedBreak(DETRACTOR, "low_score", "resolved")
    t.expect_case("succeeded", again, story="would not recommend us, and then would")


def passive(t: Teller, at: int) -> None:
    """Neither for nor against us; or no number."""
    _recommends(t, _solved(t, _answered(t, at)) + t.soon(60, 1_200), t.rng.choice((7, 7.0, 8, "0", True)))
    t.expect_case("succeeded", near_miss=DETRACTOR, story="passive, or no number")


def asked_too_early_to_say(t: Teller, at: int) -> None:
    """Before the solution nobody would recommend anything."""
    answered = _answered(t, at)
    _recommends(t, answered + MINUTE, 2)
    _solved(t, answered + 2 * MINUTE)
    t.expect_case("succeeded", near_miss=DETRACTOR, story="would not recommend us before it was solved")
