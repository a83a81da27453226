"""For all tests: a runner that was started in the background ignores SIGINT, and so would every child it starts; and
a test that is slow on a busy machine is not a failed one, so Hypothesis keeps no clock.
"""

import signal

from hypothesis import HealthCheck, settings

signal.signal(signal.SIGINT, signal.default_int_handler)
settings.register_profile("touchline", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("touchline")
