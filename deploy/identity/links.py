"""The links around an identifier, read step by step from ClickHouse into the graph that the workers keep.

Of each identifier as many links to one kind are read as the workers keep, one more than would make it crowded, the most
recent ones. A step asks for all that was found in the step before; it ends when nothing new is found, or at READ_MAX.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from deploy.identity.read import NEAR, Source, filled
from schemas.identifiers import BUILT_IN_KINDS, UNIQUE_KIND
from streams.identity.contacts import Graph, Node
from streams.identity.decisions import Decisions
from streams.identity.limits import DAY_MS, Limits

READ_MAX: Final = 400
"""Identifiers around one; a component that names a user has far fewer."""
AT_ONCE: Final = 50
LINKS: Final = filled(
    """
SELECT one, other, touchpoints, first_at, last_at, first_id, first_name, last_id, last_name,
    count() OVER (PARTITION BY one, splitByChar(':', other)[1]) AS of_kind
FROM (
    SELECT one, other, count() AS touchpoints,
        toUnixTimestamp64Milli(min(happened)) AS first_at, toUnixTimestamp64Milli(max(happened)) AS last_at,
        argMin((touchpoint_id, name), (happened, touchpoint_id)) AS early,
            argMax((touchpoint_id, name), (happened, touchpoint_id)) AS late,
        early.1 AS first_id, early.2 AS first_name, late.1 AS last_id, late.2 AS last_name
    FROM (
        SELECT touchpoint_id, name, happened, one, arrayJoin(together) AS other
        FROM (
            SELECT touchpoint_id, name, occurred_at AS happened,
                arrayConcat(if(attributed_by = 'user_id', [concat('user_id:', user_id)], []), contacts) AS together,
                arrayJoin(arrayFilter(x -> has({near:Array(String)}, x), together)) AS one
            FROM DB.touchpoints FINAL
            WHERE <near> AND NOT too_late AND occurred_at >= fromUnixTimestamp64Milli({since:Int64}) AND (<where>)
        )
    )
    WHERE other != one
    GROUP BY one, other
)
ORDER BY one, splitByChar(':', other)[1], intDiv(last_at, <day_ms>) DESC, other DESC
LIMIT {kept:UInt32} BY one, splitByChar(':', other)[1]""",
    near=NEAR,
    day_ms=DAY_MS,
)


@dataclass(frozen=True, slots=True)
class Link:
    """Two identifiers that touchpoints carry together: how many, and the first and the last of them. Times are ms."""

    one: str
    other: str
    touchpoints: int
    first_at: int
    last_at: int
    first_id: str
    first_name: str
    last_id: str
    last_name: str


@dataclass(frozen=True, slots=True)
class Links:
    """`of`: by identifier, its links as the workers keep them. `totals`: (identifier, kind) -> how many there are.

    `is_whole` False: there is more around than was read.
    """

    of: Mapping[str, tuple[Link, ...]] = field(default_factory=dict)
    totals: Mapping[tuple[str, str], int] = field(default_factory=dict)
    is_whole: bool = True

    def between(self, one: str, other: str) -> Link | None:
        return next((link for link in self.of.get(one, ()) if link.other == other), None)

    def graph(self, decisions: Decisions, limits: Limits) -> Graph:
        graph = Graph(limits.most, limits.component, decisions, limits.linked)
        for name, links in self.of.items():
            node = Node()
            for link in links:
                node.links.setdefault(kind_of(link.other), {})[link.other] = link.last_at // DAY_MS
            graph.restored(name, node)
        return graph


def links_around(source: Source, starts: Iterable[str], limits: Limits, now: int) -> Links:
    of: dict[str, tuple[Link, ...]] = {}
    totals: dict[tuple[str, str], int] = {}
    frontier = [one for one in dict.fromkeys(starts) if kind_of(one) in limits.most]
    while frontier and len(of) < READ_MAX:
        near, frontier = frontier[:AT_ONCE], frontier[AT_ONCE:]
        found = _step(source, near, limits, now)
        for name in near:
            of[name] = tuple(link for link, _ in found.get(name, ()))
            totals |= {(name, kind_of(link.other)): total for link, total in found.get(name, ())}
        known = {*of, *frontier}
        for name in near:
            if any(total > limits.most[kind] for (one, kind), total in totals.items() if one == name):
                continue  # Crowded: it joins nobody, so what lies behind it does not matter.
            for link in of[name]:
                if link.other not in known:
                    known.add(link.other)
                    frontier.append(link.other)
    return Links(of, totals, not frontier)


def _step(source: Source, near: list[str], limits: Limits, now: int) -> dict[str, list[tuple[Link, int]]]:
    parts, parameters = [], dict[str, object]()
    for kind in (UNIQUE_KIND, *BUILT_IN_KINDS.contacts):
        values = [name.partition(":")[2] for name in near if kind_of(name) == kind]
        if values:
            parts.append(f"{kind} IN {{{kind}s:Array(String)}}")
            parameters[f"{kind}s"] = values
    own = [name for name in near if kind_of(name) not in (UNIQUE_KIND, *BUILT_IN_KINDS.contacts)]
    if own:  # Of kinds that the deployment added: they have no column.
        parts.append("hasAny(contacts, {own:Array(String)})")
        parameters["own"] = own
    rows = source.ask(
        filled(LINKS, where=" OR ".join(parts)),
        parameters
        | {
            "near": near,
            "since": (now - limits.link_ms) // DAY_MS * DAY_MS,
            "kept": max(limits.most.values()) + 1,
        },
    )
    found: dict[str, list[tuple[Link, int]]] = {}
    for row in rows:
        link = Link(**{name: row[name] for name in Link.__dataclass_fields__})
        kept = found.setdefault(link.one, [])
        same = sum(kind_of(other.other) == kind_of(link.other) for other, _ in kept)
        if same <= limits.most[kind_of(link.other)]:
            kept.append((link, row["of_kind"]))
    return found


def kind_of(identifier: str) -> str:
    return identifier.partition(":")[0]
