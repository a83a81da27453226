"""The touchpoints that a definition names, and whether the catalogue has them and says the same of them.

Pure: a definition and the catalogue in, flaws out, each with the path to its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from schemas.definition import Catalogue, CatalogueEntry, Definition, Step, Where
from schemas.records import Fact
from schemas.worth import worths_of
from schemas.yaml_file import Path_, nearest

Found = Iterator[tuple[Path_, str]]
TYPES: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


def touchpoints_of(step: Step) -> list[str]:
    """The names that reach the step."""
    return [step.touchpoint] if step.touchpoint is not None else list(step.any_of or ())


def patterns_of(definition: Definition) -> Iterator[tuple[Path_, str, Where]]:
    """Every touchpoint that is named, with its place and the `where` beside it."""
    if definition.start.touchpoint is not None:
        yield ("start", "touchpoint"), definition.start.touchpoint, definition.start.where
    for key, step in definition.steps.items():
        if step.touchpoint is not None:
            yield ("steps", key, "touchpoint"), step.touchpoint, step.where
        for index, name in enumerate(step.any_of or ()):
            yield ("steps", key, "any_of", index), name, step.where
        for index, name in enumerate(step.excused_by):
            yield ("steps", key, "excused_by", index), name, {}
    for index, name in enumerate(definition.outcome.failure):
        yield ("outcome", "failure", index), name, {}
    for key, rule in definition.breaks.items():
        if rule.touchpoint is not None:
            yield ("breaks", key, "touchpoint"), rule.touchpoint, rule.where
        if rule.never_with is not None:
            yield ("breaks", key, "never_with"), rule.never_with, {}
        for index, name in enumerate(rule.among or ()):
            yield ("breaks", key, "among", index), name, {}


def touchpoint_flaws(definition: Definition, catalogue: Catalogue) -> Found:
    for path, name, where in patterns_of(definition):
        entry = catalogue.touchpoints.get(name)
        if entry is None:
            yield path, _unknown_touchpoint(name, definition, catalogue)
            continue
        if entry.impact.mode == "ignore":
            text = (
                f"touchpoint {name!r} is of mode ignore in the catalogue: no journey may wait for it. Change its mode."
            )
            yield path, text
        for word, fact in where.items():
            place = ("start", "where", word) if path[0] == "start" else (*path[:2], "where", word)
            if (unknown := _undeclared(word, name, entry)) is not None:
                yield place, unknown
            rule = entry.properties.get(word)
            wanted = "string" if word == "channel" else rule.type if rule is not None else None
            if wanted is not None and not _may_equal(fact, wanted):
                text = f"{word} of {name!r} is a {wanted}, and {_said(fact)} never equals one."
                advice = " Write it in quotes." if wanted == "string" else ""
                yield place, text + advice
    yield from _channel_flaws(definition, catalogue)
    yield from _score_flaws(definition, catalogue)
    yield from _weight_flaws(definition, catalogue)


def _undeclared(word: str, name: str, entry: CatalogueEntry) -> str | None:
    """A touchpoint that declares properties declares those that journeys look at. Of one that declares none nothing is
    known.
    """
    also = (entry.score.property if entry.score is not None else None, entry.referrer)
    if not entry.properties or word == "channel" or word in entry.properties or word in also:
        return None
    known = ["channel", *entry.properties, *(one for one in also if one is not None)]
    advice = nearest(word, known) or f" Declared: {', '.join(known[1:])}. Declare it too, or choose another."
    return f"the catalogue declares no {word!r} of {name!r}.{advice}"


def _channel_flaws(definition: Definition, catalogue: Catalogue) -> Found:
    """Where the catalogue names channels, a journey names no other."""
    known = {entry.channel for entry in catalogue.touchpoints.values() if entry.channel is not None}
    wheres: list[tuple[Path_, Where]] = [(("start",), definition.start.where)]
    wheres += [(("steps", name), step.where) for name, step in definition.steps.items()]
    wheres += [(("breaks", name), rule.where) for name, rule in definition.breaks.items()]
    said: list[tuple[Path_, Fact]] = [((*path, "where", "channel"), where.get("channel", "")) for path, where in wheres]
    for name, step in definition.steps.items():
        if step.handoff is not None:
            said.append((("steps", name, "handoff", "from"), step.handoff.from_channel))
            said.append((("steps", name, "handoff", "to"), step.handoff.to_channel))
    for path, channel in said if known else ():
        if isinstance(channel, str) and channel and channel not in known:
            advice = nearest(channel, sorted(known)) or " Add it to the touchpoint that comes on it."
            yield path, f"no touchpoint of the catalogue comes on channel {channel!r}.{advice}"


def _unknown_touchpoint(name: str, definition: Definition, catalogue: Catalogue) -> str:
    if name in definition.steps and (meant := touchpoints_of(definition.steps[name])):
        return f"{name!r} is a step, and here stands a touchpoint. Did you mean {meant[0]!r}?"
    return f"touchpoint {name!r} is not in the catalogue.{nearest(name, catalogue.touchpoints)}"


def _weight_flaws(definition: Definition, catalogue: Catalogue) -> Found:
    if worths_of(catalogue):
        return
    advice = "no touchpoint of the catalogue has weight: give some a valence, or a score."
    for name, rule in definition.breaks.items():
        if rule.balance_below is not None:
            yield ("breaks", name, "balance_below"), advice
    if definition.start.weighted:
        yield ("start", "weighted"), advice


def _score_flaws(definition: Definition, catalogue: Catalogue) -> Found:
    """Where the catalogue knows any scores or properties, a score is one of them, and somewhere a number."""
    entries = catalogue.touchpoints.values()
    declared = {name for entry in entries for name in entry.properties}
    known = declared | {entry.score.property for entry in entries if entry.score is not None}
    for name, rule in definition.breaks.items():
        if rule.score is None:
            continue
        types = {entry.properties[rule.score].type for entry in entries if rule.score in entry.properties}
        if known and rule.score not in known:
            advice = nearest(rule.score, sorted(known)) or " Declare it there: as a `score`, or in `properties`."
            yield ("breaks", name, "score"), f"no touchpoint of the catalogue has a {rule.score!r}.{advice}"
        elif types and not types & {"integer", "number"}:
            text = f"{rule.score!r} is declared as {' and '.join(sorted(types))} in the catalogue, and never a number."
            yield ("breaks", name, "score"), text


def _may_equal(fact: Fact, wanted: str) -> bool:
    if isinstance(fact, bool) or wanted == "boolean":
        return isinstance(fact, bool) and wanted == "boolean"
    if wanted == "integer" and isinstance(fact, float):
        return fact.is_integer()
    return isinstance(fact, TYPES[wanted])


def _said(fact: Fact) -> str:
    return str(fact).lower() if isinstance(fact, bool) else repr(fact)
