"""Why nobody is told for now, although there is something to tell. Pure.

A silence is a person's word for some hours, a maintenance window is the routes file's, each week; what flaps is kept
quiet by itself; what moved to another customer waits for the alert that continues it there. What is held back is not
lost: it waits until the hold ends and is decided then, as it stands then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Annotated, Final, Literal, NamedTuple, get_args

from pydantic import Field, StringConstraints, model_validator

from schemas.quiet_times import Flapping
from schemas.records import Alert, AlertScope, BreakKind, Severity
from schemas.touchpoint import Contract
from sinks.notify.flap import Flap, steady_at
from sinks.notify.incident import Labels, is_open, labels_of
from sinks.notify.windows import Windows

SILENCES_MAX: Final = 200
SILENCE_MS_MAX: Final = 30 * 86_400_000
AHEAD_MS_MAX: Final = 90 * 86_400_000
MOVED_WAIT_MS: Final = 60_000
"""How long one that moved waits for its heir. That comes from another customer's partition, as a rule in the same
second; but its worker may be busy or just be replaced, which takes it some ten seconds. Who waits longer keeps
somebody at work on what is no break.
"""
FLAPPING: Final = Flapping()
HoldReason = Literal["silenced", "maintenance", "flapping", "moved"]
HOLD_REASONS: Final[tuple[HoldReason, ...]] = get_args(HoldReason)
Matched = Annotated[str, StringConstraints(min_length=1, max_length=300)]
Said = Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]
Who = Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]


class Matchers(Contract):
    """All that is given must be equal. `definition` and `break` as Slack and Alertmanager show them."""

    model_config = {**Contract.model_config, "populate_by_name": True}
    definition: Matched | None = None
    break_name: Annotated[Matched | None, Field(alias="break")] = None
    kind: BreakKind | None = None
    severity: Severity | None = None
    owner: Matched | None = None
    scope: AlertScope | None = None
    anchor: Matched | None = None
    customer_id: Matched | None = None

    @model_validator(mode="after")
    def _something(self) -> Matchers:
        if not self.given():
            raise ValueError("say what is to be silent: definition, break, kind, severity, owner, scope, anchor or "
                             "customer_id")  # fmt: skip
        return self

    def given(self) -> dict[str, str]:
        return self.model_dump(by_alias=True, exclude_none=True)

    def match(self, alert: Alert, labels: Labels) -> bool:
        pairs: tuple[tuple[str | None, str | None], ...] = (
            (self.definition, labels.journey), (self.break_name, labels.break_name), (self.kind, labels.kind),
            (self.severity, labels.severity), (self.owner, labels.owner), (self.scope, labels.scope),
            (self.anchor, alert.anchor), (self.customer_id, alert.customer_id),
        )  # fmt: skip
        return all(wanted is None or wanted == found for wanted, found in pairs)


class Silence(Contract):
    """Times are the wall clock, ms. `until_at` does not belong to it."""

    silence_id: str
    matchers: Matchers
    from_at: int
    until_at: int
    reason: Said
    by: Who
    made_at: int


def silence_of(matchers: Matchers, from_at: int, until_at: int, reason: str, by: str, now: int) -> Silence:
    """Its id follows from its content: made twice it is the same. Raises ValueError where its times make no sense."""
    if until_at <= max(from_at, now):
        raise ValueError("until: it would be over already")
    if until_at - from_at > SILENCE_MS_MAX:
        raise ValueError(f"until: a silence lasts {SILENCE_MS_MAX // 86_400_000} days at most")
    if from_at - now > AHEAD_MS_MAX:
        raise ValueError(f"from: more than {AHEAD_MS_MAX // 86_400_000} days ahead")
    content = "\0".join((matchers.model_dump_json(), str(from_at), str(until_at), reason, by))
    return Silence(
        silence_id=sha256(content.encode()).hexdigest()[:12],
        matchers=matchers,
        from_at=from_at,
        until_at=until_at,
        reason=reason,
        by=by,
        made_at=now,
    )


class Hold(NamedTuple):
    """`until`: when to look again (wall clock, ms). `by`: the silence's id or the window's name."""

    reason: HoldReason
    until: int
    by: str = ""


@dataclass(frozen=True, slots=True)
class Quiet:
    """Everything that can hold back, as it is now."""

    silences: Sequence[Silence] = ()
    windows: Windows = field(default_factory=lambda: Windows({}))
    flapping: Flapping = FLAPPING

    def hold(self, alert: Alert, flap: Flap, now: int, moved_at: int | None = None) -> Hold | None:
        """`flap`: of the alert. Of something that flaps one beginning is told, unless it is silent anyway. `moved_at`:
        when it was heard that the alert moved. Other holds come first: they may end later, and then it is asked again.
        """
        labels = labels_of(alert)
        matching = [
            one for one in self.silences if one.from_at <= now < one.until_at and one.matchers.match(alert, labels)
        ]
        if matching:
            longest = max(matching, key=lambda one: (one.until_at, one.silence_id))
            return Hold("silenced", longest.until_at, longest.silence_id)
        if (window := self.windows.open(labels, now)) is not None:
            return Hold("maintenance", window.until, window.name)
        if flap.is_flapping and (flap.is_told or not is_open(alert.state)):
            return Hold("flapping", steady_at(flap, self.flapping))
        if moved_at is not None and moved_at <= now < moved_at + MOVED_WAIT_MS:
            return Hold("moved", moved_at + MOVED_WAIT_MS)
        return None
