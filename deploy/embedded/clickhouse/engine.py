"""The embedded engine: one owner of the data path, a fresh connection for every statement.

A connection costs 0.2 ms and ends with its statement. So nothing leaks from one request into the next: no
setting, no database, no half-read stream; and a rejected statement cannot leave a client read-only for the one
after it. A reader's connection gets its limits first and `readonly` last. Everything here blocks; the server
calls it in its threads. Who may run what was decided before, in `gate`.
"""

import re
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from deploy.embedded.clickhouse import formats, gate, syntax
from deploy.embedded.clickhouse.connection import Connection, Result, connect

INTERNAL: Final = 1002
ACCESS_DENIED: Final = 497
_CODE: Final = re.compile(r"Code: (\d+)\. ?DB::Exception.*", re.DOTALL)
# What this module asks the engine is no business of the client's.
_OWN_QUESTION: Final = re.compile(r": In scope SELECT formatQuerySingleLine\('.*'\)(?=\. \()", re.DOTALL)
_REPEATED: Final = re.compile(r"^(?:Code: \d+\. DB::Exception: )+(?=Code: )")
_CACHED_STATEMENTS: Final = 512
_CACHED_CHARS: Final = 16_384
_ADVICE: Final = {
    241: "Ask for less at a time, or start the embedded ClickHouse with a higher memory limit.",
    243: "The disk is full: free space where the data directory is, then try again.",
    396: "Add LIMIT or a filter, or use a format that streams, such as JSONEachRow or CSV.",
}


class EngineError(Exception):
    """A statement failed or was refused. The text begins as ClickHouse's do; `code` is ClickHouse's."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text if text.startswith("Code: ") else f"Code: {code}. DB::Exception: {text}")
        self.code = code


class EngineUnavailable(Exception):
    """The data path cannot be opened."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows and bytes of a statement, as far as the engine tells."""

    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    result_rows: int = 0
    result_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Block:
    data: bytes
    counts: Counts


@dataclass(frozen=True, slots=True)
class Call:
    """What a statement runs with. `mark` is found by `cancel`; `settings` apply in their order."""

    mark: str
    database: str | None
    settings: Mapping[str, str]
    parameters: Mapping[str, str]


class Engine:
    def __init__(self, path: Path, *, memory_bytes: int) -> None:
        """Opens the engine; raises EngineUnavailable, as when another process has the path open."""
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EngineUnavailable(f"{path} cannot be made: {error.strerror}; give another directory") from error
        self._path = str(path.resolve())
        try:
            # Keeps the engine open between statements, and carries what holds for all of them.
            self._base = connect(f"{self._path}?max_server_memory_usage={memory_bytes}")
            answer = self._base.query("SELECT version(), timezone()", "TabSeparated")
        except RuntimeError as error:
            raise EngineUnavailable(
                f"{path} cannot be opened: another process has it open, or the disk is full or broken;"
                f" stop that process or free space ({_first_line(error)})"
            ) from error
        self.version, self.timezone = (answer.bytes() or b"").decode().strip().split("\t")
        self._cached = lru_cache(_CACHED_STATEMENTS)(self._parse)

    def close(self) -> None:
        """Flushes and ends the engine. No other statement may run any more."""
        self._base.close()

    def parse(self, sql: str, parameters: Mapping[str, str]) -> syntax.Statement:
        """Raises EngineError: a syntax error, two statements, or a clause that nobody may use."""
        named = tuple(sorted(parameters.items()))
        size = len(sql) + sum(len(value) for value in parameters.values())
        return self._cached(sql, named) if size <= _CACHED_CHARS else self._parse(sql, named)

    def _parse(self, sql: str, parameters: tuple[tuple[str, str], ...]) -> syntax.Statement:
        with self._connection() as connection:
            asked = {"q": _escaped(sql)}
            answer = connection.query("SELECT formatQuerySingleLine({q:String})", "RawBLOB", params=asked)
            canonical = (answer.bytes() or b"").decode()
            text, _ = syntax.split_format(canonical)
            reason = gate.lexical_refusal(tuple(syntax.tokens(text)))
            if reason is not None:
                raise EngineError(reason, ACCESS_DENIED)
            shown = canonical if text.startswith("INSERT ") else text
            explained = connection.query(f"EXPLAIN AST {shown}", "TabSeparatedRaw", params=dict(parameters))
            return syntax.statement(canonical, (explained.bytes() or b"").decode())

    def read(self, statement: syntax.Statement, chosen: str, call: Call) -> Generator[Block, None, None]:
        """Blocks of the reply. Close the iterator, from any thread, to end the statement early."""
        text = f"/*{call.mark}*/ {statement.text}"
        with self._connection(call) as connection:
            if statement.root in gate.SELECTS and formats.streams(chosen):
                streamed = False
                with closing(self._stream(connection, text, chosen, call.parameters)) as blocks:
                    for block in blocks:
                        streamed = True
                        yield block
                if streamed:
                    return
            # Also for a stream without rows: it has no header, and an empty table is cheap to read twice.
            result = connection.query(text, chosen, params=dict(call.parameters))
            data = result.bytes() or b""
            yield Block(data, _counts(result, len(data)))

    def _stream(
        self, connection: Connection, text: str, chosen: str, parameters: Mapping[str, str]
    ) -> Generator[Block, None, None]:
        stream = connection.send_query(text, chosen, params=dict(parameters))
        first = True
        try:
            while (chunk := stream.fetch()) is not None:
                data = chunk.bytes() or b""
                if not first:
                    data = data[formats.header_length(chosen, data) :]
                first = False
                yield Block(data, _counts(chunk, len(data)))
        finally:
            stream.close()

    def insert(self, statement: syntax.Statement, chosen: str, data: bytes, call: Call) -> Counts:
        """All rows of `data` or none, as long as they are one block of the engine (about a million rows).

        The data go in at once: an insert token protects a retry only if the same bytes make the same blocks.
        """
        with self._connection(call) as connection:
            inserter = connection.send_insert(statement.text, chosen)
            try:
                if data:
                    inserter.append(data)
                result = inserter.finish()
            finally:
                inserter.close()
            return Counts(written_rows=result.rows_written, written_bytes=result.bytes_written)

    def execute(self, statement: syntax.Statement, call: Call) -> Block:
        """A statement that is no read: its reply is small or empty."""
        with self._connection(call) as connection:
            text = f"/*{call.mark}*/ {statement.text}"
            result = connection.query(text, statement.format or "TabSeparated", params=dict(call.parameters))
            data = result.bytes() or b""
            return Block(data, _counts(result, len(data)))

    def cancel(self, mark: str) -> None:
        """Asks the engine to stop the statement with this mark, if it still runs."""
        with self._connection() as connection:
            # Put together by the engine, so that this statement does not carry the mark itself.
            half = len(mark) // 2
            wanted = f"concat('/*', {_quoted(mark[:half])}, {_quoted(mark[half:])})"
            connection.query(f"KILL QUERY WHERE startsWith(query, {wanted}) ASYNC", "TabSeparated")

    @contextmanager
    def _connection(self, call: Call | None = None) -> Iterator[Connection]:
        try:
            connection = connect(self._path)
            try:
                if call is not None and call.database:
                    connection.query(f"USE {_quoted(call.database, '`')}", "TabSeparated")
                if call is not None and call.settings:
                    listed = ", ".join(f"{name} = {_quoted(value)}" for name, value in call.settings.items())
                    connection.query(f"SET {listed}", "TabSeparated")
                yield connection
            finally:
                connection.close()
        except RuntimeError as error:
            raise _as_engine_error(error) from error


def _counts(result: Result, size: int) -> Counts:
    return Counts(
        read_rows=result.storage_rows_read(),
        read_bytes=result.storage_bytes_read(),
        written_rows=result.rows_written(),
        written_bytes=result.bytes_written(),
        result_rows=result.rows_read(),
        result_bytes=size,
    )


def _as_engine_error(error: RuntimeError) -> EngineError:
    found = _CODE.search(str(error))
    if found is None:
        return EngineError(str(error), INTERNAL)
    code = int(found[1])
    advice = f"\n{_ADVICE[code]}" if code in _ADVICE else ""
    text = _REPEATED.sub("", _OWN_QUESTION.sub("", found[0].strip()))
    return EngineError(text + advice, code)


def _first_line(error: RuntimeError) -> str:
    return str(error).strip().partition("\n")[0][:300]


def _quoted(text: str, mark: str = "'") -> str:
    return mark + text.replace("\\", "\\\\").replace(mark, f"\\{mark}") + mark


def _escaped(text: str) -> str:
    """As parameters are written: the escapes of TabSeparated."""
    return (
        text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r").replace("\0", "\\0")
    )
