"""What comes and goes too often. Pure; the same rule for an alert (of one break and anchor) and for an incident.

The law: who is told of something that flaps is told once, when it begins again for the time that is too many; then
nothing until nothing has changed for a while; then how it stands. So the last word is the truth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from schemas.definition import duration_ms
from schemas.quiet_times import Flapping
from schemas.records import Alert
from sinks.notify.incident import labels_of


@dataclass(frozen=True, slots=True)
class Flap:
    """`begins`: when it began, lately; `turned_at`: when it last began or ended (wall clock, ms). `is_told`: somebody
    was told that it flaps.
    """

    is_open: bool = False
    begins: tuple[int, ...] = ()
    turned_at: int = 0
    is_flapping: bool = False
    is_told: bool = False


STEADY = Flap()


def steady_at(flap: Flap, policy: Flapping) -> int:
    return flap.turned_at + duration_ms(policy.steady_for)


def settled(flap: Flap, now: int, policy: Flapping) -> Flap:
    """As it is at `now`, if nothing changed. A clock that was set back keeps nobody waiting."""
    if not flap.is_flapping or flap.turned_at <= now < steady_at(flap, policy):
        return flap
    return Flap(is_open=flap.is_open, turned_at=flap.turned_at)


def turned(flap: Flap, is_open: bool, now: int, policy: Flapping) -> Flap:
    """After a change; `is_open` as it is now."""
    flap = settled(flap, now, policy)
    if is_open == flap.is_open:
        return flap
    since = now - duration_ms(policy.within)
    begins = tuple(at for at in flap.begins if since < at <= now)[-policy.more_than - 1 :]
    if is_open:
        begins = (*begins, now)
    is_flapping = flap.is_flapping or len(begins) > policy.more_than + 1
    return Flap(is_open, begins, now, is_flapping, flap.is_told)


def told(flap: Flap) -> Flap:
    return replace(flap, is_told=True)


def flap_key(alert: Alert) -> str:
    """Of a break of one order, customer or source, whichever occurrence it is."""
    return f"a.{labels_of(alert).key()}.{alert.anchor}"


def incident_flap_key(incident_key: str) -> str:
    return f"i.{incident_key}"
