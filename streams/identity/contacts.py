"""Rule 3: whom does a contact name? A pure function of the links between contacts and users, and of decisions by hand.

A link joins two identifiers that one touchpoint carries. Of each identifier the most recent links to one kind are
kept, as many as make it crowded: more of them change nothing, so a bot with a million e-mails costs eleven links.
Looking at a component stops at its greatest size. So the cost of a new link has a bound, whatever hangs on it.

Days, not moments: a link that was renewed today is the same as yesterday's, one day later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from schemas.identifiers import UNIQUE_KIND
from streams.identity.decisions import Decisions
from streams.identity.limits import DAY_MS

_USER: Final = f"{UNIQUE_KIND}:"


@dataclass(slots=True)
class Node:
    """One identifier. `links`: kind -> identifier of that kind -> day of the latest touchpoint with both.

    `names`: for a contact, the user it names as was last told. `askers`: raw partitions that want to hear of it,
    with the day they asked last. `due`: the day under which it is filed, to be looked at when that is forgotten.
    """

    links: dict[str, dict[str, int]] = field(default_factory=dict)
    names: str | None = None
    askers: dict[int, int] = field(default_factory=dict)
    due: int | None = None

    @property
    def idle(self) -> bool:
        return not self.links and self.names is None and not self.askers


@dataclass(frozen=True, slots=True)
class Component:
    """What valid links connect. `users`: those in it. `is_whole` False: too large; this is a part of it."""

    members: frozenset[str]
    users: frozenset[str]
    is_whole: bool


class Graph:
    """`most`: kind -> so many different values of it may be linked to one identifier. `largest`: of a component."""

    def __init__(self, most: Mapping[str, int], largest: int, decisions: Decisions, room: int) -> None:
        self.nodes: dict[str, Node] = {}
        self._most, self._largest, self._room = most, largest, room
        self._decisions = decisions
        self._by_day: dict[int, set[str]] = {}
        self.refused = 0
        """Times an identifier was not taken, since the start: there was no room for it."""

    # -- what it is told

    def add(
        self, user_id: str | None, contacts: Iterable[str], occurred_at: int
    ) -> tuple[dict[str, str | None], set[str]]:
        """These identifiers were seen together. Returns the contacts that name somebody else now, with whom (sorted),
        and the identifiers whose links changed.
        """
        day = occurred_at // DAY_MS
        together = [*contacts] if user_id is None else [_USER + user_id, *contacts]
        starts: set[str] = set()
        known = True
        for index, one in enumerate(together):
            for other in together[index + 1 :]:
                if not self._knows(one, other, day):
                    known = False
                    starts |= {one, other, *self._crowding(one, other), *self._crowding(other, one)}
        if known:
            return {}, set()

        def change() -> None:
            for index, one in enumerate(together):
                for other in together[index + 1 :]:
                    self._link(one, other, day)

        return self._judged(starts, change), set(together)

    def ask(self, contact: str, partition: int, day: int) -> None:
        """A raw partition wants to hear of this contact."""
        node = self.nodes.get(contact)
        if node is None:
            if len(self.nodes) >= self._room:
                self.refused += 1
                return
            node = self.nodes[contact] = Node()
        node.askers[partition] = max(day, node.askers.get(partition, day))
        self._file(contact, node)

    def decided(self, identifier: str, change: Callable[[], None]) -> dict[str, str | None]:
        """`change` alters the decisions about this identifier. Returns whom contacts name instead."""
        node = self.nodes.get(identifier)
        near = [] if node is None else [other for links in node.links.values() for other in links]
        if not identifier.startswith(_USER) and node is None:
            self.nodes[identifier] = Node()
        return self._judged({identifier, *near}, change)

    def expire(self, day: int) -> tuple[dict[str, str | None], set[str]]:
        """Forget links whose last day is before `day`; as `add`."""
        over = sorted(one for one in self._by_day if one < day)
        touched: set[str] = set()
        for one in over:
            touched |= self._by_day.pop(one)
        touched = {name for name in touched if name in self.nodes}
        starts = set(touched)
        for name in touched:
            for links in self.nodes[name].links.values():
                starts.update(links)

        def change() -> None:
            for name in touched:
                node = self.nodes[name]
                for kind in list(node.links):
                    node.links[kind] = {other: last for other, last in node.links[kind].items() if last >= day}
                    if not node.links[kind]:
                        del node.links[kind]

        if not touched:
            return {}, set()
        return self._judged(starts, change), touched

    def forget_askers(self, names: Iterable[str], day: int) -> None:
        """Those of them that asked before `day`; after they were told what `expire` changed."""
        for name in names:
            node = self.nodes[name]
            node.askers = {asker: last for asker, last in node.askers.items() if last >= day}
            node.due = None
            self._file(name, node)

    def drop_idle(self, names: Iterable[str]) -> set[str]:
        """Those of these that nothing is known of any more; they are forgotten."""
        idle = {name for name in names if name in self.nodes and self.nodes[name].idle}
        for name in idle:
            del self.nodes[name]
        return idle

    def restored(self, name: str, node: Node) -> None:
        self.nodes[name] = node
        self._file(name, node)

    # -- what follows from it

    def component(self, start: str) -> Component:
        """Everything that valid links connect with `start`; cut where it is too large."""
        seen, frontier = {start}, [start]
        while frontier and len(seen) <= self._largest:
            reached = [other for one in frontier for other in self.valid(one) if other not in seen]
            frontier = list(dict.fromkeys(reached))
            seen.update(frontier)
        members = frozenset(seen)
        return Component(members, _users(members), len(seen) <= self._largest)

    def judge(self, contact: str, component: Component) -> str | None:
        """The user that this contact of the component names."""
        decisions = self._decisions
        if decisions.is_blocked(contact):
            return None
        by_hand = decisions.linked(contact)
        if by_hand is not None:
            return by_hand
        users = component.users
        if not component.is_whole or len(users) != 1:
            users = _users(self.valid(contact))
        if len(users) != 1:
            return None
        (user,) = users
        return None if decisions.is_unlinked(contact, user) else user

    def names(self, contact: str) -> str | None:
        """Afresh, from the links alone."""
        return self.judge(contact, self.component(contact))

    def is_crowded(self, identifier: str) -> bool:
        """Seen with too many of one kind to say anything about one person, with that kind or any other."""
        node = self.nodes.get(identifier)
        if node is None:
            return False
        return any(len(links) > self._most[kind] for kind, links in node.links.items())

    def valid(self, identifier: str) -> Iterator[str]:
        """What its valid links join it with."""
        node = self.nodes.get(identifier)
        if node is None or self._decisions.is_blocked(identifier) or self.is_crowded(identifier):
            return
        for links in node.links.values():
            for other in links:
                if not self.is_crowded(other) and self._decisions.may_link(identifier, other):
                    yield other

    # -- changing it

    def _judged(self, starts: set[str], change: Callable[[], None]) -> dict[str, str | None]:
        """Do it, and judge every contact anew whose component it may have touched."""
        touched = self._around(starts)
        change()
        touched |= self._around(starts)
        changed: dict[str, str | None] = {}
        left = sorted(name for name in touched if not name.startswith(_USER) and name in self.nodes)
        components: dict[str, Component] = {}
        for contact in left:
            if contact not in components:
                found = self.component(contact)
                components.update(dict.fromkeys(found.members, found))
            node, named = self.nodes[contact], self.judge(contact, components[contact])
            if named != node.names:
                node.names = changed[contact] = named
        return changed

    def _around(self, starts: Iterable[str]) -> set[str]:
        around: set[str] = set()
        for start in starts:
            if start not in around:
                around |= self.component(start).members
        return around

    def _knows(self, one: str, other: str, day: int) -> bool:
        return self._has(one, other, day) and self._has(other, one, day)

    def _has(self, one: str, other: str, day: int) -> bool:
        node = self.nodes.get(one)
        return node is not None and node.links.get(_kind(other), {}).get(other, -1) >= day

    def _crowding(self, one: str, other: str) -> Iterable[str]:
        """What `one` is linked with, if `other` may make it crowded."""
        node, kind = self.nodes.get(one), _kind(other)
        if node is None:
            return ()
        links = node.links.get(kind, {})
        if len(links) != self._most[kind] or other in links:
            return ()
        return [each for of_kind in node.links.values() for each in of_kind]

    def _link(self, one: str, other: str, day: int) -> None:
        for identifier, to in ((one, other), (other, one)):
            node = self.nodes.get(identifier)
            if node is None:
                if len(self.nodes) >= self._room:
                    self.refused += 1
                    continue
                node = self.nodes[identifier] = Node()
            kind = _kind(to)
            links = node.links.setdefault(kind, {})
            if links.get(to, -1) >= day:
                continue
            links[to] = day
            if len(links) > self._most[kind] + 1:
                del links[min(links, key=lambda name: (links[name], name))]
            self._file(identifier, node)

    def _file(self, identifier: str, node: Node) -> None:
        """To be looked at when its oldest link is forgotten. A renewed link is filed anew only then."""
        days = [*node.askers.values(), *(day for links in node.links.values() for day in links.values())]
        if days and (node.due is None or min(days) < node.due):
            if node.due is not None:
                self._by_day[node.due].discard(identifier)
            node.due = min(days)
            self._by_day.setdefault(node.due, set()).add(identifier)


def _kind(identifier: str) -> str:
    return identifier.partition(":")[0]


def _users(identifiers: Iterable[str]) -> frozenset[str]:
    return frozenset(one[len(_USER) :] for one in identifiers if one.startswith(_USER))
