"""What prose and diagram of a definition share: the order of the steps, when a deadline fires, and plain words.

Pure. The order is that of the funnels in BI: by distance from the start, then by name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from schemas.definition import Catalogue, Definition, Step, Where, duration_ms, step_order
from schemas.definition_touchpoints import touchpoints_of
from schemas.records import Fact

UNITS = (("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000), ("second", 1_000))


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a missed step is judged, counted from the step before it, or a break that is waited out, from what raised
    it. `late`: touchpoints that may arrive late. `calendar`: in whose hours the time is counted; grace is not.
    """

    within_ms: int
    grace_ms: int
    late: tuple[tuple[str, int], ...]
    calendar: str | None = None

    @property
    def allowed(self) -> str:
        """`2 days`, and in whose hours."""
        return span(self.within_ms) + (f" in the hours of {code(self.calendar)}" if self.calendar is not None else "")

    @property
    def fires_after_ms(self) -> int:
        """The earliest moment: nothing that occurred in time can be under way any more."""
        return self.within_ms + self.grace_ms + max((ms for _, ms in self.late), default=0)

    def made_of(self, what: str = "") -> str:
        """` (2 days, 1 minute of grace, and ...)`; `what`: what the first span is."""
        late = [f"{code(name)} may arrive {span(ms)} late" for name, ms in self.late]
        longest = "; the longest counts" if len(late) > 1 else ""
        delay = f", and {listed(late, 'and')}{longest}" if late else ""
        first = f"{span(self.within_ms)} {what}".rstrip()
        return f" ({first}, {span(self.grace_ms)} of grace{delay})"


def deadline_of(step: Step, definition: Definition, catalogue: Catalogue) -> Deadline | None:
    if step.within is None:
        return None
    late = late_arrivals(touchpoints_of(step), catalogue)
    return Deadline(duration_ms(step.within), duration_ms(definition.grace), tuple(late), step.counting)


def late_arrivals(names: Iterable[str], catalogue: Catalogue) -> list[tuple[str, int]]:
    """Those with `arrives_within`, in milliseconds."""
    entries = [(name, catalogue.touchpoints.get(name)) for name in names]
    return [(name, duration_ms(each.arrives_within)) for name, each in entries if each and each.arrives_within]


def named_touchpoints(definition: Definition) -> list[str]:
    """All that the definition waits for, counts or ends with; each once, in the order of reading."""
    names = [definition.start.touchpoint] if definition.start.touchpoint is not None else []
    steps = [definition.steps[key] for key in step_order(definition)]
    names += [name for step in steps for name in (*touchpoints_of(step), *step.excused_by)]
    for rule in definition.breaks.values():
        names += [name for name in (rule.touchpoint, rule.never_with, *(rule.among or ())) if name is not None]
    return list(dict.fromkeys([*names, *definition.outcome.failure]))


def span(ms: int) -> str:
    """`2 days 21 minutes`."""
    parts = []
    for unit, size in UNITS:
        count, ms = divmod(ms, size)
        if count:
            parts.append(f"{count} {unit}{'s' if count > 1 else ''}")
    return " ".join(parts)


def listed(words: Iterable[str], last: str) -> str:
    """`a, b or c`."""
    found = list(words)
    return f" {last} ".join([", ".join(found[:-1]), found[-1]]) if len(found) > 1 else "".join(found)


def fact_text(fact: Fact) -> str:
    """As JSON writes it, so that `"3"` is not 3."""
    return json.dumps(fact, ensure_ascii=False)


def conditions(where: Where) -> list[tuple[str, str]]:
    return [(word, fact_text(fact)) for word, fact in where.items()]


def pattern(names: list[str], where: Where) -> str:
    """What a touchpoint must be: `a` or `b` where `channel` is "web"."""
    told = [f"{code(word)} is {code(fact)}" for word, fact in conditions(where)]
    return listed(map(code, names), "or") + (f" where {listed(told, 'and')}" if told else "")


def visible(text: str) -> str:
    """One line, without characters that steer a terminal."""
    return re.sub(r"\s+", " ", "".join(letter if letter.isprintable() else " " for letter in text)).strip()


def code(text: str) -> str:
    """A Markdown code span, whatever the text holds."""
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    edge = " " if text[:1] == "`" or text[-1:] == "`" else ""
    return f"{fence}{edge}{visible(text)}{edge}{fence}"
