"""One definition for each kind of break, and the shortest story that makes it happen. Times are as short as the
language allows: the wait itself is not measured, only what comes after it.

A story is told by one device, which no other story has; its last line is the cause. Kinds that are about no customer
have a source or a touchpoint of their own for each story.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from schemas.definition import Catalogue, Definition
from schemas.records import BreakKind
from schemas.sources import SourceRules

Basis = Literal["touchpoint", "deadline", "silence", "contract"]
"""What an alert is measured from: the append of its cause; the moment at which it may be judged; the moment at which
the source is silent; the append of the touchpoint that breaks its contract.
"""
WAIT_MS: Final = 2_000
GRACE_MS: Final = 1_000
GAP_MS: Final = 1_200
"""Between two lines of a story: what follows on the same more closely counts once."""
BROWSING: Final = ("page_viewed", "product_viewed", "search_performed")
TILL: Final = "till-{till}"
CONTRACT: Final = "signed_contract"


class Line(NamedTuple):
    """`who`: more identifiers than the device's, with {story} in their values."""

    name: str
    properties: Mapping[str, Any] = {}
    who: Mapping[str, str] = {}


class Story(NamedTuple):
    """`breaks` and `steps` as in a definition; `key` of its instances."""

    kind: BreakKind
    basis: Basis
    lines: Sequence[Line]
    steps: Mapping[str, Any] = {}
    breaks: Mapping[str, Any] = {}
    key: str = "customer"


def _step(name: str, **more: Any) -> dict[str, Any]:
    return {"done": {"touchpoint": f"{name}_done", **more}}


def _of_key(number: int) -> dict[str, str]:
    return {"order_id": "o-{story}", "user_id": f"u{number}-{{story}}"}


STORIES: Final = (
    Story("missing_step", "deadline", [Line("missing_step_begun")], _step("missing_step", within="2s")),
    Story(
        "handoff_lost",
        "deadline",
        [Line("handoff_lost_begun")],
        _step("handoff_lost", within="2s", handoff={"from": "web", "to": "store"}),
    ),
    Story(
        "feedback_not_asked",
        "deadline",
        [Line("feedback_not_asked_begun")],
        _step("feedback_not_asked", within="2s", feedback=True),
    ),
    Story(
        "repeated",
        "touchpoint",
        [Line("repeated_begun"), *[Line("repeated_bad")] * 3],
        _step("repeated"),
        {"again": {"touchpoint": "repeated_bad", "at_least": 3, "in_window": "10s", "cleared_by": "done"}},
    ),
    Story(
        "low_score",
        "touchpoint",
        [Line("low_score_begun"), Line("low_score_bad", {"csat": 1})],
        _step("low_score"),
        {"sad": {"score": "csat", "below": 3}},
    ),
    Story(
        "failure_event",
        "deadline",
        [Line("failure_event_begun"), Line("failure_event_bad")],
        _step("failure_event"),
        {"failed": {"touchpoint": "failure_event_bad", "cleared_by": "done", "tolerate": "2s"}},
    ),
    Story(
        "out_of_order",
        "touchpoint",
        [Line("out_of_order_begun"), Line("out_of_order_bad")],
        _step("out_of_order"),
        {"too_soon": {"touchpoint": "out_of_order_bad", "requires": "done"}},
    ),
    Story(
        "skipped_step",
        "touchpoint",
        [Line("skipped_step_begun"), Line("skipped_step_done")],
        _step("skipped_step") | {"before": {"touchpoint": "skipped_step_bad"}},
        {"without_it": {"without": "before"}},
    ),
    Story("abandoned", "deadline", [Line("abandoned_begun")], _step("abandoned"), {"gone": {"idle": "2s"}}),
    Story(
        "forbidden",
        "touchpoint",
        [Line("forbidden_begun"), Line("forbidden_bad")],
        _step("forbidden"),
        {"never": {"touchpoint": "forbidden_bad", "at_most": 0}},
    ),
    Story(
        "experience_balance",
        "touchpoint",
        [Line("experience_balance_begun"), *[Line("experience_balance_bad")] * 2],
        {},
        {"unhappy": {"balance_below": -5, "until": 0, "half_life": "1h"}},
    ),
    Story(
        "identity_conflict",
        "touchpoint",
        [Line("identity_conflict_begun", {}, _of_key(1)), Line("identity_conflict_bad", {}, _of_key(2))],
        _step("identity_conflict"),
        {"two_of_them": {"persons_above": 1, "among": ["identity_conflict_begun", "identity_conflict_bad"]}},
        "order_id",
    ),
    Story("silent_source", "silence", [Line("silent_source_begun")]),
    Story("broken_contract", "contract", [Line(CONTRACT)]),
)
BY_KIND: Final[Mapping[BreakKind, Story]] = {story.kind: story for story in STORIES}


def definitions() -> list[Definition]:
    return [_definition(story) for story in STORIES if story.steps or story.breaks]


def _definition(story: Story) -> Definition:
    return Definition.model_validate(
        {
            "journey": story.kind,
            "version": 1,
            "mode": "live",
            "owner": "benchmark",
            "instance": {"key": story.key},
            "start": {"touchpoint": f"{story.kind}_begun"},
            "steps": story.steps,
            "outcome": {"success": "done"} if story.steps else {},
            "breaks": story.breaks,
            "grace": "1s",
            "lifetime": "1h",
        }
    )


def catalogue(contracts: int) -> Catalogue:
    """`contracts`: how many touchpoints there are whose contract can be broken, each of which raises one alert."""
    names = [f"{story.kind}_{part}" for story in STORIES for part in ("begun", "done", "bad")]
    entries = {name: _entry("negative" if name == "experience_balance_bad" else "neutral") for name in names}
    entries |= {name: _entry("neutral") for name in BROWSING}
    entries["low_score_bad"] = _entry("neutral", score={"property": "csat", "worst": 1, "neutral": 3, "best": 5})
    entries["handoff_lost_done"] = _entry("neutral") | {"channel": "store"}
    broken = _entry("neutral", mode="control", properties={"amount": {"type": "number", "required": True}})
    entries |= {f"{CONTRACT}_{number:04d}": broken for number in range(contracts)}
    return Catalogue.model_validate({"touchpoints": entries})


def _entry(valence: str, mode: str = "activate", **more: Any) -> dict[str, Any]:
    impact = {"stage": "purchase", "mode": mode, "criticality": "high", "valence": valence}
    return {"channel": "web", "owner": "benchmark", "impact": impact, **more}


def sources() -> SourceRules:
    till = {"owner": "benchmark", "brings": ["silent_source_begun"], "silent_after": "2s"}
    return SourceRules.model_validate({"sources": {TILL: till}})
