"""The fold of one instance: touchpoint after touchpoint, in the order of docs/journeys.md.

`advance` is the only way in which a `Run` changes, whether a touchpoint arrives in order or the instance is folded
again from the beginning; so both give the same. A step is settled by the first touchpoint that covers it, therefore
lateness is judged right then and stays. What hangs on W alone (missed and not yet settled; expired) is judged in
`deadlines`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from schemas.records import JourneyStatus
from streams.journey import rules
from streams.journey.plan import CompiledDefinition, CompiledRule, CompiledStep, Plan
from streams.journey.run import Late, Run, matches
from streams.journey.values import Finding, Kept

NOTHING_SAID: Final[Mapping[str, Kept]] = {}


def starts(definition: CompiledDefinition, kept: Kept) -> bool:
    plan = definition.plans.get(kept.name, definition.otherwise)
    return any(matches(where, kept) for where in plan.starts)


def turn(definition: CompiledDefinition, kept: Kept) -> int:
    """Between touchpoints of the same moment: the start first, then as far as its steps are from it, then all else."""
    if starts(definition, kept):
        return 0
    plan = definition.plans.get(kept.name, definition.otherwise)
    return min(
        (1 + step.depth for step, where in plan.steps if matches(where, kept)), default=len(definition.steps) + 1
    )


def is_open(definition: CompiledDefinition, run: Run, at: int) -> bool:
    """Just before a touchpoint that occurs at `at` and comes after everything folded so far."""
    start = run.start
    return start is not None and run.ended_at is None and at <= start.occurred_at + definition.lifetime_ms


def advance(definition: CompiledDefinition, run: Run, kept: Kept, said: Mapping[str, Kept] = NOTHING_SAID) -> None:
    """Fold the next touchpoint in the order. `said`: the customer's last excuse of each name, before this one."""
    run.members.append(kept)
    if kept.log_time > run.max_log:
        run.max_log = kept.log_time
    start = run.start
    if start is None:
        if starts(definition, kept):
            run.start = kept
            run.reached = [None] * max(1, len(definition.steps))
            if definition.idles:
                rules.expect_more(definition, run, kept)
            if definition.excuses:
                _pardon(definition, run, said)
            _look_at_all(definition, run, definition.plans[kept.name], kept)
        return
    at = kept.occurred_at
    plan = definition.plans.get(kept.name, definition.otherwise)
    in_time = at <= start.occurred_at + definition.lifetime_ms
    goes_on = in_time and run.ended_at is None
    over: Sequence[CompiledRule] = ()
    if goes_on:
        if definition.idles:
            rules.settle_all(definition, run, definition.idles, at)
        if plan.steps and not plan.fails:
            over = rules.passed(definition, _reach(definition, run, plan, kept))
        if plan.excuses:
            _settle(definition, run, plan.excuses, at)
    if in_time and (plan.counts or plan.clears or over):
        rules.count(run, plan, kept, over, goes_on)
    if in_time and (plan.suspects or plan.settles or definition.skips):
        rules.suspect(definition, run, plan, kept, goes_on)
    if plan.fails and run.failed_at is None and (goes_on or run.reached[definition.success] is not None):
        _fail(definition, run, at)
    if definition.idles and goes_on:
        rules.expect_more(definition, run, kept)
    if definition.scores and (kept.facts or plan.consoles):
        rules.score(definition, run, plan, kept)
    if plan.bans or plan.bans_beside:
        rules.ban(run, plan, kept)
    if definition.balances or plan.persons:
        _look_at_all(definition, run, plan, kept, in_time)


def _look_at_all(definition: CompiledDefinition, run: Run, plan: Plan, kept: Kept, in_time: bool = True) -> None:
    """What counts from the start on, the start included."""
    if definition.balances and in_time:
        rules.weigh(definition, run, plan, kept)
    if plan.persons:
        rules.meet(run, plan, kept)


def due_at(definition: CompiledDefinition, run: Run, step: CompiledStep) -> int | None:
    """The deadline of a step; None while it has none."""
    if step.within_ms is None or run.start is None:
        return None
    before = run.start if step.after is None else run.reached[step.after]
    return None if before is None else step.due(before.occurred_at)


def _pardon(definition: CompiledDefinition, run: Run, said: Mapping[str, Kept]) -> None:
    """What was said before the start, by the customer or within this instance, counts from the start on."""
    at = run.members[-1].occurred_at
    for one in (*said.values(), *run.members[:-1]):
        if one.name in definition.excuses and at - one.occurred_at <= definition.excuse_ms:
            run.pardons = (*run.pardons, one.touchpoint_id)
            _settle(definition, run, definition.plans[one.name].excuses, at)


def _reach(definition: CompiledDefinition, run: Run, plan: Plan, kept: Kept) -> CompiledStep | None:
    for step, where in plan.steps:
        if run.reached[step.index] is None and matches(where, kept):
            break
    else:
        return None
    if step.times > 1 and not _is_enough(run, step):
        return None
    run.reached[step.index] = kept
    _settle(definition, run, step.covers, kept.occurred_at)
    return step


def _is_enough(run: Run, step: CompiledStep) -> bool:
    """With this touchpoint."""
    so_far = (run.counted or {}).get(step.index, 0) + 1
    run.counted = {**(run.counted or {}), step.index: so_far}
    return so_far >= step.times


def _settle(definition: CompiledDefinition, run: Run, steps: int, at: int) -> None:
    newly = steps & ~run.settled
    if newly:
        _note_late(definition, run, newly, at)
        run.settled |= newly
    if run.settled == definition.complete and run.reached[definition.success] is not None:
        run.ended_at = at


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
    rules.settle_all(definition, run, definition.rules, at)


def status_of(definition: CompiledDefinition, run: Run) -> JourneyStatus:
    if run.failed_at is not None:
        return "failed"
    if run.reached and run.reached[definition.success] is not None:
        return "succeeded"
    return "expired" if run.expired else "open"
