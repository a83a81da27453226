"""Where customers lie in memory: each under a minute of the day, by the customer's id alone.

So when a customer is looked at again does not hang on when the process began, and no tick looks at everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from zlib import crc32

from streams.journey.instances import Scope, Unit

MINUTE_MS: Final = 60_000
SLOTS: Final = 1440
Address = tuple[str, str]
"""Of a scope: the customer and the key."""


class Household:
    """The joint units of one customer and the scopes that feed them: looked at together."""

    __slots__ = ("scopes", "units")

    def __init__(self) -> None:
        self.scopes: list[Scope] = []
        self.units: list[Unit] = []


class Slot:
    """The customers of one minute of the day: `alone` are scopes with units of their own, the others live in
    households.
    """

    __slots__ = ("alone", "households")

    def __init__(self) -> None:
        self.alone: dict[Address, Scope] = {}
        self.households: dict[str, Household] = {}


def slot_of(customer: str) -> int:
    """The customer's minute of the day."""
    return crc32(customer.encode()) % SLOTS


def minutes(before: int, w: int) -> Iterator[int]:
    """The minutes of the day that W passed since `before`; after a day or more all of them, once."""
    first, last = before // MINUTE_MS + 1, w // MINUTE_MS
    for minute in range(max(first, last - SLOTS + 1), last + 1):
        yield minute % SLOTS
