"""Correcting a client's clock. Pure: (offset so far, request's times) -> offset from now on, in ms.

Only a touchpoint that says when it was sent, and of which we know when we received it, shows its clock: it alone
teaches the offset and is corrected by it. Whose clock timed the others on the same identifier nobody knows.
"""

from __future__ import annotations

from streams.identity.limits import HOUR_MS, MINUTE_MS

TOLERANCE_MS = 10 * MINUTE_MS
AHEAD_MS = HOUR_MS
"""Nothing occurs after it arrived: a corrected time further ahead of the log time counts as the log time."""


def offset_after(offset_ms: int, sent_at: int, received_at: int) -> int:
    """Delays on the way are not a wrong clock: only a skew far from the offset replaces it, to the nearest
    minute.
    """
    skew_ms = received_at - sent_at
    if abs(skew_ms - offset_ms) <= TOLERANCE_MS:
        return offset_ms
    return (skew_ms + MINUTE_MS // 2) // MINUTE_MS * MINUTE_MS
