"""What a touchpoint is worth to the customer: docs/catalogue.md. Pure; journeys weigh with it, and the views of
ClickHouse are generated from the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from schemas.definition import Catalogue, CatalogueEntry, Score
from schemas.records import Fact

CRITICALITY: Final = {"low": 1, "medium": 2, "high": 4}
VALENCE: Final = {"positive": 1, "neutral": 0, "negative": -1}


class Worth(NamedTuple):
    """`valence` counts where the score is missing or no number."""

    criticality: int
    valence: int
    score: Score | None

    def weight(self, facts: Mapping[str, Fact] | None) -> float:
        score = self.score
        value = facts.get(score.property) if score is not None and facts else None
        if score is None or isinstance(value, bool) or not isinstance(value, int | float):
            return float(self.criticality * self.valence)
        return self.criticality * experience_of(score, value)


def experience_of(score: Score, value: float) -> float:
    """Between -1 and 1."""
    is_good = (value > score.neutral) == (score.best > score.neutral)
    span = score.best - score.neutral if is_good else score.neutral - score.worst
    return max(-1.0, min(1.0, (value - score.neutral) / span))


def worth_of(entry: CatalogueEntry) -> Worth | None:
    """None: it has no weight."""
    impact = entry.impact
    if impact.mode == "ignore" or (impact.valence == "neutral" and entry.score is None):
        return None
    return Worth(CRITICALITY[impact.criticality], VALENCE[impact.valence], entry.score)


def worths_of(catalogue: Catalogue) -> dict[str, Worth]:
    """Of every touchpoint that has weight."""
    found = {name: worth_of(entry) for name, entry in catalogue.touchpoints.items()}
    return {name: worth for name, worth in found.items() if worth is not None}
