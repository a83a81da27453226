"""How many random cases a law is tried on: all of them as a rule, a quarter under `--hypothesis-profile=check`.

`make check` is for between two changes, `make test` for what is finished. Every law stands in both.
"""

from __future__ import annotations

from typing import Final

from hypothesis import settings

LEAST: Final = 20


def tries(of: int) -> int:
    """Of so many; at least LEAST of them. A test that says no number has that of the profile."""
    share = of * settings().max_examples // settings.get_profile("full").max_examples
    return max(share, min(of, LEAST))
