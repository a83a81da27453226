"""Reading a body: what arrives is what was sent, or a Refusal; never more than the limits, in bytes or in time."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sources.collector.body import Hold, InFlight, read_body
from sources.collector.refusal import Refusal

LIMIT = 100_000

generated = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
"""A busy machine is not a failure."""


class Chunks:
    """A body that arrives in pieces; `stuck` never ends."""

    def __init__(self, data: bytes, size: int, stuck: bool = False) -> None:
        self._parts: Iterator[bytes] = iter([data[at : at + size] for at in range(0, len(data), size)])
        self._stuck = stuck

    async def readany(self) -> bytes:
        for part in self._parts:
            return part
        if self._stuck:
            await asyncio.Event().wait()
        return b""


def read(
    data: bytes, encoding: str = "", size: int = 1_000, *, total: InFlight | None = None, stuck: bool = False
) -> bytes:
    total = total or InFlight(1 << 30, 10)

    async def run() -> bytes:
        with Hold(total) as hold:
            return await read_body(
                Chunks(data, size, stuck),
                content_encoding=encoding,
                content_length=None,
                hold=hold,
                inflated_bytes_max=LIMIT,
                wire_bytes_max=LIMIT,
                seconds_max=0.05,
            )

    try:
        return asyncio.run(run())
    finally:
        assert (total.bytes, total.requests) == (0, 0), "a request gives back all it held"


@generated
@given(st.binary(max_size=5_000), st.integers(1, 5_001), st.sampled_from(["", "identity", "gzip", "GZIP", "x-gzip"]))
def test_what_arrives_is_what_was_sent(data: bytes, size: int, encoding: str) -> None:
    sent = gzip.compress(data) if "gzip" in encoding.lower() else data
    assert read(sent, encoding, size) == data


@generated
@given(st.binary(max_size=500), st.integers(1, 600))
def test_bytes_that_are_no_gzip_are_refused(data: bytes, size: int) -> None:
    try:
        expected = zlib.decompress(data, 31)
    except zlib.error:
        expected = None
    if expected is None:
        with pytest.raises(Refusal) as caught:
            read(data, "gzip", size)
        assert caught.value.status == 400
    else:
        assert read(data, "gzip", size) == expected


@pytest.mark.parametrize("cut", [1, 9, 10, 20, -1])
def test_gzip_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(Refusal, match="cut short"):
        read(gzip.compress(b"x" * 1_000)[:cut], "gzip")


def test_gzip_that_goes_on_is_refused() -> None:
    for size in (7, 10_000):
        with pytest.raises(Refusal, match="after its end"):
            read(gzip.compress(b"x") + b"more", "gzip", size)


def test_a_gzip_bomb_stops_at_the_limit() -> None:
    bomb = gzip.compress(b"\0" * (LIMIT * 900))
    assert len(bomb) < LIMIT
    total = InFlight(LIMIT + 1, 10)
    with pytest.raises(Refusal) as caught:
        read(bomb, "gzip", 100_000, total=total)
    assert (caught.value.status, caught.value.code) == (413, "too_large")


@pytest.mark.parametrize(
    ("data", "encoding", "stuck", "status", "code"),
    [
        (b"x" * (LIMIT + 1), "", False, 413, "too_large"),
        (b"x", "br", False, 415, "unsupported_encoding"),
        (b"x", "gzip, gzip", False, 415, "unsupported_encoding"),
        (b"{", "", True, 408, "slow_body"),
    ],
)
def test_limits_have_their_own_answers(data: bytes, encoding: str, stuck: bool, status: int, code: str) -> None:
    with pytest.raises(Refusal) as caught:
        read(data, encoding, stuck=stuck)
    assert (caught.value.status, caught.value.code) == (status, code)


def test_a_full_budget_is_told_before_it_is_passed() -> None:
    total = InFlight(bytes_max=1_500, requests_max=1)
    with pytest.raises(Refusal) as caught:
        read(b"x" * 2_000, total=total)
    assert (caught.value.status, caught.value.retry_after_seconds) == (429, 1)
    with Hold(total), pytest.raises(Refusal) as caught, Hold(total):
        pass
    assert caught.value.status == 429
