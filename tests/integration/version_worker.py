"""A worker as deployed, with definitions whose versions are switched while it works.

`python -m tests.integration.version_worker BOOTSTRAP PREFIX INSTANCE`.
"""

from __future__ import annotations

import sys
from typing import Any, Final

from schemas.definition import Catalogue, Definition
from schemas.topics import DAY_MS
from streams.product import Product
from tests.integration.history_worker import work
from tests.simulated.scheduler import SECRET

NAMES: Final = ("order_placed", "payment_captured", "ready_for_pickup", "claim_opened", "claim_answered")
ORDER: Final[dict[str, Any]] = {
    "journey": "order",
    "version": 1,
    "mode": "shadow",
    "owner": "team-checkout",
    "instance": {"key": "order_id"},
    "start": {"touchpoint": "order_placed"},
    "steps": {
        "paid": {"touchpoint": "payment_captured", "within": "10m"},
        "ready": {"touchpoint": "ready_for_pickup", "after": "paid", "within": "2h"},
    },
    "outcome": {"success": "ready"},
    "lifetime": "2d",
}
CLAIM: Final[dict[str, Any]] = {
    "journey": "claim",
    "version": 1,
    "mode": "live",
    "owner": "team-service",
    "instance": {"key": "claim_id"},
    "start": {"touchpoint": "claim_opened"},
    "steps": {"answered": {"touchpoint": "claim_answered", "within": "1h"}},
    "outcome": {"success": "answered"},
    "lifetime": "2d",
}
STRICTER: Final = CLAIM | {
    "version": 2,
    "mode": "shadow",
    "steps": {"answered": {"touchpoint": "claim_answered", "within": "30m"}},
}


def product() -> Product:
    entry = {"owner": "team", "impact": {"stage": "service", "mode": "activate", "criticality": "high"}}
    catalogue = Catalogue.model_validate({"touchpoints": dict.fromkeys(NAMES, entry)})
    definitions = [Definition.model_validate(one) for one in (ORDER, CLAIM, STRICTER)]
    return Product(definitions, catalogue, SECRET, "simulation", 3 * DAY_MS)


if __name__ == "__main__":
    work(product(), *sys.argv[1:])
