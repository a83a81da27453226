"""Random worlds: definitions, touchpoints for them, ticks, sources, people; and what the oracle says of all that.

Everything is short and on a grid of seconds, or of hours where a calendar counts, with a millisecond more or less now
and then, so that borders (due and grace, the lifetime, arrives_within, a window) are met all the time. A definition
that the checks refuse is not used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from operator import itemgetter
from random import Random
from typing import Any, Final

from schemas.definition import Catalogue, Definition, duration_ms
from schemas.definition_checks import flaws_of
from schemas.records import Entry
from schemas.sources import SourceRules
from tests.journey_case import NOON, touch
from tests.oracle import rules as oracle
from tests.oracle.decode import Touchpoint
from tests.oracle.fold import Outcome, excusing
from tests.oracle.hearing import Hearing
from tests.oracle.journeys import Rulebook, runs
from tests.oracle.modes import Switched
from tests.oracle.reading import catalogue_of, definition_of, sources_of
from tests.oracle.usable import BUSINESS
from tests.simulated import drawn
from tests.simulated.drawn import FAILURES, NAMES, SHAPES, START, Taste
from tests.simulated.opt_outs import Move, moves, said_of, with_opt_outs
from tests.simulated.past_the_end import course, is_passed_by

Json = dict[str, Any]
Orders = tuple[str | None, ...]
ORDERS: Final[Orders] = (*["7"] * 6, "8", None)
ONE_ORDER: Final[Orders] = (*["7"] * 20, "8")
"""And little else than what the definitions name."""
MANY_ORDERS: Final[Orders] = (*["7"] * 3, *["8"] * 3, *[None] * 3)
SPAN: Final = 40
"""Units in which things occur; arrivals take as long."""
STORES: Final = ("n", "m")
TWICE: Final = (100, 100, 400, 999, 1_000, 1_001, 2_000)
"""How many ms after it something is sent again."""
OWNER: Final = "c1"
"""The customer in question; others act in journeys of a key only."""
AT_ONCE: Final = (1, 5, 60)
"""In units: to so much a clock rounds that makes touchpoints of the very same moment."""
DAYS: Final = (0, 3, 26, 27, 28, 60, 75, 91, 215, 236, 237, 238, 244, 297, 298, 305)
"""Where calendars count, worlds begin so many days after noon: the clocks change then, and there are holidays."""


@dataclass(frozen=True, slots=True)
class Word:
    """What a person says about an alert, whether there is one or not."""

    version: int
    anchor: str
    break_name: str
    occurrence: int
    closes: bool


@dataclass(frozen=True, slots=True)
class World:
    """`arrivals` with rising log times. Before the one of an index, in this order: if it is in `ticks`, W advances as
    far as it may; what is switched; what people say; what moves to whom. After all of them W comes to `later`, one by
    one, the end at last. `spans`: when each source is heard.
    """

    definitions: tuple[Definition, ...]
    catalogue: Catalogue
    sources: SourceRules
    arrivals: tuple[Entry, ...]
    ticks: frozenset[int]
    later: tuple[int, ...]
    begin: int = NOON
    spans: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    switches: tuple[tuple[int, Switched], ...] = ()
    words: tuple[tuple[int, Word], ...] = ()
    moves: tuple[Move, ...] = ()

    def __str__(self) -> str:
        parts = (*self.definitions, self.sources)
        known = {name: one.model_dump(exclude_defaults=True) for name, one in self.catalogue.touchpoints.items()}
        lines = [str(known), *(str(one.model_dump(exclude_defaults=True)) for one in parts)]
        lines += [
            f"{name} heard {[(a - self.begin, b - self.begin) for a, b in one]}" for name, one in self.spans.items()
        ]
        lines += [
            f"before {index}: v{one.version} {one.mode} from {one.from_at - self.begin}" for index, one in self.switches
        ]
        lines += [f"before {index}: {one}" for index, one in self.words]
        lines += [f"before {index}: {name} goes to {customer}" for index, name, customer in self.moves]
        lines += [
            f"{index} {one.name} at {one.occurred_at - self.begin} seq {one.sequence} {one.channel}"
            f" {one.keys.get('order_id', '-')} {one.person or '-'} {one.facts or ''}"
            f" arrives {one.log_time - self.begin}{' after a tick' if index in self.ticks else ''}"
            for index, one in enumerate(self.arrivals)
        ]
        return "\n".join([*lines, f"begin {self.begin}, ticks at last {[w - self.begin for w in self.later]}"])


def world(
    rng: Random, shapes: tuple[str, ...] = SHAPES, counting: bool | None = None, alone: bool | None = None
) -> World:
    """`counting`: whether calendars count; `alone`: one definition, without sources, switches and words. None: now and
    then.
    """
    counts = rng.random() < 0.15 if counting is None else counting
    plain = rng.random() < 0.4 if alone is None else alone
    taste = Taste(shapes, "h", ("one", "other")) if counts else Taste(shapes)
    unit, begin = duration_ms(f"1{taste.unit}"), NOON
    if counts:
        begin += rng.choice(DAYS) * 24 * unit + rng.randrange(24) * unit
    late = rng.choice((None, f"3{taste.unit}"))
    known = Catalogue.model_validate({"touchpoints": drawn.catalogue(rng, late)})
    definitions = [_definition(rng, taste, known, 1)]
    if not plain and rng.random() < 0.4:
        mode = "shadow" if definitions[0].mode == "live" else rng.choice(("shadow", "live"))
        definitions.append(_definition(rng, taste, known, 2).model_copy(update={"mode": mode}))
    count = rng.randint(2, 18)
    named = sorted({name for one in definitions for name in restated(one, known).names()} - {START})
    arrivals: list[Entry] = []
    said = [one for definition in definitions for one in definition.breaks.values()]
    twice = rng.choice((0.0, 0.4) if any(one.at_least is not None for one in said) else (0.0, 0.0, 0.3))
    scored = rng.choice((0.2, 0.6) if any(one.score is not None for one in said) else (0.2,))
    orders = rng.choice((ORDERS, ORDERS, ONE_ORDER, MANY_ORDERS))
    log = 0
    for index in range(count):
        log += rng.choice((1, unit, 2 * unit, 3 * unit, 5 * unit))
        if arrivals and rng.random() < twice:
            arrivals.append(_again(rng, arrivals[-1], index, begin + log))
        else:
            arrivals.append(_entry(rng, named, index, begin, begin + log, unit, scored, orders))
    if is_passed_by(definitions[0]) and rng.random() < 0.8:
        arrivals = course(rng, definitions[0], begin, unit, duration_ms(definitions[0].lifetime))
        log = arrivals[-1].log_time - begin
    rules = [restated(one, known) for one in definitions]
    arrivals = with_opt_outs(rng, arrivals, *said_of(rules, [touchpoint(entry) for entry in arrivals]), unit)
    limit = duration_ms(definitions[0].lifetime)
    ends = (log, log + rng.randint(0, 30) * unit + rng.choice((-1, 0, 0, 1)), limit + 2 * SPAN * unit)
    end = max(log, rng.choice(ends))
    between = {begin + rng.randint(log, end) for _ in range(rng.randint(0, 2))}
    found = World(
        tuple(definitions),
        known,
        SourceRules.model_validate({"sources": {} if plain else drawn.sources(rng, taste)}),
        tuple(arrivals),
        ticks=frozenset(index for index in range(len(arrivals)) if rng.random() < 0.4),
        later=tuple(sorted({*between, begin + end})),
        begin=begin,
    )
    if rng.random() < 0.35:
        found = _at_once(rng, found, rng.choice(AT_ONCE) * unit)
    if rng.random() < 0.2:
        found = replace(found, moves=moves(rng, found.arrivals, OWNER))
    return found if plain else _with_people(rng, _with_hearing(rng, found, unit), unit)


def _definition(rng: Random, taste: Taste, known: Catalogue, version: int) -> Definition:
    calendars = {name: drawn.calendar(rng) for name in taste.calendars}
    while True:
        found = Definition.model_validate(drawn.definition(rng, taste, calendars) | {"version": version})
        if not any(flaws_of(found, known)):
            return found


def _with_hearing(rng: Random, found: World, unit: int) -> World:
    heard = [form for form in found.sources.sources if "{" not in form]
    heard += [f"till-{store}" for store in STORES if "till-{store}" in found.sources.sources]
    spans = {name: drawn.spans(rng, found.begin, found.later[-1], unit) for name in heard if rng.random() < 0.9}
    return replace(found, spans=spans)


def _with_people(rng: Random, found: World, unit: int) -> World:
    """Switches at any moment for any moment, and words about alerts that may be there."""
    switches: list[tuple[int, Switched]] = []
    for _ in range(rng.choice((0, 0, 1, 2, 3))):
        version = rng.choice(found.definitions).version
        from_at = found.begin + rng.choice((-2, 0, 0, 5, 5, 10, rng.randint(0, SPAN))) * unit
        mode = rng.choice(("off", "shadow", "live", "live"))
        switches.append((rng.randrange(len(found.arrivals)), Switched("random", version, mode, from_at)))
    if is_passed_by(found.definitions[0]) and rng.random() < 0.5:
        from_at = found.begin + rng.choice((1, 1, 2 * unit, 5 * unit))
        switches.append((rng.randrange(len(found.arrivals)), Switched("random", 1, "off", from_at)))
    words: list[tuple[int, Word]] = []
    names = [(one.version, name) for one in found.definitions for name in (*one.breaks, *one.steps)]
    for _ in range(rng.choice((0, 0, 3, 8))):
        version, name = rng.choice(names)
        anchor = rng.choice(("order_id:7", "order_id:7", "order_id:8", "start:t00"))
        index, closes = rng.randrange(len(found.arrivals) + 1), rng.random() < 0.3
        words.append((index, Word(version, anchor, name, rng.choice((1, 1, 1, 2)), closes)))
    by_index = itemgetter(0)
    return replace(found, switches=tuple(sorted(switches, key=by_index)), words=tuple(sorted(words, key=by_index)))


def _entry(
    rng: Random, named: list[str], index: int, begin: int, log: int, unit: int, scored: float, orders: Orders
) -> Entry:
    """`scored`: how many carry a score."""
    # A journey that fails at once shows nothing: failures are rare.
    going_on = [name for name in named if name not in FAILURES]
    rest = [*going_on * 4, *named] if orders is ONE_ORDER else [*NAMES, *named, *going_on * 2]
    names = [START] if index == 0 else [*[START] * orders.count("8"), *rest]
    # Half of it occurs when it arrives, the rest whenever; both in and out of order.
    at = log if rng.random() < 0.5 else begin + rng.randint(0, SPAN) * unit + rng.choice((-1, 0, 0, 0, 1))
    if index == 0:
        at = begin + rng.choice((0, 0, 0, 5 * unit))
    facts: Json = {"score": rng.choice((1, 3, 5))} if rng.random() < scored else {}
    facts |= {"store": rng.choice((*STORES, 7))} if rng.random() < 0.5 else {}
    more: Json = {"order": rng.choice(orders), "sequence": rng.randint(0, 1)}
    person = rng.choice((OWNER, OWNER, None, None, *(["ben", "cem"] if more["order"] else [])))
    channel = rng.choice(("web", "web", "store"))
    entry = touch(rng.choice(names), at, tid=f"t{index:02d}", log=log, channel=channel, **more, **facts)
    return entry.model_copy(update={"person": person})


def _again(rng: Random, former: Entry, index: int, log: int) -> Entry:
    """What a page or a tag sends twice: the same, under an id of its own, a moment later."""
    at = former.occurred_at + rng.choice(TWICE)
    return former.model_copy(update={"touchpoint_id": f"t{index:02d}", "occurred_at": at, "log_time": log})


def _at_once(rng: Random, found: World, grid: int) -> World:
    """The same by a coarse clock, without sequences: which id is the least is chance."""
    ids = [one.touchpoint_id for one in found.arrivals]
    rng.shuffle(ids)
    arrivals = (
        one.model_copy(update={"touchpoint_id": tid, "occurred_at": one.occurred_at // grid * grid, "sequence": 0})
        for one, tid in zip(found.arrivals, ids, strict=True)
    )
    return replace(found, arrivals=tuple(arrivals))


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


def hearing_of(found: World) -> Hearing:
    said = found.sources.model_dump(mode="json")["sources"]
    return Hearing(sources_of(said), found.spans)


Wanted = dict[tuple[int, str], tuple[list[str], Outcome, str]]
"""By version and anchor: the touchpoints of the journey, what they say, and its mode."""


class Oracle:
    """Says what must be known of a world."""

    def __init__(self, found: World) -> None:
        self._found, self.hearing = found, hearing_of(found)
        self.rules = {one.version: restated(one, found.catalogue) for one in found.definitions}
        self.touchpoints = [touchpoint(entry) for entry in found.arrivals]

    def wanted(self, arrived: int, w: int, *, switched: bool = True) -> Wanted:
        """Of the first `arrived` touchpoints and what was switched before the next one, at W. Not `switched`: as if
        nobody had switched anything.
        """
        switches = tuple(one for index, one in self._found.switches if index < arrived and switched)
        book = Rulebook(tuple(self.rules.values()), switches, self.hearing.judged)
        everything = self.touchpoints[:arrived]
        own = self.own(arrived)
        keyed: dict[tuple[str, str], list[Touchpoint]] = {}
        for x in everything:
            for key in x.identifiers.items():
                if key[0] in BUSINESS:
                    keyed.setdefault(key, []).append(x)
        return {
            (rule.version, anchor): ([x.touchpoint_id for x in members], outcome, mode)
            for rule in book.definitions
            for anchor, members, outcome, mode in runs(rule, own, keyed, w, book)
        }

    def own(self, arrived: int) -> list[Touchpoint]:
        """What belongs to the customer in question."""
        last = {name: customer for index, name, customer in self._found.moves if index < arrived}
        return [x for x in self.touchpoints[:arrived] if last.get(x.touchpoint_id, x.user or OWNER) == OWNER]

    def said(self, rule: oracle.Definition, arrived: int) -> list[Touchpoint]:
        """What may excuse whatever begins later."""
        return excusing(rule, self.own(arrived))


def switched_world(rng: Random) -> World:
    """Three versions of next to nothing, and switches at so few moments that several meet in one."""
    known = Catalogue.model_validate({"touchpoints": drawn.catalogue(rng, None)})
    said: Json = {"journey": "random", "owner": "team", "instance": {"key": "order_id"}, "start": {"touchpoint": START}}
    said |= {"steps": {"one": {"touchpoint": "a", "within": "5s"}}, "outcome": {"success": "one"}, "lifetime": "60s"}
    live = rng.choice((0, 1, 2, 3))
    definitions = tuple(
        Definition.model_validate(said | {"version": version, "mode": "live" if version == live else "shadow"})
        for version in (1, 2, 3)
    )
    entries = [
        touch(START, NOON + at * 1_000, tid=f"t{at}", order=str(at), log=NOON + at * 2_000 + 1) for at in range(6)
    ]
    switches = sorted(
        (rng.randrange(6), index, rng.randint(1, 3), rng.choice(("off", "shadow", "live", "live")), rng.randint(0, 5))
        for index in range(rng.randint(0, 7))
    )
    return World(
        definitions,
        known,
        SourceRules(),
        tuple(entries),
        ticks=frozenset(index for index in range(6) if rng.random() < 0.4),
        later=(NOON + 30_000,),
        switches=tuple(
            (index, Switched("random", version, mode, NOON + at * 1_000)) for index, _, version, mode, at in switches
        ),
    )
