"""The whole script of a run, from a seed: written before anything is sent, so that it cannot follow what was found.

Stories and visits are told one person at a time, then bent: two in a hundred arrive late, one in a hundred twice, a few
are spoilt. Planted incidents lie together in time: a payment outage, a store that stops confirming pick-ups, a checkout
that goes in circles. At the end comes a pulse, a few seconds in which log time runs at speed 1, to measure latency.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

from sources.simulation import checkout_stories, payment_stories, scenarios, store_stories, till_stories
from sources.simulation.course import Story
from sources.simulation.noise import visit
from sources.simulation.plan import DAY, HOUR, MINUTE, SECOND, Expected, Person, Plan, Tale
from sources.simulation.teller import Teller
from sources.simulation.tills import ALONE, Silence, beats, looks_of, silences_of, stores_of, withheld

START = 1_772_438_400_000
"""2026-03-02 08:00 UTC, a Monday. Stories begin on the first two days; the longest end on the sixth."""
HORIZON = 72 * HOUR
QUIET_END = 8 * DAY
"""Before the pulse, log time goes on until all deadlines of all stories are past."""
SETTLE = 2 * DAY
"""After the pulse, too."""
PULSE_SECONDS = 15
PULSE_PART = 8
"""One in so many touchpoints comes in the pulse."""
PULSE_MAX = 12_000
"""800 a second: more would measure how long the queue is."""

FAULTS = ("segment_no_event", "segment_bad_time", "native_no_name", "native_unknown_field", "kafka_bytes", "kafka_cut")
STOPS = "store-02"
"""This store confirms no pick-up."""


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
    silences: tuple[Silence, ...]
    broken: tuple[int, ...]
    """When spells of broken contracts begin."""

    @property
    def looks(self) -> tuple[int, ...]:
        """When a silence must have been noticed."""
        return looks_of(self.silences)


def write_script(seed: int, touchpoints: int, start: int = START) -> Script:
    """About `touchpoints` of them: stories are never cut short."""
    rng = Random(seed)
    company = _Company(rng, stores_of(touchpoints))
    pulse_start = start + QUIET_END
    pulse_end = pulse_start + PULSE_SECONDS * SECOND
    silences = silences_of(company.stores, start)
    life = list(beats(rng, company.stores, silences, start, pulse_end + SETTLE))
    pulse = _pulse(rng, company, touchpoints, pulse_start)
    bulk = touchpoints - len(pulse.plans) - len(life)
    tales = _tales(rng, company, bulk, _stories(rng, touchpoints, silences, start), start)
    count = sum(len(tale.plans) for tale in tales)
    bent = _bend(rng, [plan for tale in tales for plan in tale.plans], max(0, bulk - count))
    broken = tuple(start + (3 + 3 * number) * HOUR for number in range(spells_each(touchpoints)))
    told = [*withheld(bent, silences, rng), *pulse.plans, *life, *_contracts(broken)]
    plans = sorted(told, key=lambda plan: (plan.arrives_at, plan.message_id, plan.repeats or ""))
    expected = tuple(one for tale in (*tales, pulse) for one in tale.expected)
    end, persons = pulse_end + SETTLE, tuple(company.persons)
    return Script(seed, start, pulse_start, pulse_end, end, persons, tuple(plans), expected, silences, broken)


def _tales(
    rng: Random, company: _Company, bulk: int, stories: Iterable[tuple[Story, int, str | None]], start: int
) -> list[Tale]:
    """The given stories, and everybody else up to `bulk` touchpoints."""
    tales: list[Tale] = []
    count = 0
    for story, at, store in stories:
        teller = company.meet(store=store)
        story(teller, at)
        tales.append(teller.tale)
        count += len(teller.tale.plans)
    while count < bulk * 0.985:
        teller = company.meet()
        if count < bulk * 0.45:
            rng.choice(scenarios.ORDINARY)(teller, start + rng.randint(0, 34 * HOUR))
        else:
            visit(rng)(teller, start + rng.randint(0, 40 * HOUR))
        tales.append(teller.tale)
        count += len(teller.tale.plans)
    return tales


def pulse_size(touchpoints: int) -> int:
    """How many of a script's touchpoints come in the pulse, its stories aside."""
    return min(PULSE_MAX, touchpoints // PULSE_PART)


def _pulse(rng: Random, company: _Company, touchpoints: int, start: int) -> Tale:
    """Deadlines that fall due, and third declines that come, while log time runs at speed 1; and people who look
    around.
    """
    tale = Tale()
    each = planted_each(touchpoints)
    length = PULSE_SECONDS * SECOND
    for number in range(2 * each):
        teller = company.meet(wrong_clock=0.0)
        moment = start + rng.randint(length // 5, length * 4 // 5)
        if number % 2:
            payment_stories.deadline_falls(teller, moment)
        else:
            payment_stories.third_decline(teller, moment)
        tale.plans += teller.tale.plans
        tale.expected += teller.tale.expected
    for number in range(pulse_size(touchpoints)):
        if number % 10 == 0:
            teller = company.meet(wrong_clock=0.0)
        at = start + rng.randint(0, length)
        plan = teller.on_device("web", "page_viewed", at, name="home")
        tale.plans.append(replace(plan, arrives_at=at))
    return tale


def planted_each(touchpoints: int) -> int:
    """How often each break is planted, and how often each is nearly had."""
    return max(2, min(400, touchpoints // 1_600))


def spells_each(touchpoints: int) -> int:
    """How often a contract is broken, and how often one that nobody is called for."""
    return max(2, min(60, touchpoints // 10_000))


def _contracts(spells: Iterable[int]) -> Iterator[Plan]:
    """Two touchpoints of a spell lack what is required. A third breaks a contract that is merely written down."""
    faults = ((0, "contract_control"), (20, "contract_control"), (40, "contract_monitor"))
    for number, began in enumerate(spells):
        for minutes, fault in faults:
            at, name = began + minutes * MINUTE, f"broken-{number}-{minutes}"
            yield Plan("crm", "spoilt", at, at, {"anonymous_id": name}, name, fault=fault)


def _stories(
    rng: Random, touchpoints: int, silences: Sequence[Silence], start: int
) -> Iterator[tuple[Story, int, str | None]]:
    """Each with the moment at which it begins and, if it matters, its store."""
    each = planted_each(touchpoints)
    for table in (scenarios.PLANTED, scenarios.NEAR_MISSES):
        for stories in table.values():
            first = rng.randrange(len(stories))  # A small run tells two of each: another seed, other ones.
            for number in range(first, first + each):
                story = stories[number % len(stories)]
                yield story, start + _moment(rng, story), STOPS if story is store_stories.never_ready else None
    for silence in silences:
        if silence.planted and silence.source != f"till-{ALONE}":
            for story in till_stories.WAITING if silence.ended is not None else till_stories.WAITING_FOR_EVER:
                yield story, silence.began + rng.randint(60, 130) * MINUTE, silence.source.removeprefix("till-")


def _moment(rng: Random, story: Story) -> int:
    if story is payment_stories.never_paid:  # the payment outage: forty minutes at noon
        return 4 * HOUR + rng.randint(0, 40 * MINUTE)
    if story is checkout_stories.loop_and_gone:  # the checkout goes in circles on the second morning
        return 25 * HOUR + rng.randint(0, 90 * MINUTE)
    return rng.randint(0, 34 * HOUR)


class _Company:
    """Everybody, and the stores they go to."""

    def __init__(self, rng: Random, stores: Sequence[str]) -> None:
        self.stores = stores
        self.persons: list[Person] = []
        self._rng = rng

    def meet(self, wrong_clock: float = 0.05, store: str | None = None) -> Teller:
        rng, number = self._rng, len(self.persons)
        user_id = f"u{100_000 + number}" if rng.random() < 0.85 else None
        web, app = (f"{where}-{number:x}-{rng.getrandbits(32):x}" for where in ("web", "app"))
        person = Person(f"p{number}", user_id, web, app)
        self.persons.append(person)
        skew = rng.choice((-1, 1)) * rng.randint(11, 26 * 60) * MINUTE if rng.random() < wrong_clock else 0
        return Teller(person, rng, number, skew, self.stores if store is None else (store,))


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
        yield Plan(emitter, "spoilt", at, at + 1_000, {"anonymous_id": f"bad-{number}"}, f"bad-{number}", fault=fault)
