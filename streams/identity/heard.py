"""What one partition of `resolve` knows beyond its own touchpoints: hearsay, what it told, and in one partition
the contact graph.

Its changelog keys: `c|<contact>` whom it names, `l|<identifiers>` the day on which they were last told to be seen
together, `d|<identifier>` decisions, `g|<identifier>` a node of the contact graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from schemas.control_records import Decision
from streams.identity.contacts import Graph, Node
from streams.identity.decisions import Standing
from streams.identity.device import Kept
from streams.identity.hearsay import Hearsay, Told
from streams.identity.limits import DAY_MS, Limits

_decode_text = msgspec.msgpack.Decoder(str).decode
_decode_day = msgspec.msgpack.Decoder(int).decode
_decode_standing = msgspec.msgpack.Decoder(list[tuple[str | None, Standing]]).decode
_decode_node = msgspec.msgpack.Decoder(tuple[dict[str, dict[str, int]], str | None, dict[int, int]]).decode


class Heard:
    """`changed` is the state's: what is in it goes to the changelog. `owns`: is this contact one of our partition?"""

    def __init__(self, limits: Limits, changed: dict[bytes, object], owns: Callable[[str], bool]) -> None:
        self._limits, self._changed, self._owns = limits, changed, owns
        self.hearsay = Hearsay()
        self.graph = Graph(limits.most, limits.component, self.hearsay.decisions, limits.linked)
        """Empty but in one partition."""
        self.told: dict[str, int] = {}
        self._told_by_day: dict[int, set[str]] = {}
        self._day = 0

    def hears_of(self, contact: str, user_id: str | None) -> Iterable[str]:
        """Whom a contact names from now on. Returns the identifiers here that depend on it."""
        told = self.hearsay.contacts.get(contact)
        if told is None:
            told = self.hearsay.contacts[contact] = Told()
        if told.user_id != user_id:
            told.user_id = user_id
            self._changed[_contact_key(contact)] = user_id
        self._forget_contact(contact, told)
        return told.routings

    def asks(self, contacts: Iterable[str], routing: str, day: int) -> bool:
        """A touchpoint on `routing` depends on these contacts. Whether the contact graph must be asked: for what is new
        here, and once a day, since it forgets who asked. The owner of a contact hears of it unasked.
        """
        new = self.hearsay.join(contacts, routing)
        foreign = [contact for contact in contacts if not self._owns(contact)]
        if not foreign:
            return False
        renewed = self.tells("|".join(("?", *foreign)), day)
        return renewed or any(contact in new for contact in foreign)

    def tells(self, together: str, day: int) -> bool:
        """Whether the contact graph must hear that these identifiers were seen together on this day."""
        last = self.told.get(together)
        if last is not None and last >= day:
            return False
        self.told[together] = day
        if last is None:
            self._told_by_day.setdefault(day, set()).add(together)
        self._changed[b"l|" + together.encode()] = day
        return True

    def decides(self, decision: Decision, order: int) -> None:
        self.hearsay.decisions.take(decision, order)
        standing = self.hearsay.decisions.of(decision.identifier)
        self._changed[b"d|" + decision.identifier.encode()] = standing or None

    def nodes_changed(self, names: Iterable[str]) -> None:
        for name in names:
            node = self.graph.nodes.get(name)
            self._changed[b"g|" + name.encode()] = None if node is None else (node.links, node.names, node.askers)

    def leave(self, routing: str, kept: Kept) -> None:
        """This touchpoint on `routing` is forgotten: one less depends on its contacts."""
        for contact in kept.contacts:
            told = self.hearsay.contacts.get(contact)
            if told is not None and routing in told.routings:
                told.routings[routing] -= 1
                if told.routings[routing] == 0:
                    del told.routings[routing]
                    self._forget_contact(contact, told)

    def _forget_contact(self, contact: str, told: Told) -> None:
        """Where nothing depends on it: its owner keeps whom it names, for touchpoints to come; others ask again."""
        if not told.routings and (told.user_id is None or not self._owns(contact)):
            del self.hearsay.contacts[contact]
            self._changed[_contact_key(contact)] = None

    def forget_told(self, today: int) -> None:
        """Telling a link again changes nothing, so a day that is over need not be remembered for long. `today`: W's."""
        if today <= self._day:
            return
        self._day = today
        keep_days = 2 + -(-self._limits.horizon_ms // DAY_MS)
        while over := [day for day in self._told_by_day if day + keep_days <= today]:
            for day in over:
                for together in self._told_by_day.pop(day):
                    self._forget_or_refile(together, day)

    def _forget_or_refile(self, together: str, day: int) -> None:
        last = self.told[together]
        if last > day:
            self._told_by_day.setdefault(last, set()).add(together)
        else:
            del self.told[together]
            self._changed[b"l|" + together.encode()] = None

    def restore(self, prefix: bytes, name: str, value: bytes) -> bool:
        """False: this is not ours."""
        if prefix == b"c|":
            self.hearsay.contacts[name] = Told(_decode_text(value))
        elif prefix == b"l|":
            self.told[name] = _decode_day(value)
            self._told_by_day.setdefault(self.told[name], set()).add(name)
        elif prefix == b"d|":
            for user_id, standing in _decode_standing(value):
                self.hearsay.decisions.restored(name, user_id, standing)
        elif prefix == b"g|":
            links, names, askers = _decode_node(value)
            self.graph.restored(name, Node(links, names, askers))
        else:
            return False
        return True


def _contact_key(contact: str) -> bytes:
    return b"c|" + contact.encode()
