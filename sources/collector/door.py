"""What every route does: let in, read within bounds, judge, store, answer. The routes differ in how they cut
a body and in what they say.

Law: what is answered with `accepted` or with Segment's 200 is on Kafka, acknowledged. What is refused is told
to the sender.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from schemas.identity_reader import IdentityReader
from sources.collector.body import Hold, InFlight, read_body
from sources.collector.judge import Format, Judged, Stamp, judge
from sources.collector.key_file import KeyFile
from sources.collector.keys import Source, key_of_header
from sources.collector.metrics import Metrics
from sources.collector.produce import RawLog, Record, Unavailable
from sources.collector.recent import Recent
from sources.collector.refusal import Refusal, malformed, unavailable

LOG_TIME_HEADER: Final = "X-Touchline-Log-Time"
LOG_TIME_MAX: Final = 253_402_300_800_000
"""The end of the year 9999."""
JUDGED_AT_ONCE: Final = 100
JUDGED_AT_ONCE_BYTES: Final = 128 * 1024
"""Items between two looks at the other requests: a full batch must not hold them up."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """`log_time`: the recorded arrival time of a simulation; None in a live run."""

    received_at: int
    log_time: int | None


@dataclass(slots=True)
class Door:
    """`now` gives ms since the epoch."""

    keys: KeyFile
    raw_log: RawLog
    metrics: Metrics
    now: Callable[[], int]
    simulation: bool
    produce_seconds: float
    in_flight: InFlight
    reader: IdentityReader
    recent: Recent = field(default_factory=Recent)

    def arrival(self, request: web.Request) -> Arrival:
        if not self.simulation:
            return Arrival(self.now(), None)
        text = request.headers.get(LOG_TIME_HEADER, "")
        if not text.isascii() or not text.isdigit() or len(text) > 15 or int(text) >= LOG_TIME_MAX:
            raise malformed("A simulation says when it arrives: whole milliseconds since the epoch.", LOG_TIME_HEADER)
        return Arrival(int(text), int(text))

    def source_of_header(self, request: web.Request) -> Source | None:
        """None when there is no such header: the key may be in the body."""
        authorization = request.headers.get("Authorization")
        if authorization is None:
            return None
        key = key_of_header(authorization)
        return self.source_of(key)

    def source_of(self, key: object) -> Source:
        source = self.keys.find(key) if isinstance(key, str) else None
        if source is None:
            raise Refusal(
                401,
                "unknown_write_key",
                "The write key is missing or unknown. Send it as `Authorization: Basic base64(key:)`.",
            )
        return source

    async def read(self, request: web.Request, hold: Hold, inflated_bytes_max: int) -> bytes:
        """The body. Asks Kafka's health first: a body that cannot be stored need not be read."""
        if (problem := self.raw_log.problem(())) is not None:
            raise unavailable(problem)
        return await read_body(
            request.content,
            content_encoding=request.headers.get("Content-Encoding", ""),
            content_length=request.content_length,
            hold=hold,
            inflated_bytes_max=inflated_bytes_max,
        )

    def stamp(self, format_: Format, source: Source, arrival: Arrival, sent_at: int | None) -> Stamp:
        return Stamp.of(
            format_,
            source,
            self.reader,
            received_at=arrival.received_at,
            sent_at=sent_at,
            log_time=arrival.log_time,
            partitions=self.raw_log.partitions,
        )

    async def judge(self, items: Sequence[bytes], stamp: Stamp) -> list[Judged]:
        judged: list[Judged] = []
        size = 0
        for number, item in enumerate(items):
            size += len(item)
            if size > JUDGED_AT_ONCE_BYTES or (number and number % JUDGED_AT_ONCE == 0):
                await asyncio.sleep(0)
                size = len(item)
            judged.append(judge(item, stamp))
        return judged

    async def store(self, records: Iterable[Record]) -> None:
        """Returns when Kafka has them all. Raises Refusal."""
        begun = time.perf_counter()
        try:
            await self.raw_log.write(records, self.produce_seconds)
        except Unavailable as error:
            raise unavailable(str(error)) from None
        self.metrics.produce_seconds.observe(time.perf_counter() - begun)

    def report(self, judged: Sequence[Judged], source: Source) -> None:
        """To metrics and to those who watch; only after the records are on Kafka."""
        refused = sum(one.line.verdict == "refused" for one in judged)
        if len(judged) > refused:
            self.metrics.touchpoints.labels(source.name, "accepted").inc(len(judged) - refused)
        if refused:
            self.metrics.touchpoints.labels(source.name, "refused").inc(refused)
        if dropped := self.recent.add(one.line for one in judged):
            self.metrics.tail_dropped.inc(dropped)
