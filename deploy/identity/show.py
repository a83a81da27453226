"""What is known around an identifier, or around a customer: a tree of identifiers, each edge with its evidence.

At most SHOWN_MAX of each kind of thing; what is left out is counted.
"""

from __future__ import annotations

from dataclasses import replace

from deploy.identity.asked import Customer, Identifier, Unclear
from deploy.identity.judge import Rules, deciding_claim, in_force, key_of
from deploy.identity.links import Links, kind_of
from deploy.identity.naming import Naming, fault_of, naming_of
from deploy.identity.read import Source, filled
from deploy.identity.refusals import ambiguous, nobody_of_customer, nothing_begins
from deploy.identity.tree import (
    NAMED,
    SEEN,
    USERS,
    WHOSE,
    Branch,
    Edge,
    Leaf,
    Mark,
    Shown,
)
from deploy.identity.user_tree import of_user
from deploy.identity.view import View, crowds, edge, edge_of, faulty, more, shown, split, unread
from deploy.identity.why import KEY_MAX, about
from schemas.identifiers import UNIQUE_KIND, customer_of
from sinks.clickhouse.statements import column_of
from streams.identity.contacts import Graph


def show(source: Source, asked: Identifier | Customer, rules: Rules, now: int) -> Shown:
    """Raises Unclear when nothing is found for the beginning of an id, or several things are."""
    found = find(source, asked)
    made = tuple(source.decisions())
    view = View(source, rules, now, made, in_force(made))
    group = source.kinds.group_of(kind_of(found))
    if group == "user":
        return of_user(view, found, found, None)
    if group == "device":
        return _of_device(view, found)
    if group == "contact":
        links, graph = view.links(found)
        naming = naming_of(found, graph, links, view.standing)
        if naming.user_id is not None:
            return of_user(view, f"{UNIQUE_KIND}:{naming.user_id}", found, naming)
        return _of_contact(view, found, naming, links, graph)
    return _of_key(view, found)


def find(source: Source, asked: Identifier | Customer) -> str:
    """The identifier meant: that which the customer stands for, or the whole of a hash. Raises Unclear."""
    if isinstance(asked, Identifier):
        return asked.text if asked.is_whole else whole(source, asked).text
    rows = [row for query in (WHOSE, NAMED) for row in source.ask(query, {"beginning": asked.beginning})]
    customers = {row["customer_id"] for row in rows}
    if len(customers) > 1:
        raise Unclear(ambiguous(asked.beginning, sorted(customers)))
    exact = [row["identifier"] for row in rows if customer_of(*split(row["identifier"])) == row["customer_id"]]
    if not exact:
        raise Unclear(nobody_of_customer(asked.beginning))
    return str(exact[0])


def whole(source: Source, identifier: Identifier) -> Identifier:
    """The stored identifier whose hash begins so. Raises Unclear."""
    kind = identifier.kind
    template = (
        "SELECT DISTINCT <column> AS value FROM DB.touchpoints WHERE startsWith(<column>, {beginning:String}) LIMIT 3"
    )
    query = filled(template, column=column_of(kind))
    rows = source.ask(query, {"beginning": identifier.value})
    if not rows:
        raise Unclear(nothing_begins(identifier.text))
    if len(rows) > 1:
        raise Unclear(ambiguous(identifier.text, [f"{kind}:{row['value']}" for row in rows]))
    return replace(identifier, value=rows[0]["value"], is_whole=True)


def _of_device(view: View, device: str) -> Shown:
    customer = customer_of(*split(device))
    users = view.source.ask(USERS, {"origin": device})
    seen = view.source.ask(SEEN, {"origin": device})
    shared, kiosks = crowds(view, [device])
    marks = [*kiosks.get(device, ()), *shared.get(device, ())]
    if view.standing.is_blocked(device):
        marks.append(Mark("blocked"))
    leaves = [
        Leaf(
            row["identifier"],
            edge("login", row),
            (Mark("unlinked", text=split(row["identifier"])[1]),)
            if view.standing.is_unlinked(device, split(row["identifier"])[1])
            else (),
        )
        for row in users
    ]
    by_hand = view.standing.linked(device)
    if by_hand is not None and all(leaf.identifier != f"{UNIQUE_KIND}:{by_hand}" for leaf in leaves):
        leaves.insert(0, Leaf(f"{UNIQUE_KIND}:{by_hand}", None))
    branches = (
        Branch("users", tuple(leaves), more(users)),
        Branch("contacts", tuple(Leaf(row["identifier"], edge("seen", row)) for row in seen), more(seen)),
    )
    decisions = about(view.made, view.standing, {device})
    return shown(view, device, device, customer, branches, decisions, None, tuple(marks), True)


def _of_contact(view: View, contact: str, naming: Naming, links: Links, graph: Graph) -> Shown:
    users, contacts, apart, marks = list[Leaf](), list[Leaf](), list[Leaf](), list[Mark]()
    for link in links.of.get(contact, ()):
        fault = fault_of(contact, link.other, graph, view.standing)
        if fault is not None:
            leaf = faulty(link, fault, links, False)
            own = [one for one in leaf.marks if one.kind in ("crowded", "blocked") and one.text == contact]
            marks += [one for one in own if one not in marks]
            apart.append(replace(leaf, marks=tuple(one for one in leaf.marks if one not in own)))
        elif kind_of(link.other) == UNIQUE_KIND:
            users.append(Leaf(link.other, edge_of("link", link)))
        else:
            contacts.append(Leaf(link.other, edge_of("link", link)))
    branches = (
        Branch("users", tuple(users)),
        Branch("contacts", tuple(contacts)),
        Branch("apart", tuple(apart), unread(links, contact)),
    )
    if view.standing.is_blocked(contact) and all(one.kind != "blocked" for one in marks):
        marks.append(Mark("blocked"))
    decisions = about(view.made, view.standing, {contact})
    customer = customer_of(*split(contact))
    return shown(view, contact, contact, customer, branches, decisions, naming, tuple(marks), links.is_whole)


def _of_key(view: View, key: str) -> Shown:
    touches = view.source.carrying(key, KEY_MAX)
    held = key_of(key, touches, {}, view.standing, view.rules.limits)
    claim = deciding_claim(held)
    leaves = []
    for touch in (one for one in touches if claim is not None and one.touchpoint_id == claim.touchpoint_id):
        times = (touch.occurred_at, touch.occurred_at)
        named = f"{UNIQUE_KIND}:{touch.user_id}" if touch.user_id is not None else touch.origin
        leaves.append(Leaf(named, Edge("claim", 1, *times, touch.touchpoint_id, touch.name)))
    marks = [Mark("blocked")] if held.is_blocked else [Mark("worn")] if held.is_worn else []
    if held.owner is None and not marks:
        marks.append(Mark("waiting", len(touches)))
    decisions = about(view.made, view.standing, {key})
    branches = (Branch("claim", tuple(leaves)),)
    return shown(view, key, key, held.owner, branches, decisions, None, tuple(marks), True)
