"""Definition -> a plan that the fold can follow without looking anything up twice.

Everything that a touchpoint's name decides is decided here, once: which steps it may reach and in which order they
are tried, whether it is a failure outcome, which breaks count, clear or begin on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from schemas.definition import APART, Break, Catalogue, Definition, Step, duration_ms, shape_of
from schemas.definition_touchpoints import patterns_of, touchpoints_of
from schemas.identifiers import BUSINESS_KINDS
from schemas.sources import NOTHING_WATCHED, SourceForm, SourceRules, bringers_of
from schemas.worth import Worth, worths_of
from streams.journey.open_hours import OpenHours
from streams.journey.plan import EXCUSE_MS, Compiled, CompiledDefinition, CompiledRule, CompiledStep, Plan

Bringers = Mapping[str, tuple[SourceForm, ...]]
WAITED_OUT: Final = ("failure_event", "out_of_order", "skipped_step")
"""Kinds that a touchpoint makes suspected and that the touchpoint of a step settles."""


def _heard(definitions: Iterable[CompiledDefinition]) -> tuple[frozenset[str], frozenset[str]]:
    found = tuple(definitions)
    names = frozenset(name for d in found for name in d.plans)
    return names, frozenset(fact for d in found for fact in d.score_facts)


def compile_definitions(
    definitions: Iterable[Definition],
    catalogue: Catalogue,
    sources: SourceRules = NOTHING_WATCHED,
    *,
    excuse_ms: int = EXCUSE_MS,
) -> Compiled:
    bringers = bringers_of(sources)
    in_turn = sorted(definitions, key=lambda d: (d.journey, d.version))
    found = tuple(_compile(d, catalogue, bringers, excuse_ms) for d in in_turn)
    used = {d.kind for d in found if d.kind is not None}
    kinds = [*(kind for kind in BUSINESS_KINDS if kind in used), *sorted(used.difference(BUSINESS_KINDS))]
    joint = tuple(d for d in found if d.joint)
    names = sorted({name for d in found for name in d.plans})
    return Compiled(
        definitions=found,
        by_kind={kind: tuple(d for d in found if d.kind == kind) for kind in kinds},
        hears={kind: _heard(d for d in found if d.kind == kind) for kind in kinds} | {"customer": _heard(joint)},
        joint=joint,
        names={name: tuple(d for d in found if name in d.plans) for name in names},
        ranks={name: max(_rank(d.plans[name]) for d in found if name in d.plans) for name in names},
        facts=frozenset(fact for d in found for fact in d.score_facts)
        | _where_facts(found)
        | _worth_facts(found)
        | _link_facts(found),
        kinds=frozenset(kinds),
        persons=any(rule.kind == "identity_conflict" for d in found for rule in d.rules),
    )


def _rank(plan: Plan) -> int:
    return 2 if plan.starts else 1 if plan.steps or plan.fails or plan.excuses else 0


def _where_facts(found: tuple[CompiledDefinition, ...]) -> frozenset[str]:
    plans = [plan for d in found for plan in d.plans.values()]
    wheres = [where for plan in plans for where in plan.starts]
    wheres += [where for plan in plans for _, where in plan.steps]
    wheres += [where for plan in plans for _, where in (*plan.counts, *plan.suspects, *plan.bans)]
    return frozenset(word for where in wheres for word, _ in where if word != "channel")


def _worth_facts(found: tuple[CompiledDefinition, ...]) -> frozenset[str]:
    worths = [plan.worth for d in found for plan in d.plans.values() if plan.worth is not None]
    return frozenset(worth.score.property for worth in worths if worth.score is not None)


def _link_facts(found: tuple[CompiledDefinition, ...]) -> frozenset[str]:
    forms = [form for d in found for forms in d.awaits.values() for form in forms]
    return frozenset(form.property for form in forms if form.property is not None)


def _awaits(definition: Definition, rules: tuple[CompiledRule, ...], bringers: Bringers) -> Bringers:
    """By step and break: the forms whose sources bring a touchpoint that could settle it."""
    settled = {name: touchpoints_of(step) for name, step in definition.steps.items()}
    for rule in rules:
        if rule.kind == "abandoned":
            settled[rule.name] = sorted(_names(definition))
        elif rule.tolerate_ms is not None and rule.step is not None:
            settled[rule.name] = settled[rule.step]
    awaits = {
        name: tuple(dict.fromkeys(form for word in words for form in bringers.get(word, ())))
        for name, words in settled.items()
    }
    return {name: forms for name, forms in awaits.items() if forms}


def _compile(definition: Definition, catalogue: Catalogue, bringers: Bringers, excuse_ms: int) -> CompiledDefinition:
    names = list(definition.steps)
    hours = {name: OpenHours(calendar) for name, calendar in definition.calendars.items()}
    steps = tuple(_step(name, names, definition, catalogue, hours) for name in names)
    rules = tuple(
        _rule(index, name, steps, definition, catalogue, hours) for index, name in enumerate(definition.breaks)
    )
    kind = None if definition.instance.key == "customer" else definition.instance.key
    grace, lifetime = duration_ms(definition.grace), duration_ms(definition.lifetime)
    plans = _plans(definition, steps, rules, catalogue)
    return CompiledDefinition(
        name=definition.journey,
        version=definition.version,
        owner=definition.owner,
        live=definition.mode == "live",
        kind=kind,
        joint=kind is None or definition.instance.if_absent == "only_open_one",
        plans=plans,
        otherwise=_plan("", definition, [], rules, None),
        steps=steps,
        deadlines=tuple(step for step in steps if step.within_ms is not None),
        judged=tuple(
            (step.index, step.after, step.within_ms, step.hours, grace + step.arrives_within_ms)
            for step in steps
            if step.within_ms is not None and step.if_missing != "nothing"
        ),
        rules=rules,
        scores=tuple(rule for rule in rules if rule.score is not None),
        skips=tuple(rule for rule in rules if rule.kind == "skipped_step"),
        idles=tuple(rule for rule in rules if rule.kind == "abandoned"),
        balances=tuple(rule for rule in rules if rule.kind == "experience_balance"),
        repeats=tuple(rule for rule in rules if rule.kind == "repeated"),
        waited=tuple(rule for rule in rules if rule.tolerate_ms is not None),
        score_facts=frozenset(rule.score for rule in rules if rule.score is not None),
        unscored=_monitored_names(catalogue),
        success=names.index(definition.outcome.success) if definition.outcome.success is not None else 0,
        complete=(1 << len(steps)) - 1,
        grace_ms=grace,
        lifetime_ms=lifetime,
        latest_ms=lifetime
        + max(
            grace + max((step.arrives_within_ms for step in steps), default=0), *(rule.delay_ms for rule in rules), 0
        ),
        failures=frozenset(definition.outcome.failure),
        excuses=frozenset(name for name, plan in plans.items() if plan.excuses),
        excuse_ms=excuse_ms,
        runbooks=_runbooks(definition),
        monitored=_monitored(definition, catalogue),
        awaits=_awaits(definition, rules, bringers),
    )


def _runbooks(definition: Definition) -> dict[str, str]:
    """A part without one has the definition's."""
    parts: list[tuple[str, Step | Break]] = [*definition.steps.items(), *definition.breaks.items()]
    found = {name: part.runbook or definition.runbook for name, part in parts}
    return {name: runbook for name, runbook in found.items() if runbook is not None}


def _monitored_names(catalogue: Catalogue) -> frozenset[str]:
    return frozenset(name for name, entry in catalogue.touchpoints.items() if entry.impact.mode == "monitor")


def _monitored(definition: Definition, catalogue: Catalogue) -> frozenset[str]:
    """The steps and breaks that only touchpoints of this mode can cause or settle."""
    steps = {name: touchpoints_of(step) for name, step in definition.steps.items()}
    named = dict(steps)
    for name, rule in definition.breaks.items():
        if rule.touchpoint is not None:
            named[name] = [rule.touchpoint]
        elif rule.without is not None:
            named[name] = steps[rule.without]
        elif rule.idle is not None:
            named[name] = sorted(_names(definition))
    monitored = _monitored_names(catalogue)
    return frozenset(name for name, words in named.items() if monitored.issuperset(words))


def _before(name: str, definition: Definition) -> list[str]:
    """The steps before this one, nearest first. A circle, which the loader refuses, is an error and not an endless
    loop.
    """
    found: list[str] = []
    while (name := definition.steps[name].after) != "start":
        if name in found or name not in definition.steps:
            raise ValueError(f"{definition.journey}: step {name!r} is unknown or comes after itself")
        found.append(name)
    return found


def _step(
    name: str, names: list[str], definition: Definition, catalogue: Catalogue, hours: Mapping[str, OpenHours]
) -> CompiledStep:
    step, before = definition.steps[name], _before(name, definition)
    known = [catalogue.touchpoints[word] for word in touchpoints_of(step) if word in catalogue.touchpoints]
    return CompiledStep(
        name=name,
        index=names.index(name),
        after=names.index(before[0]) if before else None,
        depth=len(before),
        within_ms=duration_ms(step.within) if step.within is not None else None,
        if_missing=step.if_missing,
        kind="feedback_not_asked" if step.feedback else "missing_step" if step.handoff is None else "handoff_lost",
        severity=step.severity,
        covers=sum(1 << names.index(word) for word in (name, *before)),
        arrives_within_ms=max(
            (duration_ms(entry.arrives_within) for entry in known if entry.arrives_within), default=0
        ),
        hours=hours.get(step.counting or ""),
        times=step.times,
    )


def _rule(
    index: int,
    name: str,
    steps: tuple[CompiledStep, ...],
    definition: Definition,
    catalogue: Catalogue,
    hours: Mapping[str, OpenHours],
) -> CompiledRule:
    rule = definition.breaks[name]
    kind = shape_of(rule).kind
    step = rule.about if kind == "low_score" else rule.cleared_by or rule.requires or rule.without
    waits = rule.tolerate or rule.idle
    late = _latest(definition, catalogue) if kind == "abandoned" else 0
    late = max([late, *(found.arrives_within_ms for found in steps if found.name == step)])
    return CompiledRule(
        name=name,
        index=index,
        bit=len(steps) + index,
        kind=kind,
        step=step,
        severity=rule.severity,
        at_least=rule.at_least or (rule.at_most or 0) + 1,
        in_window_ms=duration_ms(rule.in_window) if rule.in_window is not None else 0,
        score=rule.score,
        below=rule.below if rule.below is not None else 0.0,
        tolerate_ms=duration_ms(waits) if waits is not None else None,
        delay_ms=duration_ms(definition.grace) + late if waits is not None else 0,
        beside=rule.never_with,
        hours=hours.get(rule.counting or ""),
        balance_below=rule.balance_below or 0.0,
        until=rule.until or 0.0,
        half_life_ms=duration_ms(rule.half_life) if rule.half_life is not None else 0,
        persons_above=rule.persons_above or 0,
        apart_ms=duration_ms(rule.apart or APART),
        about=next((found.index for found in steps if found.name == rule.about), None),
        cleared_bit=sum(1 << found.index for found in steps if kind == "repeated" and found.name == rule.cleared_by),
    )


def _latest(definition: Definition, catalogue: Catalogue) -> int:
    """How late any touchpoint may arrive that the definition names."""
    entries = [catalogue.touchpoints[name] for name in _names(definition) if name in catalogue.touchpoints]
    return max((duration_ms(entry.arrives_within) for entry in entries if entry.arrives_within), default=0)


def _names(definition: Definition) -> set[str]:
    return {name for _, name, _ in patterns_of(definition)}


def _plans(
    definition: Definition, steps: tuple[CompiledStep, ...], rules: tuple[CompiledRule, ...], catalogue: Catalogue
) -> dict[str, Plan]:
    tried = sorted(steps, key=lambda step: (step.depth, step.name))
    weighs = definition.start.weighted or any(rule.kind == "experience_balance" for rule in rules)
    worths = worths_of(catalogue) if weighs else {}
    names = sorted({*_names(definition), *worths})
    return {name: _plan(name, definition, tried, rules, worths.get(name)) for name in names}


def _excused(name: str, steps: list[CompiledStep], definition: Definition) -> int:
    """The bits of the steps that the touchpoint excuses, and of those after them."""
    by_name = {step.name: 1 << step.index for step in steps if name in definition.steps[step.name].excused_by}
    return sum(1 << step.index for step in steps if any(step.covers & bit for bit in by_name.values()))


def _plan(
    name: str, definition: Definition, tried: list[CompiledStep], rules: tuple[CompiledRule, ...], worth: Worth | None
) -> Plan:
    start = definition.start
    is_start = worth is not None if start.weighted else name == start.touchpoint
    reached = {
        step.name: tuple(definition.steps[step.name].where.items())
        for step in tried
        if name in touchpoints_of(definition.steps[step.name])
    }
    breaks = [(rule, definition.breaks[rule.name]) for rule in rules]
    cleared = [(rule, said.cleared_by) for rule, said in breaks if said.cleared_by in reached]
    waits = [rule for rule in rules if rule.kind in WAITED_OUT]
    fails = name in definition.outcome.failure
    named = [(rule, tuple(said.where.items())) for rule, said in breaks if said.touchpoint == name]
    return Plan(
        starts=(tuple(start.where.items()),) if is_start else (),
        steps=tuple((step, reached[step.name]) for step in tried if step.name in reached),
        counts=tuple((rule, where) for rule, where in named if rule.kind == "repeated"),
        clears=tuple((rule, reached[step]) for rule, step in cleared if rule.kind == "repeated"),
        consoles=tuple((rule, reached[step]) for rule, step in cleared if rule.kind == "low_score"),
        suspects=tuple((rule, where) for rule, where in named if rule.kind in WAITED_OUT),
        settles=tuple((rule, reached[rule.step]) for rule in waits if rule.step in reached),
        bans=tuple((rule, where) for rule, where in named if rule.kind == "forbidden"),
        bans_beside=tuple(rule for rule, said in breaks if said.never_with == name),
        persons=tuple(rule for rule, said in breaks if _counts_persons(name, rule, said)),
        worth=worth,
        excuses=0 if fails else _excused(name, tried, definition),
        fails=fails,
    )


def _counts_persons(name: str, rule: CompiledRule, said: Break) -> bool:
    return rule.kind == "identity_conflict" and (said.among is None or name in said.among)
