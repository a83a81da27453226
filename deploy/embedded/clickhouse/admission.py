"""How many statements run and wait at once. Readers and writers do not wait for each other.

Writes run one after the other, reads up to a number in parallel; the rest wait in a queue with an end.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class TooMany(Exception):
    """The queue is full: the same request may succeed a moment later."""


class Admission:
    def __init__(self, *, readers: int, waiting: int) -> None:
        self._readers = asyncio.Semaphore(readers)
        self._writer = asyncio.Semaphore(1)
        self._limit = readers + 1 + waiting
        self._inside = 0

    @asynccontextmanager
    async def request(self) -> AsyncIterator[None]:
        """Around the whole request, its body included. Raises TooMany at once when the queue is full."""
        if self._inside >= self._limit:
            raise TooMany(f"more than {self._limit} statements run or wait; try again later")
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    def reading(self) -> asyncio.Semaphore:
        return self._readers

    def writing(self) -> asyncio.Semaphore:
        return self._writer
