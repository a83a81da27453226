"""A toy stage under the real shell, as a process of its own: `python -m tests.integration.shell_app '<json of Toy>'`.

It counts records per key and emits one effect per record: the key, its count and the position. So a lost, doubled or
reordered record, or a state that went back, shows in the bytes of the effects.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Mapping

import msgspec

from streams.settings import StageSpec, WorkerSettings
from streams.stage import Change, Effect, LogRecord
from streams.worker import run_worker

POISON = b"poison"
BEAT = b"beat"


class Toy(msgspec.Struct, frozen=True):
    app_id: str
    instance: str
    bootstrap: str
    prefix: str
    partitions: int = 4
    fingerprint: str = "build-1"
    effect_topic: str = "out"
    fixed: bool = False
    """A build without the bug that `poison` meets."""
    beats: bool = False
    work_us: int = 0
    """Pretended work per record."""
    stop_timeout_ms: int = 15_000
    session_timeout_ms: int = 6_000
    request_timeout_ms: int = 40_000
    health_port: int | None = None


class CountStage:
    def __init__(self, partition: int, toy: Toy) -> None:
        self._partition, self._toy = partition, toy
        self._counts: dict[bytes, int] = {}
        self._dirty: set[bytes] = set()

    def apply(self, record: LogRecord, out: list[Effect]) -> None:
        key = record.key or b""
        self._counts[key] = self._counts.get(key, 0) + 1
        self._dirty.add(key)
        if record.value == POISON and not self._toy.fixed:
            raise ValueError("a value that must not be logged")
        self._emit(record, b"%s %d" % (key, self._counts[key]), out)

    def _emit(self, record: LogRecord, what: bytes, out: list[Effect]) -> None:
        value = b"%d %d %s" % (self._partition, record.offset, what)
        out.append(Effect(self._toy.effect_topic, record.offset % self._toy.partitions, record.key, value))

    def flush(self, out: list[Effect]) -> None:
        return

    def changes(self) -> list[Change]:
        changed: list[Change] = [(key, b"%d" % self._counts[key]) for key in sorted(self._dirty)]
        self._dirty.clear()
        return changed

    def restore(self, entries: Iterable[tuple[bytes, bytes]]) -> None:
        self._counts = {key: int(value) for key, value in entries}

    def numbers(self) -> Mapping[str, int]:
        return {"keys": len(self._counts)}

    def quarantine(self, record: LogRecord, reason: str, out: list[Effect]) -> None:
        self._emit(record, b"given up: " + reason.encode(), out)


class BusyStage(CountStage):
    """Takes its time, as a stage under load does."""

    def apply(self, record: LogRecord, out: list[Effect]) -> None:
        for _ in range(self._toy.work_us * 50):
            pass
        super().apply(record, out)


def main() -> None:
    toy = msgspec.json.decode(sys.argv[1], type=Toy)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    for noisy in ("aiokafka", "faust", "mode", "kafka"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    settings = WorkerSettings(
        app_id=toy.app_id,
        instance=toy.instance,
        bootstrap=toy.bootstrap,
        fingerprint=toy.fingerprint,
        topic_prefix=toy.prefix,
        session_timeout_ms=toy.session_timeout_ms,
        stop_timeout_ms=toy.stop_timeout_ms,
        request_timeout_ms=toy.request_timeout_ms,
        health_port=toy.health_port,
    )
    stage = BusyStage if toy.work_us else CountStage
    beat = (lambda partition, _: Effect("in", partition, b"clock", BEAT)) if toy.beats else None
    run_worker(
        settings, [StageSpec("toy", "in", "toy.state", toy.partitions, lambda partition: stage(partition, toy), beat)]
    )


if __name__ == "__main__":
    main()
