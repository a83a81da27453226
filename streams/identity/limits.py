"""Every bound of `resolve` in one place. A changed value is a changed stage: it starts only after a clean
stop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from schemas.identifiers import BUILT_IN_KINDS, IdentifierKinds

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000


MOST: Final = {"user_id": 10, "email": 10, "phone": 10, "loyalty_card": 10}
"""More values of a kind than this linked to one identifier make it crowded for the kind."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`kiosk_*`: more than this many within one UTC day on one device make it a kiosk day. `kept`: touchpoints per
    identifier. `key_touchpoints`: a business key that more of them carry is worn out. `component`: identifiers in the
    largest that may name a user. `link_ms`: how long a link counts after its last touchpoint. `linked`: identifiers in
    the contact graph. `kinds`: of identifiers; no bound, but needed wherever bounds are.
    """

    horizon_ms: int = 72 * HOUR_MS
    login_ms: int = 72 * HOUR_MS
    kiosk_users: int = 4
    kiosk_touchpoints: int = 1_000
    kept: int = 5_000
    key_touchpoints: int = 200
    key_kept_ms: int = 30 * DAY_MS
    most: Mapping[str, int] = field(default_factory=lambda: MOST)
    component: int = 50
    link_ms: int = 400 * DAY_MS
    linked: int = 5_000_000
    bad_window: int = 1_000
    bad_at_least: int = 200
    bad_ratio: float = 0.5
    kinds: IdentifierKinds = BUILT_IN_KINDS

    @property
    def kept_ms(self) -> int:
        """A touchpoint can still move until its latest possible login arrived (2 H); one day more keeps its
        kiosk day whole.
        """
        return 2 * self.horizon_ms + DAY_MS
