"""The agent `resolve`: attributes touchpoints to customers. Its stage is pure and comes as a factory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from streams.settings import StageSpec
from streams.stage import Effect, Stage

NAME: Final = "resolve"
SOURCE: Final = "touchpoints.raw"
CHANGELOG: Final = "resolve.changelog"
PARTITIONS: Final = 12


def spec(factory: Callable[[int], Stage], beat: Callable[[int], Effect] | None = None) -> StageSpec:
    """`beat` only where no collector appends beats to the raw partitions."""
    return StageSpec(NAME, SOURCE, CHANGELOG, PARTITIONS, factory, beat)
