"""What `keep_time` knows of the watched sources: what was heard of each, what the ticks said, and its last alert.

A source is looked at when it was heard since the last tick, or when W has come to where something changes by itself.
So a tick costs one comparison for each quiet source. What a tick says of a source is what changed since it was said
last; that lies in the same checkpoint as the position, and ticks that are redone are the same bytes. So no
difference is ever lost, and none is said twice.

At most `SOURCES_MAX` sources are kept: further ones are not watched, and counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import msgspec

from schemas.control_records import Acknowledgement
from schemas.fast import fast_type
from schemas.records import SourceState
from schemas.sources import SOURCES_MAX, SourceForms, form_of
from streams.pace import own_alerts
from streams.pace.own_alerts import About, Change, Episode
from streams.pace.silence import (
    FORGOTTEN_MS,
    Hold,
    Interval,
    Quiet,
    Watch,
    changes_at,
    hear,
    heard_again_at,
    judge,
)
from streams.stage import Change as Stored

GROUP: Final = "sources"
KEY: Final = b"h|"
"""Of the changelog; behind it the source."""
_PREFIX: Final = "source:"
_state = fast_type(SourceState)
_encode = msgspec.msgpack.Encoder().encode


class Said(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the ticks say of it, as in records.SourceState. Nothing said yet is the same as heard all the time."""

    heard_at: int | None = None
    held_from: int | None = None
    held_until: int | None = None


class Known(msgspec.Struct, array_like=True):
    """One source. `since`: when it was heard last before the silence that the episode is about; `about` is what its
    first record said, so that the last one reaches the same incident whatever the entry says by then.
    """

    heard: tuple[Interval, ...] = ()
    hold: Hold | None = None
    said: Said = Said()
    since: int = -1
    episode: Episode | None = None
    about: About | None = None


_decode = msgspec.msgpack.Decoder(Known).decode


class Judged(NamedTuple):
    """Of one tick: what it says of sources, and what changed of alerts."""

    states: list[SourceState]
    alerts: list[Change]


class Silences:
    """Part of the state of one stage; owned by it."""

    def __init__(self, watches: Mapping[str, Watch], sources_max: int = SOURCES_MAX) -> None:
        self._watches, self._sources_max = watches, sources_max
        self._forms = SourceForms(form_of(text) for text in watches)
        self._known: dict[str, Known] = {}
        self._looks: dict[str, int] = {}
        """By source: before this W nothing changes by itself."""
        self._changed: set[str] = set()
        self._unwatched: set[str] = set()

    def hear(self, heard: Mapping[str, Interval]) -> None:
        """From one report."""
        for source, (first, last) in heard.items():
            watch = self._watch_of(source)
            if watch is None:
                continue
            known = self._known.get(source)
            if known is None:
                if len(self._known) >= self._sources_max:
                    if len(self._unwatched) < self._sources_max:
                        self._unwatched.add(source)
                    continue
                known = self._known[source] = Known()
                self._unwatched.discard(source)
            known.heard = hear(known.heard, first, last, watch.gap_ms)
            self._looks[source] = 0
            self._changed.add(source)

    def judge(self, w: int) -> Judged:
        """At the tick of W, when all that was heard by W is told."""
        judged = Judged([], [])
        for source in sorted(source for source, look in self._looks.items() if look <= w):
            self._judge(source, w, judged)
        return judged

    def wakes_at(self) -> int | None:
        """Before this W nothing changes by itself: who makes ticks may leave them out until then."""
        return min(self._looks.values(), default=None)

    def said(self, word: Acknowledgement, w: int) -> Change | None:
        """A person's word on the alert of a source; None where it changes nothing."""
        source = word.anchor.removeprefix(_PREFIX)
        known = self._known.get(source)
        if word.definition != GROUP or known is None or known.episode is None or known.about is None:
            return None
        if not own_alerts.said(known.about, known.episode, word, w):
            return None
        self._changed.add(source)
        line = f"Source {source} is silent since {own_alerts.clock(known.since)}"
        told = ", and its alert was closed by hand." if word.closes else ", and somebody looks after it."
        return Change(known.about, known.episode, True, "closed" if word.closes else "acknowledged", line + told)

    def numbers(self) -> dict[str, int]:
        silent = sum(known.hold is not None and known.hold.until is None for known in self._known.values())
        return {"sources": len(self._known), "silent": silent, "unwatched": len(self._unwatched)}

    # -- changelog

    def changes(self) -> list[Stored]:
        changed, self._changed = sorted(self._changed), set()
        found = [(source, self._known.get(source)) for source in changed]
        return [(KEY + source.encode(), None if known is None else _encode(known)) for source, known in found]

    def restore(self, key: bytes, value: bytes) -> None:
        source = key[len(KEY) :].decode()
        self._known[source] = _decode(value)
        self._looks[source] = 0

    # -- one source

    def _watch_of(self, source: str) -> Watch | None:
        form = self._forms.of(source)
        return None if form is None else self._watches[form.text]

    def _judge(self, source: str, w: int, judged: Judged) -> None:
        known, watch = self._known[source], self._watch_of(source)
        quiet = judge(known.heard, known.hold, watch, w) if watch is not None else None
        if quiet is None and watch is not None:
            self._looks[source] = known.heard[0][0]
            return
        if quiet is None or watch is None or _is_forgotten(quiet, w):
            self._forget(source, known, w, judged)
            return
        judged.alerts.extend(_alerts(source, known, watch, quiet, w))
        self._looks[source] = changes_at(quiet, watch)
        hold = quiet.hold
        said = Said(quiet.heard_at) if hold is None else Said(quiet.heard_at, hold.since, hold.until)
        if (quiet.heard, hold, said) != (known.heard, known.hold, known.said):
            self._changed.add(source)
        if said != known.said:
            judged.states.append(_stated(source, said))
        known.heard, known.hold, known.said = quiet.heard, hold, said

    def _forget(self, source: str, known: Known, w: int, judged: Judged) -> None:
        """Its entry is gone, or it was not heard for so long that nobody waits for it any more."""
        if known.episode is not None and known.about is not None and known.episode.is_open:
            own_alerts.ended(known.episode, w, w)
            line = f"Source {source} is watched no more; it was silent since {own_alerts.clock(known.since)}."
            judged.alerts.append(Change(known.about, known.episode, True, "expired", line))
        if known.said != Said():
            judged.states.append(_stated(source, Said()))
        del self._known[source], self._looks[source]
        self._changed.add(source)


def about_of(source: str, watch: Watch) -> About:
    """Twenty dead tills of one form are one incident."""
    return About(
        "source", "silent_source", GROUP, watch.form, _PREFIX + source, watch.owner, watch.severity, watch.runbook
    )


def _is_forgotten(quiet: Quiet, w: int) -> bool:
    return quiet.heard_at is not None and len(quiet.heard) == 1 and w >= quiet.heard_at + FORGOTTEN_MS


def _alerts(source: str, known: Known, watch: Watch, quiet: Quiet, w: int) -> Iterator[Change]:
    """What changed at W: the former silence is over, or there is a new one."""
    episode = known.episode
    if episode is not None and known.about is not None and episode.is_open:
        again_at = heard_again_at(known.heard, known.since)
        if again_at is not None and again_at <= w:
            own_alerts.ended(episode, again_at, w)
            again, since = own_alerts.clock(again_at), own_alerts.clock(known.since)
            line = f"Source {source} is heard again since {again}; it was silent since {since}."
            yield Change(known.about, episode, True, "cleared", line)
    if quiet.silent_from is not None and quiet.heard_at is not None and known.since != quiet.heard_at:
        occurrence = 1 if episode is None else episode.occurrence + 1
        known.since, known.about = quiet.heard_at, about_of(source, watch)
        known.episode = own_alerts.began(occurrence, quiet.silent_from, quiet.silent_from, w)
        since = own_alerts.clock(quiet.heard_at)
        line = f"Source {source} is silent since {since}. Nobody is told of customers who wait for it until it is back."
        yield Change(known.about, known.episode, True, "fired", line)


def _stated(source: str, said: Said) -> SourceState:
    return _state(source=source, heard_at=said.heard_at, held_from=said.held_from, held_until=said.held_until)
