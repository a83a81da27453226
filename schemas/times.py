"""RFC 3339 times at the border, milliseconds since the epoch inside.

A time is a date of the calendar, `T`, a time of day, up to nine decimals, and `Z` or an offset. Decimals
beyond the millisecond are cut off. Refused: second 60 (no clock of ours has one), the year 0000, offsets of 24
hours or more, lower case `t` and `z`, a missing offset, and times whose UTC lies outside the years 1 to 9999.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

_CLOCK: Final = "([01][0-9]|2[0-3]):[0-5][0-9]"
PATTERN: Final = rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T{_CLOCK}:[0-5][0-9](\.[0-9]{{1,9}})?(Z|[+-]{_CLOCK})$"
"""The shape. Whether the day exists is for `to_ms`."""

_SHAPE: Final = re.compile(PATTERN[1:-1])
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS: Final = {f"{second:02}.": second * 1000 for second in range(60)}
_MILLISECONDS: Final = {f"{ms:03}Z": ms for ms in range(1000)}
MS_MIN: Final = -62_135_596_800_000
MS_MAX: Final = 253_402_300_799_999


def to_ms(text: str) -> int:
    """Raises ValueError, without the text: it may be anything."""
    ms = _MILLISECONDS.get(text[20:])  # The usual form, 2026-11-22T10:15:30.123Z: its minute is often a known one.
    if ms is not None and (second := _SECONDS.get(text[17:20])) is not None:
        return _minute(text[:17]) + second + ms
    return _any_form(text)


def from_ms(ms: int) -> str:
    """Always with three decimals and `Z`. Raises ValueError outside the years 1 to 9999."""
    if not MS_MIN <= ms <= MS_MAX:
        raise ValueError("a time outside the years 1 to 9999")
    moment = _EPOCH + timedelta(milliseconds=ms)
    return f"{moment.isoformat(timespec='milliseconds')[:-6]}Z"


@lru_cache(4_096)
def _minute(text: str) -> int:
    return _any_form(text + "00Z")


def _any_form(text: str) -> int:
    if _SHAPE.fullmatch(text) is None:
        raise ValueError("not an RFC 3339 time with an offset")
    try:
        since = datetime.fromisoformat(text) - _EPOCH
    except (ValueError, OverflowError):
        raise ValueError("not a day of the calendar, or outside the years 1 to 9999") from None
    ms = since.days * 86_400_000 + since.seconds * 1_000 + since.microseconds // 1_000
    if not MS_MIN <= ms <= MS_MAX:
        raise ValueError("not a day of the calendar, or outside the years 1 to 9999")
    return ms
