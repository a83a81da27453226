"""Does a member of an envelope stand twice?

JSON lets it, and parsers keep the last: with `batch`, the touchpoints of the first would be gone though their sender
heard 200. So this is asked of every request, and must cost next to nothing when the answer is no: bytes are compared
instead of parsed again. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Final

import msgspec

_OPEN: Final = re.compile(rb"[ \t\n\r]*\{")
_NAME: Final = re.compile(rb'[ \t\n\r]*"[^"\\]*(?:\\.[^"\\]*)*"[ \t\n\r]*:[ \t\n\r]*', re.DOTALL)
_NEXT: Final = re.compile(rb"[ \t\n\r]*([,}])")


def repeated_member(body: bytes, members: Mapping[str, msgspec.Raw], read: Collection[str]) -> str | None:
    """The first of the names `read` that comes again. `members`: the body as parsed, in which the last has won.

    Raises ValueError and RecursionError for what this second parser cannot read.
    """
    if _stand_once(body, members):
        return None
    # The outermost object is built last, so what comes out are its names. Numbers may be of any length.
    names = json.loads(body, object_pairs_hook=lambda pairs: [name for name, _ in pairs], parse_int=str)
    seen: set[str] = set()
    for name in names:
        if name in seen and name in read:
            return str(name)
        seen.add(name)
    return None


def _stand_once(body: bytes, members: Mapping[str, msgspec.Raw]) -> bool:
    """Whether the body is exactly these members in this order, as it is when none is repeated."""
    opening, end = _OPEN.match(body), b""
    place = opening.end() if opening else 0
    for value in members.values():
        name, raw = _NAME.match(body, place), bytes(value)
        if name is None or not body.startswith(raw, name.end()):
            return False
        follows = _NEXT.match(body, name.end() + len(raw))
        if follows is None:
            return False
        place, end = follows.end(), follows[1]
    return end == b"}"
