"""What the shape of a definition cannot say: steps that must exist, circles, and parts that can never take effect.

Pure: a definition and the catalogue in, flaws out, each with the path to its place. A part that could never do what
it seems to promise is a flaw: a deadline that cannot pass, a step that nothing reaches, a condition that is never
true. What hangs on the catalogue is told by `definition_touchpoints`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from schemas.catalogue_checks import unknown_key
from schemas.definition import APART, Break, Catalogue, Definition, Step, duration_ms, shape_of
from schemas.definition_touchpoints import Found, touchpoint_flaws, touchpoints_of
from schemas.records import Fact
from schemas.yaml_file import Path_, nearest

LISTED_MAX = 10
EVERYWHERE = ("severity", "runbook")
"""What every break may have."""


def flaws_of(definition: Definition, catalogue: Catalogue) -> Found:
    yield from _instance_flaws(definition, catalogue)
    yield from _step_flaws(definition)
    yield from _reach_flaws(definition)
    yield from _break_flaws(definition)
    yield from _calendar_flaws(definition)
    yield from _outcome_flaws(definition)
    yield from _start_flaws(definition)
    yield from touchpoint_flaws(definition, catalogue)


def _instance_flaws(definition: Definition, catalogue: Catalogue) -> Found:
    instance, known = definition.instance, (*catalogue.keys, "customer")
    if instance.key not in known:
        yield ("instance", "key"), unknown_key("instance.key", instance.key, known)
    if instance.key == "customer" and "if_absent" in instance.model_fields_set:
        yield ("instance", "if_absent"), "if_absent is for business keys; every touchpoint of a customer takes part."


def _outcome_flaws(definition: Definition) -> Found:
    success, steps = definition.outcome.success, definition.steps
    if success is None:
        if steps:
            yield (
                ("outcome",),
                f"where there are steps, one is the success. Add 'success'.{listed('The steps are', steps)}",
            )
        elif not definition.breaks:
            yield (), "neither steps nor breaks: nothing could ever be found. Add some."
    elif not steps:
        yield ("outcome", "success"), f"there are no steps, so {success!r} is none. Remove it, or add the step."
    elif success not in steps:
        yield ("outcome", "success"), _unknown_step(success, definition)


def _start_flaws(definition: Definition) -> Found:
    start = definition.start
    if (start.touchpoint is None) == (start.weighted is None):
        yield ("start",), "the start names either one touchpoint or says weighted: true."
    elif start.weighted and definition.instance.key != "customer":
        yield ("start", "weighted"), "only the journeys of a customer (instance key: customer) start with any weight."
    elif start.touchpoint in definition.outcome.failure:
        text = f"{start.touchpoint!r} is a failure outcome, too: what begins a journey cannot end it. Remove one."
        yield ("start", "touchpoint"), text


def _step_flaws(definition: Definition) -> Found:
    steps = definition.steps
    if "start" in steps:
        yield ("steps", "start"), "'start' is the name of the beginning. Give the step another name."
    for name, step in steps.items():
        path = ("steps", name)
        if (step.touchpoint is None) == (step.any_of is None):
            yield path, "a step names either one touchpoint or any_of several."
        if step.after != "start" and step.after not in steps:
            yield (*path, "after"), _unknown_step(step.after, definition, "start")
        elif _circles(name, steps):
            yield (*path, "after"), f"step {name!r} comes, along 'after', after itself, so nothing reaches it."
        if step.within is None:
            for word in ("if_missing", "severity", "handoff", "counting", "feedback", "runbook"):
                if word in step.model_fields_set and (word, step.if_missing) != ("if_missing", "nothing"):
                    yield (*path, word), f"{word} needs a deadline. Add 'within'."
        else:
            yield from _too_long((*path, "within"), step.within, definition, told=step.if_missing == "break")
        yield from _handoff_flaws(path, step)
        yield from _feedback_flaws(path, step)
        yield from _excuse_flaws(path, step, definition)


def _handoff_flaws(path: Path_, step: Step) -> Found:
    if step.handoff is None:
        return
    to, expected = step.handoff.to_channel, step.where.get("channel")
    if step.handoff.from_channel == to:
        yield (*path, "handoff"), f"from and to are both {to!r}. A hand-off goes to another channel."
    if isinstance(expected, str) and to != expected:
        yield (*path, "handoff", "to"), f"the hand-off goes to {to!r}, but the step waits for channel {expected!r}."


def _feedback_flaws(path: Path_, step: Step) -> Found:
    if step.feedback and step.handoff is not None:
        yield (*path, "feedback"), "a hand-off is no question. Make two steps of them."
    if step.feedback and "if_missing" in step.model_fields_set and step.if_missing != "break":
        yield (*path, "feedback"), "not to ask is a break; with this if_missing it is none. Remove one of them."


def _excuse_flaws(path: Path_, step: Step, definition: Definition) -> Found:
    yield from _twice((*path, "excused_by"), step.excused_by)
    for index, word in enumerate(step.excused_by):
        if word in touchpoints_of(step):
            yield (*path, "excused_by", index), f"{word!r} reaches the step, so it excuses nothing. Remove one of them."
        elif word in definition.outcome.failure:
            yield (*path, "excused_by", index), f"{word!r} is a failure outcome: it ends the journey anyway."


def _circles(name: str, steps: dict[str, Step]) -> bool:
    seen = {name}
    while (name := steps[name].after) in steps and name != "start":
        if name in seen:
            return True
        seen.add(name)
    return False


def _reach_flaws(definition: Definition) -> Found:
    """A failure outcome ends the journey: it reaches no step and never comes twice."""
    ending = "is a failure outcome: it ends the journey"
    for name, step in definition.steps.items():
        if step.touchpoint in definition.outcome.failure:
            yield ("steps", name, "touchpoint"), f"{step.touchpoint!r} {ending} and reaches no step."
        for index, word in enumerate(step.any_of or ()):
            if word in definition.outcome.failure:
                yield ("steps", name, "any_of", index), f"{word!r} {ending} and reaches no step."
        yield from _twice(("steps", name, "any_of"), step.any_of or ())
    yield from _twice(("outcome", "failure"), definition.outcome.failure)
    for name, rule in definition.breaks.items():
        yield from _twice(("breaks", name, "among"), rule.among or ())
        if rule.touchpoint in definition.outcome.failure and shape_of(rule).kind != "forbidden":
            text = f"{rule.touchpoint!r} {ending}, so it can only be banned (at_most, never_with)."
            yield ("breaks", name, "touchpoint"), text


def _twice(path: Path_, words: list[str] | tuple[()]) -> Found:
    for index, word in enumerate(words):
        if word in words[:index]:
            yield (*path, index), f"{word!r} stands here twice. Remove one."


def _break_flaws(definition: Definition) -> Found:
    for name, rule in definition.breaks.items():
        path = ("breaks", name)
        if name in definition.steps:
            yield path, f"a step is named {name!r} too. Alerts are told apart by name: choose another."
        yield from ((path, text) for text in _incomplete(rule))
        for part in ("cleared_by", "about", "requires", "without"):
            step = getattr(rule, part)
            if step is not None and step not in definition.steps:
                yield (*path, part), _unknown_step(step, definition)
        if rule.cleared_by in definition.steps and _always_clears(rule, definition.steps[rule.cleared_by]):
            text = f"every {rule.touchpoint!r} that is counted also clears the break, so it never begins."
            yield (*path, "cleared_by"), text
        if rule.requires in definition.steps and _always_clears(rule, definition.steps[rule.requires]):
            yield (
                (*path, "requires"),
                f"every such {rule.touchpoint!r} is itself what the step requires, so it never begins.",
            )
        if rule.without is not None:
            yield from (((*path, "without"), text) for text in _always_with(rule.without, definition))
        if rule.never_with is not None and rule.never_with == rule.touchpoint:
            yield (*path, "never_with"), f"{rule.touchpoint!r} is always with itself. For its number take at_most."
        yield from _time_flaws(path, rule, definition)
        yield from _place_flaws(path, rule, definition)


def _place_flaws(path: Path_, rule: Break, definition: Definition) -> Found:
    """Breaks that only some definitions can have."""
    if rule.idle is not None and not definition.steps:
        yield (*path, "idle"), "silence counts until the success, and without steps there is none."
    if rule.persons_above is not None and definition.instance.key == "customer":
        text = "a journey of the customer has one person. Count persons where the instance has a business key."
        yield (*path, "persons_above"), text
    if rule.balance_below is not None and rule.until is not None and rule.until < rule.balance_below:
        yield (*path, "until"), f"below balance_below ({rule.balance_below:g}): it would end while it begins."


def _calendar_flaws(definition: Definition) -> Found:
    counting = [(("steps", name, "counting"), step.counting) for name, step in definition.steps.items()]
    counting += [(("breaks", name, "counting"), rule.counting) for name, rule in definition.breaks.items()]
    for path, calendar in counting:
        if calendar is not None and calendar not in definition.calendars:
            advice = nearest(calendar, definition.calendars) or " Add it under 'calendars'."
            yield path, f"there is no calendar {calendar!r}.{advice}"
    for name in definition.calendars:
        if name not in [calendar for _, calendar in counting]:
            yield ("calendars", name), f"nothing is counted by calendar {name!r}. Name it in 'counting', or remove it."
    for name, rule in definition.breaks.items():
        if rule.counting is not None and rule.tolerate is None and rule.idle is None:
            yield ("breaks", name, "counting"), "counting needs a time to count. Add 'tolerate'."


def _time_flaws(path: Path_, rule: Break, definition: Definition) -> Found:
    for part in ("tolerate", "idle"):
        given = getattr(rule, part)
        if given is not None:
            yield from _too_long((*path, part), given, definition)
    if rule.at_least is not None and rule.in_window is not None:
        apart, between = rule.apart or APART, rule.at_least - 1
        if between * duration_ms(apart) > duration_ms(rule.in_window):
            text = f"{rule.at_least} of them, {apart} apart, never come within {rule.in_window}. Lengthen it"
            yield (*path, "in_window"), f"{text}{', or shorten apart' if rule.apart else ''}."


def _too_long(path: Path_, given: str, definition: Definition, *, told: bool = True) -> Found:
    """`told`: somebody is to be told when it has passed. When it is as long as the lifetime, nobody is."""
    longer, advice = duration_ms(given) - duration_ms(definition.lifetime), "Shorten it, or lengthen the lifetime."
    if longer > 0:
        yield path, f"longer than the lifetime ({definition.lifetime}), so it never passes. {advice}"
    elif longer == 0 and told:
        text = f"as long as the lifetime ({definition.lifetime}): the journey has expired by then, and nobody is told."
        yield path, f"{text} {advice}"


def _always_clears(rule: Break, step: Step) -> bool:
    return rule.touchpoint in touchpoints_of(step) and all(
        word in rule.where and equal(rule.where[word], fact) for word, fact in step.where.items()
    )


def _always_with(without: str, definition: Definition) -> Iterator[str]:
    """Why no journey can succeed without the step."""
    steps, success = definition.steps, definition.outcome.success
    if without == success:
        yield f"{without!r} is the success itself, so the journey never succeeds without it."
    elif without in steps and success in steps:
        ends = [Break(touchpoint=name, where=steps[success].where) for name in touchpoints_of(steps[success])]
        if ends and all(_always_clears(each, steps[without]) for each in ends):
            yield f"whatever reaches the success {success!r} is itself what {without!r} awaits, so it never begins."


def equal(one: Fact, other: Fact) -> bool:
    """As `where` compares: true is not 1, and 3 equals 3.0."""
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _incomplete(rule: Break) -> Iterator[str]:
    shape = shape_of(rule)
    given = {
        part for part in type(rule).model_fields if part not in EVERYWHERE and getattr(rule, part) not in (None, {})
    }
    wanted = [*shape.needs, *([" or ".join(shape.needs_one)] if shape.needs_one else [])]
    missing = [part for part in shape.needs if part not in given]
    if shape.needs_one and given.isdisjoint(shape.needs_one):
        missing.append(" or ".join(shape.needs_one))
    if missing:
        yield f"this break lacks {', '.join(missing)}. It needs {', '.join(wanted)}."
    if extra := sorted(given - {*shape.needs, *shape.needs_one, *shape.may}):
        yield f"this break is a {shape.called}; {', '.join(extra)} has no place in it."
    if len(both := [part for part in shape.needs_one if part in given]) > 1:
        yield f"{' and '.join(both)} are two bans. Make two breaks of them."


def _unknown_step(name: str, definition: Definition, *also: str) -> str:
    known = [*also, *definition.steps]
    if meant := [step for step, each in definition.steps.items() if name in touchpoints_of(each)]:
        return f"{name!r} is a touchpoint, and here stands a step. Did you mean {meant[0]!r}?"
    return f"there is no step {name!r}.{nearest(name, known) or listed('The steps are', known)}"


def listed(title: str, words: Iterable[str]) -> str:
    """` The steps are: a, b.`, or nothing when they are too many to be read."""
    found = list(words)
    return f" {title}: {', '.join(found)}." if len(found) <= LISTED_MAX else ""
