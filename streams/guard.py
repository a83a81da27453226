"""The guard: where an exception of a stage ends, whatever it is. The one such place of the repository.

Bad data is a value, so whatever leaves a stage is a bug. It becomes a `StageBug` that names the record; the
partition's task stops there, lets no more effects out, and waits for a person. The message of the exception may quote
a record, so it is never kept: type and code lines are enough to find the bug.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from traceback import extract_tb

from streams.settings import Place
from streams.stage import Change, Effect, LogRecord, Stage

FRAMES = 4


class StageBug(Exception):
    """`offset` is the record at work; None when no record was (restore)."""

    def __init__(self, place: Place, doing: str, offset: int | None, kind: str, where: str) -> None:
        super().__init__(f"{place}, offset {offset}: {kind} in {doing} ({where})")
        self.offset = offset


def code_lines(error: BaseException) -> str:
    """The last frames, innermost first: file:line function. No values."""
    frames = extract_tb(error.__traceback__)[-FRAMES:]
    return " < ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in reversed(frames))


class Guarded:
    """A stage whose exceptions are `StageBug`s. After one, its state is worthless: make a new one and restore it."""

    def __init__(self, stage: Stage, place: Place) -> None:
        self._stage, self._place = stage, place
        self._offset: int | None = None

    def _during(self, doing: str) -> _BugEndsHere:
        return _BugEndsHere(self, doing)

    def bug(self, doing: str, error: Exception) -> StageBug:
        return StageBug(self._place, doing, self._offset, type(error).__name__, code_lines(error))

    def apply(self, records: Sequence[LogRecord], out: list[Effect]) -> None:
        with self._during("apply"):
            apply = self._stage.apply
            for record in records:
                self._offset = record.offset
                apply(record, out)

    def flush(self, out: list[Effect]) -> None:
        with self._during("flush"):
            self._stage.flush(out)

    def changes(self) -> list[Change]:
        with self._during("changes"):
            return self._stage.changes()

    def numbers(self) -> Mapping[str, int]:
        with self._during("numbers"):
            return self._stage.numbers()

    def restore(self, entries: Iterable[tuple[bytes, bytes]]) -> None:
        with self._during("restore"):
            self._stage.restore(entries)

    def quarantine(self, record: LogRecord, reason: str, out: list[Effect]) -> None:
        self._offset = record.offset
        with self._during("quarantine"):
            self._stage.quarantine(record, reason, out)


class _BugEndsHere:
    """What leaves the block is a bug. A class, because a generator costs more than many a batch."""

    __slots__ = ("_doing", "_guarded")

    def __init__(self, guarded: Guarded, doing: str) -> None:
        self._guarded, self._doing = guarded, doing

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception):
            raise self._guarded.bug(self._doing, error) from None
