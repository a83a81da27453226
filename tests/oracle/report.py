"""Differences as readable lines, bounded: each sort has a count and its first examples."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any, Final

EXAMPLES_MAX: Final = 10
LINE_MAX: Final = 400


@dataclass(slots=True)
class Report:
    """`sorts`: how many differences of each sort; `lines`: the first of them."""

    figures: dict[str, Any] = field(default_factory=dict)
    sorts: Counter[str] = field(default_factory=Counter)
    lines: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    @property
    def right(self) -> bool:
        return not self.sorts

    def differ(self, sort: str, text: str) -> None:
        self.sorts[sort] += 1
        if len(self.lines[sort]) < EXAMPLES_MAX:
            self.lines[sort].append(text[:LINE_MAX])

    def as_json(self) -> dict[str, Any]:
        return {"right": self.right, "figures": self.figures, "differences": dict(self.sorts), "examples": self.lines}

    def as_text(self) -> str:
        parts = [f"{name.replace('_', ' ')}: {number}" for name, number in self.figures.items()]
        for sort, number in sorted(self.sorts.items()):
            parts.append(f"{sort}: {number} differences")
            parts.extend(f"  {line}" for line in self.lines[sort])
            if number > len(self.lines[sort]):
                parts.append(f"  and {number - len(self.lines[sort])} more")
        parts.append("no difference" if self.right else f"{self.sorts.total()} differences")
        return "\n".join(parts)
