"""One spelling for a name, whatever the sender's language makes of it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_GAP: Final = re.compile(r"[\W_]+")


@lru_cache(4_096)
def snake_case(text: str) -> str:
    """ "Order Completed", "orderCompleted" -> order_completed. Empty if nothing is left."""
    return _GAP.sub("_", _HUMP.sub("_", text)).strip("_").lower()
