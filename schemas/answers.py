"""Definitions that nobody wrote: what the owner of a touchpoint owes the customer (docs/catalogue.md, "Participate").

`answer: {touchpoint: review_answered, within: 2d}` beside mode `participate` makes the definition `answer_NAME`, as
good as a file: it is compiled, explained and shown in views like any other, and changes with the catalogue. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from schemas.definition import Catalogue, CatalogueEntry, Definition, Instance, Outcome, Pattern, Step, duration_ms
from schemas.records import Severity
from schemas.yaml_file import Path_, nearest

PREFIX: Final = "answer_"
STEP: Final = "answered"
DAY_MS: Final = 86_400_000
NAME_MAX: Final = 60 - len(PREFIX)
LIFETIME_DAYS: Final = 30
"""At least; a longer `within` has its own time, and two days for the alert to be told in."""


def answers_of(catalogue: Catalogue) -> list[Definition]:
    """In the order of the catalogue. Of one that has no flaws."""
    return [_answer(name, entry) for name, entry in catalogue.touchpoints.items() if entry.answer is not None]


def _answer(name: str, entry: CatalogueEntry) -> Definition:
    answer = entry.answer
    assert answer is not None, "asked only of entries that have one"
    severity: Severity = "error" if entry.impact.criticality == "high" else "warning"
    days = duration_ms(answer.within) // DAY_MS + 2
    return Definition(
        journey=PREFIX + name,
        version=1,
        mode="live",
        owner=entry.owner,
        instance=Instance(key=entry.attributed_by or "customer"),
        start=Pattern(touchpoint=name),
        steps={STEP: Step(touchpoint=answer.touchpoint, within=answer.within, severity=severity)},
        outcome=Outcome(success=STEP),
        lifetime=f"{max(days, LIFETIME_DAYS)}d",
    )


def name_flaws(definition: Definition, catalogue: Catalogue) -> Iterator[tuple[Path_, str]]:
    """Of a definition in a file that has the name of one that is made here."""
    entry = catalogue.touchpoints.get(definition.journey.removeprefix(PREFIX))
    if definition.journey.startswith(PREFIX) and entry is not None and entry.answer is not None:
        yield ("journey",), f"{definition.journey!r} is made from the `answer` in the catalogue. Choose another name."


def answer_flaws(catalogue: Catalogue) -> Iterator[tuple[Path_, str]]:
    """What makes no sense in the `answer` of an entry, each with its place in the file."""
    for name, entry in catalogue.touchpoints.items():
        if entry.answer is None:
            continue
        path, answering = (name, "answer"), entry.answer.touchpoint
        known = catalogue.touchpoints.get(answering)
        if entry.impact.mode != "participate":
            yield path, f"an answer is for mode participate, and {name!r} is of mode {entry.impact.mode}."
        if len(name) > NAME_MAX:
            yield path, f"an answer makes a journey {PREFIX}{name}, which is too long: {NAME_MAX} characters at most."
        if answering == name:
            yield (*path, "touchpoint"), f"{name!r} would answer itself."
        elif known is None:
            advice = nearest(answering, catalogue.touchpoints)
            yield (*path, "touchpoint"), f"touchpoint {answering!r} is not in the catalogue.{advice}"
        elif known.impact.mode == "ignore":
            yield (*path, "touchpoint"), f"touchpoint {answering!r} is of mode ignore, so the answer is never seen."
