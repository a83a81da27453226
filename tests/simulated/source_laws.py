"""Laws of watched sources: what resolve says it heard is what was there, ticks say of each source what follows from
that, and alerts are about true silences and true violations.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from tests.oracle.hearing import Hearing, entry_of
from tests.oracle.rules import HOUR, Watched
from tests.simulated.expected import Expected, is_decision
from tests.simulated.log import Logs
from tests.simulated.seen import new_records

Json = dict[str, Any]
Spans = dict[str, list[tuple[int, int]]]


def check_sources(logs: Logs, expected: Expected, partitions: int, watched: Sequence[Watched]) -> None:
    if not watched:
        return
    spans: Spans = defaultdict(list)
    for _, body in new_records([one for one in logs.read("progress", 0) if not is_decision(one)]):
        for source, (first, last) in body.get("heard", {}).items():
            spans[source].append((first, last))
    check_heard(expected, spans, watched)
    hearing = Hearing(tuple(watched), {source: sorted(found) for source, found in spans.items()})
    ticks = [check_states(logs, partition, hearing) for partition in range(partitions)]
    check_own_alerts(logs, expected, hearing, max(ticks))


def check_heard(expected: Expected, spans: Spans, watched: Sequence[Watched]) -> None:
    """Each report begins and ends with something heard, and nothing that was heard lies outside all of them."""
    times: dict[str, set[int]] = defaultdict(set)
    for tally in expected.tallies:
        for source, spoke in tally.heard.items():
            if entry_of(watched, source) is not None:
                times[source] |= set(spoke)
    assert spans.keys() == times.keys(), "other sources are heard than spoke"
    for source, found in spans.items():
        assert {at for span in found for at in span} <= times[source], f"{source} is heard when it did not speak"
        assert all(any(a <= at <= b for a, b in found) for at in times[source]), f"{source} spoke and is not heard"


def check_states(logs: Logs, partition: int, hearing: Hearing) -> int:
    """At each tick, as far as a deadline could be put off by it. Returns the last W."""
    states: dict[str, Json] = {}
    w = 0
    for _, body in new_records(logs.read("touchpoints", partition)):
        if body["type"] != "tick":
            continue
        w = body["log_time"]
        states |= {one["source"]: one for one in body.get("sources", [])}
        for source in hearing.spans:
            entry = entry_of(hearing.watched, source)
            assert entry is not None, "what is not watched is not heard"
            spans = hearing.known(entry, source, w)
            for f in {f for span in spans for at in span for f in (at - HOUR, at, at + 1, at + HOUR)}:
                # How soon a quiet source is called quiet is left open, up to the gap that is none.
                if f <= w and not 0 < f - spans[-1][1] <= entry.silent_after // 20 + 1:
                    wants, has = hearing.released(entry, source, f, w), _lets_pass(states.get(source), f, w)
                    assert has == wants, f"tick {w}: {source} {states.get(source)} lets {f} pass: {has}; {spans}"
    return w


def _lets_pass(state: Json | None, f: int, w: int) -> bool:
    """As records.SourceState says. Without a state it is heard all the time, or was never."""
    if state is None:
        return True
    a, z, heard_at = state.get("held_from"), state.get("held_until"), state["heard_at"]
    if a is not None and f > a and (z is None or f < z):
        if z is None:
            return False
        f = z
    return bool(f <= (w if heard_at is None else heard_at))


def check_own_alerts(logs: Logs, expected: Expected, hearing: Hearing, w: int) -> None:
    last: dict[str, Json] = {}
    for partition in range(12):
        for _, body in new_records(logs.read("alerts", partition)):
            if body.get("scope", "journey") != "journey":
                last[body["alert_id"]] = body
    ends: dict[tuple[str, int], int | None] = {}
    for source in hearing.spans:
        entry = entry_of(hearing.watched, source)
        for one in hearing.silences(entry, source, w) if entry else ():
            ends[f"source:{source}", one.at] = one.until
    broken: dict[str, set[int]] = defaultdict(set)
    for tally in expected.tallies:
        for name, found in tally.violations.items():
            broken[f"touchpoint:{name}"] |= {at for at in found if at <= w}
    seen: dict[str, set[int]] = defaultdict(set)
    for body in last.values():
        anchor, cause = body["anchor"], body["cause_at"]
        open_ = body["state"] in ("firing", "acknowledged")
        if anchor in broken:
            assert cause in broken[anchor], f"{anchor}: no violation at {cause}"
            over = max(at for at in broken[anchor]) + HOUR <= w
            assert not (open_ and over), f"{anchor} of {cause} is open an hour after the last violation"
        else:
            assert (anchor, cause) in ends, f"{anchor}: no silence of {cause}; there are {ends}"
            assert open_ == (ends[anchor, cause] is None), f"{anchor} of {cause} is {body['state']}"
        seen[anchor].add(cause)
    for (anchor, at), end in ends.items():
        assert end is not None or at in seen[anchor], f"{anchor} is silent since {at}, and nobody says so"
    for anchor, times in broken.items():
        assert not times or min(times) in seen[anchor], f"{anchor} is broken, and nobody says so"
