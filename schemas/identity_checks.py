"""What is wrong with identity rules that have the right shape: by path and sentence.

A regular expression is the one rule that could stop a worker, so only those are let in whose work on a value of 200
characters is bounded: no repeated group, and few repetitions at all.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from typing import Final

from phonenumbers import SUPPORTED_REGIONS

from schemas.definition import duration_ms
from schemas.identity_rules import IdentityLimits, IdentityRules
from schemas.own_kinds import own_flaws
from schemas.yaml_file import Path_, nearest

REPEATS_MAX: Final = 3
CHOICES_MAX: Final = 10
"""Of `?` and `|` together: each may double the work."""
DAY_MS: Final = 86_400_000
WINDOWS_MS: Final = {
    "login_before": (60_000, 30 * DAY_MS, "1m to 30d"),
    "link": (DAY_MS, 3_650 * DAY_MS, "1d to 3650d"),
}

_ATOM: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?(?:[aimsux]+\)|[aimsux-]+:|:|P<\w+>)|.", re.DOTALL)
_COUNT: Final = re.compile(r"\{\d*,?\d*\}")


def flaws_of(rules: IdentityRules) -> Iterator[tuple[Path_, str]]:
    for kind in rules.kinds.all:
        for number, pattern in enumerate(rules.of(kind).ignore_matching):
            if (flaw := pattern_flaw(pattern)) is not None:
                path = ("identifiers", kind, "ignore_matching", number)
                yield path, f"{kind}.ignore_matching: {flaw}"
    yield from _priorities(rules)
    yield from own_flaws(rules)
    yield from _limits(rules.limits)
    if (region := rules.phone_region) is not None and region not in SUPPORTED_REGIONS:
        near = f" Did you mean {region.upper()!r}?" if region.upper() in SUPPORTED_REGIONS else ""
        near = near or nearest(region, SUPPORTED_REGIONS) if len(region) == 2 else near
        yield ("phone_region",), f"phone_region: expected a country of ISO 3166 such as 'DE', not {region!r}.{near}"
    for name, (least, most, text) in WINDOWS_MS.items():
        found = getattr(rules.windows, name)
        if not least <= duration_ms(found) <= most:
            yield ("windows", name), f"windows.{name}: expected a duration of {text}, not {found!r}."


def _limits(limits: IdentityLimits) -> Iterator[tuple[Path_, str]]:
    if limits.kept <= limits.kiosk_touchpoints:
        name = "kept" if "kept" in limits.model_fields_set else "kiosk_touchpoints"
        yield (
            ("limits", name),
            f"limits.{name}: of an identifier {limits.kept} touchpoints are kept, but a kiosk day is one with more than"
            f" {limits.kiosk_touchpoints}. Keep more than kiosk_touchpoints.",
        )


def _priorities(rules: IdentityRules) -> Iterator[tuple[Path_, str]]:
    known = rules.kinds
    groups = {"devices": known.devices, "contacts": known.contacts, "business keys": known.keys}
    for group, kinds in groups.items():
        taken: dict[int, str] = {}
        for kind in kinds:
            priority = rules.priority(kind)
            if priority in taken:
                text = (
                    f"{kind}.priority: {taken[priority]} has {priority} too. Give each of the {group} a priority of its"
                    f" own: {', '.join(kinds)}."
                )
                path: Path_ = ("identifiers", kind, "priority")
                yield path if rules.of(kind).model_fields_set & {"priority"} else (*path[:1], taken[priority]), text
            taken[priority] = kind


def pattern_flaw(pattern: str) -> str | None:
    """Why it cannot be used; None when it can."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)  # of `[[` and the like, whose meaning may change
            re.compile(pattern)
    except (re.error, RecursionError, OverflowError, FutureWarning) as error:
        return f"this is no regular expression: {error}."
    repeats = choices = 0
    before = ""
    for atom in _atoms(pattern):
        if atom in ("*", "+") or _COUNT.fullmatch(atom):
            repeats += 1
            if before == ")":
                return "a repeated group may take for ever. Write a class such as [a-z.]+ instead."
        elif atom in ("?", "|"):
            choices += 1
        elif atom.startswith("\\") and atom[1:].isdigit():
            return "a reference to a group (\\1) may take for ever. Write it out."
        elif atom == "(?":
            return "look-ahead, conditions and the like may take for ever. Write it without them."
        before = atom
    if repeats > REPEATS_MAX:
        return f"{repeats} repetitions (* + {{n}}) may take for ever; at most {REPEATS_MAX}. Write several patterns."
    if choices > CHOICES_MAX:
        return f"{choices} choices (? |) may take for ever; at most {CHOICES_MAX}. Write several patterns."
    return None


def _atoms(pattern: str) -> Iterator[str]:
    """Escapes and classes as one; of what begins with (? only the harmless as a group, the rest as `(?`."""
    position = 0
    while position < len(pattern):
        if pattern[position] == "{" and (count := _COUNT.match(pattern, position)):
            found = count[0]
        else:
            atom = _ATOM.match(pattern, position)
            assert atom is not None, "any character is an atom"
            found = atom[0]
            if found == "(" and pattern.startswith("(?", position):
                found = "(?"
        yield "(" if found.startswith("(?") and found != "(?" else found
        position += len(found)
