"""docs/identity.md by brute force: every answer is computed from the whole sorted set.

Of arrival only two things are used, as the page says: what is on time, and the correction of clocks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID, uuid5

from tests.oracle.decode import BUSINESS, CONTACTS, DEVICES, Touchpoint
from tests.oracle.definitions import DAY, ENDS_SESSION, HOUR, MINUTE

NAMESPACE: Final = UUID("6f1d4c1e-7f0b-5d0e-9a55-6c1b7d3f4a10")
HORIZON: Final = 72 * HOUR
LOGIN_REACH: Final = 72 * HOUR
SKEW_MIN: Final = 10 * MINUTE
KIOSK_USERS_MAX: Final = 4
KIOSK_TOUCHPOINTS_MAX: Final = 1_000
KEPT_MAX: Final = 5_000
Identifier = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Attributed:
    touchpoint: Touchpoint
    customer: str | None
    by: str
    too_late: bool


@dataclass(frozen=True, slots=True)
class Attribution:
    """`owners`: business key -> customer, for the keys that have a claim. `crowded`: identifiers past the bound."""

    touchpoints: dict[str, Attributed]
    owners: dict[Identifier, str]
    crowded: frozenset[Identifier]


def customer_of(identifier: Identifier) -> str:
    return str(uuid5(NAMESPACE, f"{identifier[0]}:{identifier[1]}"))


def correct_clocks(arrivals: Iterable[Touchpoint]) -> list[Touchpoint]:
    """`arrivals` without duplicates, in the order of the log."""
    offsets: dict[tuple[str, ...], int] = defaultdict(int)
    corrected = []
    for x in arrivals:
        about = x.routing or (("subject", *x.subject) if x.subject else ("message", x.message_id))
        if x.sent_at is not None and x.received_at is not None:
            skew = x.received_at - x.sent_at
            if abs(skew - offsets[about]) > SKEW_MIN:
                offsets[about] = (skew + MINUTE // 2) // MINUTE * MINUTE
        offset = offsets[about]
        corrected.append(replace(x, occurred_at=x.occurred_at_sent + offset) if offset else x)
    return corrected


def attribute(arrivals: Iterable[Touchpoint]) -> Attribution:
    everything = sorted(correct_clocks(arrivals), key=lambda x: x.order)
    late = {x.touchpoint_id for x in everything if x.log_time - x.occurred_at > HORIZON}
    on_time = [x for x in everything if x.touchpoint_id not in late]
    found: dict[str, tuple[str | None, str]] = {}
    for device, present in _by_device(on_time).items():
        found |= _on_device(device, present)
    for x in everything:
        if "user_id" in x.identifiers:
            found[x.touchpoint_id] = (customer_of(("user_id", x.identifiers["user_id"])), "user_id")
        elif x.touchpoint_id not in found:
            found[x.touchpoint_id] = _without_user(x)
    owners = _owners(on_time, found)
    for x in on_time:
        if found[x.touchpoint_id][1] == "waiting" and x.routing in owners:
            found[x.touchpoint_id] = (owners[x.routing], "business_key")
    answers = {x.touchpoint_id: Attributed(x, *found[x.touchpoint_id], x.touchpoint_id in late) for x in everything}
    return Attribution(answers, owners, _crowded(everything))


def _by_device(on_time: Iterable[Touchpoint]) -> dict[Identifier, list[Touchpoint]]:
    devices: dict[Identifier, list[Touchpoint]] = defaultdict(list)
    for x in on_time:
        if x.routing is not None and x.routing[0] in DEVICES:
            devices[x.routing].append(x)
    return devices


def _without_user(x: Touchpoint) -> tuple[str | None, str]:
    """Rules 3 to 5, and a touchpoint that is too late."""
    if x.routing is None:
        return None, "subject"
    if x.routing[0] in BUSINESS:
        return None, "waiting"
    return customer_of(x.routing), "contact" if x.routing[0] in CONTACTS else "device"


def _on_device(device: Identifier, present: Sequence[Touchpoint]) -> dict[str, tuple[str | None, str]]:
    """Rule 2. `present`: the on-time touchpoints of one device, in the order."""
    kiosk_days = _kiosk_days(present)
    markers = [x for x in present if _is_logout(x) or (_is_login(x) and x.occurred_at // DAY not in kiosk_days)]
    orders = [marker.order for marker in markers]
    found: dict[str, tuple[str | None, str]] = {}
    for x in present:
        users: set[str] = set()
        if x.occurred_at // DAY not in kiosk_days:
            before = bisect_left(orders, x.order)
            after = before + (before < len(orders) and orders[before] == x.order)
            if before and x.occurred_at - markers[before - 1].occurred_at <= LOGIN_REACH:
                users |= _user_of(markers[before - 1])
            if after < len(markers) and markers[after].occurred_at - x.occurred_at <= HORIZON:
                users |= _user_of(markers[after])
        found[x.touchpoint_id] = (customer_of(device), "device")
        if len(users) == 1:
            found[x.touchpoint_id] = (customer_of(("user_id", users.pop())), "login")
    return found


def _kiosk_days(present: Iterable[Touchpoint]) -> set[int]:
    users: dict[int, set[str]] = defaultdict(set)
    count: dict[int, int] = defaultdict(int)
    for x in present:
        day = x.occurred_at // DAY
        count[day] += 1
        if "user_id" in x.identifiers:
            users[day].add(x.identifiers["user_id"])
    return {day for day in count if len(users[day]) > KIOSK_USERS_MAX or count[day] > KIOSK_TOUCHPOINTS_MAX}


def _is_logout(x: Touchpoint) -> bool:
    return x.name in ENDS_SESSION


def _is_login(x: Touchpoint) -> bool:
    return "user_id" in x.identifiers and not _is_logout(x)


def _user_of(marker: Touchpoint) -> set[str]:
    return set() if _is_logout(marker) else {marker.identifiers["user_id"]}


def _owners(on_time: Iterable[Touchpoint], found: dict[str, tuple[str | None, str]]) -> dict[Identifier, str]:
    """Rule 4: the earliest claim on each key. `on_time` in the order, so the first one counts."""
    owners: dict[Identifier, str] = {}
    for x in on_time:
        customer, _ = found[x.touchpoint_id]
        if customer is None:
            continue
        for kind in BUSINESS:
            if kind in x.identifiers:
                owners.setdefault((kind, x.identifiers[kind]), customer)
    return owners


def _crowded(everything: Iterable[Touchpoint]) -> frozenset[Identifier]:
    count: dict[Identifier, int] = defaultdict(int)
    for x in everything:
        for identifier in x.identifiers.items():
            count[identifier] += 1
    return frozenset(identifier for identifier, number in count.items() if number > KEPT_MAX)
