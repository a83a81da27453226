"""Values that stand for "no identifier" (docs/identity.md). Without this list one broken client joins half of
the customers.

The text is compared after trimming blanks and one pair of quotes, in lower case, for every kind. An identifier
that passes keeps its value exactly as sent.
"""

from __future__ import annotations

from typing import Final

PLACEHOLDERS: Final = frozenset(
    (
        *(
            "anonymous",
            "guest",
            "distinctid",
            "distinct_id",
            "id",
            "not_authenticated",
            "email",
            "undefined",
            "true",
            "false",
        ),
        *(
            "null",
            "none",
            "nan",
            "nil",
            "n/a",
            "na",
            "anon",
            "unknown",
            "invalid",
            "<nil>",
            "[object object]",
            "[]",
            "{}",
        ),
        *("0", "-1", ""),
    )
)

_LETTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_PAIRS: Final = frozenset(
    a + b
    for text in PLACEHOLDERS
    if len(text) > 1
    for a in (text[0], text[0].upper())
    for b in (text[1], text[1].upper())
)
PLAIN_STARTS: Final = frozenset("bchjklmopqrsvwxyzBCHJKLMOPQRSVWXYZ123456789")
"""No text that is a placeholder starts with one of these, trimmed or not: the quick way out of the hot path."""


def is_placeholder(value: str) -> bool:
    if value[:1] in _LETTERS and value[:2] not in _PAIRS:
        return False  # Neither trimmed nor quoted, so these two letters would begin the placeholder.
    text = folded(value)
    return text in PLACEHOLDERS or not text.strip("0-")


def folded(value: str) -> str:
    """As values to be ignored are compared."""
    text = value.strip()
    if len(text) > 1 and text[0] in "\"'" and text[-1] == text[0]:
        text = text[1:-1].strip()
    return text.lower()
