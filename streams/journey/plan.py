"""What the fold follows: definitions with everything looked up. Frozen values, shared by all journeys; `compile` makes
them.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Final

from schemas.records import BreakKind, Fact, Severity
from schemas.sources import SourceForm
from schemas.topics import DAY_MS
from schemas.worth import Worth
from streams.journey.open_hours import OpenHours

EXCUSE_MS: Final = 365 * DAY_MS
"""How long an excuse counts for what starts after it."""
_NOTHING_HEARD: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())
Condition = tuple[str, Fact]


@dataclass(frozen=True, slots=True)
class CompiledStep:
    """`covers`: bits of the step itself and of every step before it along `after`: what reaching it settles."""

    name: str
    index: int
    after: int | None
    depth: int
    within_ms: int | None
    if_missing: str
    kind: BreakKind
    severity: Severity
    covers: int
    arrives_within_ms: int
    hours: OpenHours | None
    times: int = 1

    def due(self, at: int) -> int:
        """The deadline of a step with `within`, when the step before was reached at `at`."""
        within_ms = self.within_ms or 0
        return at + within_ms if self.hours is None else self.hours.due(at, within_ms)


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A break that is no missed step. `bit`: its place in `Run.missed`, behind the steps. `tolerate_ms` None: at once.
    `delay_ms`: what W must pass after a due time. `beside`: of a ban, the other touchpoint.
    """

    name: str
    index: int
    bit: int
    kind: BreakKind
    step: str | None
    severity: Severity
    at_least: int
    in_window_ms: int
    score: str | None
    below: float
    tolerate_ms: int | None
    delay_ms: int
    beside: str | None
    hours: OpenHours | None
    balance_below: float = 0.0
    until: float = 0.0
    half_life_ms: int = 0
    persons_above: int = 0
    apart_ms: int = 0
    about: int | None = None
    """Of a score: the place of the step after which it counts."""
    cleared_bit: int = 0
    """Of a repetition: the bit of the step that clears it. A step that covers it clears as well."""

    def due(self, at: int) -> int:
        """Of what is waited out, since `at`."""
        tolerate_ms = self.tolerate_ms or 0
        return at + tolerate_ms if self.hours is None else self.hours.due(at, tolerate_ms)


Ruled = tuple[tuple[CompiledRule, tuple[Condition, ...]], ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a touchpoint of one name may do. Each item with the conditions of its `where`.

    `excuses`: bits of the steps that are expected no more after it. `counts` and `clears` are of repetitions,
    `consoles` of scores that it ends, `suspects` and `settles` of what is waited out; `bans_beside`: bans that it
    completes as the other of two.
    """

    starts: tuple[tuple[Condition, ...], ...] = ()
    steps: tuple[tuple[CompiledStep, tuple[Condition, ...]], ...] = ()
    counts: Ruled = ()
    clears: Ruled = ()
    consoles: Ruled = ()
    suspects: Ruled = ()
    settles: Ruled = ()
    bans: Ruled = ()
    bans_beside: tuple[CompiledRule, ...] = ()
    persons: tuple[CompiledRule, ...] = ()
    worth: Worth | None = None
    excuses: int = 0
    fails: bool = False


@dataclass(frozen=True, slots=True)
class CompiledDefinition:
    """`kind` is the business key of its instances, None for the customer; `joint`: touchpoints without key count."""

    name: str
    version: int
    owner: str
    live: bool
    kind: str | None
    joint: bool
    plans: Mapping[str, Plan]
    otherwise: Plan
    """Of a touchpoint that it does not name, but whose score it looks at."""
    steps: tuple[CompiledStep, ...]
    deadlines: tuple[CompiledStep, ...]
    judged: tuple[tuple[int, int | None, int, OpenHours | None, int], ...]
    """Of every step that can be missed: its index, the step before it, within, the hours in which that is counted, and
    what W must pass after due.
    """
    rules: tuple[CompiledRule, ...]
    scores: tuple[CompiledRule, ...]
    skips: tuple[CompiledRule, ...]
    idles: tuple[CompiledRule, ...]
    balances: tuple[CompiledRule, ...]
    repeats: tuple[CompiledRule, ...]
    waited: tuple[CompiledRule, ...]
    """Rules with a due time of their own: suspicions with `tolerate`, and abandonment."""
    score_facts: frozenset[str]
    unscored: frozenset[str]
    """The monitored touchpoints, whose scores do not count."""
    success: int
    """Of a definition without steps the place of one that nothing reaches."""
    complete: int
    grace_ms: int
    lifetime_ms: int
    latest_ms: int
    """From the start to the last moment at which a deadline may fire or the lifetime ends."""
    failures: frozenset[str]
    excuses: frozenset[str]
    """The touchpoints that excuse a step."""
    excuse_ms: int
    runbooks: Mapping[str, str]
    """By break name; a break without one is missing."""
    monitored: frozenset[str]
    """The breaks of which nobody is told."""

    awaits: Mapping[str, tuple[SourceForm, ...]]
    """By step and break: the watched sources that bring what settles it."""

    def names_of(self, bits: int) -> list[str]:
        """Of steps and breaks; `bits` as in Run.missed."""
        names = [step.name for step in self.steps if bits >> step.index & 1]
        return names + [rule.name for rule in self.waited if bits >> rule.bit & 1]

    def bits_of(self, names: Container[str]) -> int:
        steps = sum(1 << step.index for step in self.steps if step.name in names)
        return steps + sum(1 << rule.bit for rule in self.waited if rule.name in names)

    def relevant(self, name: str, facts: Mapping[str, Fact] | None) -> bool:
        return name in self.plans or (bool(facts) and not self.score_facts.isdisjoint(facts or ()))


def title(definition: CompiledDefinition) -> str:
    """Its name and version."""
    return f"{definition.name}@{definition.version}"


@dataclass(frozen=True, slots=True)
class Compiled:
    """All definitions, and what other stages need to know of them: the facts and the key kinds to carry along.

    `ranks` says what the cap on kept touchpoints spares, by name: 2 a start, 1 a step, failure outcome or excuse.
    """

    definitions: tuple[CompiledDefinition, ...]
    by_kind: Mapping[str, tuple[CompiledDefinition, ...]]
    hears: Mapping[str, tuple[frozenset[str], frozenset[str]]]
    """By kind, and for `customer`: the touchpoints and the facts that matter there."""
    joint: tuple[CompiledDefinition, ...]
    names: Mapping[str, tuple[CompiledDefinition, ...]]
    ranks: Mapping[str, int]
    facts: frozenset[str]
    kinds: frozenset[str]
    persons: bool
    """Whether any break asks who acted."""

    def heard(self, kind: str) -> tuple[frozenset[str], frozenset[str]]:
        return self.hears.get(kind, _NOTHING_HEARD)
