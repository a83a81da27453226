"""What falls out of an identifier that keeps as many touchpoints as it may: the ones that occurred first.

Pure. They are attributed by what they carry themselves and are nobody's login, so whose everything is follows from the
set, whatever came first. Of the one day that is kept in part (`Over`), what fell out still counts for its kiosk day.
"""

from __future__ import annotations

from collections.abc import Sequence

from streams.identity.device import Kept, Moved, Over, Tail, attribute, begin_kiosk_day, is_crowded, is_marker, itself
from streams.identity.hearsay import Hearsay
from streams.identity.limits import DAY_MS, Limits


def pass_by(tail: Tail, kept: Kept, limits: Limits, hearsay: Hearsay) -> tuple[Kept, Sequence[Moved]]:
    """Of a touchpoint that occurred before all that a full tail keeps: as `place`, but it is not put there."""
    moved: Sequence[Moved] = ()
    if tail.rule == "device":
        fell_out(tail, kept)
        day = kept.occurred_at // DAY_MS
        if day not in tail.kiosk and is_crowded(tail, day, limits):
            begin_kiosk_day(tail, day)
            moved = attribute(tail, 0, len(tail.entries), limits, hearsay)
    return itself(tail, kept), moved


def make_room(tail: Tail, limits: Limits, hearsay: Hearsay) -> tuple[Kept, list[Moved]]:
    """What falls out of a full tail, and what changed hands by that: it, and those to whom its login spoke."""
    first = tail.entries.pop(0)
    new = itself(tail, first)
    moved = [] if new is first else [(first, new)]
    if tail.rule == "device":
        fell_out(tail, first)
        if is_marker(first, tail.kiosk):
            if tail.marker is not None and tail.marker.touchpoint_id == first.touchpoint_id:
                tail.marker = None
            moved += attribute(tail, 0, _reach(tail), limits, hearsay)
    return new, moved


def fell_out(tail: Tail, kept: Kept) -> None:
    """Count it for its day. Days before it are kept no more, so nobody asks for them."""
    day, over = kept.occurred_at // DAY_MS, tail.over
    if day in tail.kiosk or (over is not None and over.day > day):
        return
    if over is None or over.day < day:
        over = Over(day, 0, frozenset())
    users = over.users if kept.user_id is None else over.users | {kept.user_id}
    tail.over = Over(day, over.touchpoints + 1, users)


def net(first: Sequence[Moved], then: Sequence[Moved]) -> list[Moved]:
    """Two moves of one touchpoint are one."""
    moved = {new.touchpoint_id: (old, new) for old, new in first}
    for old, new in then:
        earlier = moved.pop(new.touchpoint_id, None)
        old = old if earlier is None else earlier[0]
        if (old.customer_id, old.by) != (new.customer_id, new.by):
            moved[new.touchpoint_id] = old, new
    return list(moved.values())


def _reach(tail: Tail) -> int:
    """As far as what lies before all of them speaks: to the first marker, and to it where it names no user."""
    for index, kept in enumerate(tail.entries):
        if is_marker(kept, tail.kiosk):
            return index + (kept.user_id is None)
    return len(tail.entries)
