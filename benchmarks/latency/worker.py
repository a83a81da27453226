"""The worker that is measured: all stages in one process, as deployed, in a live run.

`python -m benchmarks.latency.worker BOOTSTRAP PREFIX`.
"""

from __future__ import annotations

import logging
import sys
from typing import Final, NoReturn

from benchmarks.feed import SECRET
from benchmarks.generate import HOUR
from benchmarks.latency.plan import definitions
from streams.product import Product
from streams.settings import WorkerSettings
from streams.worker import run_worker

GROUP: Final = "workers"


def main(bootstrap: str, prefix: str) -> NoReturn:
    logging.basicConfig(level=logging.WARNING)
    found, catalogue = definitions()
    made = Product(found, catalogue, SECRET, run="live", horizon_ms=72 * HOUR)
    settings = WorkerSettings(
        app_id=prefix + GROUP,
        instance="one",
        bootstrap=bootstrap,
        fingerprint=made.fingerprint(),
        topic_prefix=prefix,
        stop_timeout_ms=10_000,
    )
    run_worker(settings, made.stages())


if __name__ == "__main__":
    main(*sys.argv[1:])
