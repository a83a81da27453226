"""The owner of identifiers at work: a touchpoint or a piece of evidence comes in, and everything it changes
goes out.

For one touchpoint the effects come in this order: the touchpoint itself, evidence for its keys, moves of older ones,
evidence for the keys of those, what the contact graph must hear. Only the owner of its routing identifier ever says
whose a touchpoint is, so its revs (raw offsets of one partition) can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from schemas.control_records import Evidence
from schemas.decoded import Decoded
from schemas.definition import Catalogue
from schemas.identifiers import UNIQUE_KIND, customer_of
from schemas.records import AttributedBy, Entry, Fact, Run
from streams.identity.cap import make_room, net, pass_by
from streams.identity.clock import AHEAD_MS, offset_after
from streams.identity.device import Kept, Moved, Tail, add_late, alone, attribute, by_contacts, place
from streams.identity.effects import CUSTOMER_SCOPE, Emission, decode_entry, encode, make_entry, make_resolved
from streams.identity.keys import Change, Claim, Key, owner_of, take
from streams.identity.limits import DAY_MS
from streams.identity.state import State, put

UNKNOWN_CHANNEL = "unknown"
FACTS = frozenset((str, int, float, bool))


class Known(NamedTuple):
    """What the catalogue says of a name, as far as attribution needs it."""

    channel: str | None
    ends_session: bool


class Owner:
    """`facts`: properties that journeys look at. `persons`: they look at who acted, too."""

    def __init__(
        self,
        state: State,
        emission: Emission,
        catalogue: Catalogue,
        facts: frozenset[str],
        run: Run,
        persons: bool = False,
    ) -> None:
        self._state, self._emission, self._run, self._persons = state, emission, run, persons
        self._known = {name: Known(entry.channel, entry.ends_session) for name, entry in catalogue.touchpoints.items()}
        self._facts = facts

    def touchpoint(self, decoded: Decoded, log_time: int, offset: int) -> bool:
        """A new touchpoint on one of our identifiers; True when it is too late."""
        state = self._state
        routing = decoded.routing
        tail = state.tails.get(routing) or state.tail(routing)
        occurred_at = decoded.occurred_at_sent
        if decoded.sent_at is not None and decoded.received_at is not None and not decoded.timed_here:
            offset_ms = offset_after(tail.offset_ms, decoded.sent_at, decoded.received_at)
            if offset_ms != tail.offset_ms:
                tail.offset_ms = offset_ms
                state.header_changed(routing, tail)
            occurred_at += offset_ms
        if occurred_at > log_time + AHEAD_MS:
            occurred_at = log_time
        known = self._known.get(decoded.name)
        too_late = log_time - occurred_at > state.limits.horizon_ms
        entry = make_entry(
            decoded.touchpoint_id,
            decoded.name,
            occurred_at,
            decoded.sequence,
            log_time,
            decoded.channel or (known.channel if known is not None else None) or UNKNOWN_CHANNEL,
            decoded.keys,
            self._facts_of(decoded.properties) if decoded.properties else {},
            self._person(decoded) if self._persons else None,
        )
        rule = tail.rule
        on_device = rule == "device"
        user_id = decoded.user_id if on_device else None
        ends = on_device and known is not None and known.ends_session
        contacts = decoded.contacts if decoded.contacts and decoded.user_id is None else ()
        body = encode(entry) if not too_late and user_id is None and (on_device or contacts) else b""
        kept = Kept(
            occurred_at,
            decoded.sequence,
            decoded.touchpoint_id,
            log_time,
            user_id,
            ends,
            too_late,
            tail.customer_id,
            body,
            alone(rule),
            contacts,
            decoded.weak,
        )
        declared = known is not None
        if too_late:
            kept = add_late(tail, kept)
            state.remember(routing, tail, kept)
            self._resolved(decoded, entry, kept, declared, offset)
            return True
        asks = bool(contacts) and state.heard.asks(contacts, routing, occurred_at // DAY_MS)
        if on_device:
            self._on_device(decoded, entry, tail, kept, declared, offset)
        else:
            kept, moved = self._keep(tail, kept)
            if rule == "business_key":
                self._on_key(decoded, entry, kept, declared, offset)
            else:
                self._resolved(decoded, entry, kept, declared, offset)
                self._tell(entry, kept.customer_id, None, decoded.weak)
            if moved:
                self._moves(moved)
        if decoded.contacts:
            self._sight(decoded, occurred_at, asks)
        return False

    def _keep(self, tail: Tail, kept: Kept) -> tuple[Kept, Sequence[Moved]]:
        """On what is no device. Returns it with its customer, and what changed hands."""
        state, hearsay = self._state, self._state.heard.hearsay
        moved: Sequence[Moved] = ()
        if len(tail.entries) >= state.limits.kept:
            if kept < tail.entries[0]:
                kept, _ = pass_by(tail, kept, state.limits, hearsay)
                state.drop(tail.name, kept)
                return kept, ()
            first, moved = make_room(tail, state.limits, hearsay)
            state.drop(tail.name, first)
        if kept.contacts:
            kept = by_contacts(tail, kept, state.limits, hearsay)
        put(tail.entries, kept)
        state.remember(tail.name, tail, kept)
        return kept, moved

    def _person(self, decoded: Decoded) -> str | None:
        """A user_id without proof did not come so far."""
        return None if decoded.user_id is None else customer_of(UNIQUE_KIND, decoded.user_id)

    def _sight(self, decoded: Decoded, occurred_at: int, asks: bool) -> None:
        together = (
            decoded.contacts if decoded.user_id is None else (f"{UNIQUE_KIND}:{decoded.user_id}", *decoded.contacts)
        )
        is_link = len(together) > 1
        tells = is_link and self._state.heard.tells("|".join(together), occurred_at // DAY_MS)
        if asks or tells:
            self._emission.sighting(occurred_at, decoded.user_id, decoded.contacts, asks)

    def _on_device(self, decoded: Decoded, entry: Entry, tail: Tail, kept: Kept, declared: bool, offset: int) -> None:
        state, routing = self._state, decoded.routing
        kiosk, over, first = tail.kiosk, tail.over, None
        if len(tail.entries) < state.limits.kept:
            kept, moved = place(tail, kept, state.limits, state.heard.hearsay)
        elif kept < tail.entries[0]:
            kept, moved = pass_by(tail, kept, state.limits, state.heard.hearsay)
            first = kept
        else:
            first, by_room = make_room(tail, state.limits, state.heard.hearsay)
            kept, moved = place(tail, kept, state.limits, state.heard.hearsay)
            moved = net(by_room, moved)
        if tail.kiosk is not kiosk or tail.over is not over:
            state.totals.kiosk_days += tail.kiosk is not kiosk
            state.header_changed(routing, tail)
        for _, new in moved:
            state.kept_changed(routing, new)
        if first is not kept:
            state.remember(routing, tail, kept)
        if first is not None:
            state.drop(routing, first)
        self._resolved(decoded, entry, kept, declared, offset)
        if entry.keys:
            self._tell(entry, kept.customer_id, None, kept.weak)
        if moved:
            self._moves(moved)

    def reattribute(self, routing: str) -> None:
        """What others say of this identifier's touchpoints is another: apply the rules to all of them."""
        state = self._state
        tail = state.tails.get(routing)
        if tail is None:
            return
        moved = attribute(tail, 0, len(tail.entries), state.limits, state.heard.hearsay)
        for _, new in moved:
            state.kept_changed(routing, new)
        self._moves(moved)

    def named(self, contact: str, user_id: str | None) -> None:
        """The contact graph says whom a contact names."""
        for routing in sorted(self._state.heard.hears_of(contact, user_id)):
            self.reattribute(routing)

    def decided(self, identifier: str) -> None:
        """A person decided about an identifier. What concerns the contact graph is done by its own owner."""
        kind, _, value = identifier.partition(":")
        group = self._state.limits.kinds.group_of(kind)
        if group == "device":
            self.reattribute(identifier)
        elif group == "user":
            for routing in sorted(self._devices_of(value)):
                self.reattribute(routing)
        elif group == "business_key":
            self._key_blocked(identifier)

    def _devices_of(self, user_id: str) -> list[str]:
        """Looks at every device here: decisions about a user are rare."""
        return [
            routing
            for routing, tail in self._state.tails.items()
            if tail.rule == "device" and any(kept.user_id == user_id for kept in tail.entries)
        ]

    def _key_blocked(self, name: str) -> None:
        key = self._state.keys.get(name)
        if key is not None:
            old, key.is_blocked = key.owner, self._state.heard.hearsay.decisions.is_blocked(name)
            key.owner = owner_of(key)
            if key.owner != old:
                self._key_moves(name, key, None, old, key.owner)

    def _moves(self, moved: Sequence[Moved]) -> None:
        groups: dict[tuple[str | None, str | None, AttributedBy], list[Kept]] = {}
        for old, new in moved:
            groups.setdefault((old.customer_id, new.customer_id, new.by), []).append(new)
        for (old_customer, new_customer, by), kepts in groups.items():
            ids = [kept.touchpoint_id for kept in kepts]
            self._emission.move(CUSTOMER_SCOPE, old_customer, new_customer, [kept.entry for kept in kepts], ids, by)
        self._state.totals.moved += len(moved)
        for old, kept in moved:
            if old.customer_id != kept.customer_id:
                entry = decode_entry(kept.entry)
                if entry.keys:
                    self._tell(entry, kept.customer_id, None, kept.weak)

    def _tell(self, entry: Entry, customer_id: str | None, own_key: str | None, weak: bool) -> None:
        """Evidence for the owners of the keys that the touchpoint carries."""
        for kind, value in entry.keys.items():
            key = f"{kind}:{value}"
            if key != own_key:
                self._emission.evidence(key, entry, customer_id, weak)

    def _on_key(self, decoded: Decoded, entry: Entry, kept: Kept, declared: bool, offset: int) -> None:
        """It names no person or device: it follows the key that routes it, and claims nothing."""
        name = decoded.routing
        key = self._state.key(name)
        claim = Claim(
            entry.occurred_at,
            entry.sequence,
            entry.touchpoint_id,
            offset,
            None,
            True,
            entry.log_time,
            encode(entry),
            decoded.weak,
        )
        change = take(key, claim, self._state.limits)
        self._resolved(decoded, entry, kept, declared, offset, change.new_owner)
        self._key_changed(name, key, claim, change)
        self._tell(entry, None, name, decoded.weak)

    def evidence(self, evidence: Evidence) -> None:
        """A touchpoint elsewhere carries one of our keys, or changed hands."""
        entry = evidence.entry
        key = self._state.key(evidence.key)
        claim = Claim(
            entry.occurred_at,
            entry.sequence,
            entry.touchpoint_id,
            evidence.rev,
            evidence.customer_id,
            False,
            entry.log_time,
            encode(entry),
            evidence.weak,
        )
        change = take(key, claim, self._state.limits)
        if change.stale:
            return
        self._key_changed(evidence.key, key, claim, change)

    def _key_changed(self, name: str, key: Key, claim: Claim, change: Change) -> None:
        if change.old_owner != change.new_owner:
            cause = claim.touchpoint_id if change.new else None
            self._key_moves(name, key, cause, change.old_owner, change.new_owner)
        elif change.new:
            self._emission.move(name, None, change.new_owner, [claim.entry], [claim.touchpoint_id], "business_key")
        self._state.claim_changed(name, key, claim)

    def _key_moves(self, name: str, key: Key, new_one: str | None, old: str | None, new: str | None) -> None:
        """`new_one`: the touchpoint that the old owner never had."""
        before = [claim.touchpoint_id for claim in key.claims if claim.touchpoint_id != new_one]
        self._emission.move(name, old, new, [claim.entry for claim in key.claims], before, "business_key")
        routed = [claim for claim in key.claims if claim.local and claim.touchpoint_id != new_one]
        ids = [claim.touchpoint_id for claim in routed]
        by: AttributedBy = "waiting" if new is None else "business_key"
        self._emission.move(CUSTOMER_SCOPE, old, new, [claim.entry for claim in routed], ids, by)

    def _facts_of(self, properties: dict[str, Any]) -> dict[str, Fact]:
        wanted = self._facts
        if wanted.isdisjoint(properties):
            return {}
        return {name: value for name, value in properties.items() if name in wanted and type(value) in FACTS}

    def _resolved(
        self,
        decoded: Decoded,
        entry: Entry,
        kept: Kept,
        declared: bool,
        offset: int,
        key_owner: str | None = None,
    ) -> None:
        """`key_owner`: the customer of the business key that routes it."""
        customer_id = key_owner or kept.customer_id
        at = self._emission.at()
        self._emission.resolved(
            customer_id or decoded.routing,
            make_resolved(
                1,
                at,
                self._run,
                decoded.touchpoint_id,
                decoded.message_id,
                customer_id,
                "business_key" if key_owner is not None else kept.by,
                offset,
                decoded.routing,
                decoded.name,
                declared,
                entry.channel,
                decoded.source,
                entry.occurred_at,
                decoded.occurred_at_sent,
                decoded.sent_at,
                decoded.received_at,
                entry.log_time,
                decoded.sequence,
                kept.too_late,
                decoded.identifiers,
                decoded.subject,
                decoded.keys,
                entry.facts,
                decoded.properties,
                decoded.context,
                decoded.contacts,
            ),
        )
