"""Should somebody be told of this change of an alert? A pure function of the change and of what was told
before; it says why.

What was told is kept by `dedup_key`, which stays when a journey moves to another customer. Whoever heard that
something broke hears how it ended, even when the end comes from the alert that continues it; whoever heard
nothing is not bothered with an end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from schemas.records import Alert

ToldState = Literal["nothing", "firing", "acknowledged", "resolved", "withdrawn"]
Reason = Literal["told", "replay", "shadow", "silent", "moved", "continues", "duplicate", "not_told"]

REASONS: Final[dict[Reason, str]] = {
    "told": "somebody is told",
    "replay": "the change comes from a replay or backfill",
    "shadow": "the definition is in shadow mode",
    "silent": "the alert says that nobody is to be told",
    "moved": "the journey went to another customer; the alert goes on there",
    "continues": "it was told before, of the customer who had the journey then",
    "duplicate": "it was told before",
    "not_told": "nobody was told that it broke, so nobody is told that it ended",
}


@dataclass(frozen=True, slots=True)
class Told:
    """The last thing that was told under a dedup key; `round` counts how often it was firing."""

    state: ToldState = "nothing"
    round: int = 0

    @property
    def is_open(self) -> bool:
        return self.state in ("firing", "acknowledged")


@dataclass(frozen=True, slots=True)
class Decision:
    reason: Reason
    after: Told

    @property
    def tell(self) -> bool:
        return self.reason == "told"


def decide(alert: Alert, told: Told) -> Decision:
    if alert.run in ("replay", "backfill"):
        return Decision("replay", told)
    match alert.state:
        case "moved":
            return Decision("moved", told)
        case "firing":
            return _fired(alert, told)
        case "acknowledged":
            if told.state != "firing":
                return Decision("duplicate" if told.state == "acknowledged" else "not_told", told)
            return Decision("told", replace(told, state="acknowledged"))
        case "resolved" | "withdrawn":
            return Decision("told", replace(told, state=alert.state)) if told.is_open else Decision("not_told", told)


def _fired(alert: Alert, told: Told) -> Decision:
    if told.is_open:
        return Decision("continues" if alert.continues else "duplicate", told)
    if not alert.notify:
        return Decision("shadow" if alert.reason == "shadow" else "silent", told)
    return Decision("told", Told("firing", told.round + 1))


def idempotency_key(dedup_key: str, after: Told) -> str:
    """The same for every attempt and every redo of one transition; another one when it fires again."""
    return f"{dedup_key}.{after.round}.{after.state}"
