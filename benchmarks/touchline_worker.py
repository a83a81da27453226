"""The contender `touchline`: one worker process with all stages, as deployed.

`python -m benchmarks.touchline_worker BOOTSTRAP PREFIX`.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Final, NoReturn

from benchmarks.feed import SECRET
from benchmarks.generate import HOUR
from schemas.definition_files import load_catalogue, load_definitions
from streams.product import Product
from streams.settings import WorkerSettings
from streams.worker import run_worker

ROOT: Final = Path(__file__).parent.parent
GROUP: Final = "workers"
"""Behind the prefix of the round."""
JOB: Final = ("checkout", "click_and_collect")
"""The definitions that all contenders follow."""


def product() -> Product:
    catalogue = load_catalogue(ROOT / "touchpoints.yaml")
    definitions = [one for one in load_definitions(ROOT / "journeys", catalogue) if one.journey in JOB]
    return Product(definitions, catalogue, SECRET, run="simulation", horizon_ms=72 * HOUR)


def work(made: Product, bootstrap: str, prefix: str) -> NoReturn:
    logging.basicConfig(level=logging.WARNING)
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
    work(product(), *sys.argv[1:])
