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

PLAIN_STARTS: Final = frozenset("bchjklmopqrsvwxyzBCHJKLMOPQRSVWXYZ123456789")
"""No text that is a placeholder starts with one of these, trimmed or not: the quick way out of the hot path."""


def is_placeholder(value: str) -> bool:
    text = value.strip()
    if len(text) > 1 and text[0] in "\"'" and text[-1] == text[0]:
        text = text[1:-1].strip()
    return text.lower() in PLACEHOLDERS or not text.strip("0-")
