"""Should somebody be told of this change of an alert? A pure function of the change and of what was told
before; it says why.

What was told is kept by `dedup_key`, which stays when a journey moves to another customer. Whoever heard that
something broke hears how it ended, even when the end comes from the alert that continues it; whoever heard
nothing is not bothered with an end. What a person closed stays closed there, too: the workers know that it was closed
under one customer, and only the key knows it under the next.

One that moved goes on under the next customer, if the same key is heard from there; with nobody told until then.
If it is not, it is withdrawn.

A hold (`sinks.notify.quiet`) puts off what concerns somebody: the change is decided again when the hold ends, if no
later one took its place. So what fired and cleared within a silence is told to nobody, and what is open still is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from schemas.records import Alert
from sinks.notify.incident import is_open
from sinks.notify.quiet import HOLD_REASONS, Hold, HoldReason

ToldState = Literal["nothing", "firing", "acknowledged", "resolved", "withdrawn"]
Reason = Literal[
    "told",
    "replay",
    "shadow",
    "monitored",
    "silent",
    "closed",
    "handed_over",
    "continues",
    "duplicate",
    "not_told",
    HoldReason,
]

REASONS: Final[dict[Reason, str]] = {
    "told": "somebody is told",
    "replay": "the change comes from a replay or backfill",
    "shadow": "the definition is in shadow mode",
    "monitored": "the touchpoint is only monitored (docs/catalogue.md)",
    "silent": "the alert says that nobody is to be told",
    "closed": "somebody closed it, which is for good, whoever has the journey now",
    "handed_over": "the journey went to another customer, and its alert was heard from there before",
    "continues": "it was told before, of the customer who had the journey then",
    "duplicate": "it was told before",
    "not_told": "nobody was told that it broke, so nobody is told that it ended",
    "silenced": "a silence matches; told when it ends, if it is open then",
    "maintenance": "a maintenance window is open; told when it ends, if it is open then",
    "flapping": "it comes and goes; told once, and then when it is steady",
    "moved": "the journey went to another customer; told as withdrawn if no alert continues it there within a minute",
}
SOMEBODY: Final = "somebody"
NOBODYS: Final = frozenset[Reason](("replay", "shadow", "monitored", "silent", "closed", "handed_over"))
"""Changes that concern nobody: not told, not listed, not held back."""


@dataclass(frozen=True, slots=True)
class Told:
    """The last thing that was told under a dedup key; `round` counts how often it was firing. `by`: who acknowledged;
    who looked after an alert looks after the one that continues it. `closed`: a person closed it, for good; so whether
    it was told by then or is held back, nobody hears of it as firing.
    """

    state: ToldState = "nothing"
    round: int = 0
    by: str | None = None
    closed: bool = False

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

    @property
    def is_held(self) -> bool:
        return self.reason in HOLD_REASONS


def decide(alert: Alert, told: Told, hold: Hold | None = None, *, has_heir: bool = False) -> Decision:
    """`has_heir`: another alert of the same key was heard since this one. Without a hold one that moved has no heir."""
    decision = _decide(alert, told, has_heir)
    if hold is None or decision.reason in NOBODYS or not (is_open(alert.state) or told.is_open):
        return decision
    return Decision(hold.reason, replace(told, closed=decision.after.closed))


def _decide(alert: Alert, told: Told, has_heir: bool) -> Decision:
    if alert.run in ("replay", "backfill"):
        return Decision("replay", told)
    match alert.state:
        case "moved" if has_heir:
            return Decision("handed_over", told)
        case "moved" if not told.is_open:
            return Decision("not_told", told)
        case "moved":
            return Decision("told", Told("withdrawn", told.round, closed=told.closed))
        case "firing":
            return _fired(alert, told)
        case "acknowledged":
            return _acknowledged(alert, told)
        case "resolved" | "withdrawn":
            closed = told.closed or alert.reason == "closed"
            if not told.is_open:
                return Decision("not_told", replace(told, closed=closed))
            return Decision("told", Told(alert.state, told.round, closed=closed))


def _fired(alert: Alert, told: Told) -> Decision:
    if told.closed:
        return Decision("closed", told)
    if told.is_open:
        return Decision("continues" if alert.continues else "duplicate", told)
    if not alert.notify:
        return Decision(_UNTOLD.get(alert.reason, "silent"), told)
    return Decision("told", Told("firing", told.round + 1))


def _acknowledged(alert: Alert, told: Told) -> Decision:
    """Of one whose beginning was held back this is the first that anybody hears."""
    if told.closed:
        return Decision("closed", told)
    if told.state == "acknowledged":
        return Decision("duplicate", told)
    if not (told.is_open or alert.notify):
        return Decision(_UNTOLD.get(alert.reason, "silent"), told)
    round_ = told.round if told.is_open else told.round + 1
    return Decision("told", Told("acknowledged", round_, alert.acknowledged_by or SOMEBODY))


_UNTOLD: Final[dict[str, Reason]] = {"shadow": "shadow", "monitored": "monitored"}


def idempotency_key(dedup_key: str, after: Told) -> str:
    """The same for every attempt and every redo of one transition; another one when it fires again."""
    return f"{dedup_key}.{after.round}.{after.state}"
