"""What a planted defect is, and how it takes the place of what the product has.

If the product no longer has what a defect replaces, planting fails and the process does not start: a defect that
changes nothing would prove nothing.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Defect:
    """`program`: the module behind `-m` into which it is planted. `found_as`: sorts of differences, one of which the
    oracle must report. `kill`: the part that is killed.
    """

    name: str
    program: str
    plant: Callable[[], None]
    found_as: frozenset[str]
    kill: str | None = None


def swap(module: str, path: str, make: Callable[[Any], Any]) -> None:
    """Put `make(former)` where `module.path` was."""
    owner: Any = importlib.import_module(module)
    *way, last = path.split(".")
    for part in way:
        owner = getattr(owner, part)
    setattr(owner, last, make(getattr(owner, last)))
