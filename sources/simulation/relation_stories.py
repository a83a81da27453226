"""Stories of what all touchpoints together are worth: gone sour, made good, or nearly.

Weights as in touchpoints.yaml: what matters much is worth 4, a voucher or a recommendation 2. Half of it is left after
3 d. Sour is below -8, good again from -4 on. The numbers beside the lines are the balance.
"""

from __future__ import annotations

from sources.simulation.course import Story
from sources.simulation.plan import DAY, HOUR, MINUTE, ExpectedBreak, Plan
from sources.simulation.teller import Teller

SOURED = "soured"
HALF_LIFE = 3 * DAY
FIRING = ExpectedBreak(SOURED, "experience_balance", "firing")


def _sent_for(t: Teller, at: int) -> Plan:
    t.sign_in("web", at)
    return t.place_order("web", at + MINUTE, fulfilment="delivery")


def _complain(t: Teller, at: int) -> Plan:
    return t.on_device("web", "complaint_made", at, about="delivery")


def _bad_run(t: Teller, at: int) -> tuple[Plan, int]:
    begun = _sent_for(t, at)  # 4
    for hours in (3, 6):
        t.of_order("crm", "delivery_failed", at + hours * HOUR)  # -0.1, then -4
    _complain(t, at + 8 * HOUR)  # -7.9
    _complain(t, at + 9 * HOUR)  # -11.8
    return begun, at + 9 * HOUR


def gone_sour(t: Teller, at: int) -> None:
    begun, _ = _bad_run(t, at)
    t.expect_from("relationship", begun, "open", FIRING, story="a run of bad touchpoints")


def made_good(t: Teller, at: int) -> None:
    begun, last = _bad_run(t, at)
    t.of_order("crm", "parcel_delivered", last + t.soon(60, 120))  # -7.7
    t.of_order("crm", "voucher_given", last + t.soon(180, 200), worth=20)  # -5.6
    t.on_device("web", "recommended", last + t.soon(240, 300), recommended_by=f"u{100_000 + t.serial // 2}")  # -3.5
    again = ExpectedBreak(SOURED, "experience_balance", "resolved")
    t.expect_from("relationship", begun, "open", again, story="a run of bad touchpoints, made good")


def _two_at_once(t: Teller, at: int) -> Plan:
    """Begins with a rating that says nothing: 0. Then -8, which is not below -8."""
    begun = t.give_feedback(at, csat=3)
    for _ in range(2):
        _complain(t, at + HOUR)
    return begun


def before_it_faded(t: Teller, at: int) -> None:
    begun = _two_at_once(t, at)
    _complain(t, at + HOUR + HALF_LIFE - HOUR)  # -8.04
    t.expect_from("relationship", begun, "open", FIRING, story="the third before half of the first two was forgotten")


def faded(t: Teller, at: int) -> None:
    begun = _two_at_once(t, at)
    _complain(t, at + HOUR + HALF_LIFE + t.rng.choice((0, HOUR)))  # -8, or a little more
    t.expect_from("relationship", begun, "open", near_miss=SOURED, story="half of it was forgotten by then")


def at_the_border(t: Teller, at: int) -> None:
    begun = _two_at_once(t, at)
    t.expect_from("relationship", begun, "open", near_miss=SOURED, story="exactly at the border")


def told_twice(t: Teller, at: int) -> None:
    """Everything bad is told twice, by tools that are not sure that they were heard."""
    begun = _sent_for(t, at)  # 4
    bad = [t.of_order("crm", "delivery_failed", at + hours * HOUR) for hours in (3, 6)]  # -0.1, then -4
    bad.append(_complain(t, at + 9 * HOUR))  # -7.8
    for plan in bad:
        t.repeat(plan)
    t.expect_from("relationship", begun, "open", near_miss=SOURED, story="three bad touchpoints, each told twice")


# -- a review, and the answer that its owner owes ----------------------------------------------------------------------

_UNANSWERED = "answered"
ANSWER_WITHIN = 2 * DAY


def _review(t: Teller, at: int) -> Plan:
    t.sign_in("web", at - MINUTE)
    return t.on_device("web", "review_published", at, stars=t.rng.choice((1, 2, 5)))


def _answer(t: Teller, at: int) -> None:
    t.add("crm", "review_answered", at, t.device("web"), arrives_after=0)


def review_unanswered(t: Teller, at: int) -> None:
    late = ExpectedBreak(_UNANSWERED, "missing_step", "firing")
    t.expect_from("answer_review_published", _review(t, at), "open", late, story="a review without an answer")


def review_answered_late(t: Teller, at: int) -> None:
    review = _review(t, at)
    _answer(t, at + ANSWER_WITHIN + MINUTE + t.rng.choice((1, t.soon(1, 600))))
    late = ExpectedBreak(_UNANSWERED, "missing_step", "resolved")
    t.expect_from("answer_review_published", review, "succeeded", late, story="a review answered late")


def review_answered_in_time(t: Teller, at: int) -> None:
    review = _review(t, at)
    _answer(t, at + ANSWER_WITHIN + t.rng.choice((0, MINUTE)))
    t.expect_from("answer_review_published", review, "succeeded", near_miss=_UNANSWERED, story="answered at last")


SOUR: tuple[Story, ...] = (gone_sour, made_good, before_it_faded)
NEARLY_SOUR: tuple[Story, ...] = (told_twice, at_the_border, faded)
