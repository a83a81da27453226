"""The whole script of a run, from a seed: written before anything is sent, so that it cannot follow what was found.

Stories and visits are told one person at a time, then bent: two in a hundred arrive late, one in a hundred twice, a few
are spoilt. Planted incidents lie together in time: a payment outage, a store that stops confirming pick-ups, a checkout
that goes in circles. At the end comes a pulse, a few seconds in which log time runs at speed 1, to measure latency.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

from sources.simulation import checkout_stories, payment_stories, scenarios, store_stories
from sources.simulation.course import Story
from sources.simulation.noise import visit
from sources.simulation.plan import DAY, HOUR, MINUTE, SECOND, Expected, Person, Plan, Tale
from sources.simulation.teller import Teller

START = 1_772_438_400_000
"""2026-03-02 08:00 UTC, a Monday. Stories begin on the first two days; the longest end on the sixth."""
HORIZON = 72 * HOUR
QUIET_END = 8 * DAY
"""Before the pulse, log time goes on until all deadlines of all stories are past."""
SETTLE = 2 * DAY
"""After the pulse, too."""
PULSE_SECONDS = 15

FAULTS = ("segment_no_event", "segment_bad_time", "native_no_name", "native_unknown_field", "kafka_bytes", "kafka_cut")
_STORES_THAT_STOP = "store-07"


@dataclass(frozen=True, slots=True)
class Script:
    seed: int
    start: int
    pulse_start: int
    pulse_end: int
    end: int
    persons: tuple[Person, ...]
    plans: tuple[Plan, ...]
    """In order of arrival."""
    expected: tuple[Expected, ...]


def write_script(seed: int, touchpoints: int, start: int = START) -> Script:
    """About `touchpoints` of them: stories are never cut short."""
    rng = Random(seed)
    persons: list[Person] = []
    tales: list[Tale] = []
    count = 0
    pulse_start = start + QUIET_END
    pulse = _pulse(rng, persons, touchpoints, pulse_start)
    bulk = touchpoints - len(pulse.plans)
    for story, at in _stories(rng, touchpoints, start):
        teller = _meet(rng, persons)
        if story is store_stories.never_ready:
            teller.store = _STORES_THAT_STOP
        story(teller, at)
        tales.append(teller.tale)
        count += len(teller.tale.plans)
    while count < bulk * 0.985:
        teller = _meet(rng, persons)
        if count < bulk * 0.45:
            rng.choice(scenarios.ORDINARY)(teller, start + rng.randint(0, 34 * HOUR))
        else:
            visit(rng)(teller, start + rng.randint(0, 40 * HOUR))
        tales.append(teller.tale)
        count += len(teller.tale.plans)
    bent = _bend(rng, [plan for tale in tales for plan in tale.plans], max(0, bulk - count))
    plans = sorted([*bent, *pulse.plans], key=lambda plan: (plan.arrives_at, plan.message_id, plan.repeats or ""))
    expected = tuple(one for tale in (*tales, pulse) for one in tale.expected)
    pulse_end = pulse_start + PULSE_SECONDS * SECOND
    return Script(seed, start, pulse_start, pulse_end, pulse_end + SETTLE, tuple(persons), tuple(plans), expected)


def _pulse(rng: Random, persons: list[Person], touchpoints: int, start: int) -> Tale:
    """Deadlines that fall due, and third declines that come, while log time runs at speed 1; and people who look
    around.
    """
    tale = Tale()
    each = planted_each(touchpoints)
    length = PULSE_SECONDS * SECOND
    for number in range(2 * each):
        teller = _meet(rng, persons, wrong_clock=0.0)
        moment = start + rng.randint(length // 5, length * 4 // 5)
        if number % 2:
            payment_stories.deadline_falls(teller, moment)
        else:
            payment_stories.third_decline(teller, moment)
        tale.plans += teller.tale.plans
        tale.expected += teller.tale.expected
    for _ in range(touchpoints // 8):
        if _ % 10 == 0:
            teller = _meet(rng, persons, wrong_clock=0.0)
        at = start + rng.randint(0, length)
        plan = teller.on_device("web", "page_viewed", at, name="home")
        tale.plans.append(replace(plan, arrives_at=at))
    return tale


def planted_each(touchpoints: int) -> int:
    """How often each break is planted, and how often each is nearly had."""
    return max(2, min(400, touchpoints // 1_600))


def _stories(rng: Random, touchpoints: int, start: int) -> Iterator[tuple[Story, int]]:
    each = planted_each(touchpoints)
    for table in (scenarios.PLANTED, scenarios.NEAR_MISSES):
        for stories in table.values():
            for number in range(each):
                story = stories[number % len(stories)]
                yield story, start + _moment(rng, story)


def _moment(rng: Random, story: Story) -> int:
    if story is payment_stories.never_paid:  # the payment outage: forty minutes at noon
        return 4 * HOUR + rng.randint(0, 40 * MINUTE)
    if story is checkout_stories.loop_and_gone:  # the checkout goes in circles on the second morning
        return 25 * HOUR + rng.randint(0, 90 * MINUTE)
    return rng.randint(0, 34 * HOUR)


def _meet(rng: Random, persons: list[Person], wrong_clock: float = 0.05) -> Teller:
    number = len(persons)
    user_id = f"u{100_000 + number}" if rng.random() < 0.85 else None
    person = Person(
        f"p{number}", user_id, f"web-{number:x}-{rng.getrandbits(32):x}", f"app-{number:x}-{rng.getrandbits(32):x}"
    )
    persons.append(person)
    skew = rng.choice((-1, 1)) * rng.randint(11, 26 * 60) * MINUTE if rng.random() < wrong_clock else 0
    return Teller(person, rng, number, skew)


def _bend(rng: Random, plans: Sequence[Plan], spare: int) -> Iterator[Plan]:
    for plan in plans:
        if plan.repeats is None and plan.arrives_at - plan.occurred_at > 1 and rng.random() < 0.02:
            plan = replace(plan, arrives_at=plan.occurred_at + rng.randint(2 * MINUTE, 20 * HOUR))
        yield plan
        if rng.random() < 0.01:
            spare -= 1
            yield replace(plan, arrives_at=plan.arrives_at + rng.randint(1, 4 * HOUR), repeats=plan.message_id)
    for number in range(max(12, min(spare, len(plans) // 200))):
        at = plans[rng.randrange(len(plans))].occurred_at
        fault = FAULTS[number % len(FAULTS)]
        emitter = {"s": "web", "n": "payments", "k": "crm"}[fault[0]]
        yield Plan(emitter, "spoilt", at, at + 1_000, {"anonymous_id": f"bad-{number}"}, f"bad-{number}", fault=fault)  # type: ignore[arg-type]
