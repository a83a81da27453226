"""What a decision would change, before it is made: the same rules over the same rows, without and with it.

At most MOST touchpoints on DEVICES_MAX devices are looked at; beyond, `is_whole` is False and numbers are lower bounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from deploy.identity.asked import identifier_of
from deploy.identity.judge import Rules, hearsay_of, in_force, key_of, owners_on
from deploy.identity.links import Links, kind_of, links_around
from deploy.identity.naming import path_to
from deploy.identity.read import Source, filled
from deploy.identity.touch import Owner, Row, Touch
from deploy.identity.why import KEY_MAX, AlertPart, is_remembered
from schemas.control_records import Decision
from schemas.identifiers import UNIQUE_KIND, customer_of
from sinks.clickhouse.statements import column_of, on_device
from streams.identity.contacts import Graph
from streams.identity.decisions import Decisions

MOST: Final = 20_000
DEVICES_MAX: Final = 200
KEYS_MAX: Final = 200
AT_ONCE: Final = 50
IDS_AT_ONCE: Final = 100
JOURNEYS_MAX: Final = 500
JOURNEYS: Final = """
SELECT journey_id, definition, anchor, status FROM DB.v_journeys_now
WHERE hasAny(touchpoint_ids, {ids:Array(String)}) ORDER BY definition, anchor LIMIT 500"""
KEYED: Final = (
    "SELECT journey_id, definition, anchor, status FROM DB.v_journeys_now WHERE anchor = {anchor:String} LIMIT 500"
)
DEVICES_OF: Final = """origin IN (
    SELECT origin FROM DB.touchpoints WHERE user_id = {user:String} AND attributed_by = 'user_id'
        AND (<on_device>) GROUP BY origin LIMIT <most>)"""
ALERTS: Final = """
SELECT state, first_line, alert_id FROM DB.v_alerts
WHERE journey_id IN {journeys:Array(String)} AND state IN ('firing', 'acknowledged') LIMIT 500"""


@dataclass(frozen=True, slots=True)
class Move:
    """A touchpoint that would change hands. `in_journeys`: the workers still know it, so its journeys move too."""

    touch: Touch
    before: Owner
    after: Owner
    in_journeys: bool


@dataclass(frozen=True, slots=True)
class Renamed:
    """A contact that would name somebody else; None: nobody."""

    contact: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Moved:
    """A journey that would change hands."""

    journey_id: str
    definition: str
    anchor: str
    status: str


@dataclass(frozen=True, slots=True)
class Preview:
    """`people`: customer -> the user or identifier that it stands for, as far as known here. `still`: of an unlink, the
    contacts that go on naming the user, through the identifier.
    """

    decision: Decision
    moves: tuple[Move, ...]
    renamed: tuple[Renamed, ...]
    still: tuple[str, ...]
    journeys: tuple[Moved, ...]
    alerts: tuple[AlertPart, ...]
    people: Mapping[str, str]
    is_seen: bool
    is_whole: bool


@dataclass(frozen=True, slots=True)
class _Affected:
    touches: list[Touch]
    is_whole: bool


@dataclass(frozen=True, slots=True)
class _Held:
    """By business key, all that carries it."""

    of: Mapping[str, list[Touch]]
    is_whole: bool

    @property
    def touches(self) -> list[Touch]:
        """Those that name nothing but the key."""
        return [touch for key, carrying in self.of.items() for touch in carrying if touch.origin == key]


@dataclass(frozen=True, slots=True)
class _Around:
    """By routing identifier."""

    of: Mapping[str, list[Touch]]
    is_whole: bool


def preview(source: Source, decision: Decision, rules: Rules, now: int) -> Preview:
    made = source.decisions()
    old, new = in_force(made), in_force([*made, decision])
    about = identifier_of(decision.identifier, source.kinds)
    contacts = _contacts_near(source, decision)
    links = links_around(source, contacts, rules.limits, now)
    graphs = (links.graph(old, rules.limits), links.graph(new, rules.limits))
    renamed = _renamed(_contacts_of(links), *graphs)
    found = _affected(source, decision, [one.contact for one in renamed])
    links = _with_all(source, links, found.touches, rules, now)
    around = _around(source, found.touches)
    before = _owners(found.touches, around, links, old, rules)
    after = _owners(found.touches, around, links, new, rules)
    held = _held(source, decision, found.touches, before, after)
    touches = sorted({touch.touchpoint_id: touch for touch in (*found.touches, *held.touches)}.values(), key=by_order)
    before, after = _with_keys(held, before, old, rules), _with_keys(held, after, new, rules)
    moves = tuple(
        Move(touch, before[touch.touchpoint_id], after[touch.touchpoint_id], is_remembered(touch, rules, now))
        for touch in touches
        if before[touch.touchpoint_id].customer_id != after[touch.touchpoint_id].customer_id
    )
    journeys = _journeys(source, [move for move in moves if move.in_journeys], decision if about.is_key else None)
    ids = [one.journey_id for one in journeys]
    rows = [row for some in _parts(ids, IDS_AT_ONCE) for row in source.ask(ALERTS, {"journeys": some})]
    return Preview(
        decision=decision,
        moves=moves,
        renamed=renamed,
        still=_still(links, graphs[1], decision, new),
        journeys=tuple(journeys),
        alerts=tuple(AlertPart(row["state"], row["first_line"], row["alert_id"]) for row in rows),
        people=_people([touch for some in around.of.values() for touch in some], renamed, decision),
        is_seen=is_seen(source, decision.identifier),
        is_whole=found.is_whole and links.is_whole and around.is_whole and held.is_whole,
    )


def is_seen(source: Source, identifier: str) -> bool:
    kind, _, value = identifier.partition(":")
    query = filled("SELECT 1 FROM DB.touchpoints WHERE <column> = {value:String} LIMIT 1", column=column_of(kind))
    return bool(source.ask(query, {"value": value}))


def _contacts_near(source: Source, decision: Decision) -> list[str]:
    """From where the graph of contacts is read: the identifier itself if it is in it."""
    group = source.kinds.group_of(kind_of(decision.identifier))
    return [decision.identifier] if group in ("contact", "user") else []


def _contacts_of(links: Links) -> list[str]:
    """In the graph there are users and contacts."""
    return sorted(one for one in _known(links) if kind_of(one) != UNIQUE_KIND)


def _renamed(contacts: Sequence[str], old: Graph, new: Graph) -> tuple[Renamed, ...]:
    named = [(one, old.names(one), new.names(one)) for one in contacts]
    return tuple(Renamed(one, before, after) for one, before, after in named if before != after)


def _still(links: Links, graph: Graph, decision: Decision, decisions: Decisions) -> tuple[str, ...]:
    if decision.kind != "unlink" or decision.user_id is None:
        return ()
    goal, contacts = f"{UNIQUE_KIND}:{decision.user_id}", [c for c in _contacts_of(links) if c != decision.identifier]
    named = [one for one in contacts if graph.names(one) == decision.user_id]
    ways = ((one, path_to(one, goal, graph, links, decisions)) for one in named)
    return tuple(one for one, way in ways if any(link.other == decision.identifier for link in way))


def _known(links: Links) -> set[str]:
    return {*links.of, *(link.other for some in links.of.values() for link in some)}


def _affected(source: Source, decision: Decision, renamed: list[str]) -> _Affected:
    """Touchpoints whose owner could change: without user_id, on the identifier or with a contact renamed."""
    about, where = identifier_of(decision.identifier, source.kinds), list[tuple[str, dict[str, object]]]()
    if about.is_device:
        where.append(("origin = {origin:String}", {"origin": about.text}))
    elif about.kind == UNIQUE_KIND:
        where.append((filled(DEVICES_OF, most=DEVICES_MAX, on_device=on_device(source.kinds)), {"user": about.value}))
    for some in _parts(renamed, AT_ONCE):
        where.append(("hasAny(contacts, {contacts:Array(String)})", {"contacts": some}))
    found: dict[str, Touch] = {}
    is_whole = True
    for condition, parameters in where:
        where_any = f"({condition}) AND NOT too_late AND attributed_by != 'user_id'"
        touches = source.touches(where_any, parameters, MOST, "occurred_at DESC")
        is_whole &= len(touches) < MOST
        found |= {touch.touchpoint_id: touch for touch in touches}
    return _Affected(sorted(found.values(), key=by_order), is_whole)


def _with_all(source: Source, links: Links, touches: Iterable[Touch], rules: Rules, now: int) -> Links:
    """Every contact of these touchpoints has its say, so what is around them is needed as well."""
    missing = {contact for touch in touches for contact in touch.contacts} - set(links.of)
    if not missing:
        return links
    more = links_around(source, sorted(missing)[:DEVICES_MAX], rules.limits, now)
    is_whole = links.is_whole and more.is_whole and len(missing) <= DEVICES_MAX
    return Links({**links.of, **more.of}, {**links.totals, **more.totals}, is_whole)


def _around(source: Source, touches: Sequence[Touch]) -> _Around:
    """All that lies on the routing identifiers of these touchpoints: what decides them."""
    origins = list(dict.fromkeys(touch.origin for touch in touches if not touch.on_key))
    of: dict[str, list[Touch]] = {origin: [] for origin in origins[:DEVICES_MAX]}
    is_whole = len(origins) <= DEVICES_MAX
    for some in _parts(list(of), AT_ONCE):
        found = source.touches("origin IN {origins:Array(String)} AND NOT too_late", {"origins": some}, MOST)
        is_whole &= len(found) < MOST
        for touch in found:
            of[touch.origin].append(touch)
    return _Around(of, is_whole)


def _owners(
    touches: Sequence[Touch], around: _Around, links: Links, decisions: Decisions, rules: Rules
) -> dict[str, Owner]:
    """By touchpoint id, what the rules say with these decisions."""
    graph = links.graph(decisions, rules.limits)
    hearsay = hearsay_of(graph, {contact for touch in touches for contact in touch.contacts}, decisions)
    owners: dict[str, Owner] = {touch.touchpoint_id: touch.owner for touch in touches}
    for origin, own in around.of.items():
        said = owners_on(origin, own, hearsay, rules)
        owners |= {name: owner for name, owner in said.items() if name in owners}
    return owners


def _held(
    source: Source,
    decision: Decision,
    touches: Iterable[Touch],
    before: Mapping[str, Owner],
    after: Mapping[str, Owner],
) -> _Held:
    """The business keys whose owner may change: claimed by what moves, or decided about."""
    about = identifier_of(decision.identifier, source.kinds)
    keys = {about.text: None} if about.is_key else dict[str, None]()
    for touch in touches:
        if before[touch.touchpoint_id].customer_id != after[touch.touchpoint_id].customer_id:
            keys |= dict.fromkeys(touch.keys)
    of = {key: source.carrying(key, KEY_MAX) for key in list(keys)[:KEYS_MAX]}
    return _Held(of, len(keys) <= KEYS_MAX)


def _with_keys(held: _Held, owners: Mapping[str, Owner], decisions: Decisions, rules: Rules) -> dict[str, Owner]:
    """And what names nothing but a key belongs to the key's customer."""
    whole = dict(owners)
    for name, carrying in held.of.items():
        key = key_of(name, carrying, owners, decisions, rules.limits)
        follows = Owner(key.owner, "waiting" if key.owner is None else "business_key")
        whole |= {touch.touchpoint_id: follows for touch in carrying if touch.origin == name}
    return whole


def by_order(touch: Touch) -> tuple[int, int, str]:
    return touch.order


def _journeys(source: Source, moves: Sequence[Move], blocked: Decision | None) -> list[Moved]:
    rows = dict[str, Row]()
    ids = [move.touch.touchpoint_id for move in moves]
    for some in _parts(ids, IDS_AT_ONCE):
        rows |= {row["journey_id"]: row for row in source.ask(JOURNEYS, {"ids": some})}
    if blocked is not None:
        rows |= {row["journey_id"]: row for row in source.ask(KEYED, {"anchor": blocked.identifier})}
    kept = list(rows.values())[:JOURNEYS_MAX]
    return [Moved(row["journey_id"], row["definition"], row["anchor"], row["status"]) for row in kept]


def _people(touches: Iterable[Touch], renamed: Iterable[Renamed], decision: Decision) -> dict[str, str]:
    users = {one.before for one in renamed} | {one.after for one in renamed} | {decision.user_id}
    users |= {touch.user_id for touch in touches}
    people = {customer_of(UNIQUE_KIND, user): f"{UNIQUE_KIND}:{user}" for user in users if user is not None}
    for touch in touches:
        if not touch.on_key:
            kind, _, value = touch.origin.partition(":")
            people.setdefault(customer_of(kind, value), touch.origin)
    return people


def _parts(values: Sequence[str], size: int) -> Iterable[list[str]]:
    for start in range(0, len(values), size):
        yield list(values[start : start + size])
