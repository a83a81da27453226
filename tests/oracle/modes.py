"""Which mode a version of a definition has at a moment: that of its file, then what people switched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.oracle.rules import Definition


@dataclass(frozen=True, slots=True)
class Switched:
    definition: str
    version: int
    mode: str
    from_at: int


def mode_at(definitions: Iterable[Definition], switches: Sequence[Switched], of: Definition, moment: int) -> str:
    """`switches` in the order of the log; of those of one version and moment the last one counts."""
    modes = {one.version: one.mode for one in definitions if one.name == of.name} | {of.version: of.mode}
    mine = [one for one in switches if one.definition == of.name and one.from_at <= moment]
    for at in sorted({one.from_at for one in mine}):
        now: dict[int, str] = {}
        for one in mine:
            if one.from_at == at:
                now.pop(one.version, None)
                now[one.version] = one.mode
        for version, mode in now.items():
            if mode == "live" and modes.get(version) != "live":
                modes |= {other: "off" for other in modes if other != version and modes[other] == "live"}
            modes[version] = mode
    return modes[of.version]
