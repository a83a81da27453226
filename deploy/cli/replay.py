"""From a dead letter to the record that is sent once more, or the reason why it is not. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from schemas.control import OWN_HEADERS
from schemas.decode import Invalid, decode_touchpoint

HEADER: Final = "replayed_from"
RAW: Final = "touchpoints.raw"


@dataclass(frozen=True, slots=True)
class Replayed:
    """`id` is where it lay; it goes to the same partition, and resolve forwards it from there if it must."""

    id: str
    partition: int
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Left:
    reason: str


def plan(letter: Mapping[str, Any], *, force: bool) -> Replayed | Left:
    """`force`: also what the decoder of today refuses; it would come back as another dead letter."""
    stored: Mapping[str, str] = letter["headers"]
    control = stored.get("control")
    if letter["topic"] != RAW:
        return Left(f"they lay on {letter['topic']}, which only the workers write")
    if letter["failure"] == "unauthentic_control":
        return Left("they pretend to be ours (unauthentic_control)")
    if control not in (None, "forwarded"):
        return Left("a control record counts only where it lay")
    if any("\\" in value for value in stored.values()):
        return Left("a header is not ASCII, so its bytes are not known any more")
    dropped = OWN_HEADERS if control else frozenset[str]()
    headers = tuple((name, value.encode()) for name, value in stored.items() if name not in dropped and name != HEADER)
    value = base64.b64decode(letter["payload"])
    if not force:
        decoded = decode_touchpoint(value, headers)
        if isinstance(decoded, Invalid):
            field = f" in {decoded.field}" if decoded.field else ""
            return Left(f"still {decoded.failure}{field}: mend the sender; --force sends them all the same")
    place = f"{letter['topic']}/{letter['partition']}/{letter['offset']}"
    return Replayed(place, letter["partition"], value, (*headers, (HEADER, place.encode())))
