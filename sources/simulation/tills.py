"""The tills of the stores: when they are there, when they fall silent, and what comes of it.

A till speaks while its store is open: a sign of life every half an hour, and what it has to tell. Some die for hours
in the middle of a day. What happens meanwhile happens all the same, and is told when the till is back. Others are
merely quiet for less than what counts as silence. sources.yaml is restated here by hand: open Monday to Friday 9 to 20
and Saturday 10 to 18 in Berlin, silent after 45 min of that, half an hour to catch up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

from sources.simulation.plan import DAY, HOUR, MINUTE, SECOND, Plan

STORES: Final = tuple(f"store-{number:02d}" for number in range(1, 61))
"""A small run has the first few of them."""
DEAD: Final = "store-99"
"""Its till dies and never comes back."""
ALONE: Final = "store-98"
"""Nobody shops there. Its till dies on the first day, so that the live demo shows it day after day."""
TILLS: Final = tuple(f"till-{store}" for store in (*STORES, ALONE, DEAD))
SILENT_AFTER: Final = 45 * MINUTE
BEAT_EVERY: Final = 30 * MINUTE
BEAT: Final = "heartbeat"
"""Mode `ignore` in the catalogue: counted, heard, and looked at no further."""
CRM_EVERY: Final = 50 * MINUTE
LENGTH: Final = 4 * HOUR
FIRST_DAY: Final = 5 * HOUR
WINDOWS: Final = (52 * HOUR, 74 * HOUR, 98 * HOUR)
"""When tills die, from the start of the script: Wednesday noon, Thursday and Friday at ten."""
QUIET: Final = (30 * HOUR, 54 * HOUR, 76 * HOUR)
"""When a till is merely quiet, on another day than its silence."""
_BERLIN: Final = ZoneInfo("Europe/Berlin")


@dataclass(frozen=True, slots=True)
class Silence:
    """`began`: it was heard last; `ended`: it is heard again, None: never. Not `planted`: too short to be one."""

    source: str
    began: int
    ended: int | None
    planted: bool

    def covers(self, moment: int) -> bool:
        return self.began < moment and (self.ended is None or moment < self.ended)


def stores_of(touchpoints: int) -> tuple[str, ...]:
    return STORES[: max(3, min(len(STORES), touchpoints // 10_000))]


def silences_of(stores: Sequence[str], start: int) -> tuple[Silence, ...]:
    """Each till dies once and is quiet once. One more dies for good, and one on the first day."""
    early = start + FIRST_DAY
    found = [Silence(f"till-{ALONE}", early, early + LENGTH, planted=True)]
    for number, store in enumerate(stores):
        source, turn = f"till-{store}", number % len(WINDOWS)
        began, quiet = start + WINDOWS[turn], start + QUIET[turn]
        found.append(Silence(source, began, began + LENGTH, planted=True))
        found.append(Silence(source, quiet, quiet + SILENT_AFTER - MINUTE, planted=False))
    found.append(Silence(f"till-{DEAD}", start + WINDOWS[0], None, planted=True))
    return tuple(found)


def looks_of(silences: Iterable[Silence]) -> tuple[int, ...]:
    """When a silence must have been noticed: log time waits there until all readers are so far."""
    return tuple(sorted({one.began + 2 * SILENT_AFTER for one in silences if one.planted}))


def open_hours(start: int, end: int, hours: dict[int, tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The open stretches between two moments, by weekday (Monday is 0), in Berlin."""
    day = datetime.fromtimestamp(start / 1000, UTC).astimezone(_BERLIN).date()
    while True:
        found = hours.get(day.weekday())
        if found is not None:
            opens, closes = (
                round(datetime(day.year, day.month, day.day, hour, tzinfo=_BERLIN).timestamp() * 1000) for hour in found
            )
            if opens >= end:
                return
            if closes > start:
                yield max(opens, start), min(closes, end)
        elif datetime(day.year, day.month, day.day, tzinfo=_BERLIN).timestamp() * 1000 >= end:
            return
        day += timedelta(days=1)


STORE_HOURS: Final = dict.fromkeys(range(5), (9, 20)) | {5: (10, 18)}
DESK_HOURS: Final = dict.fromkeys(range(5), (8, 20)) | {5: (9, 14)}
"""The service desk: journeys/service_case.yaml."""


def desk_time(at: int, duration: int) -> int:
    """The first moment at which so much open time of the service desk has passed."""
    for opens, closes in open_hours(at, at + 30 * DAY, DESK_HOURS):
        if duration <= closes - opens:
            return opens + duration
        duration -= closes - opens
    raise ValueError("no such moment within a month")


def beats(rng: Random, stores: Sequence[str], silences: Sequence[Silence], start: int, end: int) -> Iterator[Plan]:
    """Signs of life: of each till while its store is open and it does not keep silent, of the CRM all day."""
    for number, store in enumerate((*stores, ALONE, DEAD)):
        source = f"till-{store}"
        own = [one for one in silences if one.source == source]
        moments = [
            moment
            for opens, closes in open_hours(start, end, STORE_HOURS)
            for moment in range(opens + rng.randint(1, 5) * MINUTE, closes, BEAT_EVERY)
        ]
        edges = [edge for one in own for edge in (one.began, one.ended) if edge is not None]
        for count, at in enumerate(sorted(moments + edges)):
            if not any(one.covers(at) for one in own):
                yield _beat(source, at, f"b{number}-{count}", {"store_id": store})
    for count, at in enumerate(range(start + MINUTE, end, CRM_EVERY)):
        yield _beat("crm", at, f"bc-{count}", {})


def _beat(source: str, at: int, message_id: str, properties: dict[str, str]) -> Plan:
    return Plan(source, BEAT, at, at, {}, message_id, "store" if properties else None, properties)


def withheld(plans: Iterable[Plan], silences: Sequence[Silence], rng: Random) -> Iterator[Plan]:
    """What a silent till had to tell comes with the first minutes after. What a dead one had to tell is never told."""
    by_source: dict[str, list[Silence]] = {}
    for one in silences:
        by_source.setdefault(one.source, []).append(one)
    for plan in plans:
        silence = next((one for one in by_source.get(plan.emitter, ()) if one.covers(plan.arrives_at)), None)
        if silence is None:
            yield plan
        elif silence.ended is not None:
            yield replace(plan, arrives_at=silence.ended + rng.randint(SECOND, 5 * MINUTE))
