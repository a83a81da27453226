"""Half a character in one touchpoint must not spoil its neighbours.

JavaScript cuts an emoji in two (`"\\ud83d"`) whenever a text is shortened, and writes the half as an escape. JSON's
grammar has it, no decoder of texts takes it, so a whole envelope would be refused for one name of one customer. Such
escapes are put out of sight while the envelope is cut, and put back in the pieces, byte for byte; the touchpoint they
stand in is judged as it came. Pure.
"""

from __future__ import annotations

import re
from typing import Final

_ESCAPE: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
"""A pair, or a half (the group), or any other escape: read in this order, none is taken for the middle of another."""
_SUSPECT: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_STAND_INS: Final = range(0xE000, 0xF8FF)
"""Private use: characters that texts hardly ever have. The first one that the body does not have is taken."""


def hide_halves(body: bytes) -> tuple[bytes, bytes] | None:
    """The body without halves, and what stands in for their backslash; None when it has none."""
    if not _SUSPECT.search(body) or not any(escape[1] for escape in _ESCAPE.finditer(body)):
        return None
    stand_in = next((one for one in (chr(code).encode() for code in _STAND_INS) if one not in body), b"")
    if not stand_in:
        return None
    return _ESCAPE.sub(lambda escape: stand_in + escape[1] if escape[1] else escape[0], body), stand_in


def show_halves(piece: bytes, stand_in: bytes) -> bytes:
    return piece.replace(stand_in, b"\\")
