"""For all tests: a runner that was started in the background ignores SIGINT, and so would every child it starts."""

import signal

signal.signal(signal.SIGINT, signal.default_int_handler)
