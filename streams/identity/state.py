"""The state of one partition of `resolve`: tails, business keys, totals; its changelog and its eviction.

Changelog keys: `t|<routing>|<touchpoint_id>` one touchpoint of a tail, `k|<key>|<touchpoint_id>` one of a business
key, `w|<key>` the last time of one that is worn out, `h|<routing>` clock offset, kiosk days, what fell out,
`i|<name>` how many touchpoints of an ignored name were suppressed, those of `heard`, `s` everything else. A touchpoint
id has a fixed length, so any routing text can be told from it. Everything that is not stored follows from what is: a
restored state goes on with the same effects.

Eviction happens on marks only and depends on W and on what is stored, never on when we looked: an identifier
is examined at one fixed minute of each hour (its phase, so that hours do not begin with a stall), and loses
what is out of retention at that minute.
"""

from __future__ import annotations

import heapq
from bisect import insort
from collections.abc import Callable, Iterable
from zlib import crc32

import msgspec

from streams.identity.device import Kept, Over, Tail, marker_before, new_tail
from streams.identity.heard import Heard
from streams.identity.keys import Claim, Key, owner_of
from streams.identity.limits import DAY_MS, MINUTE_MS, Limits
from streams.identity.totals import Totals
from streams.stage import Change, Upstream

_ID_LENGTH = 32
_TOTALS_KEY = b"s"


class Header(msgspec.Struct, array_like=True, gc=False):
    offset_ms: int
    kiosk: list[int]
    over: tuple[int, int, list[str]] | None = None


_encode = msgspec.msgpack.Encoder().encode
_decode_kept = msgspec.msgpack.Decoder(Kept).decode
_decode_claim = msgspec.msgpack.Decoder(Claim).decode
_decode_header = msgspec.msgpack.Decoder(Header).decode
_decode_count = msgspec.msgpack.Decoder(int).decode
_decode_totals = msgspec.msgpack.Decoder(Totals).decode


class State:
    """Whoever changes an entry says so (`kept_changed`, `claim_changed`, `header_changed`); totals are stored
    every time. `owns`: is this contact one of our partition?
    """

    def __init__(self, limits: Limits, owns: Callable[[str], bool] = lambda _: True) -> None:
        self.limits = limits
        self._plain_ms = limits.kept_ms
        self._marker_ms = limits.kept_ms + limits.horizon_ms
        self.tails: dict[str, Tail] = {}
        self.keys: dict[str, Key] = {}
        self.seen: set[str] = set()
        self.upstream = Upstream()
        self.totals = Totals()
        self.suppressed: dict[str, int] = {}
        self._changed: dict[bytes, object] = {}
        self.heard = Heard(limits, self._changed, owns)
        self._stored_totals = b""
        self._buckets: dict[int, dict[tuple[bool, str], None]] = {}
        self._minutes: list[int] = []

    def suppress(self, name: str) -> None:
        """`name` is one of the catalogue's, so there are few."""
        count = self.suppressed[name] = self.suppressed.get(name, 0) + 1
        self._changed[b"i|" + name.encode()] = count
        self.totals.suppressed += 1

    # -- tails

    def tail(self, routing: str) -> Tail:
        tail = self.tails.get(routing)
        if tail is None:
            tail = self.tails[routing] = new_tail(routing, self.limits.kinds)
        return tail

    def remember(self, routing: str, tail: Tail, kept: Kept) -> None:
        """The touchpoint was just put into one of the tail's lists."""
        self.seen.add(kept.touchpoint_id)
        self._changed[_tail_key(routing, kept.touchpoint_id)] = kept
        ends_at = self._ends_at(kept)
        if ends_at < tail.earliest or tail.earliest == 0:
            tail.earliest = ends_at
            self._schedule_tail(routing, tail)
        if len(tail.late) > self.limits.kept:
            self.drop(routing, tail.late.pop(0))

    def kept_changed(self, routing: str, kept: Kept) -> None:
        self._changed[_tail_key(routing, kept.touchpoint_id)] = kept

    def header_changed(self, routing: str, tail: Tail) -> None:
        over = None if tail.over is None else (*tail.over[:2], sorted(tail.over.users))
        self._changed[b"h|" + routing.encode()] = Header(tail.offset_ms, sorted(tail.kiosk), over)

    def drop(self, routing: str, dropped: Kept) -> None:
        """The identifier has too many; it is in none of the tail's lists."""
        self.totals.dropped += 1
        self._forget(routing, dropped)

    def _forget(self, routing: str, kept: Kept) -> None:
        self.seen.discard(kept.touchpoint_id)
        if kept.contacts and not kept.too_late:
            self.heard.leave(routing, kept)
        self._changed[_tail_key(routing, kept.touchpoint_id)] = None

    def _ends_at(self, kept: Kept) -> int:
        """A login moves what occurred up to H after it, so markers are kept that much longer."""
        last = kept.log_time if kept.log_time > kept.occurred_at else kept.occurred_at
        return last + (self._plain_ms if kept.user_id is None and not kept.ends else self._marker_ms)

    # -- business keys

    def key(self, name: str) -> Key:
        key = self.keys.get(name)
        if key is None:
            key = self.keys[name] = Key()
            key.is_blocked = self.heard.hearsay.decisions.is_blocked(name)
        return key

    def claim_changed(self, name: str, key: Key, claim: Claim) -> None:
        """After its effects: a key that is worn out keeps no claims."""
        key.latest = max(key.latest, claim.occurred_at, claim.log_time)
        if key.is_worn:
            self.totals.worn_keys += bool(key.claims)
            for each in key.claims:
                self._changed[_claim_key(name, each.touchpoint_id)] = None
            key.claims.clear()
            self._changed[_worn_key(name)] = key.latest
        else:
            self._changed[_claim_key(name, claim.touchpoint_id)] = claim
        if key.due < 0:
            self._schedule_key(name, key)

    # -- eviction

    def evict(self, log_time: int) -> None:
        """Forget what W = `log_time` has left behind."""
        self.heard.forget_told(log_time // DAY_MS)
        minute = log_time // MINUTE_MS
        while self._minutes and self._minutes[0] <= minute:
            due = heapq.heappop(self._minutes)
            for is_key, name in self._buckets.pop(due):
                if is_key:
                    self._examine_key(name, minute)
                else:
                    self._examine_tail(name, due, minute)

    def _examine_tail(self, routing: str, due: int, minute: int) -> None:
        tail = self.tails.get(routing)
        if tail is None or tail.due != due:
            return
        ends = [self._ends_at(kept) for kepts in (tail.entries, tail.late) for kept in kepts]
        tail.earliest = min(ends)
        if _examined_at(tail.earliest, routing) <= minute:
            self._evict_tail(routing, tail, minute * MINUTE_MS)
        if routing in self.tails:
            self._schedule_tail(routing, tail)

    def _evict_tail(self, routing: str, tail: Tail, now: int) -> None:
        limits = self.limits
        for kepts in (tail.entries, tail.late):
            over = [kept for kept in kepts if self._ends_at(kept) <= now]
            if over:
                kepts[:] = [kept for kept in kepts if self._ends_at(kept) > now]
            for kept in over:
                self._forget(routing, kept)
        if not tail.entries and not tail.late:
            if tail.offset_ms or tail.kiosk or tail.over:
                self._changed[b"h|" + routing.encode()] = None
            del self.tails[routing]
            return
        tail.marker = marker_before(tail.entries, len(tail.entries), tail.kiosk)
        oldest = (now - 3 * limits.horizon_ms) // DAY_MS - 2
        days = frozenset(day for day in tail.kiosk if day > oldest)
        fell_out = tail.over if tail.over is not None and tail.over.day > oldest else None
        if days != tail.kiosk or fell_out is not tail.over:
            tail.kiosk, tail.over = days, fell_out
            self.header_changed(routing, tail)
        tail.earliest = min(self._ends_at(kept) for kepts in (tail.entries, tail.late) for kept in kepts)

    def _examine_key(self, name: str, minute: int) -> None:
        key = self.keys.get(name)
        if key is None:
            return
        if _examined_at(key.latest + self.limits.key_kept_ms, name) > minute:
            self._schedule_key(name, key)
            return
        for claim in key.claims:
            self._changed[_claim_key(name, claim.touchpoint_id)] = None
        if key.is_worn:
            self._changed[_worn_key(name)] = None
        del self.keys[name]

    def _schedule_tail(self, routing: str, tail: Tail) -> None:
        tail.due = _examined_at(tail.earliest, routing)
        self._schedule(tail.due, (False, routing))

    def _schedule_key(self, name: str, key: Key) -> None:
        key.due = _examined_at(key.latest + self.limits.key_kept_ms, name)
        self._schedule(key.due, (True, name))

    def _schedule(self, minute: int, what: tuple[bool, str]) -> None:
        bucket = self._buckets.get(minute)
        if bucket is None:
            bucket = self._buckets[minute] = {}
            heapq.heappush(self._minutes, minute)
        bucket[what] = None

    def numbers(self) -> dict[str, int]:
        totals, heard = self.totals, self.heard
        return {
            "identifiers": len(self.tails),
            "business_keys": len(self.keys),
            "touchpoints": len(self.seen),
            "dropped": totals.dropped,
            "kiosk_days": totals.kiosk_days,
            "worn_keys": totals.worn_keys,
            "moved": totals.moved,
            "contacts": len(heard.hearsay.contacts),
            "graph_identifiers": len(heard.graph.nodes),
            "graph_full": heard.graph.refused,
            "decisions": len(heard.hearsay.decisions),
            "decisions_refused": totals.decisions_refused,
        }

    # -- changelog

    def changes(self) -> list[Change]:
        changes: list[Change] = [
            (key, None if value is None else _encode(value)) for key, value in self._changed.items()
        ]
        self._changed.clear()
        self.totals.upstream = self.upstream.dump()
        totals = _encode(self.totals)
        if totals != self._stored_totals:
            self._stored_totals = totals
            changes.append((_TOTALS_KEY, totals))
        return changes

    def restore(self, entries: Iterable[tuple[bytes, bytes]]) -> None:
        headers: dict[str, Header] = {}
        for raw_key, value in entries:
            name = raw_key[2:].decode()
            if raw_key == _TOTALS_KEY:
                self.totals = _decode_totals(value)
                self._stored_totals = value
                self.upstream.load(self.totals.upstream)
            elif raw_key.startswith(b"t|"):
                kept = _decode_kept(value)
                tail = self.tail(name[: -_ID_LENGTH - 1])
                (tail.late if kept.too_late else tail.entries).append(kept)
                self.seen.add(kept.touchpoint_id)
            elif raw_key.startswith(b"k|"):
                self.key(name[: -_ID_LENGTH - 1]).claims.append(_decode_claim(value))
            elif raw_key.startswith(b"w|"):
                key = self.key(name)
                key.is_worn, key.latest = True, _decode_count(value)
            elif raw_key.startswith(b"h|"):
                headers[name] = _decode_header(value)
            elif raw_key.startswith(b"i|"):
                self.suppressed[name] = _decode_count(value)
            elif not self.heard.restore(raw_key[:2], name, value):
                raise ValueError(
                    f"the changelog of resolve has a key of unknown kind {raw_key[:2]!r}: another version?"
                )
        self._derive(headers)

    def _derive(self, headers: dict[str, Header]) -> None:
        for routing, tail in self.tails.items():
            header = headers.get(routing)
            if header is not None:
                tail.offset_ms, tail.kiosk = header.offset_ms, frozenset(header.kiosk)
                if header.over is not None:
                    day, touchpoints, users = header.over
                    tail.over = Over(day, touchpoints, frozenset(users))
            tail.entries.sort()
            tail.late.sort()
            tail.marker = marker_before(tail.entries, len(tail.entries), tail.kiosk)
            tail.earliest = min(self._ends_at(kept) for kepts in (tail.entries, tail.late) for kept in kepts)
            self._schedule_tail(routing, tail)
            for kept in tail.entries:
                self.heard.hearsay.join(kept.contacts, routing)
        for name, key in self.keys.items():
            key.is_blocked = self.heard.hearsay.decisions.is_blocked(name)
            key.claims.sort()
            key.owner = owner_of(key)
            key.latest = max(key.latest, *(max(claim.occurred_at, claim.log_time) for claim in key.claims), 0)
            self._schedule_key(name, key)


def put(kepts: list[Kept], kept: Kept) -> None:
    if not kepts or kepts[-1] < kept:
        kepts.append(kept)
    else:
        insort(kepts, kept)


def _tail_key(routing: str, touchpoint_id: str) -> bytes:
    return f"t|{routing}|{touchpoint_id}".encode()


def _claim_key(name: str, touchpoint_id: str) -> bytes:
    return f"k|{name}|{touchpoint_id}".encode()


def _worn_key(name: str) -> bytes:
    return b"w|" + name.encode()


def _examined_at(ends_at: int, name: str) -> int:
    """The first minute since the epoch, at the name's phase of the hour, that is not before `ends_at`."""
    minute = -(-ends_at // MINUTE_MS)
    return minute + (crc32(name.encode()) - minute) % 60
