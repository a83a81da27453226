"""Rule 3 and "By hand" of docs/identity.md: whom each contact names, from all links and all decisions.

Where the page leaves room, this is the reading:
- A decision changes what is valid, never what is counted: crowded follows from all links, blocked and unlinked too.
- A block outranks a link of the same identifier. What is linked by hand to a blocked user is still that user's.
- A link by hand names, but is no link of the graph: nobody else follows from it.
- "The last one" looks at what is in force: when the last link by hand is lifted, the one before counts again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import Any

from tests.oracle.usable import Identifier, Rules


@dataclass(frozen=True, slots=True)
class Decided:
    """`user` None: about the identifier alone (block, and a lift of it)."""

    kind: str
    identifier: Identifier
    user: str | None


@dataclass(frozen=True, slots=True)
class InForce:
    """What the decisions say together. `linked`: identifier -> the user of its last link."""

    linked: dict[Identifier, str] = field(default_factory=dict)
    unlinked: frozenset[tuple[Identifier, str]] = frozenset()
    blocked: frozenset[Identifier] = frozenset()

    def names_nobody(self, device: Identifier, user: str) -> bool:
        """Whether a login of this user on this device is a marker without a name."""
        return device in self.blocked or ("user_id", user) in self.blocked or (device, user) in self.unlinked


def decided_of(body: Mapping[str, Any]) -> Decided:
    kind, _, value = body["identifier"].partition(":")
    return Decided(body["kind"], (kind, value), body["user_id"])


def in_force(decisions: Iterable[Decided]) -> InForce:
    """`decisions` in the order in which they were made."""
    last: dict[tuple[Identifier, str | None], str] = {}
    for one in decisions:
        last.pop((one.identifier, one.user), None)
        if one.kind != "lift":
            last[one.identifier, one.user] = one.kind
    linked: dict[Identifier, str] = {}
    unlinked, blocked = set(), set()
    for (identifier, user), kind in last.items():
        if kind == "block":
            blocked.add(identifier)
        elif kind == "link" and user is not None:
            linked[identifier] = user
        elif kind == "unlink" and user is not None:
            unlinked.add((identifier, user))
    linked = {identifier: user for identifier, user in linked.items() if identifier not in blocked}
    return InForce(linked, frozenset(unlinked), frozenset(blocked))


class Links:
    """The links of a set of touchpoints: which are valid, what they connect, whom each contact names."""

    def __init__(
        self, together: Iterable[tuple[int, Mapping[str, str]]], decided: InForce, rules: Rules, since: int = 0
    ) -> None:
        """`together`: day and usable identifiers of each on-time touchpoint. What was last seen before the day `since`
        is forgotten.
        """
        self._decided, self.rules = decided, rules
        self.contacts: set[Identifier] = set()
        last: dict[tuple[Identifier, Identifier], int] = {}
        for day, identifiers in together:
            joining = [(kind, identifiers[kind]) for kind in ("user_id", *rules.kinds.contacts) if kind in identifiers]
            self.contacts.update(one for one in joining if one[0] != "user_id")
            for pair in combinations(joining, 2):
                last[pair] = max(day, last.get(pair, day))
        self.pairs = {pair for pair, day in last.items() if day >= since}
        self.forgotten = len(last) - len(self.pairs)
        partners: dict[tuple[Identifier, str], set[Identifier]] = defaultdict(set)
        for a, b in self.pairs:
            partners[a, b[0]].add(b)
            partners[b, a[0]].add(a)
        self.crowded = {about for about, others in partners.items() if len(others) > rules.most_of(about[1])}
        """(identifier, kind): linked with too many values of the kind."""
        self._joins_nobody = {identifier for identifier, _ in self.crowded} | decided.blocked
        self.valid: dict[Identifier, set[Identifier]] = defaultdict(set)
        for a, b in self.pairs:
            if self._is_valid(a, b):
                self.valid[a].add(b)
                self.valid[b].add(a)

    def _is_valid(self, a: Identifier, b: Identifier) -> bool:
        if not self._joins_nobody.isdisjoint((a, b)):
            return False
        user = a[1] if a[0] == "user_id" else None
        return user is None or (b, user) not in self._decided.unlinked

    @cached_property
    def component_of(self) -> dict[Identifier, frozenset[Identifier]]:
        found: dict[Identifier, frozenset[Identifier]] = {}
        for start in self.contacts:
            if start in found:
                continue
            reached, edge = {start}, [start]
            while edge:
                new = self.valid[edge.pop()] - reached
                reached |= new
                edge.extend(new)
            whole = frozenset(reached)
            found |= dict.fromkeys(whole, whole)
        return found

    def names(self, contact: Identifier) -> str | None:
        if contact in self._decided.blocked:
            return None
        if contact in self._decided.linked:
            return self._decided.linked[contact]
        component = self.component_of.get(contact, frozenset((contact,)))
        users = {value for kind, value in component if kind == "user_id"}
        if len(component) > self.rules.component or len(users) != 1:
            users = self.own_users(contact)
        users = {user for user in users if (contact, user) not in self._decided.unlinked}
        return users.pop() if len(users) == 1 else None

    def own_users(self, contact: Identifier) -> set[str]:
        """The users of its own valid links."""
        return {value for kind, value in self.valid.get(contact, ()) if kind == "user_id"}

    @cached_property
    def named(self) -> dict[Identifier, str | None]:
        """Every contact that was seen or decided about."""
        about = {one for one in self._decided.linked if one[0] in self.rules.kinds.contacts} | self.contacts
        return {contact: self.names(contact) for contact in about}

    def named_by(self, identifiers: Mapping[str, str]) -> set[str]:
        """The users that the contacts of one touchpoint name."""
        contacts = [(kind, identifiers[kind]) for kind in self.rules.kinds.contacts if kind in identifiers]
        users = {self.named[one] if one in self.named else self.names(one) for one in contacts}
        return {user for user in users if user is not None}
