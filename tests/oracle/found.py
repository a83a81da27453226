"""What a fold finds."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class StepFound:
    status: str
    due_at: int | None
    reached_at: int | None
    touchpoint_id: str


@dataclass(frozen=True, slots=True)
class BreakFound:
    """`step` is None where no step is to blame."""

    name: str
    kind: str
    step: str | None
    occurrence: int
    cause_at: int
    due_at: int | None
    cleared_at: int | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the touchpoints of an instance say. `expired`: W is past the lifetime."""

    status: str
    started_at: int
    ended_at: int | None
    expired: bool
    steps: dict[str, StepFound]
    breaks: tuple[BreakFound, ...]


def cleared(found: BreakFound, at: int) -> BreakFound:
    return replace(found, cleared_at=at)
