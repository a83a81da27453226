"""The contender `limit`: what Kafka and JSON alone cost. Fetches, decodes the fields that journeys need, counts.

`python -m benchmarks.limit BOOTSTRAP PREFIX`. No stitching, no state, no output: nothing that reads these records in
Python with this client can be faster.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter

import msgspec
from aiokafka import AIOKafkaConsumer


class Item(msgspec.Struct, gc=False):
    message_id: str
    name: str
    occurred_at: str
    identifiers: dict[str, str]


async def count(bootstrap: str, prefix: str) -> None:
    """Until the process is ended."""
    decode, counts = msgspec.json.Decoder(Item).decode, Counter[str]()
    consumer = AIOKafkaConsumer(
        f"{prefix}touchpoints.raw",
        bootstrap_servers=bootstrap,
        group_id=f"{prefix}workers",
        auto_offset_reset="earliest",
        auto_commit_interval_ms=200,
        max_partition_fetch_bytes=512 * 1024,
    )
    await consumer.start()
    while True:
        for records in (await consumer.getmany(timeout_ms=200)).values():
            for record in records:
                if record.key is not None:
                    counts[decode(record.value).name] += 1


if __name__ == "__main__":
    asyncio.run(count(*sys.argv[1:]))
