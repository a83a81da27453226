"""What is known around an identifier, or around a customer: a tree of identifiers, each edge with its evidence.

At most SHOWN_MAX of each kind of thing; what is left out is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from deploy.identity.asked import Customer, Identifier, Unclear
from deploy.identity.judge import Rules, deciding_claim, in_force, key_of
from deploy.identity.links import Link, Links, kind_of, links_around
from deploy.identity.naming import Fault, Naming, fault_of, naming_of
from deploy.identity.read import Source, filled
from deploy.identity.texts import ambiguous, nobody_of_customer, nothing_begins
from deploy.identity.touch import Row
from deploy.identity.tree import (
    ACCOUNTS,
    DEVICES,
    KEYS,
    KIOSKS,
    NAMED,
    SEEN,
    SHARED,
    SHOWN_MAX,
    TOTALS,
    USERS,
    WHOSE,
    Branch,
    Edge,
    Leaf,
    Mark,
    Rule,
    Shown,
    Total,
)
from deploy.identity.why import KEY_MAX, about
from schemas.identifiers import CONTACT_KINDS, DEVICE_KINDS, UNIQUE_KIND, customer_of
from schemas.records import Decision
from streams.identity.contacts import Graph
from streams.identity.decisions import Decisions
from streams.identity.keys import Key

DEPTH_MAX: Final = 6


@dataclass(frozen=True, slots=True)
class _View:
    """What one look has at hand."""

    source: Source
    rules: Rules
    now: int
    counts: Callable[[str], bool]
    made: tuple[Decision, ...]
    standing: Decisions

    def links(self, *starts: str) -> tuple[Links, Graph]:
        links = links_around(self.source, starts, self.rules.limits, self.now, self.counts)
        return links, links.graph(self.standing, self.rules.limits)


def show(source: Source, asked: Identifier | Customer, rules: Rules, now: int, counts: Callable[[str], bool]) -> Shown:
    """Raises Unclear when nothing is found for the beginning of an id, or several things are."""
    found = find(source, asked)
    made = tuple(source.decisions())
    view = _View(source, rules, now, counts, made, in_force(made))
    kind = kind_of(found)
    if kind == UNIQUE_KIND:
        return _of_user(view, found, found, None)
    if kind in DEVICE_KINDS:
        return _of_device(view, found)
    if kind in CONTACT_KINDS:
        links, graph = view.links(found)
        naming = naming_of(found, graph, links, view.standing)
        if naming.user_id is not None:
            return _of_user(view, f"{UNIQUE_KIND}:{naming.user_id}", found, naming)
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
    exact = [row["identifier"] for row in rows if customer_of(*_split(row["identifier"])) == row["customer_id"]]
    if not exact:
        raise Unclear(nobody_of_customer(asked.beginning))
    return str(exact[0])


def whole(source: Source, identifier: Identifier) -> Identifier:
    """The stored identifier whose hash begins so. Raises Unclear."""
    kind = identifier.kind
    template = (
        "SELECT DISTINCT <kind> AS value FROM DB.touchpoints WHERE startsWith(<kind>, {beginning:String}) LIMIT 3"
    )
    query = filled(template, kind=kind)
    rows = source.ask(query, {"beginning": identifier.value})
    if not rows:
        raise Unclear(nothing_begins(identifier.text))
    if len(rows) > 1:
        raise Unclear(ambiguous(identifier.text, [f"{kind}:{row['value']}" for row in rows]))
    return Identifier(kind, rows[0]["value"])


# -- a user ------------------------------------------------------------------------------------------------------------


def _of_user(view: _View, user: str, asked: str, naming: Naming | None) -> Shown:
    value, customer = _split(user)[1], customer_of(*_split(user))
    links, graph = view.links(user, asked)
    devices = view.source.ask(DEVICES, {"user": value})
    contacts, apart = _contacts(view, user, asked, links, graph)
    keys = view.source.ask(KEYS, {"customer": customer})
    branches = (
        Branch("devices", _devices(view, devices, value, asked), _more(devices)),
        contacts,
        Branch("keys", tuple(_key_leaf(view, row, customer) for row in keys), _more(keys)),
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
    return _shown(view, asked, user, customer, branches, tuple(decisions), naming, marks, links.is_whole)


def _devices(view: _View, rows: Sequence[Row], user: str, asked: str) -> tuple[Leaf, ...]:
    shared, kiosks = _crowds(view, [row["identifier"] for row in rows])
    leaves = []
    for row in rows:
        device = row["identifier"]
        marks = [*kiosks.get(device, ()), *shared.get(device, ())]
        if view.standing.is_blocked(device):
            marks.append(Mark("blocked"))
        if view.standing.is_unlinked(device, user):
            marks.append(Mark("unlinked", text=user))
        leaves.append(Leaf(device, _edge("login", row), tuple(marks), is_asked=device == asked))
    return tuple(leaves)


def _crowds(view: _View, devices: list[str]) -> tuple[dict[str, tuple[Mark, ...]], dict[str, tuple[Mark, ...]]]:
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


def _contacts(view: _View, user: str, asked: str, links: Links, graph: Graph) -> tuple[Branch, Branch]:
    """What names the user, as a tree of links from it; and what is linked with it and does not count."""
    value = _split(user)[1]
    seen, apart = {user}, list[Leaf]()

    def below(name: str, depth: int) -> tuple[Leaf, ...]:
        leaves = []
        reached = []
        for link in links.of.get(name, ()):
            fault = fault_of(name, link.other, graph, view.standing)
            if fault is not None:
                if depth == 0:
                    apart.append(_faulty(link, fault, links, link.other == asked))
            elif link.other not in seen and kind_of(link.other) != UNIQUE_KIND and depth < DEPTH_MAX:
                seen.add(link.other)
                reached.append(link)
        for link in reached:
            rule: Rule = "chain" if depth else "link"
            marks = _contact_marks(view, link.other, value, graph, links)
            children = below(link.other, depth + 1)
            leaves.append(Leaf(link.other, _edge_of(rule, link), marks, children, link.other == asked))
        return tuple(leaves)

    leaves = below(user, 0)
    by_hand = [
        one for one in dict.fromkeys(made.identifier for made in view.made) if view.standing.linked(one) == value
    ]
    extra = tuple(Leaf(one, None, (), (), one == asked) for one in by_hand if one not in seen)
    whole_set, whole_apart = (*extra, *leaves), tuple(apart)
    more = max(0, len(whole_set) - SHOWN_MAX) + _unread(links, user)
    return (
        Branch("contacts", whole_set[:SHOWN_MAX], more),
        Branch("apart", whole_apart[:SHOWN_MAX], max(0, len(whole_apart) - SHOWN_MAX)),
    )


def _unread(links: Links, name: str) -> int:
    """Links that exist and were not read: those of a crowded identifier."""
    totals = sum(total for (one, _), total in links.totals.items() if one == name)
    return totals - len(links.of.get(name, ()))


def _contact_marks(view: _View, contact: str, user: str, graph: Graph, links: Links) -> tuple[Mark, ...]:
    naming = naming_of(contact, graph, links, view.standing)
    if naming.user_id == user:
        return (Mark("own_links"),) if naming.how == "own_links" else ()
    if naming.how == "unlinked":
        return (Mark("unlinked", text=user),)
    return (Mark("several", len(naming.users), naming.user_id or ""),)


def _faulty(link: Link, fault: tuple[Fault, str], links: Links, is_asked: bool) -> Leaf:
    kind, blamed = fault
    other = link.other if blamed == link.one else link.one
    number = links.totals.get((blamed, kind_of(other)), 0) if kind == "crowded" else 0
    text = blamed if kind != "unlinked" else _split(link.one if link.one.startswith(UNIQUE_KIND) else link.other)[1]
    return Leaf(link.other, _edge_of("link", link), (Mark(kind, number, text),), (), is_asked)


def _key_leaf(view: _View, row: Row, customer: str) -> Leaf:
    """A key that one of the customer's touchpoints carries; marked where it is somebody else's."""
    held = _key(view, row["identifier"])
    marks: tuple[Mark, ...] = ()
    if held.is_blocked:
        marks = (Mark("blocked"),)
    elif held.owner != customer:
        marks = (Mark("several", 2, held.owner or ""),)
    return Leaf(row["identifier"], _edge("claim", row), marks)


def _key(view: _View, key: str) -> Key:
    kind, value = _split(key)
    touches = view.source.touches(f"{kind} = {{value:String}} AND NOT too_late", {"value": value}, KEY_MAX)
    return key_of(key, touches, {}, view.standing, view.rules.limits)


# -- a device, a contact, a business key -------------------------------------------------------------------------------


def _of_device(view: _View, device: str) -> Shown:
    customer = customer_of(*_split(device))
    users = view.source.ask(USERS, {"origin": device})
    seen = view.source.ask(SEEN, {"origin": device})
    shared, kiosks = _crowds(view, [device])
    marks = [*kiosks.get(device, ()), *shared.get(device, ())]
    if view.standing.is_blocked(device):
        marks.append(Mark("blocked"))
    leaves = [
        Leaf(
            row["identifier"],
            _edge("login", row),
            (Mark("unlinked", text=_split(row["identifier"])[1]),)
            if view.standing.is_unlinked(device, _split(row["identifier"])[1])
            else (),
        )
        for row in users
    ]
    by_hand = view.standing.linked(device)
    if by_hand is not None and all(leaf.identifier != f"{UNIQUE_KIND}:{by_hand}" for leaf in leaves):
        leaves.insert(0, Leaf(f"{UNIQUE_KIND}:{by_hand}", None))
    branches = (
        Branch("users", tuple(leaves), _more(users)),
        Branch("contacts", tuple(Leaf(row["identifier"], _edge("seen", row)) for row in seen), _more(seen)),
    )
    decisions = about(view.made, view.standing, {device})
    return _shown(view, device, device, customer, branches, decisions, None, tuple(marks), True)


def _of_contact(view: _View, contact: str, naming: Naming, links: Links, graph: Graph) -> Shown:
    users, contacts, apart = list[Leaf](), list[Leaf](), list[Leaf]()
    for link in links.of.get(contact, ()):
        fault = fault_of(contact, link.other, graph, view.standing)
        if fault is not None:
            apart.append(_faulty(link, fault, links, False))
        elif kind_of(link.other) == UNIQUE_KIND:
            users.append(Leaf(link.other, _edge_of("link", link)))
        else:
            contacts.append(Leaf(link.other, _edge_of("link", link)))
    branches = (
        Branch("users", tuple(users)),
        Branch("contacts", tuple(contacts)),
        Branch("apart", tuple(apart), _unread(links, contact)),
    )
    marks = (Mark("blocked"),) if view.standing.is_blocked(contact) else ()
    decisions = about(view.made, view.standing, {contact})
    customer = customer_of(*_split(contact))
    return _shown(view, contact, contact, customer, branches, decisions, naming, marks, links.is_whole)


def _of_key(view: _View, key: str) -> Shown:
    kind, value = _split(key)
    touches = view.source.touches(f"{kind} = {{value:String}} AND NOT too_late", {"value": value}, KEY_MAX)
    held = key_of(key, touches, {}, view.standing, view.rules.limits)
    claim = deciding_claim(held)
    leaves = []
    for touch in (one for one in touches if claim is not None and one.touchpoint_id == claim.touchpoint_id):
        times = (touch.occurred_at, touch.occurred_at)
        named = f"{UNIQUE_KIND}:{touch.user_id}" if touch.user_id is not None else touch.origin
        leaves.append(Leaf(named, Edge("claim", 1, *times, touch.touchpoint_id, touch.name)))
    marks = [Mark("blocked")] if held.is_blocked else []
    if held.owner is None and not held.is_blocked:
        marks.append(Mark("waiting", len(touches)))
    decisions = about(view.made, view.standing, {key})
    branches = (Branch("users", tuple(leaves)),)
    return _shown(view, key, key, held.owner, branches, decisions, None, tuple(marks), True)


# -- what all have -----------------------------------------------------------------------------------------------------


def _shown(
    view: _View,
    asked: str,
    root: str,
    customer: str | None,
    branches: tuple[Branch, ...],
    decisions: tuple[Decision, ...],
    naming: Naming | None,
    marks: tuple[Mark, ...],
    is_whole: bool,
) -> Shown:
    given = {"customer": customer or "nobody"}
    totals = view.source.ask(TOTALS, given)
    accounts = view.source.ask(ACCOUNTS, given) if totals else []
    return Shown(
        asked=asked,
        root=root,
        customer_id=customer,
        branches=tuple(branch for branch in branches if branch.leaves or branch.more),
        totals=tuple(Total(row["rule"], row["touchpoints"]) for row in totals),
        first_at=min((row["first_at"] for row in totals), default=None),
        last_at=max((row["last_at"] for row in totals), default=None),
        accounts=tuple(Leaf(row["identifier"], _edge("seen", row)) for row in accounts),
        decisions=decisions,
        naming=naming,
        marks=marks,
        is_whole=is_whole,
    )


def _edge(rule: Rule, row: Row) -> Edge:
    return Edge(rule, row["touchpoints"], row["first_at"], row["last_at"], row["last_id"], row["last_name"])


def _edge_of(rule: Rule, link: Link) -> Edge:
    return Edge(rule, link.touchpoints, link.first_at, link.last_at, link.last_id, link.last_name)


def _more(rows: Sequence[Row]) -> int:
    return int(rows[0]["found"]) - len(rows) if rows else 0


def _all(leaves: Iterable[Leaf]) -> list[Leaf]:
    return [found for leaf in leaves for found in (leaf, *_all(leaf.children))]


def _split(identifier: str) -> tuple[str, str]:
    kind, _, value = identifier.partition(":")
    return kind, value
