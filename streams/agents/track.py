"""The agent `track`: folds touchpoints into journeys. Its stage is pure and comes as a factory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from streams.settings import StageSpec
from streams.stage import Stage

NAME: Final = "track"
SOURCE: Final = "touchpoints"
CHANGELOG: Final = "track.changelog"
PARTITIONS: Final = 12


def spec(factory: Callable[[int], Stage]) -> StageSpec:
    return StageSpec(NAME, SOURCE, CHANGELOG, PARTITIONS, factory)
