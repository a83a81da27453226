"""What a reply in a ClickHouse format looks like: content type, whether blocks can be sent as they come.

Pure. The engine streams a result block by block, each block a complete text in the format. Some formats are just
the sum of their blocks; some repeat a header in each, which is cut from all but the first; the rest (JSON,
Parquet, ...) have a footer or an index and are answered in one piece, up to a limit.
"""

import re
from typing import Final

_TYPES: Final = {
    "json": "application/json; charset=UTF-8",
    "csv": "text/csv; charset=UTF-8",
    "tsv": "text/tab-separated-values; charset=UTF-8",
    "tabseparated": "text/tab-separated-values; charset=UTF-8",
    "xml": "application/xml; charset=UTF-8",
    "html": "text/html; charset=UTF-8",
}
_BINARY: Final = frozenset(
    {"native", "parquet", "arrow", "arrowstream", "orc", "avro", "protobuf", "msgpack", "bsoneachrow"}
)
_PLAIN: Final = frozenset(
    {
        *("native", "rowbinary", "tabseparated", "tsv", "tabseparatedraw", "tsvraw", "raw", "linesasstring"),
        *("csv", "jsoneachrow", "jsonlines", "ndjson", "jsoncompacteachrow", "values_", "rawblob"),
    }
)
# Lines of text, or numbers of binary vectors, that every block repeats at its head.
_LINES: Final = {
    **dict.fromkeys(("tabseparatedwithnames", "tsvwithnames", "csvwithnames"), 1),
    **dict.fromkeys(("tabseparatedwithnamesandtypes", "tsvwithnamesandtypes", "csvwithnamesandtypes"), 2),
    "jsoncompacteachrowwithnames": 1,
    "jsoncompacteachrowwithnamesandtypes": 2,
}
_VECTORS: Final = {"rowbinarywithnames": 1, "rowbinarywithnamesandtypes": 2}


_NAME: Final = re.compile(r"[A-Za-z]\w{0,63}")
# Not formats of the engine: its Python binding would answer with objects of Python.
_OF_THE_BINDING: Final = frozenset({"dataframe", "datastore", "arrowtable", "debug"})


def is_known(name: str) -> bool:
    """Whether the engine may be asked for it. It refuses names that it does not have."""
    return _NAME.fullmatch(name) is not None and name.lower() not in _OF_THE_BINDING


def content_type(name: str) -> str:
    lower = name.lower()
    if lower in ("jsoneachrow", "jsonlines", "ndjson") or lower.startswith("jsoncompacteachrow"):
        return "application/x-ndjson; charset=UTF-8"
    if lower in _BINARY or lower.startswith("rowbinary"):
        return "application/octet-stream"
    return next((kind for prefix, kind in _TYPES.items() if lower.startswith(prefix)), "text/plain; charset=UTF-8")


def streams(name: str) -> bool:
    lower = name.lower()
    return lower in _PLAIN or lower in _LINES or lower in _VECTORS


def header_length(name: str, block: bytes) -> int:
    """Bytes of the header that opens this block; 0 for a format without one."""
    lower = name.lower()
    if lower in _LINES:
        return _text_header(block, _LINES[lower], quoted=lower.startswith("csv"))
    if lower in _VECTORS:
        return _binary_header(block, _VECTORS[lower])
    return 0


def _text_header(block: bytes, lines: int, *, quoted: bool) -> int:
    end = 0
    for _ in range(lines):
        start = end
        end = block.find(b"\n", end) + 1
        while quoted and end and block.count(b'"', start, end) % 2:  # a line break inside a quoted name
            end = block.find(b"\n", end) + 1
        if not end:
            return len(block)
    return end


def _binary_header(block: bytes, vectors: int) -> int:
    columns, at = _varint(block, 0)
    for _ in range(columns * vectors):
        length, at = _varint(block, at)
        at += length
    return at


def _varint(block: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = block[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
