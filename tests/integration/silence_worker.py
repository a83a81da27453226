"""A worker as deployed, for five stores with a till each.

`python -m tests.integration.silence_worker BOOTSTRAP PREFIX INSTANCE`.
"""

from __future__ import annotations

import logging
import sys
from typing import Final, NoReturn

from schemas.definition import Catalogue, Definition
from schemas.sources import SourceRules
from streams.product import Product
from streams.settings import WorkerSettings
from streams.worker import run_worker
from tests.simulated.scheduler import SECRET

_ENTRY: Final = {"owner": "stores", "impact": {"stage": "purchase", "mode": "activate", "criticality": "high"}}
PRODUCT: Final = Product(
    definitions=[
        Definition.model_validate(
            {
                "journey": "pickup",
                "version": 1,
                "mode": "live",
                "owner": "shop",
                "instance": {"key": "order_id"},
                "start": {"touchpoint": "ordered"},
                "steps": {"collected": {"touchpoint": "picked_up", "within": "10m"}},
                "outcome": {"success": "collected"},
                "lifetime": "1d",
            }
        )
    ],
    catalogue=Catalogue.model_validate(
        {
            "touchpoints": {
                "ordered": _ENTRY | {"channel": "web"},
                "picked_up": _ENTRY | {"channel": "store", "attributed_by": "order_id"},
                "drawer_opened": _ENTRY | {"channel": "store"},
            }
        }
    ),
    control_secret=SECRET,
    run="simulation",
    horizon_ms=72 * 3_600_000,
    sources=SourceRules.model_validate(
        {
            "sources": {
                "till-{store}": {
                    "owner": "stores",
                    "brings": ["picked_up"],
                    "silent_after": "5m",
                    "catches_up": "2m",
                    "severity": "critical",
                }
            }
        }
    ),
)


def work(bootstrap: str, prefix: str, instance: str) -> NoReturn:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    for noisy in ("aiokafka", "faust", "mode", "kafka"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    settings = WorkerSettings(
        app_id=prefix + "touchline",
        instance=instance,
        bootstrap=bootstrap,
        fingerprint=PRODUCT.fingerprint(),
        topic_prefix=prefix,
        session_timeout_ms=6_000,
        stop_timeout_ms=20_000,
    )
    run_worker(settings, PRODUCT.stages())


if __name__ == "__main__":
    work(*sys.argv[1:])
