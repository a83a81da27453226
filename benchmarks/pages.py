"""What the results of all benchmarks have in common: when and on what they were measured, a table, and two files."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec


class Occasion(NamedTuple):
    """`machine`: cores, processor, system."""

    measured_at: str
    commit: str
    machine: Mapping[str, Any]

    @property
    def cores(self) -> str:
        return f"{self.machine['cores']} cores ({self.machine['processor']})"

    def __str__(self) -> str:
        return f"{self.measured_at}, commit {self.commit}, {self.cores}"


def occasion(root: Path) -> Occasion:
    """Now, here, and what is checked out at `root`."""
    return Occasion(datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"), _commit_of(root), _machine())


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Markdown."""
    rule = "|" + "---|" * len(head)
    return "\n".join([_line(head), rule, *map(_line, rows)])


def write(folder: Path, name: str, on: Occasion, report: Mapping[str, Any], page: Iterable[str]) -> None:
    """NAME.json and NAME.md; `page` by lines."""
    folder.mkdir(exist_ok=True)
    text = msgspec.json.encode(on._asdict() | dict(report))
    (folder / f"{name}.json").write_bytes(msgspec.json.format(text, indent=2) + b"\n")
    (folder / f"{name}.md").write_text("\n".join([*page, ""]))


def _line(cells: Sequence[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _commit_of(root: Path) -> str:
    def git(*command: str) -> str:
        return subprocess.run(["git", *command], cwd=root, capture_output=True, text=True, check=False).stdout.strip()

    changed = git("status", "--porcelain", "--", "streams", "schemas")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + (" with changes" if changed else "")


def _machine() -> dict[str, Any]:
    processor = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.partition(": ")[2] for line in info.read_text().splitlines() if line.startswith("model name")]
        processor = names[0] if names else processor
    return {"cores": os.cpu_count(), "processor": processor, "system": f"{platform.system()} {platform.machine()}"}
