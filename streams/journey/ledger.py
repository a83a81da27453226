"""The state of track as changelog entries: small keys, small values, one per touchpoint.

Only what cannot be folded again is stored: the touchpoints themselves, the ids that were detached, the alerts, the
steps judged missed, what was switched, where the watched sources are, and how far the upstream stages and W have
come. Everything else follows by a re-fold. Keys are MessagePack arrays; their first item says what the entry is. A
book's definition is `name@version`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from streams.journey.holds import Place
from streams.journey.modes import Turns
from streams.journey.values import AlertRecord, Book, Kept
from streams.stage import Change

ENTRY: Final = "e"
GONE: Final = "g"
BOOK: Final = "b"
TRUNCATED: Final = "t"
META: Final = "m"
TURNS: Final = "s"
PLACE: Final = "o"

_encode = msgspec.msgpack.Encoder().encode
_decode_key = msgspec.msgpack.Decoder(list[str]).decode
_decode_kept = msgspec.msgpack.Decoder(Kept).decode
_decode_gone = msgspec.msgpack.Decoder(tuple[int, int]).decode


BookAddress = tuple[str, str, str]
"""Title of the definition, customer, anchor."""


class StoredBook(msgspec.Struct, frozen=True, array_like=True):
    """`missed` by step name: indexes change with the definition. `until` counts once the instance exists no more."""

    missed: list[str]
    until: int
    alerts: list[AlertRecord]


class Meta(msgspec.Struct, frozen=True, array_like=True):
    upstream: list[tuple[str, int, int, int]]
    w: int


_decode_book = msgspec.msgpack.Decoder(StoredBook).decode
_decode_place = msgspec.msgpack.Decoder(Place).decode
_decode_turns = msgspec.msgpack.Decoder(Turns).decode
_decode_meta = msgspec.msgpack.Decoder(Meta).decode


class Restored(NamedTuple):
    """Everything stored, by its address."""

    entries: dict[tuple[str, str], list[Kept]]
    gone: dict[tuple[str, str], dict[str, tuple[int, int]]]
    truncated: set[tuple[str, str]]
    books: dict[BookAddress, StoredBook]
    turns: dict[str, Turns]
    places: list[Place]
    meta: Meta


class Ledger:
    """Collects changes until the next checkpoint takes them, each key once."""

    __slots__ = ("_changes",)

    def __init__(self) -> None:
        self._changes: dict[bytes, bytes | None] = {}

    def entry(self, customer: str, scope: str, touchpoint_id: str, kept: Kept | None) -> None:
        self._put((ENTRY, customer, scope, touchpoint_id), kept)

    def gone(self, customer: str, scope: str, touchpoint_id: str, gone: tuple[int, int] | None) -> None:
        self._put((GONE, customer, scope, touchpoint_id), gone)

    def truncated(self, customer: str, scope: str, truncated: bool) -> None:
        self._put((TRUNCATED, customer, scope), truncated or None)

    def book(
        self, definition: str, customer: str, anchor: str, missed: list[str], until: int, book: Book | None
    ) -> None:
        value = StoredBook(missed, until, list(book.values()) if book else []) if missed or book else None
        self._put((BOOK, definition, customer, anchor), value)

    def turns(self, definition: str, turns: Turns) -> None:
        self._put((TURNS, definition), turns)

    def place(self, place: Place) -> None:
        """Of a watched source."""
        self._put((PLACE, place.source), None if place.holds_nothing else place)

    def _put(self, key: tuple[str, ...], value: object) -> None:
        self._changes[_encode(key)] = None if value is None else _encode(value)

    def take(self, meta: Meta | None) -> list[Change]:
        if meta is not None:
            self._put((META,), meta)
        changes = list(self._changes.items())
        self._changes.clear()
        return changes


def read(entries: Iterable[tuple[bytes, bytes]]) -> Restored:
    found = Restored({}, {}, set(), {}, {}, [], Meta([], 0))
    for key, value in entries:
        kind, *address = _decode_key(key)
        if kind == ENTRY:
            found.entries.setdefault((address[0], address[1]), []).append(_decode_kept(value))
        elif kind == GONE:
            found.gone.setdefault((address[0], address[1]), {})[address[2]] = _decode_gone(value)
        elif kind == TRUNCATED:
            found.truncated.add((address[0], address[1]))
        elif kind == BOOK:
            found.books[address[0], address[1], address[2]] = _decode_book(value)
        elif kind == TURNS:
            found.turns[address[0]] = _decode_turns(value)
        elif kind == PLACE:
            found.places.append(_decode_place(value))
        elif kind == META:
            found = found._replace(meta=_decode_meta(value))
        else:
            raise ValueError(
                f"the changelog of track holds an entry of unknown kind {kind!r}: written by another version?"
            )
    return found


def book_of(stored: StoredBook) -> Book:
    return {(record.finding.name, record.finding.occurrence): record for record in stored.alerts}
