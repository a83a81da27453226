"""What every tree of identifiers is made with: one look at the rows, edges, marks, and what all of them end with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deploy.identity.judge import Rules, key_of
from deploy.identity.links import Link, Links, links_around
from deploy.identity.naming import Fault, Naming
from deploy.identity.read import Source
from deploy.identity.touch import Row
from deploy.identity.tree import (
    ACCOUNTS,
    HAS_ACCOUNTS,
    KIOSKS,
    SHARED,
    TOTALS,
    Branch,
    Edge,
    Leaf,
    Mark,
    Rule,
    Shown,
    Total,
)
from deploy.identity.why import KEY_MAX
from schemas.control_records import Decision
from schemas.identifiers import UNIQUE_KIND
from streams.identity.contacts import Graph
from streams.identity.decisions import Decisions
from streams.identity.keys import Key


@dataclass(frozen=True, slots=True)
class View:
    """What one look has at hand."""

    source: Source
    rules: Rules
    now: int
    made: tuple[Decision, ...]
    standing: Decisions

    def links(self, *starts: str) -> tuple[Links, Graph]:
        links = links_around(self.source, starts, self.rules.limits, self.now)
        return links, links.graph(self.standing, self.rules.limits)


def crowds(view: View, devices: list[str]) -> tuple[dict[str, tuple[Mark, ...]], dict[str, tuple[Mark, ...]]]:
    if not devices:
        return {}, {}
    limits = view.rules.limits
    users = view.source.ask(SHARED, {"origins": devices})
    most = {"users": limits.kiosk_users, "touchpoints": limits.kiosk_touchpoints}
    days = view.source.ask(KIOSKS, {"origins": devices, **most})
    shared: dict[str, tuple[Mark, ...]] = {
        row["origin"]: (Mark("shared", row["users"]),) for row in users if row["users"] > 1
    }
    return shared, {row["origin"]: (Mark("kiosk", row["days"], str(row["latest"])),) for row in days}


def faulty(link: Link, fault: tuple[Fault, str], links: Links, is_asked: bool) -> Leaf:
    kind, blamed = fault
    number = max((total for (one, _), total in links.totals.items() if one == blamed), default=0)
    text = blamed if kind != "unlinked" else split(link.one if link.one.startswith(UNIQUE_KIND) else link.other)[1]
    return Leaf(link.other, edge_of("link", link), (Mark(kind, number, text),), (), is_asked)


def unread(links: Links, name: str) -> int:
    """Links that exist and were not read: those of a crowded identifier."""
    totals = sum(total for (one, _), total in links.totals.items() if one == name)
    return totals - len(links.of.get(name, ()))


def key_at(view: View, key: str) -> Key:
    touches = view.source.carrying(key, KEY_MAX)
    return key_of(key, touches, {}, view.standing, view.rules.limits)


def shown(
    view: View,
    asked: str,
    root: str,
    customer: str | None,
    branches: tuple[Branch, ...],
    decisions: tuple[Decision, ...],
    naming: Naming | None,
    marks: tuple[Mark, ...],
    is_whole: bool,
) -> Shown:
    given = {"customer": customer or "nobody", "root": root}
    totals = view.source.ask(TOTALS, given)
    acts = bool(totals) and bool(view.source.ask(HAS_ACCOUNTS, given))
    accounts = view.source.ask(ACCOUNTS, given) if acts else []
    return Shown(
        asked=asked,
        root=root,
        customer_id=customer,
        branches=tuple(branch for branch in branches if branch.leaves or branch.more),
        totals=tuple(Total(row["rule"], row["touchpoints"]) for row in totals),
        first_at=min((row["first_at"] for row in totals), default=None),
        last_at=max((row["last_at"] for row in totals), default=None),
        accounts=tuple(Leaf(row["identifier"], edge("seen", row)) for row in accounts),
        decisions=decisions,
        naming=naming,
        marks=marks,
        is_whole=is_whole,
    )


def edge(rule: Rule, row: Row) -> Edge:
    return Edge(rule, row["touchpoints"], row["first_at"], row["last_at"], row["last_id"], row["last_name"])


def edge_of(rule: Rule, link: Link) -> Edge:
    return Edge(rule, link.touchpoints, link.first_at, link.last_at, link.last_id, link.last_name)


def more(rows: Sequence[Row]) -> int:
    return int(rows[0]["found"]) - len(rows) if rows else 0


def split(identifier: str) -> tuple[str, str]:
    kind, _, value = identifier.partition(":")
    return kind, value
