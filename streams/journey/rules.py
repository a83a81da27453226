"""The breaks of one instance that are no missed steps: what is counted, suspected and waited out, banned, scored.

Called by the fold for each touchpoint in the order; what it notes lies in the run's tallies.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from streams.journey.plan import CompiledDefinition, CompiledRule, CompiledStep, Plan
from streams.journey.run import Episode, Late, Run, Suspicion, Tally, matches
from streams.journey.values import Finding, Kept

NOT_ENDED: Final = ("low_score", "forbidden", "experience_balance", "identity_conflict")
"""Kinds that a failure outcome does not end."""
EPISODES_MAX = 100
"""Of one break in one instance; the first ones count."""


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


def passed(definition: CompiledDefinition, step: CompiledStep | None) -> Sequence[CompiledRule]:
    """The repetitions that are over because this step was reached."""
    if step is None or not definition.repeats:
        return ()
    return [rule for rule in definition.repeats if step.covers & rule.cleared_bit]


def count(run: Run, plan: Plan, kept: Kept, over: Sequence[CompiledRule], goes_on: bool) -> None:
    """`over`: what the touchpoint clears by the step that it reached."""
    at = kept.occurred_at
    cleared = [*over, *(rule for rule, where in plan.clears if matches(where, kept))]
    for rule in cleared:
        if run.tallies is not None and rule.index in run.tallies:
            _clear(run.tallies[rule.index], at)
    for rule, where in plan.counts if goes_on and not plan.fails else ():
        if rule in cleared or not matches(where, kept):
            continue
        tally = _tally(run, rule)
        if tally.times and at - tally.times[-1] < rule.apart_ms:
            continue
        tally.times.append(at)
        while tally.times[0] < at - rule.in_window_ms:
            tally.times.popleft()
        if tally.running is None and len(tally.times) >= rule.at_least:
            _begin(run, rule, tally, at)


def settle_all(definition: CompiledDefinition, run: Run, rules: tuple[CompiledRule, ...], at: int) -> None:
    """At `at` it is over, whatever it was: what is running, and what is waited out, but for the kinds that stay."""
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


def suspect(definition: CompiledDefinition, run: Run, plan: Plan, kept: Kept, goes_on: bool) -> None:
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


def expect_more(definition: CompiledDefinition, run: Run, kept: Kept) -> None:
    """From this touchpoint on the silence counts, unless the journey came to where nothing need follow."""
    if run.ended_at is None and run.reached[definition.success] is None:
        for rule in definition.idles:
            _wait(definition, run, _tally(run, rule), kept.occurred_at, rule.due(kept.occurred_at))


def ban(run: Run, plan: Plan, kept: Kept) -> None:
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


def score(definition: CompiledDefinition, run: Run, plan: Plan, kept: Kept) -> None:
    ended = [rule for rule, where in plan.consoles if matches(where, kept)]
    for rule in ended:
        if run.tallies is not None and rule.index in run.tallies:
            _clear(run.tallies[rule.index], kept.occurred_at)
    if not kept.facts or kept.name in definition.unscored:
        return
    for rule in definition.scores:
        value = kept.facts.get(rule.score or "")
        if isinstance(value, bool) or not isinstance(value, int | float) or rule in ended:
            continue
        reached = run.reached[rule.about] if rule.about is not None else run.start
        if reached is None or reached is kept:
            continue
        if value < rule.below:
            tally = _tally(run, rule)
            if tally.running is None:
                _begin(run, rule, tally, kept.occurred_at)
        elif run.tallies is not None and rule.index in run.tallies:
            _clear(run.tallies[rule.index], kept.occurred_at)


def weigh(definition: CompiledDefinition, run: Run, plan: Plan, kept: Kept) -> None:
    """Rounded, so that nobody's order of summing makes a difference at the border."""
    weight = plan.worth.weight(kept.facts) if plan.worth is not None else 0.0
    for rule in definition.balances:
        tally = _tally(run, rule)
        faded = 2.0 ** ((tally.balanced_at - kept.occurred_at) / rule.half_life_ms) if tally.balance else 0.0
        tally.balance = round(tally.balance * faded + weight, 6)
        tally.balanced_at = kept.occurred_at
        if tally.balance < rule.balance_below:
            if tally.running is None:
                _begin(run, rule, tally, kept.occurred_at)
        elif tally.balance >= rule.until:
            _clear(tally, kept.occurred_at)


def meet(run: Run, plan: Plan, kept: Kept) -> None:
    """One more person acts in the journey, or one who did before."""
    for rule in plan.persons if kept.person is not None else ():
        tally = _tally(run, rule)
        tally.persons = {*(tally.persons or ()), str(kept.person)}
        if len(tally.persons) > rule.persons_above and tally.running is None:
            _begin(run, rule, tally, kept.occurred_at)
