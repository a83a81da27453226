"""Broken contracts of touchpoints of mode `control`: from what `resolve` tells to alerts (docs/catalogue.md).

`resolve` reports the first and last log time of violations since its last report. Violations of a name that are at most
an hour apart are one spell: while W lies in it, or less than an hour behind it, the alert is open. A partition that is
ahead tells of violations after W, which wait; what lies between its first and its last is never an hour apart, since
reports come with the beats. So the spells, and with them cause, occurrence and end, follow from the log alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from schemas.control_records import Acknowledgement
from schemas.definition import Catalogue, CatalogueEntry
from schemas.records import Severity
from streams.pace.own_alerts import About, Change, Episode, began, clock, ended, said

CLEARED_AFTER_MS: Final = 3_600_000
SPELLS_MAX: Final = 1_000
"""Of one name, not judged yet; beyond that the last two become one."""
GROUP: Final = "catalogue"
PREFIX: Final = "touchpoint:"


class Watched(msgspec.Struct, array_like=True):
    """Of one name: spells that are not over, in order; the last alert, if there ever was one, and what it was about
    when it began: it ends under the same owner. `has_begun`: it is that of the first spell.
    """

    spells: list[tuple[int, int]] = []
    episode: Episode | None = None
    about: About | None = None
    has_begun: bool = False


Broken = dict[str, Watched]
"""By name: a part of the state of `keep_time`, no larger than the catalogue."""


def watched_contracts(catalogue: Catalogue) -> dict[str, About]:
    """Whom a violation concerns, by name."""
    found = catalogue.touchpoints.items()
    return {name: _about(name, entry) for name, entry in found if entry.impact.mode == "control" and entry.properties}


def _about(name: str, entry: CatalogueEntry) -> About:
    severity: Severity = "error" if entry.impact.criticality == "high" else "warning"
    return About("touchpoint", "broken_contract", GROUP, name, PREFIX + name, entry.owner, severity)


def heard(broken: Broken, violations: Mapping[str, tuple[int, int]], known: Mapping[str, About]) -> None:
    """Takes in a report. A name that the catalogue does not watch (any more) is passed over."""
    for name, spell in violations.items():
        if name in known:
            watched = broken.setdefault(name, Watched())
            watched.spells = list(_joined([*watched.spells, spell]))[:SPELLS_MAX]


def _joined(spells: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    count = 0
    current: tuple[int, int] | None = None
    for first, last in sorted(spells):
        if current is None:
            current = first, last
        elif first <= current[1] + CLEARED_AFTER_MS or count == SPELLS_MAX - 1:
            current = current[0], max(current[1], last)
        else:
            yield current
            count, current = count + 1, (first, last)
    if current is not None:
        yield current


def judge(broken: Broken, known: Mapping[str, About], log_time: int) -> Iterator[Change]:
    """At the tick of `log_time`, when every violation up to it was told. Changes `broken` as it goes."""
    for name in sorted(broken):
        watched = broken[name]
        while watched.spells and watched.spells[0][0] <= log_time:
            first, last = watched.spells[0]
            is_over = log_time >= last + CLEARED_AFTER_MS
            if not watched.has_begun and name in known:
                yield _begins(watched, known[name], first, last if is_over else None, log_time)
            elif is_over and watched.has_begun:
                yield from _ends(watched, last, log_time)
            if not is_over:
                break
            watched.spells, watched.has_begun = watched.spells[1:], False


def _begins(watched: Watched, about: About, first: int, over: int | None, log_time: int) -> Change:
    occurrence = 1 if watched.episode is None else watched.episode.occurrence + 1
    episode = began(occurrence, first, None, log_time)
    watched.episode, watched.about, watched.has_begun = episode, about, True
    if over is None:
        return Change(about, episode, True, "fired", _line(about, episode))
    ended(episode, over + CLEARED_AFTER_MS, log_time)
    return Change(about, episode, False, "cleared_at_once", _line(about, episode, over))


def _ends(watched: Watched, last: int, log_time: int) -> Iterator[Change]:
    about, episode = watched.about, watched.episode
    assert about is not None, "what ends has begun"
    assert episode is not None, "what ends has begun"
    if not episode.closed:
        ended(episode, last + CLEARED_AFTER_MS, log_time)
        yield Change(about, episode, True, "cleared", _line(about, episode, last))


def acknowledge(broken: Broken, word: Acknowledgement, log_time: int) -> Iterator[Change]:
    """A person's word on one of these alerts; on any other it says nothing."""
    watched = broken.get(word.anchor.removeprefix(PREFIX)) if word.anchor.startswith(PREFIX) else None
    if watched is None or watched.about is None or watched.episode is None:
        return
    about, episode = watched.about, watched.episode
    if said(about, episode, word, log_time):
        yield Change(about, episode, True, "closed" if word.closes else "acknowledged", _line(about, episode))


def _line(about: About, episode: Episode, last: int | None = None) -> str:
    """`last`: the last violation of a spell that is over."""
    since = f"touchpoint {about.name} breaks its contract since {clock(episode.cause_at)}"
    if last is not None:
        return f"touchpoint {about.name} broke its contract from {clock(episode.cause_at)} to {clock(last)}."
    if episode.closed:
        return f"{since}, closed by {episode.acknowledged_by}."
    if episode.state == "acknowledged":
        return f"{since}, {episode.acknowledged_by} looks after it."
    return f"{since}. Its dead letters name the property: touchline dead-letters."
