"""One spelling for an identifier, so that two spellings of one address are one contact.

Pure, without network: an address is read, nobody is asked whether it exists. None: it cannot be read, so it is not
usable, and joins nobody to anybody.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from email_validator import EmailNotValidError, validate_email
from phonenumbers import (
    NumberParseException,
    PhoneNumberFormat,
    format_number,
    is_valid_number,
    parse,
)

from schemas.identity_rules import Normaliser

CACHED: Final = 8_192
LENGTH_MAX: Final = 200


@lru_cache(CACHED)
def email(text: str) -> str | None:
    """Without blanks around, in small letters, the domain in its own script. An address that cannot exist on the
    internet (`a@localhost`, `a@b.test`) is none.
    """
    if len(text) > LENGTH_MAX:
        return None
    try:
        return validate_email(text.strip(), check_deliverability=False).normalized.lower()
    except EmailNotValidError:
        return None


@lru_cache(CACHED)
def phone(text: str, region: str | None) -> str | None:
    """E.164. A number with an extension is a switchboard that many share: none."""
    if len(text) > LENGTH_MAX:
        return None
    try:
        number = parse(text.strip(), region)
    except NumberParseException:
        return None
    if number.extension is not None or not is_valid_number(number):
        return None
    return format_number(number, PhoneNumberFormat.E164)


def _lower(text: str) -> str | None:
    return text.strip().lower()


def normaliser(kind: Normaliser, region: str | None) -> Callable[[str], str | None]:
    """None of `none`: the identifier is its value exactly as sent."""
    match kind:
        case "email":
            return email
        case "phone":
            return lambda text: phone(text, region)
        case "lower":
            return _lower
    return lambda text: text
