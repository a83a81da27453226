"""Plays all scripts at once: what arrives at the same time is sent in the order of the lines, then log time passes.

Before anything later is sent, the tick for the time before it must lie in the log: so what was known at that time,
and which alerts had fired, does not depend on how fast the machine is. Only what happens to the workers is not waited
for: the touchpoints behind it in the same moment meet it. A worker that joins is waited for until the group begins to
share its partitions anew, no longer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from hashlib import blake2b
from itertools import groupby
from typing import Any, Final
from zlib import crc32

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from deploy.demo.beats import beat_sender
from schemas.control import control_headers
from schemas.control_records import Decision
from schemas.fast import encode, fast_type
from schemas.topics import PARTITIONS
from sources.simulation.driver import SendBeat
from tests.situations.naming import Naming
from tests.situations.script import AnyLine, Arrival, ByHand, Fault, Script
from tests.situations.world import Say, World

TICK_SECONDS: Final = 120.0
POLL_MS: Final = 200
_decision = fast_type(Decision)


class TimeStandsStill(Exception):
    """The tick that was waited for did not come."""


async def play(world: World, scripts: Sequence[Script], end: int, naming: Naming, say: Say) -> None:
    """Returns when log time is `end` and everybody has heard it. Raises TimeStandsStill, NotSettled."""
    options = world.stack.kafka_options()
    producer, consumer = AIOKafkaProducer(**options, enable_idempotence=True), AIOKafkaConsumer(**options)
    await producer.start()
    await consumer.start()
    try:
        player = _Player(world, producer, consumer, naming)
        moments = [(at, list(lines)) for at, lines in groupby(_merged(scripts), key=lambda pair: pair[1].arrives_at)]
        for number, (at, lines) in enumerate(moments):
            await player.until(at - 1)
            await player.moment(lines)
            if number % 20 == 19:
                say(f"{number + 1} of {len(moments)} moments")
        await player.until(end)
    finally:
        await consumer.stop()
        await producer.stop()
    await asyncio.to_thread(world.await_settled)


def _merged(scripts: Sequence[Script]) -> list[tuple[Script, AnyLine]]:
    """Sorting keeps the order of the lines of one moment."""
    return sorted(((one, line) for one in scripts for line in one.lines), key=lambda pair: pair[1].arrives_at)


class _Player:
    def __init__(self, world: World, producer: Any, consumer: Any, naming: Naming) -> None:
        self._world, self._producer, self._consumer, self._naming = world, producer, consumer, naming
        self._secret = world.stack.secrets.control_secret.encode()
        self._beat: SendBeat = beat_sender(producer, world.topic("touchpoints.raw"), self._secret)
        self._ticked = -1
        self._place = TopicPartition(world.topic("touchpoints"), 0)
        consumer.assign([self._place])
        self._faults: list[asyncio.Task[None]] = []

    async def until(self, log_time: int) -> None:
        """Time passes; returns when the tick lies in the log. Faults under way are over then."""
        await self._beat(log_time)
        give_up = time.monotonic() + TICK_SECONDS
        while self._ticked < log_time:
            if time.monotonic() > give_up:
                raise TimeStandsStill(f"no tick for {log_time} within {TICK_SECONDS:.0f} s: look at the workers' logs")
            for fault in self._faults:
                if fault.done():
                    fault.result()
            for records in (await self._consumer.getmany(self._place, timeout_ms=POLL_MS)).values():
                for record in records:
                    found = msgspec.json.decode(record.value)
                    if found["type"] == "tick":
                        self._ticked = found["log_time"]
        await asyncio.gather(*self._faults)
        self._faults.clear()

    async def moment(self, lines: Sequence[tuple[Script, AnyLine]]) -> None:
        for script, line in lines:
            if isinstance(line, Arrival):
                await self._arrive(script, line)
            elif isinstance(line, ByHand):
                await self._decide(script, line)
            else:
                await self._befall(line)

    async def _arrive(self, script: Script, line: Arrival) -> None:
        """Into a partition that knows nothing of it, as a producer with its own partitioner would: it is forwarded."""
        message_id = script.wire_id(line.message_id)
        touchpoint = {"occurred_at": line.arrives, **line.touchpoint, "message_id": message_id}
        if line.proof is not None:
            proof = self._naming.proof(line.identifiers["user_id"], right=line.proof == "right")
            touchpoint["context"] = {**touchpoint.get("context", {}), "user_proof": proof}
        headers = [("source", line.source.encode()), ("log_time", b"%d" % line.arrives_at)]
        if line.trust is not None:
            headers.append(("trust", line.trust.encode()))
        await self._producer.send_and_wait(
            self._world.topic("touchpoints.raw"),
            value=msgspec.json.encode(touchpoint),
            partition=crc32(message_id.encode()) % PARTITIONS,
            headers=headers,
        )

    async def _decide(self, script: Script, line: ByHand) -> None:
        content = msgspec.json.encode([script.name, line.arrives, line.do, line.identifier, line.user_id])
        value = encode(
            _decision(
                at=("person", 0, 0, 0),
                decision_id=blake2b(content, digest_size=16).hexdigest(),
                kind=line.do,
                identifier=self._naming.stored(line.identifier),
                user_id=line.user_id,
                reason=line.reason,
                decided_by=line.by,
                decided_at=line.arrives_at,
            )
        )
        headers = list(control_headers("decision", 0, value, self._secret))
        await self._producer.send_and_wait(self._world.topic("progress"), value=value, partition=0, headers=headers)

    async def _befall(self, line: Fault) -> None:
        world = self._world
        if line.do == "kill_worker":
            await asyncio.to_thread(world.kill)
        elif line.do == "worker_back":
            self._faults.append(asyncio.create_task(asyncio.to_thread(world.back)))
        else:
            self._faults.append(asyncio.create_task(asyncio.to_thread(world.join)))
            await asyncio.to_thread(world.await_rebalance)
