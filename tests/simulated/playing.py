"""Plays a random world to `track`, and compares what it says with the oracle at each tick.

At each tick everything that arrived is known, so journeys and alerts must be the oracle's then, not only in the end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from random import Random
from typing import Any

from schemas.records import SourceState
from streams.journey.compile import compile_definitions
from streams.journey.track import Track
from tests.journey_case import Log, Outcome
from tests.oracle.alert_checks import check_keys
from tests.oracle.alert_table import check_changes
from tests.oracle.fold import BreakFound
from tests.oracle.hearing import entry_of
from tests.oracle.report import Report
from tests.simulated.breaks import OWNER, Oracle, Wanted, Word, World, hearing_of, world
from tests.simulated.cover_worlds import of_the_world

Alerts = dict[tuple[int, str, str, int], str]
"""Version, anchor, break, occurrence -> state."""


def stage(found: World) -> Track:
    return Track(0, compile_definitions(found.definitions, found.catalogue, found.sources), "live")


# -- the log ----------------------------------------------------------------------------------------------------------


class Writer:
    """Writes the log of a world, tick by tick."""

    def __init__(self, found: World) -> None:
        self.found, self.log = found, Log()
        self._hearing = hearing_of(found)
        self._said: dict[str, SourceState] = {}
        self._holders: dict[str, str] = {}

    def move(self, before: int) -> None:
        """What is already there changes hands; of what comes next it is only noted whose it is."""
        entries = {one.touchpoint_id: one for one in self.found.arrivals[:before]}
        for index, name, customer in self.found.moves:
            if index == before:
                former = self._holders.get(name, OWNER)
                self._holders[name] = customer
                if name in entries and former != customer:
                    self.log.detach(name, customer=former, scope="customer", moved_to=customer)
                    self.log.attach(entries[name], customer=customer, scope="customer", moved_from=former)

    def move_at_once(self) -> None:
        """All that moves is where it goes in the end before it comes."""
        self._holders = {name: customer for _, name, customer in self.found.moves}

    def send(self, index: int) -> None:
        entry = self.found.arrivals[index]
        customer = self._holders.get(entry.touchpoint_id, entry.person or OWNER)
        self.log.resolved(entry, customer, by="user_id" if entry.person else "device")
        if order := entry.keys.get("order_id"):
            self.log.attach(entry, scope=f"order_id:{order}")

    def tick(self, w: int) -> None:
        states = dict(self._states(w))
        self.log.tick(w, [state for name, state in states.items() if self._said.get(name) != state])
        self._said = states

    def _states(self, w: int) -> Iterator[tuple[str, SourceState]]:
        for name in self.found.spans:
            entry = entry_of(self._hearing.watched, name)
            spans = self._hearing.known(entry, name, w) if entry else []
            if entry is None or not spans:
                continue
            holds = self._hearing.holds(entry, name, w)
            a, z = holds[-1] if holds else (None, None)
            heard_at = None if spans[-1][1] == w else spans[-1][1]
            yield name, SourceState(source=name, heard_at=heard_at, held_from=a, held_until=z)

    def switch(self, before: int) -> None:
        for index, one in self.found.switches:
            if index == before:
                self.log.switch(one.version, one.mode, one.from_at, one.definition)  # type: ignore[arg-type]

    def say(self, word: Word) -> None:
        place: dict[str, Any] = {"version": word.version, "anchor": word.anchor, "occurrence": word.occurrence}
        self.log.acknowledge(word.break_name, closes=word.closes, definition="random", **place)

    def words(self, before: int) -> list[Word]:
        return [one for index, one in self.found.words if index == before]


def as_arrived(found: World) -> Log:
    writer = Writer(found)
    for index, entry in enumerate(found.arrivals):
        if index in found.ticks:
            writer.tick(entry.log_time - 1)
        writer.switch(index)
        for word in writer.words(index):
            writer.say(word)
        writer.move(index)
        writer.send(index)
    for w in found.later:
        writer.tick(w)
    return writer.log


def in_order(found: World) -> Log:
    """Everything in the order of what occurred, then what was switched, then the last tick."""
    writer = Writer(found)
    writer.move_at_once()
    key = {e.touchpoint_id: (e.occurred_at, e.sequence, e.touchpoint_id) for e in found.arrivals}
    for index in sorted(range(len(found.arrivals)), key=lambda index: key[found.arrivals[index].touchpoint_id]):
        writer.send(index)
    for index in range(len(found.arrivals)):
        writer.switch(index)
    writer.tick(found.later[-1])
    return writer.log


# -- what is said -----------------------------------------------------------------------------------------------------


def said(outcome: Outcome) -> dict[tuple[int, str], Any]:
    """Journeys that are there, in the words of the oracle."""
    return {
        (row["version"], row["anchor"]): {
            "members": row["touchpoint_ids"],
            "status": row["status"],
            "mode": row["mode"],
            "ended": row["ended_at"],
            "steps": {
                s["step"]: (s["status"], s["due_at"], s["reached_at"], s["touchpoint_id"] or "") for s in row["steps"]
            },
            "breaks": sorted(
                (b["name"], b["occurrence"], b["kind"], b["step"], b["cause_at"], b["due_at"], b["cleared_at"])
                for b in row["breaks"]
            ),
        }
        for row in outcome.journeys.values()
        if row["status"] != "moved" and row["customer_id"] == OWNER
    }


def due(wanted: Wanted) -> tuple[dict[tuple[int, str], Any], Alerts]:
    journeys: dict[tuple[int, str], Any] = {}
    alerts: Alerts = {}
    for key, (members, one, mode) in wanted.items():
        journeys[key] = {
            "members": members,
            "status": one.status,
            "mode": mode,
            "ended": one.ended_at,
            "steps": {name: (s.status, s.due_at, s.reached_at, s.touchpoint_id) for name, s in one.steps.items()},
            "breaks": sorted(
                (b.name, b.occurrence, b.kind, b.step, b.cause_at, b.due_at, b.cleared_at) for b in one.breaks
            ),
        }
        alerts |= {(*key, b.name, b.occurrence): state_of(b, one.expired) for b in one.breaks}
    return journeys, alerts


def state_of(found: BreakFound, expired: bool) -> str:
    return "firing" if found.cleared_at is None and not expired else "resolved"


def courses(outcome: Outcome) -> dict[tuple[int, str, str, int], list[dict[str, Any]]]:
    """The changes of each alert of the customer in question."""
    found: dict[tuple[int, str, str, int], list[dict[str, Any]]] = defaultdict(list)
    for one in outcome.alerts:
        if one["customer_id"] == OWNER:
            found[one["version"], one["anchor"], one["break_name"], one["occurrence"]].append(one)
    return found


def standing(outcome: Outcome) -> Alerts:
    latest = {key: course[-1]["state"] for key, course in courses(outcome).items()}
    return {key: state for key, state in latest.items() if state not in ("withdrawn", "moved")}


def told(oracle: Oracle, outcome: Outcome) -> list[str]:
    """What the table of states would have otherwise, who is told, and under which keys."""
    report = Report()
    check_keys(outcome.alerts, report)
    for key, course in courses(outcome).items():
        check_changes(course, str(key), report, quiet=oracle.rules[key[0]].monitored(key[2]))
    return [line for lines in report.lines.values() for line in lines]


# -- product and oracle -----------------------------------------------------------------------------------------------


class Player:
    """Plays a world record by record; `difference` is where product and oracle part. `words`: what people said that
    changed an alert.
    """

    def __init__(self, found: World) -> None:
        self._found, self._track, self._outcome = found, stage(found), Outcome()
        self._writer, self._played, self._oracle = Writer(found), 0, Oracle(found)
        self._closed: set[tuple[int, str, str, int]] = set()
        self.words: set[str] = set()

    def _play(self) -> None:
        for record in self._writer.log.records[self._played :]:
            self._track.apply(record, self._outcome.effects)
        self._played = len(self._writer.log.records)
        self._track.flush(self._outcome.effects)

    def difference(self) -> str | None:
        for index, entry in enumerate(self._found.arrivals):
            if index in self._found.ticks and (text := self._tick(index, entry.log_time - 1)):
                return text
            self._writer.switch(index)
            for word in self._writer.words(index):
                if text := self._say(word):
                    return f"{self._found}\nbefore {index}: {text}"
            self._writer.move(index)
            self._writer.send(index)
        texts = (self._tick(len(self._found.arrivals), w) for w in self._found.later)
        ended = next((text for text in texts if text), None)
        wrong = told(self._oracle, self._outcome)
        return ended or (f"{self._found}\n" + "\n".join(wrong) if wrong else None)

    def _tick(self, index: int, w: int) -> str | None:
        self._writer.tick(w)
        self._play()
        journeys, alerts = due(self._oracle.wanted(index, w))
        has, wants = (said(self._outcome), self._states(alerts)), (journeys, alerts)
        return None if has == wants else f"{self._found}\nafter {index} at W {w}:\nproduct {has}\noracle  {wants}"

    def _states(self, wants: Alerts) -> Alerts:
        """As the fold would have them: an acknowledged one fires still, and a closed one says nothing more."""
        found: Alerts = {}
        for key, course in courses(self._outcome).items():
            if key in self._closed:
                if key in wants:
                    found[key] = wants[key]
            elif course[-1]["state"] not in ("withdrawn", "moved"):
                found[key] = "firing" if course[-1]["state"] == "acknowledged" else course[-1]["state"]
        return found

    def _say(self, word: Word) -> str | None:
        """What a person says changes the alert at once, if the table has such a row, and else nothing."""
        self._play()
        key = (word.version, word.anchor, word.break_name, word.occurrence)
        before = courses(self._outcome).get(key, [])
        was = before[-1]["state"] if before else None
        if was == "firing" or (was == "acknowledged" and word.closes):
            wants = ["resolved" if word.closes else "acknowledged"]
            self._closed |= {key} if word.closes else set()
            self.words.add("closed" if word.closes else "acknowledged")
        else:
            wants = []
        self._writer.say(word)
        self._play()
        has = [one["state"] for one in courses(self._outcome).get(key, [])[len(before) :]]
        return None if has == wants else f"{word} of what was {was}: {has}, the table says {wants}"


def difference(found: World) -> str | None:
    """The first tick at which the product and the oracle disagree."""
    return Player(found).difference()


def judge_world(seed: int) -> set[str]:
    """What the random world was about. Raises AssertionError when product and oracle disagree."""
    found = world(Random(seed))
    player = Player(found)
    text = player.difference()
    assert text is None, text
    return set(of_the_world(found, player.words))
