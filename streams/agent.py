"""What every agent is: the records of a partition go to that partition's task, nothing else happens here.

Faust acknowledges a message when the agent asks for the next one. That is only a hand-over: what may be committed is
decided by the checkpoints (`streams.transport`).
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Sequence

import faust
from faust.types import TopicT
from mode.supervisors import CrashingSupervisor

from streams.transport import Delivery


def add_agent(app: faust.App, name: str, topic: TopicT) -> None:
    """An agent that raises ends the process (`CrashingSupervisor`): Faust would skip the batch otherwise."""

    async def agent(fetches: AsyncIterable[Sequence[Delivery]]) -> None:
        async for deliveries in fetches:
            for delivery in deliveries:
                delivery.runner.take(delivery)

    app.agent(topic, name=name, concurrency=1, supervisor_strategy=CrashingSupervisor)(agent)
