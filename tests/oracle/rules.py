"""Definitions, the catalogue and watched sources in the oracle's own words: plain data, durations in ms.

`reading` makes them from files, `definitions` holds a few by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

SECOND: Final = 1_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

Fact = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Hours:
    """Open hours. `week`: (weekday, opens, closes), Monday is 0, minutes of the wall clock. `holidays`: whose public
    holidays: DE, DE-BE.
    """

    zone: str
    week: tuple[tuple[int, int, int], ...]
    holidays: str | None = None


@dataclass(frozen=True, slots=True)
class Pattern:
    """`weighted`: it stands for every touchpoint with weight; `names` are these then, and nobody wrote them down."""

    names: tuple[str, ...]
    where: tuple[tuple[str, Fact], ...] = ()
    weighted: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    pattern: Pattern
    after: str
    within: int | None = None
    if_missing: str = "break"
    handoff: bool = False
    times: int = 1
    excused_by: tuple[str, ...] = ()
    feedback: bool = False
    hours: Hours | None = None


@dataclass(frozen=True, slots=True)
class Repeated:
    name: str
    pattern: Pattern
    at_least: int
    in_window: int
    cleared_by: str
    apart: int = SECOND


@dataclass(frozen=True, slots=True)
class LowScore:
    """`about`: the step that must have been reached before; None: whatever is scored counts."""

    name: str
    score: str
    below: float
    about: str | None
    cleared_by: str | None = None


@dataclass(frozen=True, slots=True)
class Suspicion:
    """`kind`: failure_event, out_of_order or skipped_step. `step`: what clears it. `pattern`: what raises it; None when
    reaching the success does.
    """

    name: str
    kind: str
    step: str
    pattern: Pattern | None = None
    tolerate: int | None = None
    hours: Hours | None = None


@dataclass(frozen=True, slots=True)
class Abandoned:
    name: str
    idle: int
    hours: Hours | None = None


@dataclass(frozen=True, slots=True)
class Ban:
    """Either `at_most` or `never_with`."""

    name: str
    pattern: Pattern
    at_most: int | None = None
    never_with: str | None = None


@dataclass(frozen=True, slots=True)
class Balance:
    name: str
    below: float
    until: float
    half_life: int


@dataclass(frozen=True, slots=True)
class Persons:
    """`among` empty: all touchpoints of the journey."""

    name: str
    above: int
    among: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Declared:
    """One touchpoint of the catalogue. `score`: property, worst, neutral, best. `contract`: property -> (type,
    required).
    """

    mode: str = "activate"
    criticality: str = "low"
    valence: str = "neutral"
    arrives_within: int = 0
    channel: str | None = None
    ends_session: bool = False
    score: tuple[str, float, float, float] | None = None
    contract: Mapping[str, tuple[str, bool]] = field(default_factory=dict)

    @property
    def has_weight(self) -> bool:
        return self.mode != "ignore" and (self.valence != "neutral" or self.score is not None)


@dataclass(frozen=True, slots=True)
class Watched:
    """An entry of sources.yaml. `form`: its name, with a property in braces or without."""

    form: str
    brings: frozenset[str]
    silent_after: int
    catches_up: int
    hours: Hours | None = None

    def fits(self, source: str) -> bool:
        before, brace, rest = self.form.partition("{")
        after = rest.partition("}")[2]
        if not brace:
            return source == self.form
        return len(source) > len(before + after) and source.startswith(before) and source.endswith(after)


ARRIVES_WITHIN: Final = {
    "picked_up": 20 * MINUTE,
    "callback_made": 15 * MINUTE,
    "feedback_requested": 30 * MINUTE,
}
SHIPPED_LATE: Final = {name: Declared(arrives_within=late) for name, late in ARRIVES_WITHIN.items()}


@dataclass(frozen=True, slots=True)
class Definition:
    """`key`: a kind of business key, or `customer`. `joins`: touchpoints without a key join the only open instance.
    `mode`: that of the file. `known`: the catalogue.
    """

    name: str
    key: str
    joins: bool
    start: Pattern
    steps: tuple[Step, ...]
    success: str | None
    failures: tuple[str, ...]
    repeated: tuple[Repeated, ...]
    scores: tuple[LowScore, ...]
    grace: int
    lifetime: int
    mode: str = "live"
    version: int = 1
    suspicions: tuple[Suspicion, ...] = ()
    abandoned: tuple[Abandoned, ...] = ()
    bans: tuple[Ban, ...] = ()
    balances: tuple[Balance, ...] = ()
    persons: tuple[Persons, ...] = ()
    known: Mapping[str, Declared] = field(default_factory=lambda: SHIPPED_LATE)

    def step(self, name: str) -> Step:
        return next(step for step in self.steps if step.name == name)

    def depth(self, name: str) -> int:
        """How many steps lie between this one and the start."""
        after = self.step(name).after
        return 0 if after == "start" else 1 + self.depth(after)

    def beyond(self, name: str) -> set[str]:
        """The steps that come after this one, directly or not."""
        direct = {step.name for step in self.steps if step.after == name}
        return direct.union(*(self.beyond(step) for step in direct))

    def names(self) -> set[str]:
        """Every touchpoint that the definition names."""
        return {
            *(() if self.start.weighted else self.start.names),
            *(name for step in self.steps for name in (*step.pattern.names, *step.excused_by)),
            *self.failures,
            *(name for rule in self.repeated for name in rule.pattern.names),
            *(name for rule in self.suspicions if rule.pattern for name in rule.pattern.names),
            *(name for rule in self.bans for name in rule.pattern.names),
            *(rule.never_with for rule in self.bans if rule.never_with is not None),
            *(name for rule in self.persons for name in rule.among),
        }

    def monitored(self, name: str) -> bool:
        """Whether nobody is told of this break, because it is about touchpoints of mode `monitor` only."""
        about = {step.name: set(step.pattern.names) for step in self.steps}
        about |= {rule.name: set((rule.pattern or self.step(rule.step).pattern).names) for rule in self.suspicions}
        about |= {rule.name: set(rule.pattern.names) for rule in self.repeated}
        about |= {rule.name: set(rule.pattern.names) for rule in self.bans}
        about |= {rule.name: self.names() for rule in self.abandoned}
        names = about.get(name, set())
        return bool(names) and all(self.is_monitored(one) for one in names)

    def is_monitored(self, touchpoint: str) -> bool:
        return touchpoint in self.known and self.known[touchpoint].mode == "monitor"

    def settlers(self, name: str) -> set[str]:
        """The touchpoints that could settle what is waited out, by the name of the break or step."""
        if any(rule.name == name for rule in self.abandoned):
            return self.names()
        step = next((rule.step for rule in self.suspicions if rule.name == name), name)
        return set(self.step(step).pattern.names)

    def waits(self, name: str) -> int:
        """How long after its due it may be judged: grace, and how late the touchpoints may arrive that it waits for."""
        late = (self.known[one].arrives_within for one in self.settlers(name) if one in self.known)
        return self.grace + max(late, default=0)


def weight(known: Mapping[str, Declared], name: str, properties: Mapping[str, object]) -> float:
    declared = known.get(name)
    if declared is None or declared.mode == "ignore":
        return 0.0
    e = float({"positive": 1, "neutral": 0, "negative": -1}[declared.valence])
    if declared.score is not None:
        said, worst, neutral, best = declared.score
        v = properties.get(said)
        if isinstance(v, int | float) and not isinstance(v, bool):
            towards_best = (v > neutral) == (best > neutral)
            share = (v - neutral) / (best - neutral) if towards_best else (v - neutral) / (neutral - worst)
            e = 0.0 if v == neutral else max(-1.0, min(1.0, share))
    return e * {"low": 1, "medium": 2, "high": 4}[declared.criticality]


def replace_version(
    definition: Definition, version: int, mode: str, known: Mapping[str, Declared] | None = None
) -> Definition:
    """The same definition as another version, in another mode or under another catalogue."""
    return replace(definition, version=version, mode=mode, known=definition.known if known is None else known)
