"""What a person typed, as times and definitions. Raises Unclear, in one sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from deploy.identity.asked import Unclear
from schemas.definition import Definition, duration_ms
from schemas.times import to_ms

DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
DURATION: Final = re.compile(r"[1-9]\d{0,5}[smhd]")
NAMED: Final = re.compile(r"(?P<name>[a-z][a-z0-9_]*)(@(?P<version>[1-9]\d{0,8}))?")


def read_moment(text: str) -> int:
    """A day (its beginning, UTC) or an RFC 3339 time, as ms since the epoch."""
    try:
        return to_ms(f"{text}T00:00:00.000Z" if DAY.fullmatch(text) else text)
    except ValueError as error:
        raise Unclear(f"{text!r} is no time: write a day, 2026-03-02, or 2026-03-02T08:00:00Z ({error})") from error


def read_duration(text: str) -> int:
    """As in definitions: 10s, 5m. In ms."""
    if DURATION.fullmatch(text) is None:
        raise Unclear(f"{text!r} is no duration: write 10s, 5m, 2h")
    return duration_ms(text)


def is_file(text: str) -> bool:
    return text.endswith((".yaml", ".yml")) or "/" in text or Path(text).is_file()


def read_name(text: str) -> tuple[str, int | None]:
    """NAME or NAME@VERSION."""
    found = NAMED.fullmatch(text)
    if found is None:
        raise Unclear(f"{text!r} names no definition: write NAME, NAME@VERSION, or the path of a file")
    return found["name"], None if found["version"] is None else int(found["version"])


def choose(definitions: Sequence[Definition], name: str, version: int | None) -> Definition:
    """Without a version the live one of the name, else the greatest."""
    same = [one for one in definitions if one.journey == name]
    found = [one for one in same if version is None or one.version == version]
    if found:
        return max(found, key=lambda one: (one.mode == "live", one.version))
    if same:
        versions = ", ".join(str(one.version) for one in sorted(same, key=lambda one: one.version))
        raise Unclear(f"{name} has no version {version} here; it has {versions}")
    names = ", ".join(sorted({one.journey for one in definitions}))
    raise Unclear(f"no definition here is named {name}; there are {names or 'none'}")
