"""Laws of the diagram of `touchline explain`: arrows and nodes are those of the definition, read by another hand."""

from __future__ import annotations

from hypothesis import given

from schemas.definition import Break, Catalogue, Definition, Step, shape_of
from schemas.definition_touchpoints import touchpoints_of
from schemas.explain_diagram import diagram
from schemas.explain_words import fact_text, visible
from tests.unit.explain_cases import LAW, cases
from tests.unit.mermaid_reader import read


@LAW
@given(cases())
def test_the_solid_arrows_are_exactly_what_follows_what(case: tuple[Definition, Catalogue]) -> None:
    definition, _ = case
    drawing = read(diagram(definition))
    solid = sorted((source, target) for source, arrow, target, _ in drawing.edges if arrow == "-->")
    afters = {
        name: "start" if step.after == "start" else f"step_{step.after}" for name, step in definition.steps.items()
    }
    assert solid == sorted((before, f"step_{name}") for name, before in afters.items())
    assert [(source, target) for source, arrow, target, _ in drawing.edges if arrow == "==>"] == [
        (f"step_{definition.outcome.success}", "success")
    ]
    dotted = {(source, target) for source, arrow, target, _ in drawing.edges if arrow == "-.->"}
    breaks = set()
    for name, rule in definition.breaks.items():
        step = rule.about or rule.cleared_by or rule.requires or rule.without
        breaks.add((f"break_{name}", f"step_{step}") if step else ("start", f"break_{name}"))
    assert dotted == breaks | ({("start", "failure")} if definition.outcome.failure else set())


@LAW
@given(cases())
def test_every_node_says_its_name_its_touchpoints_and_its_thresholds(case: tuple[Definition, Catalogue]) -> None:
    definition, _ = case
    drawing = read(diagram(definition))
    steps = {f"step_{name}" for name in definition.steps}
    breaks = {f"break_{name}" for name in definition.breaks}
    ends = {"start", "success"} | ({"failure"} if definition.outcome.failure else set())
    assert set(drawing.nodes) == steps | breaks | ends
    for name, step in definition.steps.items():
        label = drawing.nodes[f"step_{name}"]
        assert label[0] == name
        assert set(label[1].replace(" or ", ", ").split(", ")) == set(touchpoints_of(step))
        assert label[2:] == [f"{word} = {visible(fact_text(fact))}".rstrip() for word, fact in step.where.items()]
        (edge,) = [edge for edge in drawing.edges if edge[2] == f"step_{name}" and edge[1] == "-->"]
        said = edge[3].split(", ") if edge[3] else []
        if step.within is not None:
            follows = {"break": f"{step.severity} alert", "count": "counted", "nothing": "nothing"}[step.if_missing]
            assert said[:2] == [f"within {step.within}{by(step)}", f"else {follows}"]
        hand = step.handoff
        rest = [f"hand-off {hand.from_channel} to {hand.to_channel}"] if hand is not None else []
        rest += [f"{step.times} times"] if step.times > 1 else []
        rest += [f"unless {' or '.join(step.excused_by)}"] if step.excused_by else []
        assert said[2 * (step.within is not None) :] == rest
    for name, rule in definition.breaks.items():
        label = drawing.nodes[f"break_{name}"]
        assert label[0] == f"{name} ({rule.severity})"
        assert label[1] == threshold(rule, definition)
        where = [f"{word} = {visible(fact_text(fact))}".rstrip() for word, fact in rule.where.items()]
        rest = [f"tolerated for {rule.tolerate}{by(rule)}"] * bool(rule.tolerate)
        rest += [f"together with {rule.never_with}"] * bool(rule.never_with)
        rest += [f"half-life {rule.half_life}"] * bool(rule.half_life)
        rest += [" or ".join(rule.among or [])] * bool(rule.among)
        assert label[2:] == where + rest


def by(counted: Step | Break) -> str:
    return f" by {counted.counting}" if counted.counting is not None else ""


def threshold(rule: Break, definition: Definition) -> str:
    match shape_of(rule).kind:
        case "low_score":
            return f"{rule.score} below {rule.below:g}"
        case "repeated":
            return f"{rule.at_least} x {rule.touchpoint} in {rule.in_window}"
        case "skipped_step":
            return definition.outcome.success or ""
        case "abandoned":
            return f"nothing for {rule.idle}{by(rule)}"
        case "experience_balance":
            return f"balance below {rule.balance_below:g}"
        case "identity_conflict":
            return f"more than {rule.persons_above} user{'s' * (rule.persons_above != 1)}"
        case "forbidden" if rule.at_most is not None:
            return f"more than {rule.at_most} x {rule.touchpoint}" if rule.at_most else f"any {rule.touchpoint}"
        case _:
            return rule.touchpoint or ""
