"""ClickHouse's compressed blocks: what `compress=1` asks for (JDBC does) and `decompress=1` sends.

Pure. A block is a checksum (CityHash128 of what follows, high half first), a method byte, the packed size with
this 9-byte head, the plain size, and the packed bytes. LZ4 is written; LZ4, ZSTD and NONE are read.
"""

import struct
from collections.abc import Iterator
from typing import Final

import lz4.block
import zstandard
from clickhouse_cityhash.cityhash import CityHash128

BLOCK_BYTES: Final = 1 << 20
_HEAD: Final = struct.Struct("<BII")
_SUM: Final = struct.Struct("<QQ")
_LZ4, _ZSTD, _NONE = 0x82, 0x90, 0x02


class FramingError(Exception):
    """Bytes that are no compressed blocks. Says at which byte and why."""


def frame(data: bytes) -> bytes:
    return b"".join(_frame_block(data[at : at + BLOCK_BYTES]) for at in range(0, len(data), BLOCK_BYTES))


def _frame_block(plain: bytes) -> bytes:
    packed: bytes = lz4.block.compress(plain, store_size=False)
    body = _HEAD.pack(_LZ4, len(packed) + _HEAD.size, len(plain)) + packed
    return _checksum(body) + body


def _checksum(body: bytes) -> bytes:
    value: int = CityHash128(body)
    return _SUM.pack(value >> 64, value & (1 << 64) - 1)


def unframe(data: bytes, *, max_bytes: int) -> bytes:
    """Raises FramingError for a wrong checksum, a cut block, an unknown method, or more than max_bytes."""
    return b"".join(_blocks(data, max_bytes))


def _blocks(data: bytes, max_bytes: int) -> Iterator[bytes]:
    at = total = 0
    while at < len(data):
        head_end = at + _SUM.size + _HEAD.size
        if len(data) < head_end:
            raise FramingError(f"compressed block at byte {at} is cut off; send whole blocks")
        method, packed_size, plain_size = _HEAD.unpack_from(data, at + _SUM.size)
        end = at + _SUM.size + packed_size
        body = data[at + _SUM.size : end]
        if packed_size < _HEAD.size or end > len(data):
            raise FramingError(f"compressed block at byte {at} is cut off; send whole blocks")
        total += plain_size
        if total > max_bytes:
            raise FramingError(f"the body has more than {max_bytes} bytes uncompressed; send smaller batches")
        if data[at : at + _SUM.size] != _checksum(body):
            raise FramingError(f"compressed block at byte {at} has a wrong checksum; send it again")
        yield _unpack(method, body[_HEAD.size :], plain_size, at)
        at = end


def _unpack(method: int, packed: bytes, plain_size: int, at: int) -> bytes:
    try:
        if method == _LZ4:
            plain: bytes = lz4.block.decompress(packed, uncompressed_size=plain_size)
        elif method == _ZSTD:
            plain = zstandard.ZstdDecompressor().decompress(packed, max_output_size=plain_size)
        elif method == _NONE:
            plain = packed
        else:
            raise FramingError(f"compressed block at byte {at} has method {method:#x}; use LZ4, ZSTD or none")
    except (lz4.block.LZ4BlockError, zstandard.ZstdError) as error:
        raise FramingError(f"compressed block at byte {at} cannot be unpacked: {error}") from error
    if len(plain) != plain_size:
        raise FramingError(f"compressed block at byte {at} holds {len(plain)} bytes, its head says {plain_size}")
    return plain
