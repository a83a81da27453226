"""When a watched source was heard, and when it is silent: docs/sources.md as pure functions.

What was heard is a set of moments, told in intervals by the reports of all raw partitions. It is kept as intervals in
order, those closer than the gap joined; in which order the reports came makes no difference. Of the past no more is
kept than the last moment at or before W: earlier silences can hold nothing that is still waited for, because what
they held until z is judged once the source was heard at z or later.

Why one hold is enough: a hold [a, z) matters while h(W) < z. A later silence begins at h(W) or after it, so it either
overlaps that hold, and then they are one, or h(W) has come to z and the former holds nothing any more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from schemas.records import Severity
from schemas.sources import WatchedSource

GAPS_IN_SILENCE: Final = 20
"""A gap of at most so small a part of `silent_after` is none."""
FORGOTTEN_MS: Final = 30 * 86_400_000
INTERVALS_MAX: Final = 512
"""Of one source, ahead of W: a partition that is far behind lets the others run ahead for as long as it likes. Gaps are
longer than silent_after / 20, so 512 of them last 25 times as long as a silence takes.
"""

Interval = tuple[int, int]
"""Heard from the first to the last moment, both included."""


class Watch(NamedTuple):
    """What an entry says. `due`: the first moment at which a source is silent that was heard last at the given one."""

    form: str
    owner: str
    severity: Severity
    runbook: str | None
    gap_ms: int
    catches_up_ms: int
    due: Callable[[int], int]


class Hold(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """[since, until); `until` None while the silence lasts."""

    since: int
    until: int | None


class Quiet(NamedTuple):
    """A source as of a tick. `heard_at` None: it is heard at W. `silent_from` None: it is not silent at W."""

    heard: tuple[Interval, ...]
    heard_at: int | None
    hold: Hold | None
    silent_from: int | None


def watch_of(form: str, entry: WatchedSource, due: Callable[[int, int], int] | None) -> Watch:
    """`due`: of the entry's calendar, the moment at which so much open time has passed since another."""
    silent_after_ms = entry.silent_after_ms

    def all_time(at: int) -> int:
        return at + silent_after_ms

    def open_time(at: int) -> int:
        assert due is not None, "chosen below only with a calendar"
        return due(at, silent_after_ms)

    return Watch(
        form=form,
        owner=entry.owner,
        severity=entry.severity,
        runbook=entry.runbook,
        gap_ms=silent_after_ms // GAPS_IN_SILENCE,
        catches_up_ms=entry.catches_up_ms,
        due=all_time if due is None else open_time,
    )


def hear(heard: tuple[Interval, ...], first: int, last: int, gap_ms: int) -> tuple[Interval, ...]:
    """With one interval more. A union, so neither order nor repetition matters."""
    if heard and heard[-1][0] <= first and first - heard[-1][1] <= gap_ms:  # almost always
        return (*heard[:-1], (heard[-1][0], max(heard[-1][1], last)))
    if heard and first - heard[-1][1] > gap_ms:
        return _bounded((*heard, (first, last)))
    before = [one for one in heard if one[1] + gap_ms < first]
    after = [one for one in heard if one[0] - gap_ms > last]
    touched = heard[len(before) : len(heard) - len(after)]
    if touched:
        first, last = min(first, touched[0][0]), max(last, touched[-1][1])
    return _bounded((*before, (first, last), *after))


def _bounded(heard: tuple[Interval, ...]) -> tuple[Interval, ...]:
    """Too many: the smallest gap is taken for none. It is the one that is least likely a silence."""
    if len(heard) <= INTERVALS_MAX:
        return heard
    at = min(range(1, len(heard)), key=lambda index: heard[index][0] - heard[index - 1][1])
    return (*heard[: at - 1], (heard[at - 1][0], heard[at][1]), *heard[at + 1 :])


def judge(heard: tuple[Interval, ...], hold: Hold | None, watch: Watch, w: int) -> Quiet | None:
    """As of W, from what was known at the tick before; None where it was not heard by W."""
    if not heard or heard[0][0] > w:
        return None
    now = 0
    while now + 1 < len(heard) and heard[now + 1][0] <= w:
        left_at, heard_again_at = heard[now][1], heard[now + 1][0]
        was_silent = watch.due(left_at) < heard_again_at
        hold = _held(hold, left_at, heard_again_at + watch.catches_up_ms) if was_silent else _ended(hold)
        now += 1
    last = heard[now][1]
    heard_at = None if last >= w else last
    silent_from = None
    if heard_at is not None and watch.due(last) <= w:
        silent_from = watch.due(last)
        hold = _held(hold, last, None)
    else:
        hold = _ended(hold)
    if hold is not None and hold.until is not None and hold.until <= min(last, w):
        hold = None
    return Quiet(heard[now:], heard_at, hold, silent_from)


def _held(hold: Hold | None, since: int, until: int | None) -> Hold:
    """One more silence, with its time to catch up. Holds that overlap are one."""
    if hold is not None and (hold.until is None or hold.until > since):
        return Hold(hold.since, until)
    return Hold(since, until)


def _ended(hold: Hold | None) -> Hold | None:
    """It was taken for a silence that lasts and is none: the entry has changed since."""
    return None if hold is not None and hold.until is None else hold


def changes_at(quiet: Quiet, watch: Watch) -> int:
    """Before this W nothing changes, as long as nothing more is heard."""
    (_, last), until = quiet.heard[0], quiet.hold.until if quiet.hold is not None else None
    if len(quiet.heard) > 1:
        return 0
    if quiet.heard_at is None:
        return last + 1 if until is None else min(last + 1, until)
    return last + FORGOTTEN_MS if quiet.silent_from is not None else watch.due(last)


def heard_again_at(heard: tuple[Interval, ...], since: int) -> int | None:
    """The first moment after `since`."""
    return next((max(first, since + 1) for first, last in heard if last > since), None)
