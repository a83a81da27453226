"""The tree of a user: devices, contacts and business keys, and what was seen with it and is not joined."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from deploy.identity.links import Links, kind_of
from deploy.identity.naming import Naming, fault_of, naming_of
from deploy.identity.touch import Row
from deploy.identity.tree import (
    SHOWN_MAX,
    Branch,
    Leaf,
    Mark,
    Rule,
    Shown,
    devices_of,
    keys_of,
)
from deploy.identity.view import View, crowds, edge, edge_of, faulty, key_at, more, shown, split, unread
from deploy.identity.why import about
from schemas.identifiers import UNIQUE_KIND, customer_of
from streams.identity.contacts import Graph

DEPTH_MAX: Final = 6


def of_user(view: View, user: str, asked: str, naming: Naming | None) -> Shown:
    value, customer = split(user)[1], customer_of(*split(user))
    links, graph = view.links(user, asked)
    devices = view.source.ask(devices_of(view.source.kinds), {"user": value})
    contacts, apart = _contacts(view, user, asked, links, graph)
    keys = view.source.ask(keys_of(view.source.kinds), {"customer": customer, "root": user})
    branches = (
        Branch("devices", _devices(view, devices, value, asked), more(devices)),
        contacts,
        Branch("keys", tuple(_key_leaf(view, row, customer) for row in keys if _counts(view, row)), more(keys)),
        apart,
    )
    named = {user, asked, *(leaf.identifier for branch in branches for leaf in _all(branch.leaves))}
    decisions = [
        one for one in about(view.made, view.standing, named) if one.user_id in (None, value) or one.identifier == asked
    ]
    by_hand = [
        one.identifier for one in view.made if one.user_id == value and view.standing.linked(one.identifier) == value
    ]
    decisions += [
        one for one in about(view.made, view.standing, set(by_hand)) if one not in decisions and one.user_id == value
    ]
    marks = (Mark("blocked"),) if view.standing.is_blocked(user) else ()
    return shown(view, asked, user, customer, branches, tuple(decisions), naming, marks, links.is_whole)


def _devices(view: View, rows: Sequence[Row], user: str, asked: str) -> tuple[Leaf, ...]:
    shared, kiosks = crowds(view, [row["identifier"] for row in rows])
    leaves = []
    for row in rows:
        device = row["identifier"]
        marks = [*kiosks.get(device, ()), *shared.get(device, ())]
        if view.standing.is_blocked(device):
            marks.append(Mark("blocked"))
        if view.standing.is_unlinked(device, user):
            marks.append(Mark("unlinked", text=user))
        leaves.append(Leaf(device, edge("login", row), tuple(marks), is_asked=device == asked))
    return tuple(leaves)


def _contacts(view: View, user: str, asked: str, links: Links, graph: Graph) -> tuple[Branch, Branch]:
    """What names the user, as a tree of links from it; and what is linked with it and does not count."""
    value = split(user)[1]
    seen, apart = {user}, list[Leaf]()

    def below(name: str, depth: int) -> tuple[Leaf, ...]:
        leaves = []
        reached = []
        for link in links.of.get(name, ()):
            fault = fault_of(name, link.other, graph, view.standing)
            if fault is not None:
                if depth == 0:
                    apart.append(faulty(link, fault, links, link.other == asked))
            elif link.other not in seen and kind_of(link.other) != UNIQUE_KIND and depth < DEPTH_MAX:
                seen.add(link.other)
                reached.append(link)
        for link in reached:
            rule: Rule = "chain" if depth else "link"
            marks = _contact_marks(view, link.other, value, graph, links)
            children = below(link.other, depth + 1)
            leaves.append(Leaf(link.other, edge_of(rule, link), marks, children, link.other == asked))
        return tuple(leaves)

    leaves = below(user, 0)
    by_hand = [
        one for one in dict.fromkeys(made.identifier for made in view.made) if view.standing.linked(one) == value
    ]
    extra = tuple(Leaf(one, None, (), (), one == asked) for one in by_hand if one not in seen)
    whole_set = (*extra, *leaves)
    whole_apart = tuple(one for one in apart if one.identifier not in seen)
    return (
        Branch("contacts", whole_set[:SHOWN_MAX], max(0, len(whole_set) - SHOWN_MAX)),
        Branch("apart", whole_apart[:SHOWN_MAX], max(0, len(whole_apart) - SHOWN_MAX) + unread(links, user)),
    )


def _contact_marks(view: View, contact: str, user: str, graph: Graph, links: Links) -> tuple[Mark, ...]:
    naming = naming_of(contact, graph, links, view.standing)
    if naming.user_id == user:
        return (Mark("own_links"),) if naming.how == "own_links" else ()
    if naming.how == "unlinked":
        return (Mark("unlinked", text=user),)
    return (Mark("several", len(naming.users), naming.user_id or ""),)


def _counts(view: View, row: Row) -> bool:
    """Not a placeholder, nor ignored."""
    return view.source.reads(*split(row["identifier"])) is not None


def _key_leaf(view: View, row: Row, customer: str) -> Leaf:
    """A key that one of the customer's touchpoints carries; marked where it is somebody else's."""
    held = key_at(view, row["identifier"])
    marks: tuple[Mark, ...] = ()
    if held.is_blocked:
        marks = (Mark("blocked"),)
    elif held.is_worn:
        marks = (Mark("worn"),)
    elif held.owner != customer:
        marks = (Mark("several", 2, held.owner or ""),)
    return Leaf(row["identifier"], edge("claim", row), marks)


def _all(leaves: Iterable[Leaf]) -> list[Leaf]:
    return [found for leaf in leaves for found in (leaf, *_all(leaf.children))]
