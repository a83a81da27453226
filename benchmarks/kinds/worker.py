"""The worker that is measured: all stages in one process, as deployed, in a live run.

`python -m benchmarks.kinds.worker BOOTSTRAP PREFIX CONTRACTS`.
"""

from __future__ import annotations

import sys

from benchmarks.feed import SECRET
from benchmarks.generate import HOUR
from benchmarks.kinds.stories import catalogue, definitions, sources
from benchmarks.touchline_worker import work
from streams.product import Product

if __name__ == "__main__":
    bootstrap, prefix, contracts = sys.argv[1:]
    known = catalogue(int(contracts))
    product = Product(definitions(), known, SECRET, run="live", horizon_ms=72 * HOUR, sources=sources())
    work(product, bootstrap, prefix)
