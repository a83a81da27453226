"""Random worlds of one definition: touchpoints for it, ticks, and what the oracle says of both.

Everything is short and on a grid of seconds, or of hours where a calendar counts, with a millisecond more or less now
and then, so that borders (due and grace, the lifetime, arrives_within, a window) are met all the time. A definition
that the checks refuse is not used.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any, Final

from schemas.definition import Catalogue, Definition, duration_ms
from schemas.definition_checks import flaws_of
from schemas.records import Entry
from tests.journey_case import NOON, touch
from tests.oracle import rules as oracle
from tests.oracle.decode import Touchpoint
from tests.oracle.fold import Outcome
from tests.oracle.journeys import Rulebook, runs
from tests.oracle.reading import catalogue_of, definition_of
from tests.oracle.usable import BUSINESS
from tests.simulated import drawn
from tests.simulated.drawn import FAILURES, NAMES, SHAPES, START, Taste

Json = dict[str, Any]
SPAN: Final = 40
"""Units in which things occur; arrivals take as long."""
OWNER: Final = "c1"
"""The customer in question; others act in journeys of a key only."""
DAYS: Final = 400
"""Where calendars count, worlds begin on any of so many days: summer time and holidays are among them."""


@dataclass(frozen=True, slots=True)
class World:
    """`arrivals` with rising log times; before those at `ticks` W advances as far as it may."""

    definition: Definition
    catalogue: Catalogue
    arrivals: tuple[Entry, ...]
    ticks: frozenset[int]
    end: int
    begin: int = NOON

    def __str__(self) -> str:
        given = self.definition.model_dump(exclude_defaults=True)
        known = {name: one.model_dump(exclude_defaults=True) for name, one in self.catalogue.touchpoints.items()}
        lines = [
            f"{one.name} at {one.occurred_at - self.begin} seq {one.sequence} {one.channel}"
            f" {one.keys.get('order_id', '-')} {one.person or '-'} {one.facts or ''}"
            f" arrives {one.log_time - self.begin}{' after a tick' if index in self.ticks else ''}"
            for index, one in enumerate(self.arrivals)
        ]
        return "\n".join([str(known), str(given), *lines, f"begin {self.begin}, end {self.end - self.begin}"])


def world(rng: Random, shapes: tuple[str, ...] = SHAPES, counting: bool | None = None) -> World:
    """`counting`: whether calendars count; None: now and then."""
    counts = rng.random() < 0.15 if counting is None else counting
    taste = Taste(shapes, "h", ("one", "other")) if counts else Taste(shapes)
    unit, begin = duration_ms(f"1{taste.unit}"), NOON
    if counts:
        begin += rng.randrange(DAYS) * 24 * unit + rng.randrange(24) * unit
    calendars = {name: drawn.calendar(rng) for name in taste.calendars}
    late = rng.choice((None, f"3{taste.unit}"))
    while True:
        known = Catalogue.model_validate({"touchpoints": drawn.catalogue(rng, late)})
        definition = Definition.model_validate(drawn.definition(rng, taste, calendars))
        if not any(flaws_of(definition, known)):
            break
    count = rng.randint(2, 18)
    named = sorted(restated(definition, known).names() - {START})
    arrivals, log = [], 0
    for index in range(count):
        log += rng.choice((1, unit, 2 * unit, 3 * unit, 5 * unit))
        arrivals.append(_entry(rng, named, index, begin, begin + log, unit))
    limit = duration_ms(definition.lifetime)
    ends = (log, log + rng.randint(0, 30) * unit + rng.choice((-1, 0, 0, 1)), limit + 2 * SPAN * unit)
    ticks = frozenset(index for index in range(count) if rng.random() < 0.4)
    return World(definition, known, tuple(arrivals), ticks, begin + max(log, rng.choice(ends)), begin)


def _entry(rng: Random, named: list[str], index: int, begin: int, log: int, unit: int) -> Entry:
    # A journey that fails at once shows nothing: failures are rare.
    going_on = [name for name in named if name not in FAILURES]
    names = [START] if index == 0 else [START, *NAMES, *named, *going_on * 2]
    # Half of it occurs when it arrives, the rest whenever; both in and out of order.
    at = log if rng.random() < 0.5 else begin + rng.randint(0, SPAN) * unit + rng.choice((-1, 0, 0, 0, 1))
    if index == 0:
        at = begin + rng.choice((0, 0, 0, 5 * unit))
    facts: Json = {"score": rng.choice((1, 3, 5))} if rng.random() < 0.2 else {}
    more: Json = {"order": rng.choice((*["7"] * 6, "8", None)), "sequence": rng.randint(0, 1)}
    person = rng.choice((OWNER, OWNER, None, None, *(["ben", "cem"] if more["order"] else [])))
    channel = rng.choice(("web", "web", "store"))
    entry = touch(rng.choice(names), at, tid=f"t{index:02d}", log=log, channel=channel, **more, **facts)
    return entry.model_copy(update={"person": person})


# -- for the oracle ---------------------------------------------------------------------------------------------------


def restated(definition: Definition, known: Catalogue) -> oracle.Definition:
    """The same definition in the oracle's words, read from what the file says."""
    said = definition.model_dump(mode="json", by_alias=True)
    return definition_of(said, catalogue_of(known.model_dump(mode="json")["touchpoints"]))


def touchpoint(entry: Entry) -> Touchpoint:
    user = {} if entry.person is None else {"user_id": entry.person}
    return Touchpoint(
        touchpoint_id=entry.touchpoint_id,
        message_id=entry.touchpoint_id,
        source="shop",
        place="here",
        name=entry.name,
        channel=entry.channel,
        occurred_at_sent=entry.occurred_at,
        occurred_at=entry.occurred_at,
        sent_at=None,
        received_at=None,
        log_time=entry.log_time,
        sequence=entry.sequence,
        identifiers=dict(entry.keys) | user,
        subject=None,
        properties=dict(entry.facts),
    )


def wanted(found: World, arrived: int, w: int) -> dict[str, tuple[list[str], Outcome]]:
    """By anchor: the touchpoints of the journey and what they say, of the first `arrived` ones, at W."""
    rule = restated(found.definition, found.catalogue)
    everything = [touchpoint(entry) for entry in found.arrivals[:arrived]]
    own = [x for x in everything if x.user in (None, OWNER)]
    keyed: dict[tuple[str, str], list[Touchpoint]] = {}
    for x in everything:
        for key in x.identifiers.items():
            if key[0] in BUSINESS:
                keyed.setdefault(key, []).append(x)
    there = runs(rule, own, keyed, w, Rulebook((rule,)))
    return {anchor: ([x.touchpoint_id for x in members], outcome) for anchor, members, outcome, _ in there}
