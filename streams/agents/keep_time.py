"""The agent `keep_time`: turns reports of progress into marks and ticks. Its stage is pure and comes as a factory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from streams.settings import StageSpec
from streams.stage import Stage

NAME: Final = "keep_time"
SOURCE: Final = "progress"
CHANGELOG: Final = "keep_time.changelog"
PARTITIONS: Final = 1


def spec(factory: Callable[[int], Stage]) -> StageSpec:
    return StageSpec(NAME, SOURCE, CHANGELOG, PARTITIONS, factory)
