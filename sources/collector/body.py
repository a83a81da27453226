"""Reading a request's body, bounded in bytes, in time and in what it inflates to.

Every byte held is charged to the process's budget while it is read, not after: a thousand slow uploads cannot
take more memory than the budget allows. Inflating stops at the limit, so a gzip bomb costs what the limit
allows and no more.
"""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import dataclass
from typing import Final, Protocol

from aiohttp import web

from sources.collector.refusal import Refusal, busy, malformed, too_large

WIRE_BYTES_MAX: Final = 4 << 20
INFLATED_BYTES_MAX: Final = 16 << 20
READ_SECONDS_MAX: Final = 10.0
GZIP_FORMAT: Final = 31


class Stream(Protocol):
    async def readany(self) -> bytes:
        """Some bytes, or none at the end."""


@dataclass(slots=True)
class InFlight:
    """What all requests together hold. Over the limit: 429, the client waits and sends again."""

    bytes_max: int
    requests_max: int
    bytes: int = 0
    requests: int = 0


class Hold:
    """One request's share of the budget. Released as a whole when the request ends."""

    def __init__(self, total: InFlight) -> None:
        self._total = total
        self._bytes = 0

    def __enter__(self) -> Hold:
        if self._total.requests >= self._total.requests_max:
            raise busy(f"{self._total.requests_max} requests are under way. Send again later.")
        self._total.requests += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._total.requests -= 1
        self._total.bytes -= self._bytes

    def take(self, size: int) -> None:
        if self._total.bytes + size > self._total.bytes_max:
            raise busy(f"{self._total.bytes_max} bytes of requests are under way. Send again later.")
        self._total.bytes += size
        self._bytes += size


class Plain:
    def feed(self, data: bytes) -> bytes:
        return data

    def finish(self) -> None:
        return None


class Inflater:
    """gzip, one member, to at most `limit_bytes`."""

    def __init__(self, limit_bytes: int) -> None:
        self._stream = zlib.decompressobj(GZIP_FORMAT)
        self._limit_bytes = limit_bytes
        self._left = limit_bytes

    def feed(self, data: bytes) -> bytes:
        if self._stream.eof and data:
            raise malformed("The gzip body goes on after its end. Send one gzip member.")
        try:
            inflated = self._stream.decompress(data, self._left + 1)
        except zlib.error:
            raise malformed("The body is not valid gzip, as its Content-Encoding says.") from None
        self._left -= len(inflated)
        if self._left < 0:
            raise too_large("The inflated body", self._limit_bytes)
        if self._stream.unused_data:
            raise malformed("The gzip body goes on after its end. Send one gzip member.")
        return inflated

    def finish(self) -> None:
        if not self._stream.eof:
            raise malformed("The gzip body is cut short.")


def decoder_for(content_encoding: str, limit_bytes: int) -> Plain | Inflater:
    match content_encoding.strip().lower():
        case "" | "identity":
            return Plain()
        case "gzip" | "x-gzip":
            return Inflater(limit_bytes)
    raise Refusal(
        415, "unsupported_encoding", "This Content-Encoding is not known. Send gzip or none.", field="Content-Encoding"
    )


async def read_body(
    stream: Stream,
    *,
    content_encoding: str,
    content_length: int | None,
    hold: Hold,
    inflated_bytes_max: int,
    wire_bytes_max: int = WIRE_BYTES_MAX,
    seconds_max: float = READ_SECONDS_MAX,
) -> bytes:
    """The body, inflated. Raises Refusal."""
    if content_length is not None and content_length > wire_bytes_max:
        raise too_large("The body", wire_bytes_max)
    decoder = decoder_for(content_encoding, inflated_bytes_max)
    parts: list[bytes] = []
    read = 0
    try:
        async with asyncio.timeout(seconds_max):
            while data := await stream.readany():
                read += len(data)
                if read > wire_bytes_max:
                    raise too_large("The body", wire_bytes_max)
                part = decoder.feed(data)
                hold.take(len(part))
                parts.append(part)
    except TimeoutError:
        raise Refusal(408, "slow_body", f"The body did not arrive within {seconds_max:g} s. Send it again.") from None
    except (ConnectionError, web.RequestPayloadError):
        raise malformed("The body is cut short, or its chunks cannot be read.") from None
    decoder.finish()
    return parts[0] if len(parts) == 1 else b"".join(parts)
