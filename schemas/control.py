"""Control records on touchpoints.raw: beats, marks, what owners of identifiers tell each other, decisions of people,
and touchpoints forwarded from a foreign partition.

Everybody who may write touchpoints could write these too, so each carries a MAC under the deployment's control
secret: keyed BLAKE2b (RFC 7693), half the cost of an HMAC with SHA-256. It binds the name of the control, the
partition it was written to, the bytes and, for a forwarded touchpoint, what it carries along. The headers of one
forwarded touchpoint from outside (`control`, `mac`, `log_time`, `at`) are replaced, never kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from hmac import compare_digest
from typing import Final, Literal, NamedTuple, cast, get_args

import msgspec

from schemas.fast import DECODE_ERRORS, encode
from schemas.records import At

OwnName = Literal["beat", "mark", "evidence", "sighting", "naming", "decision", "switch", "acknowledgement"]
ControlName = Literal[OwnName, "forwarded"]
Headers = tuple[tuple[str, bytes], ...]

HOPS: Final = 4
"""The longest chain of records on raw that one arrival causes: forwarded to its owner, sighting to the contact graph,
naming to those who attribute by it, evidence to the owners of their business keys. Ticks wait for so many rounds.
"""
NAMES: Final = tuple(name.encode() for name in get_args(ControlName))
OWN_HEADERS: Final = frozenset(("control", "mac", "log_time", "at"))

_decode_at = msgspec.json.Decoder(At).decode


class Control(NamedTuple):
    """An authentic control record. `log_time` and `at` only for a forwarded touchpoint."""

    name: ControlName
    log_time: int | None = None
    at: At | None = None


class Unauthentic(NamedTuple):
    """It claims to be ours and is not: a dead letter `unauthentic_control`. `field` is a header."""

    field: str
    detail: str


def control_headers(name: OwnName, partition: int, value: bytes, secret: bytes) -> Headers:
    """`partition` is the one the record will be written to."""
    control = name.encode()
    return (("control", control), ("mac", _mac(control, partition, b"", value, secret)))


def forwarded_headers(
    original: Iterable[tuple[str, bytes]], partition: int, value: bytes, secret: bytes, log_time: int, at: At
) -> Headers:
    """The touchpoint's own headers, then ours. `log_time` is that of its first arrival, `at` the position of
    this effect.
    """
    carried = (b"%d" % log_time, encode(tuple(at)))
    kept = tuple((name, content) for name, content in original if name not in OWN_HEADERS)
    mac = _mac(b"forwarded", partition, _joined(carried), value, secret)
    return (*kept, ("control", b"forwarded"), ("mac", mac), ("log_time", carried[0]), ("at", carried[1]))


def read_control(
    headers: Sequence[tuple[str, bytes]], partition: int, value: bytes, secret: bytes
) -> Control | Unauthentic | None:
    """None: a touchpoint. Never raises for what others may write."""
    for name, _ in headers:
        if name == "control":
            return _judge(headers, partition, value, secret)
    return None


def _judge(headers: Sequence[tuple[str, bytes]], partition: int, value: bytes, secret: bytes) -> Control | Unauthentic:
    own = {name: content for name, content in headers if name in OWN_HEADERS}
    if sum(name in OWN_HEADERS for name, _ in headers) != len(own):
        return Unauthentic("control", "one of the headers control, mac, log_time, at occurs twice")
    control, mac = own.get("control"), own.get("mac")
    if control is None or control not in NAMES:
        return Unauthentic("control", f"no known control; it is one of {', '.join(get_args(ControlName))}")
    if control != b"forwarded":
        right = _mac(control, partition, b"", value, secret)
        if not compare_digest(right, mac or b""):
            return Unauthentic("mac", "wrong mac for this partition and these bytes")
        return Control(cast(ControlName, control.decode()))
    carried = (own.get("log_time") or b"", own.get("at") or b"")
    right = _mac(control, partition, _joined(carried), value, secret)
    if not compare_digest(right, mac or b""):
        return Unauthentic("mac", "wrong mac for this partition, these bytes, this log_time and position")
    try:
        return Control("forwarded", int(carried[0]), _decode_at(carried[1]))
    except (ValueError, *DECODE_ERRORS):
        return Unauthentic("at", "log_time or at cannot be read, although the mac is right: another version wrote it")


def _joined(carried: tuple[bytes, bytes]) -> bytes:
    return b"%s\x00%s\x00" % carried


def _mac(control: bytes, partition: int, carried: bytes, value: bytes, secret: bytes) -> bytes:
    content = b"%s\x00%d\x00%s%s" % (control, partition, carried, value)
    return blake2b(content, key=_key(secret), digest_size=32).hexdigest().encode()


@lru_cache(maxsize=4)
def _key(secret: bytes) -> bytes:
    """A key of BLAKE2 has 64 bytes at most; a secret may be longer."""
    return blake2b(secret).digest()
