"""Packages of npm beside a script of the tests, as its lock file names them: fetched once, by one process at a time."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

from deploy.embedded.process import locked

CACHE: Final = Path(__file__).parents[2] / ".touchline" / "cache"
NPM_SECONDS: Final = 240
WRITTEN_LAST: Final = "node_modules/.package-lock.json"


def npm_packages(home: Path) -> None:
    """`home` has package.json and package-lock.json. Where an install was cut off it begins anew."""
    npm = shutil.which("npm")
    assert npm is not None, "npm is needed to run what others wrote, unmodified"
    with locked(CACHE / f"{home.name}.lock", timeout_seconds=NPM_SECONDS):
        if not (home / WRITTEN_LAST).exists():
            subprocess.run([npm, "ci", "--ignore-scripts"], cwd=home, check=True, timeout=NPM_SECONDS)
