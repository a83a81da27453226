"""Correcting a client's clock. Pure: (offset so far, request's times) -> offset from now on, in ms."""

from __future__ import annotations

from streams.identity.limits import MINUTE_MS

TOLERANCE_MS = 10 * MINUTE_MS


def offset_after(offset_ms: int, sent_at: int | None, received_at: int | None) -> int:
    """Delays on the way are not a wrong clock: only a skew far from the offset replaces it, to the nearest
    minute.
    """
    if sent_at is None or received_at is None:
        return offset_ms
    skew_ms = received_at - sent_at
    if abs(skew_ms - offset_ms) <= TOLERANCE_MS:
        return offset_ms
    return (skew_ms + MINUTE_MS // 2) // MINUTE_MS * MINUTE_MS
