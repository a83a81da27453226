"""One partition of resolve that hears what it tells itself, and whose everything is by the last word on it."""

from __future__ import annotations

import json

from streams.identity.limits import Limits
from streams.stage import Effect
from tests.unit.identity_bench import Bench


class Told:
    """Whose each touchpoint is in the end, by every word that was said of it; the bench hears its own evidence."""

    def __init__(self, limits: Limits) -> None:
        self.bench = Bench(limits=limits)
        self.of: dict[str, str | None] = {}
        self.in_journey: dict[str, str | None] = {}
        self.occurred_at: dict[str, int] = {}
        self.size = 0

    def owners(self) -> dict[str, str | None]:
        """By business key."""
        return {name: key.owner for name, key in self.bench.stage._state.keys.items()}

    def touchpoint(self, value: bytes, log_time: int) -> None:
        self._hear(self.bench.touchpoint(value, log_time), log_time)

    def _hear(self, effects: list[Effect], log_time: int) -> None:
        for effect in effects:
            self.size += len(effect.value)
            if effect.topic == "touchpoints.raw":
                self._hear(self.bench.touchpoint(effect.value, log_time, effect.headers), log_time)
                continue
            body = json.loads(effect.value)
            if body["type"] == "touchpoint":
                self.of[body["touchpoint_id"]] = body["customer_id"]
                self.occurred_at[body["touchpoint_id"]] = body["occurred_at"]
            elif body["type"] in ("attach", "detach"):
                is_attach = body["type"] == "attach"
                ids = [one["touchpoint_id"] for one in body["entries"]] if is_attach else body["touchpoint_ids"]
                of = self.of if body["scope"] == "customer" else self.in_journey
                for one in ids:
                    of[one] = body["customer_id"] if is_attach else None
