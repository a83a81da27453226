"""For all tests: a runner that was started in the background ignores SIGINT, and so would every child it starts; and
a test that is slow on a busy machine is not a failed one, so Hypothesis keeps no clock.

Two profiles: `full` as a rule, and `check` with fewer random cases (tests/tries.py).
"""

import signal

from hypothesis import HealthCheck, settings

signal.signal(signal.SIGINT, signal.default_int_handler)
settings.register_profile("full", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=100)
settings.register_profile("check", settings.get_profile("full"), max_examples=25)
settings.load_profile("full")
