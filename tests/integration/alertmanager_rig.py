"""A real Alertmanager, from Debian's package, unpacked into the project's cache: no root, nothing installed.

Debian's binary looks for its templates below /usr/share. The copy in the cache looks below its own directory
instead: the path in it is replaced by one of the same length, relative to where it runs.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from deploy.embedded.process import free_port, locked
from tests.integration.loader_rig import until
from tests.integration.patience import PATIENCE_SECONDS

PACKAGE: Final = "prometheus-alertmanager"
CACHE: Final = Path(__file__).parents[2] / ".touchline" / "cache"
BINARY: Final = Path("usr/bin/prometheus-alertmanager")
ABSOLUTE: Final = b"/usr/share/prometheus/alertmanager"
RELATIVE: Final = b"usr/share/prometheus/alertmanager/"
CONFIG: Final = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"
APT_SECONDS: Final = 240


def installed() -> Path:
    """The directory of the unpacked package; fetched once. Fails the test when that is not possible."""
    found = CACHE / PACKAGE
    with locked(CACHE / f"{PACKAGE}.lock", timeout_seconds=3 * APT_SECONDS):
        if not (found / BINARY).exists():
            _fetch(found)
    return found


def _fetch(found: Path) -> None:
    with TemporaryDirectory(dir=CACHE) as scratch:
        unpacked = Path(scratch) / "unpacked"
        _run(["dpkg", "-x", str(_downloaded(Path(scratch))), str(unpacked)], Path(scratch))
        binary = unpacked / BINARY
        binary.write_bytes(binary.read_bytes().replace(ABSOLUTE, RELATIVE))
        shutil.rmtree(found, ignore_errors=True)
        unpacked.rename(found)


def _downloaded(scratch: Path) -> Path:
    """With the machine's package lists, or with lists of our own when it has none (a new image has none)."""
    if not _apt(["download", PACKAGE], scratch):
        for folder in ("state/lists/partial", "cache/archives/partial"):
            (scratch / folder).mkdir(parents=True)
        own = ["-o", f"Dir::State={scratch}/state", "-o", f"Dir::Cache={scratch}/cache"]
        own += ["-o", "Dir::State::status=/var/lib/dpkg/status"]
        _apt([*own, "update"], scratch)
        _apt([*own, "download", PACKAGE], scratch)
    packages = list(scratch.glob("*.deb"))
    if not packages:
        pytest.fail(
            f"this test needs a real Alertmanager and could not fetch it: `apt-get download {PACKAGE}` failed. "
            "It needs apt-get and a package source of Debian or Ubuntu, not root."
        )
    return packages[0]


def _apt(arguments: list[str], directory: Path) -> bool:
    # Root's apt would hand the download to a user who cannot write here.
    sandbox = ["-o", f"APT::Sandbox::User={'root' if os.geteuid() == 0 else ''}"]
    return _run(["apt-get", *sandbox, *arguments], directory, check=False)


def _run(command: list[str], directory: Path, check: bool = True) -> bool:
    try:
        done = subprocess.run(command, cwd=directory, timeout=APT_SECONDS, capture_output=True, text=True, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        pytest.fail(f"this test needs a real Alertmanager and could not fetch it: {command[0]}: {error}")
    if check and done.returncode:
        pytest.fail(f"this test needs a real Alertmanager and could not unpack it: {done.stderr.strip()[-300:]}")
    return done.returncode == 0


@dataclass
class Alertmanager:
    """One that keeps nothing across restarts. `start` blocks until it is ready."""

    directory: Path
    port: int = field(init=False)
    _process: subprocess.Popen[bytes] | None = None
    _starts: int = 0

    def __post_init__(self) -> None:
        self.port = free_port(str(self.directory))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        home = installed()
        self._starts += 1
        (self.directory / "alertmanager.yml").write_text(CONFIG)
        with (self.directory / "alertmanager.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(home / BINARY),
                    f"--config.file={self.directory / 'alertmanager.yml'}",
                    f"--storage.path={self.directory / f'alertmanager-{self._starts}'}",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                    "--cluster.listen-address=",
                ],
                cwd=home,
                stdout=log,
                stderr=log,
            )
        until(self._ready, f"Alertmanager; its log: {self.directory / 'alertmanager.log'}")

    def _ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.directory / "alertmanager.log").read_text()[-2_000:]
        try:
            with urlopen(f"{self.url}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    def alerts(self) -> list[dict[str, Any]]:
        """Those that are active."""
        with urlopen(f"{self.url}/api/v2/alerts", timeout=PATIENCE_SECONDS) as answer:
            found: list[dict[str, Any]] = json.load(answer)
        return found

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE_SECONDS)
            self._process = None
