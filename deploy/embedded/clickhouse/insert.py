"""Where the statement of an INSERT ends and its data begin.

Pure, over bytes: data need not be text. Only the head is read, so the cost does not grow with the data.
"""

import re
from dataclasses import dataclass
from typing import Final

_MAX_HEAD_BYTES: Final = 256 * 1024
_TOKEN: Final = re.compile(
    rb"""(?P<gap>\s++|--[^\n]*+|\#[ !][^\n]*+|/\*.*?\*/)
    | (?P<string>'(?:[^'\\]|\\.|'')*+')
    | (?P<name>`(?:[^`\\]|\\.|``)*+`|"(?:[^"\\]|\\.|"")*+")
    | (?P<heredoc>\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
    | (?P<word>[A-Za-z_]\w*+)
    | (?P<mark>.)""",
    re.VERBOSE | re.DOTALL,
)
_OPENING: Final = re.compile(rb"[ \t\f]*\r?\n?")
_NAME_FOLLOWS: Final = (b"INTO", b"TABLE", b"FUNCTION", b".")


@dataclass(frozen=True, slots=True)
class Insert:
    """`head` ends with its FORMAT clause or VALUES; `format` is how `data` are written."""

    head: bytes
    data: bytes
    format: str


def split_insert(raw: bytes) -> Insert | None:
    """None when it is no INSERT with data: another statement, or INSERT ... SELECT."""
    depth, previous, first = 0, b"", True
    wants_format = False
    for match in _TOKEN.finditer(raw, 0, _MAX_HEAD_BYTES):
        if match.lastgroup == "gap":
            continue
        text = match.group().upper() if match.lastgroup == "word" else match.group()
        if first:
            if text != b"INSERT":
                return None
            first = False
        elif wants_format:
            return _split(raw, match.end(), match.group().decode("latin-1"))
        elif match.lastgroup == "word" and depth == 0 and previous not in _NAME_FOLLOWS:
            if text in (b"SELECT", b"WITH", b"WATCH"):
                return None
            if text == b"VALUES":
                return Insert(raw[: match.end()], raw[match.end() :], "Values")
            wants_format = text == b"FORMAT"
        depth += (text == b"(") - (text == b")")
        previous = text
    return None


def _split(raw: bytes, end: int, name: str) -> Insert:
    """Skips what separates head and data, one line break at most: binary data may begin with any byte."""
    opening = _OPENING.match(raw, end)
    assert opening is not None  # the pattern matches the empty string
    return Insert(raw[:end], raw[opening.end() :], name)
