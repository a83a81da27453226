"""A worker as deployed, with the journeys and rules of the simulated histories.

`python -m tests.integration.history_worker BOOTSTRAP PREFIX INSTANCE`.
"""

from __future__ import annotations

import logging
import sys
from typing import Final, NoReturn

from streams.product import Product
from streams.settings import WorkerSettings
from streams.worker import run_worker
from tests.simulated.worlds import PRODUCT

GROUP: Final = "touchline"
"""Behind the prefix."""


def work(product: Product, bootstrap: str, prefix: str, instance: str) -> NoReturn:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    for noisy in ("aiokafka", "faust", "mode", "kafka"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    settings = WorkerSettings(
        app_id=prefix + GROUP,
        instance=instance,
        bootstrap=bootstrap,
        fingerprint=product.fingerprint(),
        topic_prefix=prefix,
        session_timeout_ms=6_000,
        stop_timeout_ms=20_000,
    )
    run_worker(settings, product.stages())


if __name__ == "__main__":
    work(PRODUCT, *sys.argv[1:])
