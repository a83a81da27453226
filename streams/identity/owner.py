"""The owner of identifiers at work: a touchpoint or a piece of evidence comes in, and everything it changes
goes out.

For one touchpoint the effects come in this order: the touchpoint itself, evidence for its keys, moves of
older ones, evidence for the keys of those. Only the owner of its routing identifier ever says whose a
touchpoint is, so its revs (raw offsets of one partition) can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from schemas.decoded import Decoded
from schemas.definition import Catalogue
from schemas.records import AttributedBy, Entry, Evidence, Fact, Run
from streams.identity.clock import offset_after
from streams.identity.device import Kept, Moved, Tail, add_late, place
from streams.identity.effects import CUSTOMER_SCOPE, Emission, decode_entry, encode, make_entry, make_resolved
from streams.identity.keys import Change, Claim, Key, take
from streams.identity.state import State, put

UNKNOWN_CHANNEL = "unknown"
FACTS = frozenset((str, int, float, bool))


class Known(NamedTuple):
    """What the catalogue says of a name, as far as attribution needs it."""

    channel: str | None
    ends_session: bool


class Owner:
    """`facts`: properties that journeys look at."""

    def __init__(self, state: State, emission: Emission, catalogue: Catalogue, facts: frozenset[str], run: Run) -> None:
        self._state, self._emission, self._run = state, emission, run
        self._known = {name: Known(entry.channel, entry.ends_session) for name, entry in catalogue.touchpoints.items()}
        self._facts = facts

    def touchpoint(self, decoded: Decoded, log_time: int, offset: int) -> bool:
        """A new touchpoint on one of our identifiers; True when it is too late."""
        state = self._state
        routing = decoded.routing
        tail = state.tails.get(routing) or state.tail(routing)
        offset_ms = tail.offset_ms
        if decoded.sent_at is not None:
            offset_ms = offset_after(offset_ms, decoded.sent_at, decoded.received_at)
            if offset_ms != tail.offset_ms:
                tail.offset_ms = offset_ms
                state.header_changed(routing, tail)
        known = self._known.get(decoded.name)
        occurred_at = decoded.occurred_at_sent + offset_ms
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
        )
        on_device = tail.rule == "device"
        user_id = decoded.user_id if on_device else None
        ends = on_device and known is not None and known.ends_session
        body = b"" if too_late or not on_device or user_id is not None else encode(entry)
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
        )
        if too_late:
            kept = add_late(tail, kept)
            state.remember(routing, tail, kept)
            self._resolved(decoded, entry, tail, kept.customer_id, kept.user_id, known is not None, True, offset)
        elif on_device:
            self._on_device(decoded, entry, tail, kept, known is not None, offset)
        else:
            put(tail.entries, kept)
            state.remember(routing, tail, kept)
            if tail.rule == "business_key":
                self._on_key(decoded, entry, tail, known is not None, offset)
            else:
                self._resolved(decoded, entry, tail, tail.customer_id, None, known is not None, False, offset)
                self._tell(entry, tail.customer_id, None)
        return too_late

    def _on_device(self, decoded: Decoded, entry: Entry, tail: Tail, kept: Kept, declared: bool, offset: int) -> None:
        state, routing = self._state, decoded.routing
        kiosk = tail.kiosk
        kept, moved = place(tail, kept, state.limits)
        if tail.kiosk is not kiosk:
            state.header_changed(routing, tail)
        for _, new in moved:
            state.kept_changed(routing, new)
        state.remember(routing, tail, kept)
        self._resolved(decoded, entry, tail, kept.customer_id, kept.user_id, declared, False, offset)
        if entry.keys:
            self._tell(entry, kept.customer_id, None)
        if moved:
            self._moves(tail, moved)

    def _moves(self, tail: Tail, moved: Sequence[Moved]) -> None:
        groups: dict[tuple[str | None, str | None], list[Kept]] = {}
        for old, new in moved:
            groups.setdefault((old.customer_id, new.customer_id), []).append(new)
        for (old_customer, new_customer), kepts in groups.items():
            by: AttributedBy = "device" if new_customer == tail.customer_id else "login"
            ids = [kept.touchpoint_id for kept in kepts]
            self._emission.move(CUSTOMER_SCOPE, old_customer, new_customer, [kept.entry for kept in kepts], ids, by)
        for _, kept in moved:
            entry = decode_entry(kept.entry)
            if entry.keys:
                self._tell(entry, kept.customer_id, None)

    def _tell(self, entry: Entry, customer_id: str | None, own_key: str | None) -> None:
        """Evidence for the owners of the keys that the touchpoint carries."""
        for kind, value in entry.keys.items():
            key = f"{kind}:{value}"
            if key != own_key:
                self._emission.evidence(key, entry, customer_id)

    def _on_key(self, decoded: Decoded, entry: Entry, tail: Tail, declared: bool, offset: int) -> None:
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
        )
        change = take(key, claim, self._state.limits)
        self._state.claim_changed(name, key, claim, change.dropped)
        self._resolved(decoded, entry, tail, change.new_owner, None, declared, False, offset)
        if change.new:
            self._emission.move(name, None, change.new_owner, [claim.entry], [claim.touchpoint_id], "business_key")
        self._tell(entry, None, name)

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
        )
        change = take(key, claim, self._state.limits)
        if change.stale:
            return
        self._state.claim_changed(evidence.key, key, claim, change.dropped)
        if change.old_owner != change.new_owner:
            self._key_moves(evidence.key, key, claim, change)
        elif change.new:
            self._emission.move(
                evidence.key, None, change.new_owner, [claim.entry], [claim.touchpoint_id], "business_key"
            )

    def _key_moves(self, name: str, key: Key, cause: Claim, change: Change) -> None:
        old, new = change.old_owner, change.new_owner
        before = [
            claim.touchpoint_id
            for claim in key.claims
            if not (change.new and claim.touchpoint_id == cause.touchpoint_id)
        ]
        self._emission.move(name, old, new, [claim.entry for claim in key.claims], before, "business_key")
        routed = [claim for claim in key.claims if claim.local]
        ids = [claim.touchpoint_id for claim in routed]
        self._emission.move(CUSTOMER_SCOPE, old, new, [claim.entry for claim in routed], ids, "business_key")

    def _facts_of(self, properties: dict[str, Any]) -> dict[str, Fact]:
        wanted = self._facts
        if wanted.isdisjoint(properties):
            return {}
        return {name: value for name, value in properties.items() if name in wanted and type(value) in FACTS}

    def _resolved(
        self,
        decoded: Decoded,
        entry: Entry,
        tail: Tail,
        customer_id: str | None,
        user_id: str | None,
        declared: bool,
        too_late: bool,
        offset: int,
    ) -> None:
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
                _attributed_by(tail, customer_id, user_id),
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
                too_late,
                decoded.identifiers,
                decoded.subject,
                decoded.keys,
                entry.facts,
                decoded.properties,
                decoded.context,
            ),
        )


def _attributed_by(tail: Tail, customer_id: str | None, user_id: str | None) -> AttributedBy:
    if tail.rule == "device":
        if user_id is not None:
            return "user_id"
        return "device" if customer_id == tail.customer_id else "login"
    if tail.rule == "business_key" and customer_id is None:
        return "waiting"
    return tail.rule
