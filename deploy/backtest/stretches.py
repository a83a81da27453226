"""When the watched sources were heard, from what is stored of it. Pure.

Not all that made a source heard is stored: duplicates are not, nor what the catalogue ignores, as signs of life often
are. But each silence left an alert. So where the stored log times have a gap that would be a silence and there is no
such alert, the source was heard meanwhile; and where there is one, it says when the source fell silent and when it was
heard again. What is left unknown are gaps too short for a silence: there a source counts as quiet.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from deploy.backtest.hearing import Heard
from schemas.sources import SourceForms
from streams.pace.silence import Watch


class SilenceTold(NamedTuple):
    """By an alert of the time. `due_at`: when it was long enough. `again_at` None: unknown, or never."""

    source: str
    due_at: int
    again_at: int | None


def stretches(
    heard: Iterable[Heard],
    told: Sequence[SilenceTold],
    forms: SourceForms,
    watches: dict[str, Watch],
    until: int,
) -> list[Heard]:
    """Both in the order of time. The answer is sorted by the first moments."""
    stored = {source: list(found) for source, found in groupby(sorted(heard), key=lambda one: one.source)}
    found: list[Heard] = []
    for source in sorted({*stored, *(one.source for one in told)}):
        form = forms.of(source)
        if form is not None:
            silences = sorted(one for one in told if one.source == source)
            found.extend(_of(source, stored.get(source, []), silences, watches[form.text], until))
    return sorted(found, key=lambda one: (one.first, one.source))


def _of(
    source: str, stored: Sequence[Heard], silences: Sequence[SilenceTold], watch: Watch, until: int
) -> Iterable[Heard]:
    """Walks from stretch to stretch; `first` and `last` are those of the one at work."""
    waiting = list(silences)
    if stored:
        first, last = stored[0].first, stored[0].last
    else:
        first = last = fell_silent(watch, -1, waiting[0].due_at)
    ahead = list(stored[1:])
    while True:
        next_at = ahead[0].first if ahead else until
        while waiting and waiting[0].due_at <= last:
            waiting.pop(0)
        if waiting and waiting[0].due_at <= next_at:
            silence = waiting.pop(0)
            yield Heard(source, first, max(last, fell_silent(watch, last, silence.due_at)))
            again_at = silence.again_at if silence.again_at is not None else next_at if ahead else None
            if again_at is None or again_at > until:
                return
            first = last = min(again_at, next_at)
        elif not ahead:
            yield Heard(source, first, until if watch.due(last) <= until else last)
            return
        else:
            if next_at - last > watch.gap_ms and watch.due(last) > next_at:
                yield Heard(source, first, last)
                first = next_at
            last = max(last, ahead.pop(0).last)


def fell_silent(watch: Watch, after: int, due_at: int) -> int:
    """The first moment from which on the silence was due at `due_at`, not before `after`: `due` never falls. In a night
    that does not count they are all alike.
    """
    low, high = after, due_at
    while low < high:
        middle = (low + high) // 2
        if watch.due(middle) >= due_at:
            high = middle
        else:
            low = middle + 1
    return low
