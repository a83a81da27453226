"""A route's rate holds in every minute, nothing is left out, and order is kept; senders with a receiver at hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from schemas.records import Alert
from sinks.notify.alertmanager import Pace
from sinks.notify.metrics import NotifierMetrics
from sinks.notify.outbox import EXPIRES_MS, Arrived, Outbox
from sinks.notify.post import Again, Delivered, Outcome, Refused, headers_for
from sinks.notify.rate import WINDOW_MS, Parcel, Waiting, allowance, newest_of_each, parcels
from sinks.notify.reporter import Reporter
from sinks.notify.routing import Route
from sinks.notify.sender import Sender
from tests.sink_records import alert

PACE = Pace(1_000, 5_000)
KINDS = st.lists(st.sampled_from("abcd"), min_size=1, max_size=30)


@given(st.lists(st.integers(0, 20_000), max_size=80), st.integers(1, 10))
def test_in_any_minute_at_most_so_many(gaps: list[int], per_minute: int) -> None:
    now, made = 10**12, list[int]()
    for gap in gaps:
        now += gap
        if allowance(made, now, per_minute):
            made.append(now)
        assert sum(now - WINDOW_MS < at <= now for at in made) <= per_minute
    assert len(made) >= min(len(gaps), per_minute)


def test_a_clock_that_was_set_back_stops_nobody() -> None:
    assert allowance([100_000, 100_001], 50_000, 2) == 2


def pile_of(keys: str | Sequence[str]) -> list[Waiting]:
    return [Waiting(seq, key, f"{key}{seq}", b"", 0, 0, 0) for seq, key in enumerate(keys)]


@given(KINDS, st.integers(0, 40), st.booleans())
def test_parcels_hold_their_keys_in_order_and_stay_within_the_allowance(
    keys: list[str], allowed: int, one_for_all: bool
) -> None:
    pile = pile_of(keys)
    ready = parcels(pile, allowed, one_for_all=one_for_all)
    assert len(ready) <= allowed
    assert bool(ready) == bool(allowed)
    sent = [found.seq for parcel in ready for found in parcel]
    assert len(sent) == len(set(sent))
    for key in set(keys):
        mine = [found.seq for found in pile if found.key == key]
        assert [seq for seq in sent if seq in mine] == mine[: len([seq for seq in sent if seq in mine])]
    if len(pile) <= allowed:
        assert all(len(parcel) == 1 for parcel in ready)
    elif one_for_all and allowed:
        assert ready == [tuple(pile)]


def test_the_newest_of_each_key_is_said() -> None:
    assert [found.seq for found in newest_of_each(tuple(pile_of("abca")))] == [3, 1, 2]


@dataclass
class Receiver:
    """Answers with the next of `answers`, then takes everything."""

    answers: list[Outcome] = field(default_factory=list)
    got: list[tuple[str, bytes]] = field(default_factory=list)

    async def send(self, key: str, body: bytes) -> Outcome:
        answer = self.answers.pop(0) if self.answers else Delivered()
        if answer == Delivered():
            self.got.append((key, body))
        return answer

    def texts(self) -> list[str]:
        return [json.loads(body)["text"] for _, body in self.got]


@dataclass
class Bench:
    """One route, its outbox, a receiver, and a clock that is set by hand."""

    path: Path
    route: Route
    now: int = 10**12
    receiver: Receiver = field(default_factory=Receiver)
    metrics: NotifierMetrics = field(default_factory=lambda: NotifierMetrics(CollectorRegistry()))

    def __post_init__(self) -> None:
        self.outbox = Outbox(self.path / "o.sqlite", [self.route])
        make: Callable[..., Any] = Sender
        more: dict[str, Any] = {}
        if self.route.kind == "alertmanager":
            make, more = Reporter, {"pace": PACE, "generator_url": None}
        self.sender = make(
            self.outbox, self.route, self.receiver, self.metrics, now_ms=lambda: self.now, jitter=lambda: 1.0, **more
        )

    def take(self, *changes: Alert) -> None:
        self.outbox.accept([Arrived(0, change) for change in changes], self.now)

    def rounds(self) -> int:
        """Until nothing is due; returns how many."""
        count = 0
        while asyncio.run(self.sender.round()):
            count += 1
            assert count < 100
        return count

    def coalesced(self) -> float:
        return float(self.metrics.coalesced.labels(self.route.name)._value.get())


def breaks(*names: str, state: str = "firing", start: int = 1) -> list[Alert]:
    """One alert for each of the breaks, which have names of one letter."""
    return [
        alert(ord(name), state, offset=start + number, break_name=name, step=name) for number, name in enumerate(names)
    ]


def slack_route(per_minute: int | None) -> Route:
    return Route("room", "slack", "", template="{state} {break} {alerts}", per_minute=per_minute)


def test_slack_within_its_rate_hears_each_alone(tmp_path: Path) -> None:
    bench = Bench(tmp_path, slack_route(5))
    bench.take(*breaks("a", "b", "c"))
    bench.rounds()
    assert bench.receiver.texts() == [f"FIRING {name} 1 alert open" for name in "abc"]
    assert bench.coalesced() == 0


def test_slack_over_its_rate_hears_all_together_in_the_next_minute(tmp_path: Path) -> None:
    bench = Bench(tmp_path, slack_route(2))
    bench.take(*breaks("a", "b"))
    bench.rounds()
    bench.take(*breaks("c", "d", "e", start=10), *breaks("a", state="resolved", start=20))
    bench.take(*breaks("c", state="resolved", start=30))
    bench.rounds()
    assert len(bench.receiver.got) == 2
    bench = Bench(tmp_path, slack_route(2), now=bench.now + WINDOW_MS - 1)
    bench.rounds()
    assert bench.receiver.got == [], "the rate holds across a new life"
    bench.now += 1
    bench.rounds()
    (text,) = bench.receiver.texts()
    assert text.splitlines()[0].startswith("4 incidents changed")
    assert text.splitlines()[1:] == [
        "• RESOLVED c none open, 1 at most", "• FIRING d 1 alert open", "• FIRING e 1 alert open",
        "• RESOLVED a none open, 1 at most",
    ]  # fmt: skip
    assert (bench.coalesced(), bench.outbox.waiting()) == (4, 0)


def test_a_webhook_over_its_rate_hears_the_newest_of_each_key_and_every_key(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Route("paging", "webhook", "", per_minute=2))
    for offset, (number, state) in enumerate([(1, "firing"), (1, "resolved"), (2, "firing"), (3, "firing")]):
        bench.take(alert(number, state, offset=offset))
    bench.rounds()
    states = [json.loads(body)["state"] for _, body in bench.receiver.got]
    assert (states, bench.coalesced(), bench.outbox.waiting()) == (["resolved", "firing"], 1, 1)
    bench.now += WINDOW_MS
    bench.rounds()
    assert (len(bench.receiver.got), bench.outbox.waiting()) == (3, 0)


def test_what_is_behind_one_that_failed_waits_for_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path, slack_route(10), receiver=Receiver([Again("status 503")]))
    bench.take(*breaks("a"))
    bench.rounds()
    bench.take(*breaks("a", state="resolved", start=5))
    bench.rounds()
    assert bench.receiver.got == []
    bench.now += 500
    bench.rounds()
    assert bench.receiver.texts() == ["FIRING a 1 alert open", "RESOLVED a none open, 1 at most"]


def test_what_is_refused_or_a_day_old_is_parked_and_the_next_goes_out(tmp_path: Path) -> None:
    bench = Bench(tmp_path, slack_route(None), receiver=Receiver([Refused("status 404"), Again("timeout")]))
    bench.take(*breaks("a"))
    bench.rounds()
    assert (bench.outbox.parked(), bench.outbox.waiting()) == (1, 0)
    bench.take(*breaks("b", start=5))
    bench.now += EXPIRES_MS
    bench.rounds()
    bench.take(*breaks("b", state="resolved", start=9))
    bench.rounds()
    assert (bench.outbox.parked(), bench.receiver.texts()) == (2, ["RESOLVED b none open, 1 at most"])


def test_one_key_for_trigger_acknowledge_and_resolve(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Route("paging", "webhook", ""))
    bench.take(*(alert(1, state, offset=at) for at, state in enumerate(("firing", "acknowledged", "resolved"))))
    bench.rounds()
    bodies = [json.loads(body) for _, body in bench.receiver.got]
    assert [body["state"] for body in bodies] == ["firing", "acknowledged", "resolved"]
    assert {body["dedup_key"] for body in bodies} == {alert(1, offset=0).dedup_key}
    assert len({key for key, _ in bench.receiver.got}) == 3


AM = Route("operations", "alertmanager", "", template="{journey}")


def reported(bench: Bench) -> list[list[str]]:
    return [sorted(found["labels"]["break"] for found in json.loads(body)) for _, body in bench.receiver.got]


def test_alertmanager_hears_many_at_once_and_again_after_the_refresh(tmp_path: Path) -> None:
    bench = Bench(tmp_path, AM)
    bench.take(*breaks("a", "b"))
    bench.rounds()
    bench.now += 999
    bench.rounds()
    bench.now += 1
    bench.rounds()
    assert reported(bench) == [["a", "b"], ["a", "b"]]


def test_one_bad_incident_does_not_hold_up_the_others(tmp_path: Path) -> None:
    bench = Bench(tmp_path, AM, receiver=Receiver([Refused("status 400"), Refused("status 400")]))
    bench.take(*breaks("a", "b", "c"))
    bench.rounds()
    assert sum(map(len, reported(bench))) == 2
    bench.now += 1_000
    bench.rounds()
    assert reported(bench)[-1] == ["a", "b", "c"], "what was refused gets its chance again"


@pytest.mark.parametrize("failures", [1, 30])
def test_an_alertmanager_that_is_away_is_asked_again_at_least_at_each_refresh(tmp_path: Path, failures: int) -> None:
    answers: list[Outcome] = [Again("timeout", 3_600_000) for _ in range(failures)]
    bench = Bench(tmp_path, AM, receiver=Receiver(answers))
    bench.take(*breaks("a"))
    for _ in range(failures):
        assert bench.rounds() == 1
        bench.now += PACE.refresh_ms
    bench.rounds()
    assert reported(bench) == [["a"]]


def test_alertmanager_over_its_rate_hears_the_state_later(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Route("operations", "alertmanager", "", template="x", per_minute=1))
    bench.take(*breaks("a"))
    bench.rounds()
    bench.take(*breaks("b", "c", start=10), *breaks("a", state="resolved", start=20))
    bench.rounds()
    bench.now += WINDOW_MS
    bench.rounds()
    assert reported(bench) == [["a"], ["a", "b", "c"]]
    assert bench.coalesced() == 2


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        (Route("a", "slack", ""), None),
        (Route("a", "alertmanager", ""), None),
        (Route("a", "alertmanager", "", b"token"), "Bearer token"),
        (Route("a", "alertmanager", "", b"password", "us"), "Basic dXM6cGFzc3dvcmQ="),
    ],
)
def test_who_proves_itself_how(route: Route, expected: str | None) -> None:
    assert headers_for(route, "k", b"", 1).get("Authorization") == expected
    assert "secret" not in repr(Route("a", "slack", "http://secret", b"secret"))


def test_parcels_of_nothing() -> None:
    nothing: list[Parcel] = []
    assert parcels([], 5, one_for_all=True) == nothing
