"""Stages over logs in memory, each worked off in turn until none has anything left to read; nothing ever fails.

For tests that are about what comes of it all; what faults and other orders change is the scheduler's.
"""

from __future__ import annotations

from collections.abc import Sequence

from streams.product import Product
from streams.stage import Effect, Stage
from tests.simulated.log import Logs

Placed = tuple[str, int, Stage]
"""A stage, with the topic and the partition that it reads."""


def stages_of(product: Product) -> list[Placed]:
    return [
        (spec.source, partition, spec.factory(partition))
        for spec in product.stages()
        for partition in range(spec.partitions)
    ]


class InTurn:
    def __init__(self, logs: Logs, stages: Sequence[Placed]) -> None:
        self._logs, self._stages = logs, stages
        self._done: dict[tuple[str, int], int] = {}

    def work_off(self) -> None:
        while sum(self._read_on(*placed) for placed in self._stages):
            pass

    def _read_on(self, topic: str, partition: int, stage: Stage) -> int:
        """How many records were new."""
        begin = self._done.get((topic, partition), 0)
        records = self._logs.read(topic, partition)[begin:]
        if not records:
            return 0
        self._done[topic, partition] = begin + len(records)
        out: list[Effect] = []
        for record in records:
            stage.apply(record, out)
        stage.flush(out)
        for effect in out:
            self._logs.carry_out(effect)
        return len(records)
