"""Why a touchpoint is whose it is: the workers' rules run over its rows, and what decided them, as values.

What is stored may differ from what is recomputed: a move is under way, or what decided has been forgotten. `Why` holds
both, so that nobody has to guess.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from deploy.identity.judge import Rules, deciding_claim, hearsay_of, in_force, key_of, owners_on, tail_of
from deploy.identity.links import links_around
from deploy.identity.naming import Naming, naming_of
from deploy.identity.read import Source
from deploy.identity.touch import Owner, Row, Touch
from schemas.control_records import Decision
from schemas.identifiers import UNIQUE_KIND, customer_of
from streams.identity.decisions import Decisions
from streams.identity.device import Kept, Tail, marker_before, marker_from
from streams.identity.hearsay import Hearsay
from streams.identity.limits import DAY_MS

DEVICE_MAX: Final = 20_000
KEY_MAX: Final = 5_000
SHOWN_MAX: Final = 20
MOVES: Final = """
SELECT customer_id, attributed_by FROM (
    SELECT customer_id, attributed_by, rev, 0 AS later FROM DB.touchpoints FINAL WHERE touchpoint_id = {id:String}
    UNION ALL
    SELECT customer_id, attributed_by, rev, 1 AS later FROM DB.attributions FINAL WHERE touchpoint_id = {id:String}
) ORDER BY later, rev LIMIT 20"""
JOURNEYS: Final = """
SELECT journey_id, definition, anchor, status, customer_id, toUnixTimestamp64Milli(started_at) AS began_at
FROM DB.v_journeys_now
WHERE has(touchpoint_ids, {id:String}) ORDER BY definition, anchor LIMIT 20"""
STEPS: Final = "SELECT journey_id, step FROM DB.journey_steps WHERE touchpoint_id = {id:String} LIMIT 20"
ALERTS: Final = """
SELECT state, first_line, alert_id, journey_id FROM DB.v_alerts WHERE journey_id IN {journeys:Array(String)}
    AND state IN ('firing', 'acknowledged') ORDER BY changed_at LIMIT 20"""


@dataclass(frozen=True, slots=True)
class Marker:
    """A login or logout beside the touchpoint. `user_id` None: a logout. `fault`: why it names nobody."""

    side: Literal["before", "after"]
    touch: Touch
    user_id: str | None
    distance_ms: int
    fault: Literal["", "logout", "too_far", "by_hand"]


@dataclass(frozen=True, slots=True)
class KioskDay:
    day_at: int
    users: int
    touchpoints: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """A business key's owner. `touch` None: no touchpoint claims it, or it is blocked or worn out."""

    key: str
    touch: Touch | None
    customer_id: str | None
    is_weak: bool
    is_blocked: bool
    is_worn: bool = False


@dataclass(frozen=True, slots=True)
class JourneyPart:
    journey_id: str
    definition: str
    anchor: str
    status: str
    customer_id: str
    step: str | None
    is_start: bool


@dataclass(frozen=True, slots=True)
class AlertPart:
    state: str
    first_line: str
    alert_id: str


@dataclass(frozen=True, slots=True)
class Why:
    """`owner` is recomputed; `touch.owner` is stored. `user_id`: the person, where it is one. `remembered`: by the
    workers still, so that what is decided now moves it in journeys too.
    """

    touch: Touch
    owner: Owner
    user_id: str | None
    arrival: Owner
    moves: tuple[Owner, ...]
    before: Marker | None
    after: Marker | None
    kiosk: KioskDay | None
    namings: tuple[Naming, ...]
    claims: tuple[Claimed, ...]
    decisions: tuple[Decision, ...]
    journeys: tuple[JourneyPart, ...]
    alerts: tuple[AlertPart, ...]
    remembered: bool
    fell_out: bool = False
    """Its identifier has so many that occurred after it that only what it carries itself counts."""

    @property
    def differs(self) -> bool:
        return self.owner.customer_id != self.touch.owner.customer_id


def why(source: Source, touch: Touch, rules: Rules, now: int) -> Why:
    decisions = source.decisions()
    standing = in_force(decisions)
    contacts = () if touch.user_id is not None or touch.too_late else touch.contacts
    links = links_around(source, contacts, rules.limits, now)
    graph = links.graph(standing, rules.limits)
    hearsay = hearsay_of(graph, contacts, standing)
    near = _near(source, touch, rules)
    tail = tail_of(touch.origin, near, hearsay, rules) if near else None
    claims = tuple(_claimed(source, key, touch, standing, rules) for key in touch.keys)
    owner = _owner(touch, near, claims, hearsay, rules)
    before, after, kiosk = _around(touch, near, tail, standing, rules)
    namings = tuple(naming_of(contact, graph, links, standing) for contact in contacts)
    users = {marker.user_id for marker in (before, after) if marker is not None} | {one.user_id for one in namings}
    users |= {touch.user_id, standing.linked(touch.origin)}
    moves = source.ask(MOVES, {"id": touch.touchpoint_id})
    path = _path([Owner(row["customer_id"] or None, row["attributed_by"]) for row in moves])
    return Why(
        touch=touch,
        owner=owner,
        user_id=next((one for one in users if one and customer_of(UNIQUE_KIND, one) == owner.customer_id), None),
        arrival=path[0] if path else touch.owner,
        moves=path[1:],
        before=before,
        after=after,
        kiosk=kiosk,
        namings=namings,
        claims=claims,
        decisions=about(decisions, standing, _named(touch, before, after, namings)),
        **_consequences(source, touch),
        remembered=is_remembered(touch, rules, now),
        fell_out=tail is not None
        and not touch.too_late
        and all(kept.touchpoint_id != touch.touchpoint_id for kept in tail.entries),
    )


def _path(owners: Sequence[Owner]) -> tuple[Owner, ...]:
    """One after the other, without repetition."""
    return tuple(one for index, one in enumerate(owners) if index == 0 or one != owners[index - 1])


def is_remembered(touch: Touch, rules: Rules, now: int) -> bool:
    return max(touch.occurred_at, touch.log_time) + rules.limits.kept_ms > now


def about(decisions: Sequence[Decision], standing: Decisions, identifiers: set[str]) -> tuple[Decision, ...]:
    """Those in force on these identifiers, the last word of each."""
    last = {(one.identifier, one.user_id): one for one in decisions}
    return tuple(
        decision
        for (identifier, user), decision in last.items()
        if identifier in identifiers and any(user == standing_user for standing_user, _ in standing.of(identifier))
    )


def _named(touch: Touch, before: Marker | None, after: Marker | None, namings: Sequence[Naming]) -> set[str]:
    users = {marker.user_id for marker in (before, after) if marker is not None and marker.user_id}
    near = {name for one in namings for name in (*one.near, *(link.other for link, _, _ in one.faults))}
    return {touch.origin, *touch.contacts, *touch.keys, *near, *(f"{UNIQUE_KIND}:{user}" for user in users)}


def _near(source: Source, touch: Touch, rules: Rules) -> list[Touch]:
    """What may decide it on its own routing identifier."""
    if touch.too_late or touch.user_id is not None or not touch.on_device:
        return [touch]
    limits = rules.limits
    low = (touch.occurred_at - limits.login_ms) // DAY_MS * DAY_MS
    high = ((touch.occurred_at + limits.horizon_ms) // DAY_MS + 1) * DAY_MS
    where = (
        "origin = {origin:String} AND NOT too_late AND occurred_at >= fromUnixTimestamp64Milli({low:Int64})"
        " AND occurred_at < fromUnixTimestamp64Milli({high:Int64})"
    )
    return source.touches(where, {"origin": touch.origin, "low": low, "high": high}, DEVICE_MAX) or [touch]


def _owner(touch: Touch, near: Sequence[Touch], claims: Sequence[Claimed], hearsay: Hearsay, rules: Rules) -> Owner:
    if touch.on_key:
        claimed = next((one for one in claims if one.key == touch.origin), None)
        if touch.too_late or claimed is None or claimed.customer_id is None:
            return Owner(None, "waiting")
        return Owner(claimed.customer_id, "business_key")
    if touch.user_id is not None:
        return Owner(customer_of(UNIQUE_KIND, touch.user_id), "user_id")
    if touch.group in ("device", "contact"):
        return owners_on(touch.origin, near, hearsay, rules)[touch.touchpoint_id]
    return Owner(None, "subject")


def _around(
    touch: Touch, near: Sequence[Touch], tail: Tail | None, standing: Decisions, rules: Rules
) -> tuple[Marker | None, Marker | None, KioskDay | None]:
    if tail is None or not touch.on_device or touch.too_late or touch.user_id is not None:
        return None, None, None
    entries, day = tail.entries, touch.occurred_at // DAY_MS
    found = [index for index, kept in enumerate(entries) if kept.touchpoint_id == touch.touchpoint_id]
    if not found:
        return None, None, None
    index = found[0]
    by_id = {one.touchpoint_id: one for one in near}
    sides: list[tuple[Literal["before", "after"], Kept | None, int]] = [
        ("before", marker_before(entries, index, tail.kiosk), rules.limits.login_ms),
        ("after", marker_from(entries, index + 1, tail.kiosk), rules.limits.horizon_ms),
    ]
    before, after = (
        None if kept is None else _marker(side, kept, by_id[kept.touchpoint_id], touch, most, standing)
        for side, kept, most in sides
    )
    if day not in tail.kiosk:
        return before, after, None
    on_day = [kept for kept in entries if kept.occurred_at // DAY_MS == day]
    users = {kept.user_id for kept in on_day if kept.user_id is not None}
    return before, after, KioskDay(day * DAY_MS, len(users), len(on_day))


def _marker(
    side: Literal["before", "after"], kept: Kept, marker: Touch, touch: Touch, most: int, standing: Decisions
) -> Marker:
    distance = abs(touch.occurred_at - kept.occurred_at)
    fault: Literal["", "logout", "too_far", "by_hand"] = ""
    if kept.ends or kept.user_id is None:
        fault = "logout"
    elif distance > most:
        fault = "too_far"
    elif standing.names_nobody(touch.origin, kept.user_id):
        fault = "by_hand"
    return Marker(side, marker, None if fault == "logout" else kept.user_id, distance, fault)


def _claimed(source: Source, key: str, touch: Touch, standing: Decisions, rules: Rules) -> Claimed:
    touches = source.carrying(key, KEY_MAX)
    held = key_of(key, touches, {}, standing, rules.limits)
    claim = deciding_claim(held)
    found = None if claim is None else next(one for one in touches if one.touchpoint_id == claim.touchpoint_id)
    return Claimed(key, found, held.owner, claim is not None and claim.weak, held.is_blocked, held.is_worn)


def _part(row: Row, step: str | None, touch: Touch) -> JourneyPart:
    began = step is None and row["began_at"] == touch.occurred_at
    named = (row["journey_id"], row["definition"], row["anchor"], row["status"], row["customer_id"])
    return JourneyPart(*named, step, began)


def _consequences(source: Source, touch: Touch) -> dict[str, Any]:
    own = {"id": touch.touchpoint_id}
    journeys = source.ask(JOURNEYS, own)
    steps = {row["journey_id"]: row["step"] for row in source.ask(STEPS, own)} if journeys else {}
    ids = [row["journey_id"] for row in journeys]
    alerts = source.ask(ALERTS, {"journeys": ids}) if ids else []
    return {
        "journeys": tuple(_part(row, steps.get(row["journey_id"]), touch) for row in journeys),
        "alerts": tuple(AlertPart(row["state"], row["first_line"], row["alert_id"]) for row in alerts),
    }
