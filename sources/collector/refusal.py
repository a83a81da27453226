"""Why a whole request is not taken: one exception, one JSON shape.

Clients of Segment and RudderStack read `code` and `message` of every error body, and look at the status alone
to decide whether they send again: 400, 401, 413 and 415 are final; 408, 429 and 503 are sent again, after
`Retry-After` seconds.
"""

from __future__ import annotations

import msgspec


class Refusal(Exception):
    """`code` is stable and for machines, `message` says what to do. Neither ever holds what the client sent."""

    def __init__(
        self, status: int, code: str, message: str, *, field: str | None = None, retry_after_seconds: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.field = field
        self.retry_after_seconds = retry_after_seconds

    def body(self) -> bytes:
        content = {"code": self.code, "message": self.message}
        return msgspec.json.encode(content if self.field is None else content | {"field": self.field})

    def headers(self) -> dict[str, str]:
        return {} if self.retry_after_seconds is None else {"Retry-After": str(self.retry_after_seconds)}


def malformed(message: str, field: str | None = None) -> Refusal:
    return Refusal(400, "malformed", message, field=field)


def too_large(what: str, limit_bytes: int) -> Refusal:
    return Refusal(413, "too_large", f"{what} is larger than {limit_bytes} bytes. Send less at once.")


def unavailable(message: str) -> Refusal:
    return Refusal(503, "kafka_unavailable", message, retry_after_seconds=1)


def busy(message: str) -> Refusal:
    return Refusal(429, "busy", message, retry_after_seconds=1)
