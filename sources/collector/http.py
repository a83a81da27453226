"""The limits of HTTP itself: headers, idle connections, and what of a broken request goes to the log."""

from __future__ import annotations

import logging
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

LINE_BYTES_MAX: Final = 8_190
HEADERS_MAX: Final = 64
IDLE_SECONDS_MAX: Final = 60.0
"""Also for a connection that never completes its headers."""
UNREAD_SECONDS_MAX: Final = 2.0
"""A refused body is read on for so long, so that its sender hears the answer instead of a reset."""
STOP_SECONDS_MAX: Final = 10.0


class _Unquoted(logging.Filter):
    """aiohttp quotes a request that it cannot parse. What a client sends is not for logs."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        if isinstance(error, HttpProcessingError):
            record.exc_info, record.exc_text = None, None
            record.msg, record.args = "not an HTTP request: %s", (type(error).__name__,)
        return True


_logger = logging.getLogger(__name__)
_logger.addFilter(_Unquoted())


def runner_of(app: web.Application) -> web.AppRunner:
    """Bodies are handed on as sent: read_body inflates them, bounded."""
    return web.AppRunner(
        app,
        access_log=None,
        logger=_logger,
        auto_decompress=False,
        keepalive_timeout=IDLE_SECONDS_MAX,
        lingering_time=UNREAD_SECONDS_MAX,
        max_line_size=LINE_BYTES_MAX,
        max_field_size=LINE_BYTES_MAX,
        max_headers=HEADERS_MAX,
        shutdown_timeout=STOP_SECONDS_MAX,
    )
