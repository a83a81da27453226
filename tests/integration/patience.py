"""How long a test waits for what must come: only what hangs takes so long, because other tests may keep this machine
busy. A shorter limit stands only where the time itself is what is tested.
"""

from __future__ import annotations

from typing import Final

PATIENCE_SECONDS: Final = 120.0
