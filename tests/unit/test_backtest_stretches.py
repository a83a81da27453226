"""When sources were heard, told from what is stored: silences come out as they were, whatever else was not stored."""

from __future__ import annotations

from random import Random

import pytest

from deploy.backtest.hearing import Heard, Hearing
from deploy.backtest.stretches import SilenceTold, fell_silent, stretches
from schemas.calendar import Calendar
from schemas.sources import SourceRules, forms_of
from streams.pace.sources import Silences
from streams.product import watches_of

MINUTE = 60_000
HOUR = 60 * MINUTE
START = 1_772_438_400_000
UNTIL = START + 40 * HOUR
OPEN = Calendar.model_validate({"zone": "Europe/Berlin", "open": {"mon-fri": "09:00-20:00"}})


def rules(counting: Calendar | None = None) -> SourceRules:
    till = {"owner": "team", "brings": ["picked_up"], "silent_after": "1h", "catches_up": "20m", "counting": counting}
    return SourceRules.model_validate({"sources": {"till-{store}": till}})


def moments(rng: Random) -> list[int]:
    found, at = [], START
    while at < UNTIL:
        found.append(at)
        at += rng.choice((10 * MINUTE, 10 * MINUTE, 20 * MINUTE, 50 * MINUTE, 3 * HOUR, 6 * HOUR))
    return found


def told_of(rules_: SourceRules, heard: list[int]) -> list[SilenceTold]:
    """What the alerts say, from a judgement at each minute."""
    silences, ahead, found = Silences(watches_of(rules_)), list(heard), dict[int, SilenceTold]()
    for w in range(START, UNTIL + 1, 2 * MINUTE):
        while ahead and ahead[0] <= w:
            silences.hear({"till-7": (ahead[0], ahead.pop(0))})
        for change in silences.judge(w).alerts:
            episode = change.episode
            found[episode.occurrence] = SilenceTold("till-7", episode.cause_at, episode.cleared_at)
    return list(found.values())


def holds_of(rules_: SourceRules, heard: list[Heard]) -> set[tuple[int | None, int | None]]:
    """The beginnings and ends of all holds that the ticks tell."""
    hearing, found = Hearing(watches_of(rules_), heard), set()
    for w in range(START, UNTIL + 1, 2 * MINUTE):
        found |= {(state.held_from, state.held_until) for state in hearing.states(w)}
    return found


@pytest.mark.parametrize("seed", range(5))
def test_silences_come_out_as_they_were(seed: int) -> None:
    rng, rules_ = Random(seed), rules()
    everything = moments(rng)
    told = told_of(rules_, everything)
    stored = [Heard("till-7", at, at) for at in everything if at == START or rng.random() < 0.3]
    found = stretches(stored, told, forms_of(rules_), watches_of(rules_), UNTIL)
    assert holds_of(rules_, found) == holds_of(rules_, [Heard("till-7", at, at) for at in everything])


def test_what_is_stored_completely_stays_as_it_is() -> None:
    rules_ = rules()
    everything = [Heard("till-7", at, at) for at in moments(Random(3))]
    found = stretches(
        everything, told_of(rules_, [one.first for one in everything]), forms_of(rules_), watches_of(rules_), UNTIL
    )
    assert found == everything


def test_without_an_alert_there_was_no_silence() -> None:
    stored = [Heard("till-7", START, START), Heard("till-7", START + 5 * HOUR, START + 5 * HOUR)]
    found = stretches(stored, [], forms_of(rules()), watches_of(rules()), UNTIL)
    assert found == [Heard("till-7", START, UNTIL)]


def test_of_a_source_of_which_nothing_is_stored_the_alerts_speak() -> None:
    told = [SilenceTold("till-7", START + HOUR, START + 3 * HOUR), SilenceTold("till-7", START + 9 * HOUR, None)]
    found = stretches([], told, forms_of(rules()), watches_of(rules()), UNTIL)
    assert found == [Heard("till-7", START, START), Heard("till-7", START + 3 * HOUR, START + 8 * HOUR)]


def test_what_is_watched_no_more_is_no_matter() -> None:
    told = [SilenceTold("kiosk-1", START + HOUR, None)]
    assert stretches([Heard("kiosk-1", START, START)], told, forms_of(rules()), watches_of(rules()), UNTIL) == []


def test_in_a_closed_night_a_silence_begins_when_the_doors_close() -> None:
    watch = watches_of(rules(OPEN))["till-{store}"]
    monday_20h = START + 11 * HOUR  # START is a Monday, 9 o'clock in Berlin
    due_at = watch.due(monday_20h)
    assert due_at == START + 24 * HOUR + HOUR
    assert fell_silent(watch, START, due_at) == monday_20h
