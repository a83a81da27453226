"""The words of the simulation: who does what when, and what must come of it.

A plan is true: `occurred_at` is the real time of the act. What the client's clock says, how the bytes look and when
they arrive follow from it (`sources.simulation.wire`). An expectation states by construction what the tracker must
find; nothing here uses the tracker's code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

Emitter = str
"""The source: web and app speak the Segment API, payments and the tills (`till-store-01`, ...) the JSON route, crm
writes to Kafka itself. Stories say `till`: that of the store.
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """One touchpoint that will be sent, once, twice or spoilt."""

    emitter: Emitter
    name: str
    occurred_at: int
    arrives_at: int
    identifiers: dict[str, str]
    message_id: str
    channel: str | None = None
    properties: dict[str, Any] = field(default_factory=dict)
    skew_ms: int = 0
    fault: str | None = None
    repeats: str | None = None
    """The message id of the touchpoint whose bytes this one sends again."""


@dataclass(frozen=True, slots=True)
class ExpectedBreak:
    """`planted` breaks must be found; `state` is the final state of the alert."""

    name: str
    kind: str
    state: Literal["firing", "resolved"]


@dataclass(frozen=True, slots=True)
class Expected:
    """A journey that must be found, and exactly these breaks in it.

    `key` is `order_id:...`, or `start:` and the message id of the touchpoint that begins it. `near_miss` names the
    break that this journey comes close to and must not have. `undisturbed`: nobody may hear of it, not even for
    a while, because a silent source explains what is missing.
    """

    definition: str
    key: str
    person: str
    status: Literal["open", "succeeded", "failed", "expired"]
    breaks: tuple[ExpectedBreak, ...] = ()
    near_miss: str | None = None
    story: str = ""
    undisturbed: bool = False


@dataclass(frozen=True, slots=True)
class Person:
    """A true person. `user_id` is None for somebody who never signs in."""

    person: str
    user_id: str | None
    web: str
    app: str


@dataclass(slots=True)
class Tale:
    """What one scenario adds."""

    plans: list[Plan] = field(default_factory=list)
    expected: list[Expected] = field(default_factory=list)
