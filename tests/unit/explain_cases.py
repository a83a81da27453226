"""Definitions without flaws, of every shape that a file may have, for the laws of `touchline explain`."""

from __future__ import annotations

from typing import Any

from hypothesis import assume, settings
from hypothesis import strategies as st

from schemas.break_shapes import SHAPES
from schemas.definition import Catalogue, Definition
from schemas.definition_checks import flaws_of
from tests.tries import tries

LAW = settings(max_examples=tries(40), deadline=None, derandomize=True, database=None)
MERMAID_WORDS = ("end", "graph", "subgraph", "style", "class", "click", "default", "flowchart", "o", "x", "linkstyle")
PLAIN_WORDS = (
    "paid",
    "order_placed",
    "a",
    "z9",
    "csat",
    "channel",
    "picked_up",
    "success",
    "failure",
    "step_a",
    "w" * 60,
)
WORDS = st.sampled_from(MERMAID_WORDS + PLAIN_WORDS)
NASTY = st.sampled_from(
    [
        '"',
        "`",
        "``a`",
        "#quot;",
        "%%{init: {}}%%",
        "a]b",
        "{{x}}",
        "|",
        "-->",
        "\n",
        "\x1b[2J",
        "é😀",
        "<b>",
        "style: #1;",
        "",
    ]
)
FACTS = st.one_of(st.sampled_from([True, False, 3, -5, 0.5, 3.0, -1e300]), NASTY)
DURATIONS = st.sampled_from(["1s", "90s", "10m", "61m", "8h", "25h", "1d", "99d"])
SEVERITIES = st.sampled_from(["info", "warning", "error", "critical"])
LIFETIME = "400d"
CALENDARS = {
    "end": {"zone": "Europe/Berlin", "open": {"mon-fri": "09:00-20:00", "sat": "10:00-12:00, 13:00-18:00"}},
    "shop": {"zone": "UTC", "open": {"mon-sun": "00:00-24:00"}, "holidays": "DE-BE"},
}


@st.composite
def cases(draw: st.DrawFn) -> tuple[Definition, Catalogue]:
    words = draw(st.lists(WORDS, min_size=4, max_size=9, unique=True))
    ending, used = words[:1], words[1:]
    steps: dict[str, Any] = {}
    for name in draw(st.lists(WORDS, min_size=1, max_size=6, unique=True)):
        steps[name] = _step(draw, used, ["start", *steps])
    names = [name for name in draw(st.lists(WORDS, min_size=2, max_size=6, unique=True)) if name not in steps]
    raw = {
        "journey": draw(WORDS),
        "version": draw(st.integers(1, 10_000)),
        "mode": draw(st.sampled_from(["shadow", "live"])),
        "owner": draw(st.sampled_from(["team-a", "Ümläut & Co", "\x1b[2J\n# x", "`"])),
        "instance": draw(
            st.sampled_from(
                [{"key": "customer"}, {"key": "order_id"}, {"key": "claim_id", "if_absent": "only_open_one"}]
            )
        ),
        "start": {"touchpoint": draw(st.sampled_from(used)), **_where(draw)},
        "steps": dict(draw(st.permutations(list(steps.items())))),
        "outcome": {"success": draw(st.sampled_from(list(steps))), "failure": draw(st.sampled_from([[], ending]))},
        "breaks": {},
        "grace": draw(DURATIONS),
        "lifetime": LIFETIME,
    }
    catalogue = _catalogue(draw, words)
    steps_of = {step["counting"] for step in steps.values() if "counting" in step}
    raw["calendars"] = {name: CALENDARS[name] for name in CALENDARS if name in steps_of}
    assume(_is_right(raw, catalogue))
    drawn = {name: _break(draw, used, ending, list(steps)) for name in names}
    fine = {name: rule for name, rule in drawn.items() if _is_right(raw | _alone(name, rule, steps_of), catalogue)}
    used_by = steps_of | {rule["counting"] for rule in fine.values() if "counting" in rule}
    calendars = {name: CALENDARS[name] for name in CALENDARS if name in used_by}
    return Definition.model_validate(raw | {"breaks": fine, "calendars": calendars}), catalogue


def _alone(name: str, rule: dict[str, Any], counted: set[str]) -> dict[str, Any]:
    calendars = counted | ({rule["counting"]} if "counting" in rule else set())
    return {"breaks": {name: rule}, "calendars": {each: CALENDARS[each] for each in calendars}}


def _is_right(raw: dict[str, Any], catalogue: Catalogue) -> bool:
    return not list(flaws_of(Definition.model_validate(raw), catalogue))


def _where(draw: st.DrawFn) -> dict[str, Any]:
    where = draw(st.dictionaries(WORDS, FACTS, max_size=2))
    return {"where": where} if where else {}


def _counting(draw: st.DrawFn) -> dict[str, str]:
    name = draw(st.sampled_from([None, None, *CALENDARS]))
    return {"counting": name} if name is not None else {}


def _step(draw: st.DrawFn, used: list[str], before: list[str]) -> dict[str, Any]:
    several = draw(st.booleans()) and len(used) > 1
    step: dict[str, Any] = {"after": draw(st.sampled_from(before)), **_where(draw)}
    if several:
        step["any_of"] = draw(st.lists(st.sampled_from(used), min_size=2, max_size=3, unique=True))
    else:
        step["touchpoint"] = draw(st.sampled_from(used))
    if draw(st.booleans()):
        step["within"] = draw(DURATIONS)
        step["if_missing"] = draw(st.sampled_from(["break", "count", "nothing"]))
        step["severity"] = draw(SEVERITIES)
        step |= _counting(draw)
        if step["if_missing"] == "break" and draw(st.booleans()):
            step["feedback"] = True
        elif draw(st.booleans()):
            step["handoff"] = {"from": "web", "to": draw(st.sampled_from(["store", "end"]))}
    if draw(st.booleans()):
        step["times"] = draw(st.integers(1, 50))
    if draw(st.booleans()):
        step["excused_by"] = draw(st.lists(st.sampled_from(used), min_size=1, max_size=2, unique=True))
    return step


def _break(draw: st.DrawFn, used: list[str], ending: list[str], steps: list[str]) -> dict[str, Any]:
    """Of any shape. Sometimes a flaw, a repetition that clears itself say; then the break is left out."""
    step, touchpoint = draw(st.sampled_from(steps)), draw(st.sampled_from(used))
    wait = {"tolerate": draw(DURATIONS), **_counting(draw)} if draw(st.booleans()) else {}
    rule: dict[str, Any]
    match draw(st.sampled_from([shape.kind for shape in SHAPES])):
        case "low_score":
            rule = {"score": draw(WORDS), "below": draw(st.sampled_from([3, 0.5, -1.25, 1e9])), "about": step}
        case "repeated":
            window = {"at_least": draw(st.integers(2, 50)), "in_window": draw(DURATIONS)}
            rule = {"touchpoint": touchpoint, **window, "cleared_by": step, **_where(draw)}
        case "failure_event":
            rule = {"touchpoint": touchpoint, "cleared_by": step, **wait, **_where(draw)}
        case "out_of_order":
            rule = {"touchpoint": touchpoint, "requires": step, **wait, **_where(draw)}
        case "skipped_step":
            rule = {"without": step, **wait}
        case "abandoned":
            rule = {"idle": draw(DURATIONS), **_counting(draw)}
        case "experience_balance":
            rule = {"balance_below": draw(st.sampled_from([0, -3, -0.5])), "until": 0.5, "half_life": draw(DURATIONS)}
        case "identity_conflict":
            among = draw(st.one_of(st.none(), st.lists(st.sampled_from(used), min_size=1, max_size=2, unique=True)))
            rule = {"persons_above": draw(st.integers(1, 20))} | ({"among": among} if among else {})
        case _:
            limit = draw(st.one_of(st.integers(0, 50), st.sampled_from([*used, *ending])))
            ban = {"at_most": limit} if isinstance(limit, int) else {"never_with": limit}
            rule = {"touchpoint": draw(st.sampled_from([*used, *ending])), **ban, **_where(draw)}
    return rule | {"severity": draw(SEVERITIES)}


def _catalogue(draw: st.DrawFn, words: list[str]) -> Catalogue:
    impact = {"stage": "purchase", "mode": "activate", "criticality": "low", "valence": "negative"}
    late = [draw(st.one_of(st.none(), DURATIONS)) for _ in words]
    entries = {
        word: {"owner": "team-a", "impact": impact} | ({"arrives_within": each} if each else {})
        for word, each in zip(words, late)
    }
    return Catalogue.model_validate({"touchpoints": entries})
