"""How identifiers, customers, times and numbers are written for people. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

SHORT: Final = 8
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
NAMES: Final = {
    "user_id": "user",
    "anonymous_id": "browser or app",
    "device_id": "device",
    "email": "e-mail",
    "phone": "phone",
    "loyalty_card": "card",
    "order_id": "order",
    "receipt_id": "receipt",
    "ticket_id": "ticket",
    "claim_id": "claim",
}


def short(identifier: str) -> str:
    """As screens show it, and as it may be typed again: of a hash the first eight digits."""
    kind, colon, value = identifier.partition(":")
    return f"{kind}:{value[: 5 + SHORT]}…" if colon and value.startswith("hmac:") else identifier


def short_customer(customer_id: str | None) -> str:
    return "nobody" if customer_id is None else customer_id[:SHORT]


def short_id(touchpoint_id: str) -> str:
    return touchpoint_id[:SHORT]


def when(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def day(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d")


def span(first_at: int, last_at: int) -> str:
    return day(first_at) if day(first_at) == day(last_at) else f"{day(first_at)} to {day(last_at)}"


def distance(ms: int) -> str:
    minutes = ms // 60_000
    if minutes < 1:
        return f"{ms // 1000} s"
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{hours // 24} days"


def times(count: int) -> str:
    return "once" if count == 1 else f"{grouped(count)} times"


def counted(count: int, one: str) -> str:
    return f"{grouped(count)} {one}{'' if count == 1 else 's'}"


def grouped(count: int) -> str:
    return f"{count:,}"


def name_of(kind: str) -> str:
    return NAMES.get(kind, kind)


def listed(words: Sequence[str], most: int = 5) -> str:
    shown = list(words[:most])
    if len(words) > most:
        shown.append(f"{grouped(len(words) - most)} more")
    return ", ".join(shown[:-1]) + (" and " if len(shown) > 1 else "") + shown[-1] if shown else "none"
