"""The tree of identifiers around one of them, as values; and the queries that fill it. Every answer is bounded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from deploy.identity.naming import Naming
from deploy.identity.read import filled
from schemas.control_records import Decision
from schemas.identifiers import IdentifierKinds
from sinks.clickhouse.statements import column_of, on_device

SHOWN_MAX: Final = 15
_OF_CUSTOMER: Final = """origin IN (
    SELECT {root:String}
    UNION DISTINCT SELECT origin FROM DB.touchpoints WHERE customer_id = {customer:String}
    UNION DISTINCT SELECT origin FROM DB.touchpoints
        WHERE touchpoint_id IN (SELECT touchpoint_id FROM DB.attributions WHERE customer_id = {customer:String})
    UNION DISTINCT SELECT origin FROM DB.touchpoints WHERE hasAny(contacts, (
        SELECT groupArray(10000)(contact) FROM DB.contact_namings FINAL
        WHERE customer_id = {customer:String} AND user_id != ''))
    UNION DISTINCT SELECT identifier FROM DB.v_identity_decisions WHERE customer_id = {customer:String})"""
"""Wherever a touchpoint of the customer may lie: on what it stands for, where it was stored or moved to, where a
contact names it, on what was linked by hand. The view says which of them are the customer's now.
"""
_EDGE: Final = """count() AS touchpoints, toUnixTimestamp64Milli(min(occurred_at)) AS first_at,
    toUnixTimestamp64Milli(max(occurred_at)) AS last_at,
    argMax((touchpoint_id, name), (occurred_at, touchpoint_id)) AS late, late.1 AS last_id, late.2 AS last_name,
    count() OVER () AS found"""
_DEVICES: Final = filled(
    """
SELECT origin AS identifier, <edge> FROM DB.touchpoints FINAL
WHERE origin IN (SELECT origin FROM DB.touchpoints WHERE user_id = {user:String}) AND user_id = {user:String}
    AND attributed_by = 'user_id' AND (<on_device>) AND NOT too_late
GROUP BY origin ORDER BY last_at DESC LIMIT <shown_max>""",
    edge=_EDGE,
    shown_max=SHOWN_MAX,
)
USERS: Final = filled(
    """
SELECT concat('user_id:', user_id) AS identifier, <edge> FROM DB.touchpoints FINAL
WHERE origin = {origin:String} AND attributed_by = 'user_id' AND NOT too_late
GROUP BY user_id ORDER BY last_at DESC LIMIT <shown_max>""",
    edge=_EDGE,
    shown_max=SHOWN_MAX,
)
SEEN: Final = filled(
    """
SELECT arrayJoin(contacts) AS identifier, <edge> FROM DB.touchpoints FINAL
WHERE origin = {origin:String} AND attributed_by != 'user_id' AND NOT too_late
GROUP BY identifier ORDER BY last_at DESC LIMIT <shown_max>""",
    edge=_EDGE,
    shown_max=SHOWN_MAX,
)
SHARED: Final = """
SELECT origin, uniqExactIf(user_id, attributed_by = 'user_id') AS users FROM DB.touchpoints FINAL
WHERE origin IN {origins:Array(String)} AND NOT too_late GROUP BY origin"""
KIOSKS: Final = """
SELECT origin, count() AS days, max(day) AS latest FROM (
    SELECT origin, toDate(occurred_at) AS day, uniqExactIf(user_id, attributed_by = 'user_id') AS users, count() AS all
    FROM DB.touchpoints FINAL WHERE origin IN {origins:Array(String)} AND NOT too_late GROUP BY origin, day
    HAVING users > {users:UInt32} OR all > {touchpoints:UInt32}
) GROUP BY origin"""
_KEYS: Final = filled(
    """
SELECT concat(key.1, ':', key.2) AS identifier, <edge> FROM (
    SELECT touchpoint_id, name, occurred_at, arrayJoin([<keys>]) AS key FROM DB.v_touchpoints
    WHERE <near> AND customer_id = {customer:String} AND NOT too_late
) WHERE key.2 != '' GROUP BY identifier ORDER BY last_at DESC LIMIT <shown_max>""",
    edge=_EDGE,
    near=_OF_CUSTOMER,
    shown_max=SHOWN_MAX,
)
ACCOUNTS: Final = filled(
    """
SELECT account_id AS identifier, <edge> FROM DB.v_touchpoints
WHERE <near> AND customer_id = {customer:String} AND account_id != ''
GROUP BY account_id ORDER BY last_at DESC LIMIT <shown_max>""",
    edge=_EDGE,
    near=_OF_CUSTOMER,
    shown_max=SHOWN_MAX,
)
HAS_ACCOUNTS: Final = filled(
    "SELECT 1 FROM DB.touchpoints WHERE <near> AND account_id != '' LIMIT 1",
    near=_OF_CUSTOMER,
)
TOTALS: Final = filled(
    """
SELECT attributed_by AS rule, count() AS touchpoints, toUnixTimestamp64Milli(min(occurred_at)) AS first_at,
    toUnixTimestamp64Milli(max(occurred_at)) AS last_at
FROM DB.v_touchpoints WHERE <near> AND customer_id = {customer:String} GROUP BY rule ORDER BY touchpoints DESC""",
    near=_OF_CUSTOMER,
)
WHOSE: Final = """
SELECT customer_id, if(attributed_by = 'user_id', concat('user_id:', user_id), origin) AS identifier
FROM DB.touchpoints FINAL WHERE startsWith(customer_id, {beginning:String})
ORDER BY attributed_by = 'user_id' DESC LIMIT 1 BY customer_id LIMIT 3"""
NAMED: Final = """
SELECT customer_id, if(user_id != '', concat('user_id:', user_id), contact) AS identifier
FROM DB.contact_namings FINAL WHERE startsWith(customer_id, {beginning:String}) LIMIT 1 BY customer_id LIMIT 3"""


def devices_of(kinds: IdentifierKinds) -> str:
    """The devices of a user."""
    return filled(_DEVICES, on_device=on_device(kinds))


def keys_of(kinds: IdentifierKinds) -> str:
    """The business keys that a customer's touchpoints carry."""
    return filled(_KEYS, keys=", ".join(f"('{kind}', {column_of(kind)})" for kind in kinds.keys))


Rule = Literal["login", "link", "chain", "by_hand", "claim", "seen"]
Group = Literal["devices", "users", "claim", "contacts", "keys", "apart"]
MarkKind = Literal["crowded", "kiosk", "blocked", "worn", "unlinked", "waiting", "shared", "several", "own_links"]


@dataclass(frozen=True, slots=True)
class Mark:
    """What is special about an identifier or an edge. `number`: users, days, ...; `text`: a day, an identifier."""

    kind: MarkKind
    number: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """Why an identifier hangs where it hangs. `last_id`: a touchpoint that shows it."""

    rule: Rule
    touchpoints: int
    first_at: int
    last_at: int
    last_id: str
    last_name: str


@dataclass(frozen=True, slots=True)
class Leaf:
    """An identifier of the tree. `is_asked`: the one that was asked for."""

    identifier: str
    edge: Edge | None
    marks: tuple[Mark, ...] = ()
    children: tuple[Leaf, ...] = ()
    is_asked: bool = False


@dataclass(frozen=True, slots=True)
class Branch:
    """`more`: how many are left out."""

    group: Group
    leaves: tuple[Leaf, ...]
    more: int = 0


@dataclass(frozen=True, slots=True)
class Total:
    rule: str
    touchpoints: int


@dataclass(frozen=True, slots=True)
class Shown:
    """`root`: the identifier that the customer stands for. `is_whole` False: there is more around than was read."""

    asked: str
    root: str
    customer_id: str | None
    branches: tuple[Branch, ...]
    totals: tuple[Total, ...]
    first_at: int | None
    last_at: int | None
    accounts: tuple[Leaf, ...]
    decisions: tuple[Decision, ...]
    naming: Naming | None
    marks: tuple[Mark, ...]
    is_whole: bool
