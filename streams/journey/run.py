"""One instance under way, and what the fold notes of it. Mutable and owned by one stage: a new value per touchpoint
would cost more than the whole fold.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from schemas.records import Mode
from streams.journey.plan import CompiledRule, Condition
from streams.journey.values import Book, Finding, Kept


class Late(NamedTuple):
    """What was settled, or made void by a failure, after due + grace. It counts once W has come to `ripe_at`: before
    that a touchpoint that was in time may still be under way.
    """

    finding: Finding
    ripe_at: int


class Episode:
    __slots__ = ("cause_at", "cleared_at", "occurrence", "rule")

    def __init__(self, rule: CompiledRule, occurrence: int, cause_at: int) -> None:
        self.rule, self.occurrence, self.cause_at = rule, occurrence, cause_at
        self.cleared_at: int | None = None


class Suspicion(NamedTuple):
    """What becomes a break if nothing settles it by `due_at` + grace. `occurrence`: the number it would have."""

    cause_at: int
    due_at: int
    occurrence: int


class Tally:
    """Of one break: the matching touchpoints that count, the running episode, and how many there were.

    `pending`: what is being waited out; `judged`: the cause of what was found by W to have come to something.
    `has_seen`: the touchpoint was there that settles it, or the other one of a ban. `balance` and `balanced_at`: the
    sum, and when it was right; `persons`: who acted.
    """

    __slots__ = (
        "balance",
        "balanced_at",
        "episodes",
        "has_seen",
        "judged",
        "pending",
        "persons",
        "running",
        "times",
    )

    def __init__(self) -> None:
        self.times: deque[int] = deque()
        self.running: Episode | None = None
        self.pending: Suspicion | None = None
        self.judged: int | None = None
        self.has_seen = False
        self.episodes = 0
        self.balance = 0.0
        self.balanced_at = 0
        self.persons: set[str] | None = None


Held = tuple[str, int]
"""A source, and the W at which something would have been judged that waits for it."""


class Ticket:
    """The place of a run in the agenda; it survives a re-fold, which makes a new `Run`.

    `at`: its entry there, the only one that counts. `look`: when W will change something; never earlier than `at`.
    `held`: what waits for a source that may be silent, whatever W is.
    """

    __slots__ = ("at", "held", "look", "run", "unit")

    def __init__(self, run: Run, unit: object) -> None:
        self.run: Run | None = run
        self.unit = unit
        self.at: int | None = None
        self.look: int | None = None
        self.held: tuple[Held, ...] = ()

    def when(self, at: int) -> int | None:
        """The true time of its entry in the agenda; None if that entry is void."""
        if self.run is None or self.at != at:
            return None
        self.at = self.look
        return self.look

    def __lt__(self, other: Ticket) -> bool:
        """For the agenda: no order among those of the same time."""
        return False


class Run:
    """One instance. `start` is None until it was seen; `settled` are bits of steps; `counted` says how many
    touchpoints a step has that needs several, by index; `ended_at` is not set by the
    lifetime.

    `mode` is that of the definition when the first touchpoint that matches its start occurred; in mode `off` it is
    not a start. `pardons`: the touchpoints before the start that excused steps there.

    `missed`, `ripe`, `expired` and `is_known` (all that it was told had arrived by W) are judgements on W
    (deadlines.judge), `alerts` and `ticket` belong to the stage; the fold does not look at them.
    """

    __slots__ = (
        "alerts",
        "anchor",
        "counted",
        "ended_at",
        "episodes",
        "expired",
        "failed_at",
        "is_known",
        "journey_id",
        "late",
        "max_log",
        "members",
        "missed",
        "mode",
        "pardons",
        "reached",
        "ripe",
        "settled",
        "start",
        "tallies",
        "ticket",
    )

    def __init__(self, anchor: str, journey_id: str) -> None:
        self.anchor, self.journey_id = anchor, journey_id
        self.members: list[Kept] = []
        self.start: Kept | None = None
        self.mode: Mode | None = None
        self.reached: list[Kept | None] = []
        self.settled = 0
        self.pardons: tuple[str, ...] = ()
        self.counted: dict[int, int] | None = None
        self.failed_at: int | None = None
        self.ended_at: int | None = None
        self.late: list[Late] | None = None
        self.episodes: list[Episode] | None = None
        self.tallies: dict[int, Tally] | None = None
        self.max_log = 0
        self.missed = 0
        self.ripe: tuple[Late, ...] = ()
        self.expired = False
        self.is_known = False
        self.alerts: Book | None = None
        self.ticket: Ticket | None = None

    def inherit(self, former: Run) -> None:
        """Take over what the fold does not make. Of `missed`, the next judgement leaves what is still waiting."""
        self.alerts, self.missed, self.ripe, self.expired, self.ticket = (
            former.alerts,
            former.missed,
            former.ripe,
            former.expired,
            former.ticket,
        )
        if self.ticket is not None:
            self.ticket.run = self
        for index, tally in (self.tallies or {}).items():
            if former.tallies is not None and index in former.tallies:
                tally.judged = former.tallies[index].judged


def matches(where: tuple[Condition, ...], kept: Kept) -> bool:
    """Equality as the page says: a missing property equals nothing, and true is not 1."""
    for word, wanted in where:
        if word == "channel":
            if kept.channel != wanted:
                return False
            continue
        value = kept.facts.get(word) if kept.facts else None
        if value is None or value != wanted or isinstance(value, bool) is not isinstance(wanted, bool):
            return False
    return True
