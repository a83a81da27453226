"""Laws of the prose of `touchline explain`: nothing is left out, and every moment that it names is the fold's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from typer.testing import CliRunner

from deploy.cli.explain import explained
from deploy.cli.main import app
from schemas.break_shapes import SHAPES
from schemas.definition import UNIT_MS, Catalogue, Definition, shape_of
from schemas.definition_files import load_catalogue, load_definitions
from schemas.definition_touchpoints import touchpoints_of
from schemas.explain_diagram import diagram
from schemas.explain_prose import prose
from schemas.explain_words import code, fact_text, span, visible
from streams.journey.compile import compile_definitions
from tests.unit.explain_cases import LAW, cases

CATALOGUE = load_catalogue(Path("touchpoints.yaml"))
SHIPPED = {definition.journey: definition for definition in load_definitions(Path("journeys"), CATALOGUE)}
KINDS = {
    "missing_step": "a missing step",
    "handoff_lost": "a lost hand-off",
    "feedback_not_asked": "feedback not asked",
}
NEITHER = ("repeated", "low_score", "experience_balance", "identity_conflict")
"""Kinds of which the prose need not say whether something is waited out."""
WORDS_MS = {"day": 86_400_000, "hour": 3_600_000, "minute": 60_000, "second": 1_000}


class SeenAllError(Exception):
    pass


def section(text: str, title: str) -> str:
    return text.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def items(text: str, opening: str) -> dict[str, str]:
    """The items of a list by their bold names."""
    found = re.split(rf"^{opening} \*\*([a-z0-9_]+)\*\*: ", text, flags=re.MULTILINE)[1:]
    return {name: said.split("\n\n")[0] for name, said in zip(found[::2], found[1::2])}


def milliseconds(words: str) -> int:
    """`2 days 21 minutes`, read by another hand than the writer's."""
    pairs = re.findall(r"(\d+) (day|hour|minute|second)s?", words)
    assert " ".join(f"{n} {unit}{'s' if n != '1' else ''}" for n, unit in pairs) == words
    return sum(int(n) * WORDS_MS[unit] for n, unit in pairs)


@LAW
@given(cases())
def test_every_step_says_what_it_awaits_for_how_long_and_what_follows(case: tuple[Definition, Catalogue]) -> None:
    definition, catalogue = case
    (compiled,) = compile_definitions([definition], catalogue).definitions
    told = items(section(prose(definition, catalogue), "Steps"), r"\d+\.")
    assert set(told) == set(definition.steps)
    for name, step in definition.steps.items():
        said = told[name]
        for touchpoint in touchpoints_of(step):
            assert f"`{touchpoint}`" in said
        for word, fact in step.where.items():
            assert f"`{word}` is {code(fact_text(fact))}" in said
        before = "the start" if step.after == "start" else f"`{step.after}`"
        if step.handoff is not None:
            assert f"from `{step.handoff.from_channel}` to `{step.handoff.to_channel}`" in said
        assert (f"It takes {step.times} of them" in said) == (step.times > 1)
        excused = re.search(r"^   After (.*) neither it nor a step after it is expected", said, re.M)
        assert (excused is not None) == bool(step.excused_by)
        assert excused is None or set(re.findall(r"`(\w+)`", excused[1])) == set(step.excused_by)
        if step.within is None:
            assert f"at any time after {before}" in said
            assert "no deadline" in said
            continue
        counted = f" in the hours of `{step.counting}`" if step.counting is not None else ""
        assert f"within {span(int(step.within[:-1]) * UNIT_MS[step.within[-1]])}{counted} of {before}" in said
        if step.if_missing == "nothing":
            assert "If it is missing: nothing" in said
            continue
        found = re.search(rf"at the earliest (.*?) after {re.escape(before)} \(", said)
        assert found is not None, said
        index, _, within_ms, _, delay_ms = next(j for j in compiled.judged if compiled.steps[j[0]].name == name)
        assert milliseconds(found[1]) == within_ms + delay_ms, "the moment that the fold judges at"
        assert ("no alert" in said) == (step.if_missing == "count")
        assert (f"alert of severity {step.severity}" in said) == (step.if_missing == "break")
        if step.if_missing == "break":
            kind = compiled.steps[index].kind
            assert KINDS[kind] in said


@LAW
@given(cases())
def test_every_break_says_whom_it_names_how_bad_it_is_and_what_it_is_about(case: tuple[Definition, Catalogue]) -> None:
    definition, catalogue = case
    told = items(section(prose(definition, catalogue), "Breaks"), "-")
    assert set(told) == set(definition.breaks)
    for name, rule in definition.breaks.items():
        said = told[name]
        step = rule.about or rule.cleared_by or rule.requires or rule.without
        assert f"severity {rule.severity} and names {f'the step `{step}`' if step else 'no step'}." in said
        first = said.split("\n")[0]
        for touchpoint in (rule.touchpoint, rule.never_with):
            assert touchpoint is None or f"`{touchpoint}`" in first
        for word, fact in rule.where.items():
            assert f"`{word}` is {code(fact_text(fact))}" in first


@LAW
@given(cases())
def test_every_break_says_what_is_waited_out_and_which_false_alarm_that_spares(
    case: tuple[Definition, Catalogue],
) -> None:
    """The moment is the one that the fold judges at."""
    definition, catalogue = case
    (compiled,) = compile_definitions([definition], catalogue).definitions
    text = section(prose(definition, catalogue), "Breaks")
    told = items(text, "-")
    for rule in compiled.rules:
        said = told[rule.name]
        waited, at_once = "Waiting spares the alarm" in said, "Nothing is waited out" in said
        assert waited == (rule.tolerate_ms is not None)
        assert at_once == (rule.kind not in NEITHER and not waited)
        found = re.search(r"fires at the earliest (.*?) after (?:that|the last touchpoint) \((.*)\)\.", said)
        assert (found is not None) == waited
        if found is not None and rule.tolerate_ms is not None:
            assert milliseconds(found[1]) == rule.tolerate_ms + rule.delay_ms
            assert f"{span(compiled.grace_ms)} of grace" in found[2]
            assert ("may arrive" in found[2]) == (rule.delay_ms > compiled.grace_ms)
            counting = definition.breaks[rule.name].counting
            counted = f" in the hours of `{counting}`" if counting is not None else ""
            assert re.search(rf"{span(rule.tolerate_ms)}{counted}[.,]", said.split("\n")[0])
    assert ("beyond 400 days after the start raises no alert" in text) == bool(compiled.waited)


@LAW
@given(cases())
def test_every_break_says_when_it_ends(case: tuple[Definition, Catalogue]) -> None:
    definition, catalogue = case
    text = prose(definition, catalogue)
    told, fails = items(section(text, "Breaks"), "-"), bool(definition.outcome.failure)
    kinds = {name: shape_of(rule).kind for name, rule in definition.breaks.items()}
    for name, rule in definition.breaks.items():
        (end,) = [line for line in told[name].split("\n") if line.startswith(("  It ends", "  It does not end"))]
        match kinds[name]:
            case "low_score":
                assert f"`{rule.score}` of {rule.below:g} or more" in end
                assert ("A failure does not end it" in end) == fails
            case "experience_balance":
                assert f"the sum is {rule.until:g} or more" in end
                assert ("A failure does not end it" in end) == fails
            case "forbidden" | "identity_conflict":
                assert "does not end" in end
                assert ("not with a failure either" in end) == fails
                assert "somebody must look" in end
            case "abandoned":
                assert "with the next touchpoint of the journey" in end
            case kind:
                clearing = definition.steps[rule.cleared_by or rule.requires or rule.without or ""]
                assert all(f"`{touchpoint}`" in end for touchpoint in touchpoints_of(clearing))
                assert ("or with a failure" in end or "or when the journey fails" in end) == fails
                assert ("counting begins anew" in end) == (kind == "repeated")
    stay = re.search(r"those of (.*) stay\.", text)
    assert (stay is not None) == fails
    for kind, word in (("forbidden", "bans"), ("experience_balance", "balances"), ("identity_conflict", "conflicts")):
        assert stay is None or (word in stay[1]) == (kind in kinds.values())


@LAW
@given(cases())
def test_every_break_says_its_thresholds(case: tuple[Definition, Catalogue]) -> None:
    definition, catalogue = case
    told = items(section(prose(definition, catalogue), "Breaks"), "-")
    for name, rule in definition.breaks.items():
        first = told[name].split("\n")[0]
        if shape_of(rule).kind in ("repeated", "failure_event", "out_of_order"):
            assert ("not counting the start" in first) == (rule.touchpoint == definition.start.touchpoint)
        match shape_of(rule).kind:
            case "repeated":
                assert first.startswith(f"{rule.at_least} or more times `{rule.touchpoint}`")
                window = re.search(r" within ([0-9a-z ]+)(?:\.|, not counting the start\.)$", first)
                assert window is not None
                assert rule.in_window is not None
                assert milliseconds(window[1]) == int(rule.in_window[:-1]) * UNIT_MS[rule.in_window[-1]]
            case "low_score":
                assert f"whose `{rule.score}` is below {rule.below:g}." in first
            case "failure_event":
                assert ("does not follow" in first) == (rule.tolerate is not None)
            case "out_of_order" | "skipped_step":
                assert "has not come since the start" in first
                assert ("nor follows" in first) == (rule.tolerate is not None)
                assert shape_of(rule).kind == "out_of_order" or f"`{definition.outcome.success}`, is reached" in first
            case "abandoned":
                assert f"before `{definition.outcome.success}` is reached" in first
            case "experience_balance":
                assert f"less than {rule.balance_below:g}." in first
                assert rule.half_life is not None
                half = span(int(rule.half_life[:-1]) * UNIT_MS[rule.half_life[-1]])
                assert f"half as much after {half}." in told[name]
            case "identity_conflict":
                assert first.startswith(f"more than {rule.persons_above} different user")
                assert all(f"`{touchpoint}`" in first for touchpoint in rule.among or ())
            case "forbidden":
                assert ("whichever came first" in first) == (rule.never_with is not None)
                number = {0: "any ", 1: "more than once "}.get(rule.at_most or 0, f"more than {rule.at_most} times ")
                assert rule.at_most is None or first.startswith(f"{number}`{rule.touchpoint}`")
                assert " after the start" in first or " after its start" in first


def test_the_cases_have_breaks_of_every_shape() -> None:
    """Else the laws above would say nothing of some. Looks no further when it has seen them."""
    seen: set[tuple[str, bool]] = set()
    both = {"failure_event", "out_of_order", "skipped_step", "forbidden"}
    every = {(shape.kind, False) for shape in SHAPES} | {(kind, True) for kind in both}

    @settings(LAW, max_examples=500, phases=[Phase.generate], report_multiple_bugs=False)
    @given(cases())
    def look(case: tuple[Definition, Catalogue]) -> None:
        rules = case[0].breaks.values()
        seen.update((shape_of(rule).kind, bool(rule.tolerate or rule.never_with)) for rule in rules)
        if seen >= every:
            raise SeenAllError

    with pytest.raises(SeenAllError):
        look()
    assert seen == every


@LAW
@given(cases())
def test_the_rest_is_said_too(case: tuple[Definition, Catalogue]) -> None:
    definition, catalogue = case
    text = prose(definition, catalogue)
    assert text.startswith(
        f"# {definition.journey}, version {definition.version}\n\n{visible(definition.owner)} answers"
    )
    assert ("It is live" in text) == (definition.mode == "live")
    start = section(text, "Start")
    assert f"`{definition.start.touchpoint}`" in start
    assert definition.instance.key == "customer" or f"`{definition.instance.key}`" in start
    assert ("joins" in start) == (definition.instance.if_absent == "only_open_one")
    assert ("## Opening hours" in text) == bool(definition.calendars)
    for name, calendar in definition.calendars.items():
        hours = section(text, "Opening hours")
        assert re.search(rf"^- \*\*{name}\*\*: .*{calendar.zone}.*\.$", hours, re.M)
        assert all(f"{days} {said}" in hours for days, said in calendar.open.items())
        assert calendar.holidays is None or f"holidays of {calendar.holidays}." in hours
    end = section(text, "End")
    assert f"`{definition.outcome.success}`" in end
    assert all(f"`{name}`" in end for name in definition.outcome.failure)
    assert "expired 400 days after the start" in end
    late = {name: entry.arrives_within for name, entry in catalogue.touchpoints.items() if entry.arrives_within}
    told = dict(re.findall(r"^- `(\w+)` may arrive (.*) after it occurred\.$", section(text, "Late arrivals"), re.M))
    mentioned = {definition.start.touchpoint, *definition.outcome.failure}
    mentioned.update(name for step in definition.steps.values() for name in (*touchpoints_of(step), *step.excused_by))
    mentioned.update(name for rule in definition.breaks.values() for name in rule.among or ())
    mentioned.update(rule.touchpoint for rule in definition.breaks.values() if rule.touchpoint)
    mentioned.update(rule.never_with for rule in definition.breaks.values() if rule.never_with)
    assert set(told) == set(late) & mentioned
    assert all(milliseconds(told[name]) == int(late[name][:-1]) * UNIT_MS[late[name][-1]] for name in told)
    assert all(letter.isprintable() for line in text.split("\n") for letter in line)


def test_what_only_a_break_counts_may_arrive_late_too() -> None:
    late = CATALOGUE.touchpoints["payment_declined"].model_copy(update={"arrives_within": "61m"})
    catalogue = Catalogue(touchpoints={**CATALOGUE.touchpoints, "payment_declined": late})
    told = section(prose(SHIPPED["click_and_collect"], catalogue), "Late arrivals")
    assert "- `payment_declined` may arrive 1 hour 1 minute after it occurred." in told


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("journey", sorted(file.stem for file in Path("journeys").glob("*.yaml")))
def test_the_command_takes_a_name_or_a_file(journey: str) -> None:
    by_name = CliRunner().invoke(app, ["explain", journey])
    by_file = CliRunner().invoke(app, ["explain", f"journeys/{journey}.yaml", "--catalogue", "touchpoints.yaml"])
    assert by_name.exit_code == by_file.exit_code == 0
    assert by_name.stdout == by_file.stdout == explained(SHIPPED[journey], CATALOGUE, False)
    alone = CliRunner().invoke(app, ["explain", journey, "--diagram"])
    assert alone.stdout == diagram(SHIPPED[journey])
    assert f"```mermaid\n{alone.stdout}```" in by_name.stdout


def test_a_definition_with_flaws_is_not_explained(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(Path("journeys/checkout.yaml").read_text().replace("within: 2h", "within: 2 hours"))
    assert "Did you mean '2h'?" in str(CliRunner().invoke(app, ["explain", str(file)]).exception)
    assert "Did you mean 'checkout'?" in str(CliRunner().invoke(app, ["explain", "chekout"]).exception)
