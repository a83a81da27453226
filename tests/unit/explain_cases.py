"""Definitions without flaws, of every shape that a file may have, for the laws of `touchline explain`."""

from __future__ import annotations

from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from schemas.definition import Catalogue, Definition
from schemas.definition_checks import flaws_of

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


@st.composite
def cases(draw: st.DrawFn) -> tuple[Definition, Catalogue]:
    words = draw(st.lists(WORDS, min_size=4, max_size=9, unique=True))
    ending, used = words[:1], words[1:]
    steps: dict[str, Any] = {}
    for name in draw(st.lists(WORDS, min_size=1, max_size=6, unique=True)):
        steps[name] = _step(draw, used, ["start", *steps])
    names = [name for name in draw(st.lists(WORDS, max_size=3, unique=True)) if name not in steps]
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
        "breaks": {name: _break(draw, used, list(steps)) for name in names},
        "grace": draw(DURATIONS),
        "lifetime": LIFETIME,
    }
    definition, catalogue = Definition.model_validate(raw), _catalogue(draw, words)
    assume(not list(flaws_of(definition, catalogue)))
    return definition, catalogue


def _where(draw: st.DrawFn) -> dict[str, Any]:
    where = draw(st.dictionaries(WORDS, FACTS, max_size=2))
    return {"where": where} if where else {}


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
        if draw(st.booleans()):
            step["handoff"] = {"from": "web", "to": draw(st.sampled_from(["store", "end"]))}
    return step


def _break(draw: st.DrawFn, used: list[str], steps: list[str]) -> dict[str, Any]:
    if draw(st.booleans()):
        below = draw(st.sampled_from([3, 0.5, -1.25, 1e9]))
        return {
            "score": draw(WORDS),
            "below": below,
            "about": draw(st.sampled_from(steps)),
            "severity": draw(SEVERITIES),
        }
    return {
        "touchpoint": draw(st.sampled_from(used)),
        "at_least": draw(st.integers(2, 50)),
        "in_window": draw(DURATIONS),
        "cleared_by": draw(st.sampled_from(steps)),
        "severity": draw(SEVERITIES),
        **_where(draw),
    }


def _catalogue(draw: st.DrawFn, words: list[str]) -> Catalogue:
    impact = {"stage": "purchase", "mode": "activate", "criticality": "low"}
    late = [draw(st.one_of(st.none(), DURATIONS)) for _ in words]
    entries = {
        word: {"owner": "team-a", "impact": impact} | ({"arrives_within": each} if each else {})
        for word, each in zip(words, late)
    }
    return Catalogue.model_validate({"touchpoints": entries})
