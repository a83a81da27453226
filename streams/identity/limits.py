"""Every bound of `resolve` in one place. A changed value is a changed stage: it starts only after a clean
stop.
"""

from __future__ import annotations

from dataclasses import dataclass

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Limits:
    """`kiosk_*`: more than this many within one UTC day on one device make it a kiosk day. `kept`:
    touchpoints per identifier.
    """

    horizon_ms: int = 72 * HOUR_MS
    login_ms: int = 72 * HOUR_MS
    kiosk_users: int = 4
    kiosk_touchpoints: int = 1_000
    kept: int = 5_000
    key_kept_ms: int = 30 * DAY_MS
    bad_window: int = 1_000
    bad_at_least: int = 200
    bad_ratio: float = 0.5

    @property
    def kept_ms(self) -> int:
        """A touchpoint can still move until its latest possible login arrived (2 H); one day more keeps its
        kiosk day whole.
        """
        return 2 * self.horizon_ms + DAY_MS
