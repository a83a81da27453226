"""The worker that is measured: all stages in one process, as deployed, in a live run.

`python -m benchmarks.latency.worker BOOTSTRAP PREFIX`.
"""

from __future__ import annotations

import sys

from benchmarks.feed import SECRET
from benchmarks.generate import HOUR
from benchmarks.latency.plan import definitions
from benchmarks.touchline_worker import work
from streams.product import Product

if __name__ == "__main__":
    work(Product(*definitions(), SECRET, run="live", horizon_ms=72 * HOUR), *sys.argv[1:])
