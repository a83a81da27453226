"""The fold of one instance: touchpoint after touchpoint, in the order of docs/journeys.md.

`advance` is the only way in which a `Run` changes, whether a touchpoint arrives in order or the instance is folded
again from the beginning; so both give the same. A step is settled by the first touchpoint that covers it, therefore
lateness is judged right then and stays. What hangs on W alone (missed and not yet settled; expired) is judged in
`deadlines`.

A `Run` is mutable and owned by one stage: a new value per touchpoint would cost more than the whole fold.
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from schemas.records import JourneyStatus
from streams.journey.compile import NOTHING, CompiledDefinition, CompiledRule, CompiledStep, Condition, Plan
from streams.journey.values import Book, Finding, Kept

NOT_ENDED: Final = ("low_score", "forbidden")
"""Kinds that a failure outcome does not end."""
EPISODES_MAX = 100
"""Of one break in one instance; the first ones count."""


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
    """Of one break: the matching touchpoints that count, the running episode, and how many there were. `pending`: what
    is being waited out; `judged`: the cause of what was found by W to have come to something. `has_seen`: the
    touchpoint was there that settles it, or the other one of a ban.
    """

    __slots__ = ("episodes", "has_seen", "judged", "pending", "running", "times")

    def __init__(self) -> None:
        self.times: deque[int] = deque()
        self.running: Episode | None = None
        self.pending: Suspicion | None = None
        self.judged: int | None = None
        self.has_seen = False
        self.episodes = 0


class Ticket:
    """The place of a run in the agenda; it survives a re-fold, which makes a new `Run`.

    `at`: its entry there, the only one that counts. `look`: when W will change something; never earlier than `at`.
    """

    __slots__ = ("at", "look", "run", "unit")

    def __init__(self, run: Run, unit: object) -> None:
        self.run: Run | None = run
        self.unit = unit
        self.at: int | None = None
        self.look: int | None = None

    def __lt__(self, other: Ticket) -> bool:
        """For the agenda: no order among those of the same time."""
        return False


class Run:
    """One instance. `start` is None until it was seen; `settled` are bits of steps; `ended_at` is not set by the
    lifetime.

    `missed`, `ripe` and `expired` are judgements on W (deadlines.judge), `alerts` and `ticket` belong to the stage; the
    fold does not look at them.
    """

    __slots__ = (
        "alerts",
        "anchor",
        "ended_at",
        "episodes",
        "expired",
        "failed_at",
        "journey_id",
        "late",
        "max_log",
        "members",
        "missed",
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
        self.reached: list[Kept | None] = []
        self.settled = 0
        self.failed_at: int | None = None
        self.ended_at: int | None = None
        self.late: list[Late] | None = None
        self.episodes: list[Episode] | None = None
        self.tallies: dict[int, Tally] | None = None
        self.max_log = 0
        self.missed = 0
        self.ripe: tuple[Late, ...] = ()
        self.expired = False
        self.alerts: Book | None = None
        self.ticket: Ticket | None = None

    def inherit(self, former: Run) -> None:
        """Take over what the fold does not make. Of `missed`, the next judgement leaves what is still waiting."""
        self.alerts, self.missed, self.expired, self.ticket = (
            former.alerts,
            former.missed,
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


def starts(definition: CompiledDefinition, kept: Kept) -> bool:
    plan = definition.plans.get(kept.name, NOTHING)
    return any(matches(where, kept) for where in plan.starts)


def is_open(definition: CompiledDefinition, run: Run, at: int) -> bool:
    """Just before a touchpoint that occurs at `at` and comes after everything folded so far."""
    start = run.start
    return start is not None and run.ended_at is None and at <= start.occurred_at + definition.lifetime_ms


def advance(definition: CompiledDefinition, run: Run, kept: Kept) -> None:
    """Fold the next touchpoint in the order."""
    run.members.append(kept)
    if kept.log_time > run.max_log:
        run.max_log = kept.log_time
    start = run.start
    if start is None:
        if starts(definition, kept):
            run.start = kept
            run.reached = [None] * len(definition.steps)
            if definition.idles:
                _expect_more(definition, run, kept)
        return
    at = kept.occurred_at
    plan = definition.plans.get(kept.name, NOTHING)
    in_time = at <= start.occurred_at + definition.lifetime_ms
    goes_on = in_time and run.ended_at is None
    if goes_on:
        if definition.idles:
            _settle_all(definition, run, definition.idles, at)
        if plan.steps and not plan.fails:
            _reach(definition, run, plan, kept)
        if plan.counts or plan.clears:
            _count(run, plan, kept)
    if in_time and (plan.suspects or plan.settles or definition.skips):
        _suspect(definition, run, plan, kept, goes_on)
    if plan.fails and run.failed_at is None and (goes_on or run.reached[definition.success] is not None):
        _fail(definition, run, at)
    if definition.idles and goes_on:
        _expect_more(definition, run, kept)
    if definition.scores and kept.facts:
        _score(definition, run, kept)
    if plan.bans or plan.bans_beside:
        _ban(run, plan, kept)


def due_at(definition: CompiledDefinition, run: Run, step: CompiledStep) -> int | None:
    """The deadline of a step; None while it has none."""
    if step.within_ms is None or run.start is None:
        return None
    before = run.start if step.after is None else run.reached[step.after]
    return None if before is None else step.due(before.occurred_at)


def _reach(definition: CompiledDefinition, run: Run, plan: Plan, kept: Kept) -> None:
    for step, where in plan.steps:
        if run.reached[step.index] is None and matches(where, kept):
            break
    else:
        return
    newly = step.covers & ~run.settled
    if newly:
        _note_late(definition, run, newly, kept.occurred_at)
        run.settled |= newly
    run.reached[step.index] = kept
    if run.settled == definition.complete and run.reached[definition.success] is not None:
        run.ended_at = kept.occurred_at


def _note_late(definition: CompiledDefinition, run: Run, steps: int, at: int) -> None:
    """These steps are settled or void at `at`: was one of them overdue?"""
    for step in definition.deadlines:
        if not steps >> step.index & 1:
            continue
        due = due_at(definition, run, step)
        if due is None or due + definition.grace_ms >= at or step.if_missing != "break":
            continue
        if run.start is not None and due <= run.start.occurred_at + definition.lifetime_ms:
            ripe_at = due + definition.grace_ms + step.arrives_within_ms
            found = Finding(step.name, step.kind, step.name, 1, step.severity, due, due, at)
            run.late = [*(run.late or ()), Late(found, ripe_at)]


def _fail(definition: CompiledDefinition, run: Run, at: int) -> None:
    _note_late(definition, run, definition.complete & ~run.settled, at)
    run.failed_at = at
    if is_open(definition, run, at):
        run.ended_at = at
    _settle_all(definition, run, definition.rules, at)


def _clear(tally: Tally, at: int) -> None:
    tally.times.clear()
    if tally.running is not None:
        tally.running.cleared_at = at
        tally.running = None


def _tally(run: Run, rule: CompiledRule) -> Tally:
    if run.tallies is None:
        run.tallies = {}
    tally = run.tallies.get(rule.index)
    if tally is None:
        tally = run.tallies[rule.index] = Tally()
    return tally


def _begin(run: Run, rule: CompiledRule, tally: Tally, at: int) -> None:
    if tally.episodes < EPISODES_MAX:
        tally.episodes += 1
        tally.running = Episode(rule, tally.episodes, at)
        run.episodes = [*(run.episodes or ()), tally.running]


def _count(run: Run, plan: Plan, kept: Kept) -> None:
    at = kept.occurred_at
    cleared = [rule for rule, where in plan.clears if matches(where, kept)]
    for rule in cleared:
        if run.tallies is not None and rule.index in run.tallies:
            _clear(run.tallies[rule.index], at)
    for rule, where in () if plan.fails else plan.counts:
        if rule in cleared or not matches(where, kept):
            continue
        tally = _tally(run, rule)
        tally.times.append(at)
        while tally.times[0] < at - rule.in_window_ms:
            tally.times.popleft()
        if tally.running is None and len(tally.times) >= rule.at_least:
            _begin(run, rule, tally, at)


def _settle_all(definition: CompiledDefinition, run: Run, rules: tuple[CompiledRule, ...], at: int) -> None:
    """At `at` it is over, whatever it was: what is running, and what is waited out. Low scores and bans stay."""
    if run.tallies is not None:
        for rule in rules:
            if rule.kind not in NOT_ENDED:
                tally = run.tallies.get(rule.index)
                if tally is not None:
                    _clear(tally, at)
                    _settle(definition, run, rule, tally, at)


def _settle(definition: CompiledDefinition, run: Run, rule: CompiledRule, tally: Tally, at: int) -> None:
    pending, tally.pending = tally.pending, None
    if pending is None or at <= pending.due_at + definition.grace_ms:
        return
    tally.episodes += 1
    found = finding_of(rule, pending, at)
    run.late = [*(run.late or ()), Late(found, pending.due_at + rule.delay_ms)]


def finding_of(rule: CompiledRule, pending: Suspicion, cleared_at: int | None) -> Finding:
    """A suspicion that became a break. Nothing causes an abandonment but that its time is over."""
    cause_at = pending.due_at if rule.kind == "abandoned" else pending.cause_at
    return Finding(
        rule.name, rule.kind, rule.step, pending.occurrence, rule.severity, cause_at, pending.due_at, cleared_at
    )


def _suspect(definition: CompiledDefinition, run: Run, plan: Plan, kept: Kept, goes_on: bool) -> None:
    at = kept.occurred_at
    settled = [rule for rule, where in plan.settles if matches(where, kept)]
    for rule in settled:
        tally = _tally(run, rule)
        tally.has_seen = True
        _clear(tally, at)
        _settle(definition, run, rule, tally, at)
    if not goes_on or plan.fails:
        return
    for rule, where in plan.suspects:
        if rule not in settled and matches(where, kept) and (rule.kind == "failure_event" or not _has_seen(run, rule)):
            _wait_out(definition, run, rule, at)
    if run.reached[definition.success] is kept:
        for rule in definition.skips:
            if not _has_seen(run, rule):
                _wait_out(definition, run, rule, at)


def _has_seen(run: Run, rule: CompiledRule) -> bool:
    return run.tallies is not None and rule.index in run.tallies and run.tallies[rule.index].has_seen


def _wait_out(definition: CompiledDefinition, run: Run, rule: CompiledRule, at: int) -> None:
    tally = _tally(run, rule)
    if tally.running is not None or tally.pending is not None:
        return
    if rule.tolerate_ms is None:
        _begin(run, rule, tally, at)
    else:
        _wait(definition, run, tally, at, rule.due(at))


def _wait(definition: CompiledDefinition, run: Run, tally: Tally, cause_at: int, due_at: int) -> None:
    start = run.start
    if start is not None and due_at <= start.occurred_at + definition.lifetime_ms and tally.episodes < EPISODES_MAX:
        tally.pending = Suspicion(cause_at, due_at, tally.episodes + 1)


def _expect_more(definition: CompiledDefinition, run: Run, kept: Kept) -> None:
    """From this touchpoint on the silence counts, unless the journey came to where nothing need follow."""
    if run.ended_at is None and run.reached[definition.success] is None:
        for rule in definition.idles:
            _wait(definition, run, _tally(run, rule), kept.occurred_at, rule.due(kept.occurred_at))


def _ban(run: Run, plan: Plan, kept: Kept) -> None:
    """`times` holds what matched, as far as it counts."""
    for rule in plan.bans_beside:
        tally = _tally(run, rule)
        tally.has_seen = True
        if tally.times and tally.running is None:
            _begin(run, rule, tally, kept.occurred_at)
    for rule, where in plan.bans:
        if not matches(where, kept):
            continue
        tally = _tally(run, rule)
        if len(tally.times) < rule.at_least:
            tally.times.append(kept.occurred_at)
        is_complete = tally.has_seen if rule.beside else len(tally.times) >= rule.at_least
        if is_complete and tally.running is None:
            _begin(run, rule, tally, kept.occurred_at)


def _score(definition: CompiledDefinition, run: Run, kept: Kept) -> None:
    for rule in definition.scores:
        value = kept.facts.get(rule.score or "") if kept.facts else None
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if value < rule.below:
            tally = _tally(run, rule)
            if tally.running is None:
                _begin(run, rule, tally, kept.occurred_at)
        elif run.tallies is not None and rule.index in run.tallies:
            _clear(run.tallies[rule.index], kept.occurred_at)


def status_of(definition: CompiledDefinition, run: Run) -> JourneyStatus:
    if run.failed_at is not None:
        return "failed"
    if run.reached and run.reached[definition.success] is not None:
        return "succeeded"
    return "expired" if run.expired else "open"
