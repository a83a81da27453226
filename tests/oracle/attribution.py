"""docs/identity.md by brute force: every answer is computed from the whole sorted set.

Of arrival only two things are used, as the page says: what is on time, and the correction of clocks. Whom contacts
name, and what people decided: `links`. Where the page leaves room, this is the reading: on a kiosk day contacts decide
before the device's customer does; no decision moves what came too late, nor what an identifier keeps no longer; what
came too late takes no room from what is kept; and what is kept no longer was on its day and claims its key still.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID, uuid5

from tests.oracle.decode import SHIPPED, Touchpoint
from tests.oracle.links import Decided, InForce, Links, in_force
from tests.oracle.rules import DAY, HOUR, MINUTE
from tests.oracle.usable import Identifier, Rules

NAMESPACE: Final = UUID("6f1d4c1e-7f0b-5d0e-9a55-6c1b7d3f4a10")
SKEW_MIN: Final = 10 * MINUTE
AHEAD_MAX: Final = HOUR
"""Nothing occurs later than so long after it arrived."""
Answer = tuple[str | None, str]
"""Customer and attributed_by."""


@dataclass(frozen=True, slots=True)
class Attributed:
    touchpoint: Touchpoint
    customer: str | None
    by: str
    too_late: bool


@dataclass(frozen=True, slots=True)
class Attribution:
    """`owners`: business key -> customer, for the keys that have a claim that counts. `worn_out`: keys that too many
    carry. `past_the_cap`: touchpoints that their identifier keeps no longer. `kiosk_days`: (device, day).
    """

    touchpoints: dict[str, Attributed]
    owners: dict[Identifier, str]
    worn_out: frozenset[Identifier]
    past_the_cap: frozenset[str]
    links: Links
    decided: InForce
    kiosk_days: frozenset[tuple[Identifier, int]]


def customer_of(identifier: Identifier) -> str:
    return str(uuid5(NAMESPACE, f"{identifier[0]}:{identifier[1]}"))


def correct_clocks(arrivals: Iterable[Touchpoint]) -> list[Touchpoint]:
    """`arrivals` without duplicates, in the order of the log."""
    offsets: dict[tuple[str, ...], int] = defaultdict(int)
    corrected = []
    for x in arrivals:
        at = x.occurred_at_sent
        # Untimed: our own clock. Without both times: nobody knows which clock it was.
        if not x.untimed and x.sent_at is not None and x.received_at is not None:
            about = x.routing or (("subject", *x.subject) if x.subject else ("message", x.message_id))
            skew = x.received_at - x.sent_at
            if abs(skew - offsets[about]) > SKEW_MIN:
                offsets[about] = (skew + MINUTE // 2) // MINUTE * MINUTE
            at += offsets[about]
        corrected.append(replace(x, occurred_at=x.log_time if at - x.log_time > AHEAD_MAX else at))
    return corrected


def attribute(
    arrivals: Iterable[Touchpoint], decisions: Iterable[Decided] = (), rules: Rules = SHIPPED, today: int = 0
) -> Attribution:
    """`arrivals` without duplicates, in the order of the log; so are the decisions. `today`: the day of the last tick;
    links are forgotten in its sight.
    """
    everything = sorted(correct_clocks(arrivals), key=lambda x: x.order)
    late = {x.touchpoint_id for x in everything if x.log_time - x.occurred_at > rules.horizon}
    on_time = [x for x in everything if x.touchpoint_id not in late]
    decided = in_force(decisions)
    together = ((x.occurred_at // DAY, x.identifiers) for x in on_time)
    links = Links(together, decided, rules, since=today - rules.link_days)
    found: dict[str, Answer] = {}
    kiosk_days: set[tuple[Identifier, int]] = set()
    past_the_cap: set[str] = set()
    for identifier, present in _by_identifier(on_time, rules).items():
        kept = present[-rules.kept :]
        past_the_cap |= {x.touchpoint_id for x in present[: -rules.kept]}
        if identifier[0] in rules.kinds.devices:
            days = _kiosk_days(present, rules)
            kiosk_days |= {(identifier, day) for day in days}
            named = _named_by_logins(identifier, kept, days, decided, rules)
            for x in kept:
                found[x.touchpoint_id] = _on_device(x, identifier, named.get(x.touchpoint_id), links, decided)
    for x in everything:
        if x.user is not None:
            found[x.touchpoint_id] = (customer_of(("user_id", x.user)), "user_id")
        elif x.touchpoint_id in late or x.touchpoint_id in past_the_cap:
            found[x.touchpoint_id] = _alone(x, rules)
        elif x.touchpoint_id not in found:
            found[x.touchpoint_id] = _by_contacts(x, links) or _alone(x, rules)
    worn_out = _worn_out(on_time, rules)
    owners = _owners(on_time, found, decided.blocked | worn_out, rules)
    for x in on_time:
        if found[x.touchpoint_id][1] == "waiting" and x.routing in owners:
            found[x.touchpoint_id] = (owners[x.routing], "business_key")
    answers = {x.touchpoint_id: Attributed(x, *found[x.touchpoint_id], x.touchpoint_id in late) for x in everything}
    return Attribution(answers, owners, worn_out, frozenset(past_the_cap), links, decided, frozenset(kiosk_days))


def _by_identifier(on_time: Iterable[Touchpoint], rules: Rules) -> dict[Identifier, list[Touchpoint]]:
    """What lies on each identifier that is no business key."""
    found: dict[Identifier, list[Touchpoint]] = defaultdict(list)
    for x in on_time:
        if x.routing is not None and x.routing[0] not in rules.kinds.business:
            found[x.routing].append(x)
    return found


def _alone(x: Touchpoint, rules: Rules) -> Answer:
    """What is left when neither a user, a login nor a contact names anybody."""
    if x.routing is None:
        return None, "subject"
    if x.routing[0] in rules.kinds.business:
        return None, "waiting"
    return customer_of(x.routing), "contact" if x.routing[0] in rules.kinds.contacts else "device"


def _by_contacts(x: Touchpoint, links: Links) -> Answer | None:
    """Rule 3: the one user that the contacts name."""
    users = links.named_by(x.identifiers)
    return (customer_of(("user_id", users.pop())), "contact") if len(users) == 1 else None


def _on_device(x: Touchpoint, device: Identifier, login: str | None, links: Links, decided: InForce) -> Answer:
    """Rule 2 for one touchpoint; `login`: the one user of its candidates."""
    if device in decided.linked and device not in decided.blocked:
        return customer_of(("user_id", decided.linked[device])), "manual"
    if login is not None:
        return customer_of(("user_id", login)), "login"
    return _by_contacts(x, links) or (customer_of(device), "device")


def _named_by_logins(
    device: Identifier, present: Sequence[Touchpoint], kiosk_days: set[int], decided: InForce, rules: Rules
) -> dict[str, str]:
    """Touchpoint -> the one user of its candidates. `present`: on-time touchpoints of one device, in the order."""

    def users_of(marker: Touchpoint) -> set[str]:
        if marker.user is None or _is_logout(marker, rules) or decided.names_nobody(device, marker.user):
            return set()
        return {marker.user}

    markers = [
        x for x in present if _is_logout(x, rules) or (x.user is not None and x.occurred_at // DAY not in kiosk_days)
    ]
    orders = [marker.order for marker in markers]
    named: dict[str, str] = {}
    for x in present:
        if x.occurred_at // DAY in kiosk_days:
            continue
        users: set[str] = set()
        before = bisect_left(orders, x.order)
        after = before + (before < len(orders) and orders[before] == x.order)
        if before and x.occurred_at - markers[before - 1].occurred_at <= rules.login:
            users |= users_of(markers[before - 1])
        if after < len(markers) and markers[after].occurred_at - x.occurred_at <= rules.horizon:
            users |= users_of(markers[after])
        if len(users) == 1:
            named[x.touchpoint_id] = users.pop()
    return named


def _kiosk_days(present: Iterable[Touchpoint], rules: Rules) -> set[int]:
    users: dict[int, set[str]] = defaultdict(set)
    count: dict[int, int] = defaultdict(int)
    for x in present:
        day = x.occurred_at // DAY
        count[day] += 1
        if x.user is not None:
            users[day].add(x.user)
    return {day for day in count if len(users[day]) > rules.kiosk_users or count[day] > rules.kiosk_touchpoints}


def _is_logout(x: Touchpoint, rules: Rules) -> bool:
    return rules.ends_session(x.name)


def _owners(
    on_time: Iterable[Touchpoint], found: dict[str, Answer], nobodys: frozenset[Identifier], rules: Rules
) -> dict[Identifier, str]:
    """Rule 4. `on_time` in the order, so the first claim counts: of servers', else of browsers'."""
    owners: dict[bool, dict[Identifier, str]] = {False: {}, True: {}}
    for x in on_time:
        customer, _ = found[x.touchpoint_id]
        for kind in rules.kinds.business:
            if customer is not None and kind in x.identifiers and (kind, x.identifiers[kind]) not in nobodys:
                owners[x.weak].setdefault((kind, x.identifiers[kind]), customer)
    return owners[True] | owners[False]


def _worn_out(on_time: Iterable[Touchpoint], rules: Rules) -> frozenset[Identifier]:
    """Business keys that nobody has, since too many touchpoints carry them."""
    count = Counter(
        identifier for x in on_time for identifier in x.identifiers.items() if identifier[0] in rules.kinds.business
    )
    return frozenset(identifier for identifier, number in count.items() if number > rules.key_touchpoints)
