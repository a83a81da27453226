"""What can go wrong between loader and ClickHouse, and what to do about it.

LoaderError
+-- Unavailable   an outage, whatever it is: keep the batch, back off, send it again under the same token
+-- Rejected      ClickHouse will never take these rows: the partition stops, a person looks
MigrationError    the tables are not what this version needs

Retry or stop is decided by the error *code*. An unknown code is an outage: waiting is safe, stopping needs a reason.
"""

from __future__ import annotations

from typing import Final

REJECTING_CODES: Final = frozenset(
    {
        6,  # CANNOT_PARSE_TEXT
        8,  # THERE_IS_NO_COLUMN
        9,  # SIZES_OF_COLUMNS_DOESNT_MATCH
        10,  # NOT_FOUND_COLUMN_IN_BLOCK
        16,  # NO_SUCH_COLUMN_IN_TABLE
        20,  # NUMBER_OF_COLUMNS_DOESNT_MATCH
        26,  # CANNOT_PARSE_QUOTED_STRING
        27,  # CANNOT_PARSE_INPUT_ASSERTION_FAILED
        33,  # CANNOT_READ_ALL_DATA
        36,  # BAD_ARGUMENTS
        41,  # CANNOT_PARSE_DATETIME
        43,  # ILLEGAL_TYPE_OF_ARGUMENT
        44,  # ILLEGAL_COLUMN
        47,  # UNKNOWN_IDENTIFIER
        50,  # UNKNOWN_TYPE
        53,  # TYPE_MISMATCH
        60,  # UNKNOWN_TABLE
        62,  # SYNTAX_ERROR
        69,  # ARGUMENT_OUT_OF_BOUND
        70,  # CANNOT_CONVERT_TYPE
        72,  # CANNOT_PARSE_NUMBER
        81,  # UNKNOWN_DATABASE
        115,  # UNKNOWN_SETTING
        117,  # INCORRECT_DATA
        131,  # TOO_LARGE_STRING_SIZE
        349,  # CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
        432,  # UNKNOWN_CODEC
        469,  # VIOLATED_CONSTRAINT
    }
)


class LoaderError(Exception):
    """Base of the two below. `code` is ClickHouse's, None when it gave none. The text holds no data of rows."""

    def __init__(self, text: str, code: int | None = None) -> None:
        super().__init__(text)
        self.code = code


class Unavailable(LoaderError):
    """Worth another try with the same rows."""


class Rejected(LoaderError):
    """No try will help."""


class MigrationError(Exception):
    """Says which migration, what is wrong and what to do."""


def loader_error(text: str, code: int | None, name: str | None) -> LoaderError:
    """`text` says what was tried. ClickHouse's own message is left out: it may quote rows."""
    cause = f"code {code}{f' ({name})' if name else ''}" if code is not None else "no answer"
    kind = Rejected if code in REJECTING_CODES else Unavailable
    return kind(f"{text}: ClickHouse says {cause}", code)
