"""Whom a contact names, and why: the answer is the graph's own, the reasons are read off it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from deploy.identity.links import Link, Links, kind_of
from schemas.identifiers import UNIQUE_KIND
from streams.identity.contacts import Graph
from streams.identity.decisions import Decisions

How = Literal[
    "by_hand",  # somebody linked it
    "link",  # seen together with the user
    "chain",  # through other contacts
    "own_links",  # in a component with several users, or too large: its own links alone
    "blocked",
    "unlinked",
    "several",  # it stands between several users
    "nobody",  # no user is near
]
Fault = Literal["crowded", "blocked", "unlinked"]


@dataclass(frozen=True, slots=True)
class Naming:
    """`user_id` None: it names nobody. `path`: from the contact to the user. `near`: what valid links join it with;
    `users`: those among them.

    `faults`: its links that do not count, each with what is wrong; `is_whole` False: more is around it than was read.
    """

    contact: str
    user_id: str | None
    how: How
    users: tuple[str, ...]
    path: tuple[Link, ...]
    faults: tuple[tuple[Link, Fault, str], ...]
    near: tuple[str, ...]
    is_too_large: bool
    is_whole: bool


def naming_of(contact: str, graph: Graph, links: Links, decisions: Decisions) -> Naming:
    component = graph.component(contact)
    user = graph.judge(contact, component)
    users = sorted(component.users)
    path = tuple(path_to(contact, f"{UNIQUE_KIND}:{user}", graph, links, decisions)) if user is not None else ()
    return Naming(
        contact,
        user,
        _how(contact, user, len(path), component.is_whole, decisions, users),
        tuple(users),
        path,
        tuple(faults_of(contact, graph, links, decisions)),
        tuple(sorted(component.members - {contact})),
        not component.is_whole,
        links.is_whole,
    )


def _how(contact: str, user: str | None, steps: int, is_whole: bool, decisions: Decisions, users: list[str]) -> How:
    if decisions.is_blocked(contact):
        return "blocked"
    if user is not None:
        if decisions.linked(contact) == user:
            return "by_hand"
        if len(users) > 1 or not is_whole:
            return "own_links"
        return "link" if steps == 1 else "chain"
    if len(users) == 1 and is_whole and decisions.is_unlinked(contact, users[0]):
        return "unlinked"
    return "several" if users or not is_whole else "nobody"


def fault_of(one: str, other: str, graph: Graph, decisions: Decisions) -> tuple[Fault, str] | None:
    """Why a link does not count, and which end is to blame; None: it counts. Whether it does is the graph's word."""
    if other in graph.valid(one):
        return None
    for blocked in (one, other):
        if decisions.is_blocked(blocked):
            return "blocked", blocked
    if not decisions.may_link(one, other):
        return "unlinked", one if kind_of(other) == UNIQUE_KIND else other
    return "crowded", one if graph.is_crowded(one) else other


def faults_of(name: str, graph: Graph, links: Links, decisions: Decisions) -> Iterator[tuple[Link, Fault, str]]:
    for link in links.of.get(name, ()):
        fault = fault_of(name, link.other, graph, decisions)
        if fault is not None:
            yield link, *fault


def path_to(start: str, goal: str, graph: Graph, links: Links, decisions: Decisions) -> list[Link]:
    """The shortest way over links that count. Empty when there is none: a person linked it."""
    came: dict[str, Link | None] = {start: None}
    frontier = [start]
    while frontier and goal not in came:
        reached: list[str] = []
        for one in frontier:
            for link in links.of.get(one, ()):
                if link.other not in came and fault_of(one, link.other, graph, decisions) is None:
                    came[link.other] = link
                    reached.append(link.other)
        frontier = reached
    path: list[Link] = []
    step = came.get(goal)
    while step is not None:
        path.append(step)
        step = came[step.one]
    return path[::-1]
