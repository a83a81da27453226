"""The beats of a simulated run: its driver alone lets log time pass."""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaProducer

from schemas.control import control_headers
from schemas.control_records import Beat
from schemas.fast import encode, fast_type
from schemas.topics import PARTITIONS
from sources.simulation.driver import SendBeat

_beat = fast_type(Beat)


def beat_sender(producer: AIOKafkaProducer, raw_topic: str, secret: bytes) -> SendBeat:
    """Each call returns once Kafka has the beat in every partition."""

    async def beat(log_time: int) -> None:
        value = encode(_beat(log_time=log_time))
        acknowledged = []
        for partition in range(PARTITIONS):
            headers = list(control_headers("beat", partition, value, secret))
            acknowledged.append(await producer.send(raw_topic, value=value, partition=partition, headers=headers))
        await asyncio.gather(*acknowledged)

    return beat
