"""One line where a library would write hundreds: while Kafka is away its client says so 500 times a second, and an
outage of a night would fill the disk with it. The first of a kind is written, then one each `EVERY_SECONDS` with the
count of those left out. Our own lines are never left out.
"""

from __future__ import annotations

import logging

EVERY_SECONDS = 10.0
KINDS_MAX = 1_000
LIBRARIES = ("aiokafka", "kafka")


class Repeats(logging.Filter):
    """On a handler. A kind is what the line says before its values are put in; time is the line's own."""

    def __init__(self) -> None:
        super().__init__()
        self._written: dict[tuple[str, str], float] = {}
        self._left_out: dict[tuple[str, str], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] not in LIBRARIES or record.levelno < logging.WARNING:
            return True
        kind = (record.name, str(record.msg))
        written = self._written.get(kind)
        if written is not None and 0 <= record.created - written < EVERY_SECONDS:
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return False
        if kind not in self._written and len(self._written) >= KINDS_MAX:
            self._written.clear()
            self._left_out.clear()
        self._written[kind] = record.created
        if more := self._left_out.pop(kind, 0):
            record.msg, record.args = f"{record.getMessage()} (and {more} more like it)", None
        return True
