"""From the records of a run to one latency for each alert. Pure. All times are the broker's, at the append."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from benchmarks.kinds.plan import Planted, waits_ms
from benchmarks.kinds.stories import BY_KIND
from benchmarks.latency.hops import Spread, spread
from benchmarks.latency.log import RAW, Appended, Place, alerts_of
from schemas.records import BreakKind


class Latency(NamedTuple):
    """In ms."""

    kind: BreakKind
    caused_at: int
    total: int


class Found(NamedTuple):
    """`wrong`: alerts that nobody planted, or that came before they may."""

    latencies: list[Latency]
    missing: int
    wrong: int


def measure(
    records: Mapping[Place, Appended],
    planted: Mapping[tuple[str, str], Planted],
    occurred_at: Mapping[str, int],
) -> Found:
    """A deadline counts from when the touchpoint occurred, all else from when it was appended."""
    appended = {
        record.body.message_id: record.appended_at
        for place, record in records.items()
        if place[0] == RAW and not record.control
    }
    latencies: list[Latency] = []
    seen: set[tuple[str, str]] = set()
    wrong = 0
    for alert in alerts_of(records):
        body = alert.body
        one = planted.get((body.kind, body.customer_id or body.anchor)) or planted.get((body.kind, body.anchor))
        if one is None:
            wrong += 1
            continue
        if body.state != "firing" or (one.kind, one.subject) in seen:
            continue
        story = BY_KIND[one.kind]
        begin = occurred_at[one.cause] if story.basis == "deadline" else appended[one.cause]
        total = alert.appended_at - begin - waits_ms(story)
        if total < 0:
            wrong += 1
        seen.add((one.kind, one.subject))
        latencies.append(Latency(one.kind, begin, total))
    return Found(latencies, len(planted) - len(seen), wrong)


def spreads(latencies: list[Latency], since: int, until: int) -> dict[BreakKind, Spread]:
    """Of what was caused in this time."""
    chosen = [one for one in latencies if since <= one.caused_at < until]
    return {kind: spread(one.total for one in chosen if one.kind == kind) for kind in BY_KIND}
