"""The broker's jars: fetched by Maven coordinates through `jgo`, checked against the committed list.

`kafka.jars.lock` names every jar of the class path as `<sha256>  <group>:<artifact>:<version>`. The list
decides: only named jars reach the class path, the SHA-256 of each is computed at every start (44 MB, about
0.05 s), and a jar that differs is an error, never replaced in silence. All data directories of the user share
one jar directory; its name carries the hash of the list, so that a new list gets a new directory.

`python -m deploy.embedded.jars` resolves ROOTS again and prints the list.
"""

import errno
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.embedded.process import EmbeddedError, locked

ROOTS: Final = ("org.apache.kafka:kafka_2.13:4.3.1", "org.slf4j:slf4j-simple:1.7.36")
LOCK_FILE: Final = Path(__file__).with_name("kafka.jars.lock")
LOCK_SECONDS: Final = 600.0

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Jar:
    sha256: str
    group: str
    artifact: str
    version: str

    @property
    def file_name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"

    @property
    def line(self) -> str:
        return f"{self.sha256}  {self.group}:{self.artifact}:{self.version}"


def parse_lock(text: str) -> tuple[Jar, ...]:
    """Raises ValueError with the number of the first line that is not a digest and three coordinates."""
    jars = []
    for number, line in enumerate(text.splitlines(), start=1):
        digest, _, name = line.partition("  ")
        parts = name.split(":")
        if len(digest) != 64 or len(parts) != 3:
            raise ValueError(f"line {number}: expected `<sha256>  <group>:<artifact>:<version>`")
        jars.append(Jar(digest, *parts))
    return tuple(jars)


def default_directory(lock_text: str, environ: Mapping[str, str] = os.environ) -> Path:
    cache = Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "touchline" / f"jars-{hashlib.sha256(lock_text.encode()).hexdigest()[:12]}"


def ensure_jars(directory: Path | None, progress: Progress, *, lock_file: Path = LOCK_FILE) -> tuple[Path, ...]:
    """The class path, every jar checked. Fetches what is missing: 44 MB the first time, up to a minute.

    Raises EmbeddedError when a jar differs from the list or cannot be fetched.
    """
    lock_text = lock_file.read_text()
    jars = parse_lock(lock_text)
    directory = directory or default_directory(lock_text)
    if not all((directory / jar.file_name).exists() for jar in jars):
        with locked(directory / ".lock", timeout_seconds=LOCK_SECONDS):
            missing = [jar for jar in jars if not (directory / jar.file_name).exists()]
            _fetch_all(missing, directory, progress)
    for jar in jars:
        _check(directory / jar.file_name, jar)
    return tuple(directory / jar.file_name for jar in jars)


def _check(path: Path, jar: Jar) -> None:
    digest = sha256_of(path)
    if digest != jar.sha256:
        raise EmbeddedError(
            f"{path} is not the jar that {LOCK_FILE.name} names (SHA-256 {digest[:12]}...,"
            f" not {jar.sha256[:12]}...): it was changed or damaged; delete that file and start again"
        )


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch_all(missing: Sequence[Jar], directory: Path, progress: Progress) -> None:
    """A jar gets its final name only once its digest is right."""
    for left_over in directory.glob(".fetch-*"):  # of a start that was killed; the lock is ours
        shutil.rmtree(left_over, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=directory, prefix=".fetch-") as scratch:
        done = 0
        for number, (jar, fetched) in enumerate(zip(missing, _download(missing, Path(scratch)), strict=True), 1):
            if sha256_of(fetched) != jar.sha256:
                raise EmbeddedError(
                    f"the download of {jar.file_name} is not the jar that {LOCK_FILE.name} names:"
                    " try again, or name another Maven mirror under [repositories] in ~/.config/jgo.conf"
                )
            done += fetched.stat().st_size
            fetched.replace(directory / jar.file_name)
            progress(f"Kafka jars: {number} of {len(missing)}, {done / 1e6:.0f} MB")


def _download(jars: Sequence[Jar], scratch: Path) -> Iterator[Path]:
    try:
        from jgo.config import GlobalSettings
        from jgo.maven import MavenContext
        from requests import RequestException
    except ImportError as error:
        raise EmbeddedError(
            "the embedded Kafka needs jgo to fetch its jars: `pip install 'touchline[embedded]'`"
        ) from error
    settings = GlobalSettings.load()
    maven = MavenContext(
        repo_cache=scratch / "maven",
        local_repos=[],
        remote_repos=settings.repositories or None,
    )
    for jar in jars:
        try:
            yield maven.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
        except (RequestException, RuntimeError, OSError) as error:
            if error.args[:1] == (errno.ENOSPC,):
                raise
            raise EmbeddedError(
                f"cannot fetch {jar.file_name} of the embedded Kafka ({type(error).__name__}):"
                " check the network, or name a Maven mirror under [repositories] in ~/.config/jgo.conf"
            ) from error


def resolve_lock() -> str:
    """The text of the lock list, from ROOTS alone. Needs the network and about half a minute."""
    import jgo

    jars = []
    for artifact in jgo.resolve("+".join(ROOTS)):
        digest = sha256_of(Path(artifact.resolve()))
        jars.append(Jar(digest, artifact.groupId, artifact.artifactId, artifact.version))
    return "".join(f"{jar.line}\n" for jar in sorted(jars, key=lambda jar: jar.file_name))


if __name__ == "__main__":
    sys.stdout.write(resolve_lock())
