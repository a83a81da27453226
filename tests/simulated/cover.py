"""What a history was about. A run of many histories in which one of these never occurred proves less than it says."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Final

from tests.oracle.attribution import AHEAD_MAX, Attributed, customer_of
from tests.oracle.usable import DEVICES, Identifier
from tests.simulated.cover_worlds import OF_THE_WORLDS
from tests.simulated.expected import Expected
from tests.simulated.log import Logs, Record
from tests.simulated.own_kinds import LIKE
from tests.simulated.seen import new_records

OF_THE_SET: Final = (
    "a contact crowded by users",
    "a user crowded by contacts",
    "a contact crowded by contacts",
    "a chain that named a user",
    "a component too large to name",
    "two users in a component",
    "a contact that named its own user there",
    "contacts that named two users",
    "contacts decided for a device",
    "contacts decided on a kiosk day",
    "contacts decided alone",
    "a kiosk day",
    "a login",
    "linked by hand",
    "a contact linked by hand",
    "unlinked by hand",
    "a contact blocked",
    "a device blocked",
    "a user blocked",
    "a key blocked",
    "a decision lifted",
    "a weak claim that counts",
    "a weak claim that yields",
    "an unproven user",
    "a proven user",
    "too late",
    "a time in the future",
    "a worn-out key",
    "a key's only touchpoints, worn out",
)
"""These follow from the expectation alone."""
OF_THE_LOGS: Final = (
    "a move by naming",
    "a move by a decision",
    "a key that moved",
    "a contact named anew",
    "a touchpoint in a foreign partition",
    "a duplicate",
    "a dead letter",
    "a broken contract",
    "a touchpoint that is ignored",
    "a source heard",
    "a source that fell silent",
)
OF_THE_WORLD: Final = ("a crash", "a fenced zombie")
OF_CLOCKS: Final = ("a clock corrected", "a clock that nobody knows", "a server's time on what a browser taught")
OF_THE_CAP: Final = ("a device past the cap", "a login past the cap", "a claim past the cap", "a contact past the cap")
"""Where identifiers keep little."""
OF_LONG_ONES: Final = ("links forgotten",)
ALL: Final = (*OF_THE_SET, *OF_THE_LOGS, *OF_THE_WORLD, *OF_CLOCKS, *OF_THE_CAP, *OF_LONG_ONES, *OF_THE_WORLDS)


def of_the_set(expected: Expected) -> Iterator[str]:
    found = expected.attribution
    links, decided = found.links, found.decided
    yield from (_crowd(one[0], kind) for one, kind in links.crowded)
    for contact in links.contacts:
        component = links.component_of[contact]
        users = {value for kind, value in component if kind == "user_id"}
        own = links.own_users(contact)
        if len(users) == 1 and not own and links.names(contact) in users:
            yield "a chain that named a user"
        if len(users) > 1:
            yield "two users in a component"
            if len(own) == 1 and links.names(contact) in own:
                yield "a contact that named its own user there"
        if len(component) > links.rules.component and users:
            yield "a component too large to name"
    yield from _decided(expected)
    for one in found.touchpoints.values():
        x = one.touchpoint
        device = (x.routing[0], x.routing[1]) if x.routing else ("", "")
        if len(links.named_by(x.identifiers)) > 1 and not one.too_late:
            yield "contacts that named two users"
        if one.by == "contact" and x.routing is not None and one.customer != customer_of(x.routing):
            yield (
                "contacts decided alone"
                if x.routing[0] in links.rules.kinds.contacts
                else "contacts decided for a device"
            )
            if (device, x.occurred_at // 86_400_000) in found.kiosk_days:
                yield "contacts decided on a kiosk day"
        if one.by == "login":
            yield "a login"
        if one.by == "manual":
            yield "linked by hand"
        if one.too_late:
            yield "too late"
        if x.unproven:
            yield "an unproven user"
        if x.weak and x.user is not None:
            yield "a proven user"
    if found.kiosk_days:
        yield "a kiosk day"
    yield from _claims(expected)
    yield from _clocks(expected)
    yield from _bounds(expected)
    if any(one.kind == "lift" for one in expected.decisions):
        yield "a decision lifted"
    if any(identifier in links.contacts for identifier in decided.linked):
        yield "a contact linked by hand"


def _crowd(identifier: str, kind: str) -> str:
    if identifier == "user_id":
        return "a user crowded by contacts"
    return "a contact crowded by users" if kind == "user_id" else "a contact crowded by contacts"


def _decided(expected: Expected) -> Iterator[str]:
    """Decisions about what the history really has."""
    found = expected.attribution
    there = {one for attributed in found.touchpoints.values() for one in attributed.touchpoint.identifiers.items()}
    names = {"anonymous_id": "a device", "email": "a contact", "loyalty_card": "a contact"}
    names |= {"user_id": "a user", "order_id": "a key"}
    names |= {own: names[kind] for own, kind in LIKE.items()}
    yield from (f"{names[one[0]]} blocked" for one in found.decided.blocked & there)
    for attributed in found.touchpoints.values():
        carried = attributed.touchpoint.identifiers.items()
        if any((one, attributed.touchpoint.user) in found.decided.unlinked for one in carried):
            yield "unlinked by hand"


def _claims(expected: Expected) -> Iterator[str]:
    found = expected.attribution
    claims: dict[Identifier, list[Attributed]] = {key: [] for key in found.owners}
    for one in found.touchpoints.values():
        if not one.too_late and one.by not in ("waiting", "business_key"):
            for key in claims.keys() & one.touchpoint.identifiers.items():
                claims[key].append(one)
    for key, group in claims.items():
        if all(one.touchpoint.weak for one in group):
            yield "a weak claim that counts"
        elif group[0].touchpoint.weak and group[0].customer != found.owners[key]:
            yield "a weak claim that yields"


def _clocks(expected: Expected) -> Iterator[str]:
    """An identifier has learned an offset that must not count for who does not say when it was sent."""
    taught: dict[Identifier, bool] = {}
    for one in sorted(expected.attribution.touchpoints.values(), key=lambda one: one.touchpoint.log_time):
        x = one.touchpoint
        if x.occurred_at_sent - x.log_time > AHEAD_MAX and x.sent_at is None:
            yield "a time in the future"
        elif x.sent_at is not None and x.occurred_at != x.occurred_at_sent:
            yield "a clock corrected"
            if x.routing is not None:
                taught[x.routing] = x.weak
        elif x.sent_at is None and x.routing in taught:
            yield "a clock that nobody knows"
            if taught[x.routing] and not x.weak:
                yield "a server's time on what a browser taught"


def _bounds(expected: Expected) -> Iterator[str]:
    found = expected.attribution
    if found.worn_out - found.decided.blocked:
        yield "a worn-out key"
    for one in found.touchpoints.values():
        x = one.touchpoint
        if x.routing in found.worn_out and not one.too_late:
            yield "a key's only touchpoints, worn out"
        if x.touchpoint_id in found.past_the_cap:
            if one.by == "device":
                yield "a device past the cap"
            elif one.by == "user_id" and x.routing is not None and x.routing[0] in DEVICES:
                yield "a login past the cap"
            elif one.by == "contact" and found.links.named_by(x.identifiers):
                yield "a contact past the cap"
            if found.owners.keys() & x.identifiers.items():
                yield "a claim past the cap"


def of_the_logs(logs: Logs, expected: Expected, partitions: int) -> Iterator[str]:
    raw = [logs.read("touchpoints.raw", partition) for partition in range(partitions)]
    for partition in range(partitions):
        for _, body in new_records(logs.read("touchpoints", partition)):
            if body["type"] == "attach" and body.get("moved_from") is not None:
                control = raw[body["at"][1]][body["at"][2]].header("control")
                if control == b"naming":
                    yield "a move by naming"
                if control == b"decision":
                    yield "a move by a decision"
                if body["scope"] != "customer":
                    yield "a key that moved"
    if _named_anew(record for partition in range(12) for record in logs.read("identities", partition)):
        yield "a contact named anew"
    if any(tally.heard.keys() & {"crm", "till-1", "till-2"} for tally in expected.tallies):
        yield "a source heard"
    alerts = (json.loads(record.value) for partition in range(12) for record in logs.read("alerts", partition))
    if any(body["kind"] == "silent_source" for body in alerts):
        yield "a source that fell silent"
    for tally in expected.tallies:
        counted = (
            (tally.forwarded, "a touchpoint in a foreign partition"),
            (tally.duplicates, "a duplicate"),
            (tally.dead_letters, "a dead letter"),
            (tally.violations, "a broken contract"),
            (tally.suppressed, "a touchpoint that is ignored"),
        )
        yield from (name for count, name in counted if count)


def _named_anew(identities: Iterator[Record]) -> bool:
    seen: dict[str, str] = {}
    for record in identities:
        body = json.loads(record.value)
        named = body["user_id"] if body["type"] == "naming" else None
        if named is not None and seen.setdefault(body["contact"], named) != named:
            return True
    return False


def missing(covered: Collection[str], wanted: Collection[str] = ALL) -> list[str]:
    return [name for name in wanted if name not in covered]
