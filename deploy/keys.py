"""What a deployment on this machine keeps secret: made once per data directory, readable by its owner only."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from deploy.embedded import process
from deploy.embedded.process import EmbeddedError

SOURCES: Final = ("web", "app", "till", "payments")
CHANNELS: Final = {"web": "web", "app": "app", "till": "store"}
PUBLIC: Final = ("web", "app")
"""Their key lies in every page and in every copy of the app, where anybody can read it. So they have the trust of a
browser: a user_id of theirs needs the proof that the shop's server gave at login.
"""
LOCK_SECONDS: Final = 10.0
_MADE: Final[Mapping[str, Callable[[], object]]] = {
    "control_secret": lambda: secrets.token_hex(32),
    "admin_token": lambda: secrets.token_hex(16),
    "write_keys": lambda: {source: f"{source}-{secrets.token_hex(8)}" for source in SOURCES},
    "personal_key": lambda: secrets.token_hex(32),
    "proof_secret": lambda: secrets.token_hex(32),
}
_EXTRA: Final = "{source}-of-the-simulation"
_LATER: Final = ("personal_key", "proof_secret")
"""What the first versions did not make: added to their file."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """Made once per data directory, mode 0600."""

    control_secret: str
    write_keys: Mapping[str, str]
    admin_token: str
    personal_key: str
    proof_secret: str


def load_secrets(home: Path, tills: Iterable[str] = ()) -> Secrets:
    """Made at the first call, once whoever asks. The write keys lie beside them, as the collector wants them; that
    file may be changed, and comes back when it is deleted. `tills`: sources of a simulation that have keys as well, no
    secrets. Raises EmbeddedError.
    """
    file, keys_file = home / "secrets.json", home / "write-keys.yaml"
    try:
        with process.locked(home / "secrets.lock", timeout_seconds=LOCK_SECONDS):
            if not file.exists():
                process.write_whole(file, json.dumps({name: make() for name, make in _MADE.items()}))
            found = _read(file)
            missing = {name: _MADE[name]() for name in _LATER if name not in found}
            kept = _secrets(found | missing, file)
            kept = replace(kept, write_keys={**kept.write_keys, **{till: _EXTRA.format(source=till) for till in tills}})
            if missing:
                process.write_whole(file, json.dumps(found | missing))
            if not keys_file.exists() or keys_file.read_text(errors="replace") == _without_trust(kept.write_keys):
                process.write_whole(keys_file, _keys_text(kept.write_keys))
            return kept
    except OSError as error:
        raise EmbeddedError(
            f"{error.filename or home} cannot be written ({error.strerror}): free some space, or give another data"
            " directory (TOUCHLINE_DATA_DIR)"
        ) from error


def _read(file: Path) -> dict[str, Any]:
    """Whole but for what is added later."""
    try:
        found = json.loads(file.read_text())
    except ValueError as error:
        raise _damaged(file) from error
    if not isinstance(found, dict) or not found.keys() >= _MADE.keys() - set(_LATER):
        raise _damaged(file)
    return found


def _secrets(found: Mapping[str, Any], file: Path) -> Secrets:
    try:
        keys = {str(source): str(key) for source, key in found["write_keys"].items()}
    except AttributeError as error:
        raise _damaged(file) from error
    text = {name: str(found[name]) for name in ("control_secret", "admin_token", *_LATER)}
    return Secrets(write_keys=keys, **text)


def _damaged(file: Path) -> EmbeddedError:
    return EmbeddedError(
        f"{file} is damaged: put it back from a copy, or delete it and write-keys.yaml to have new ones made"
    )


def _keys_text(write_keys: Mapping[str, str]) -> str:
    lines = ["write_keys:"]
    for source, key in write_keys.items():
        found = CHANNELS.get(source.partition("-")[0])
        channel = f", channel: {found}" if found is not None else ""
        trust = "browser" if source in PUBLIC else "server"
        lines.append(f"  {key}: {{source: {source}, trust: {trust}{channel}}}")
    return "\n".join(lines) + "\n"


def _without_trust(write_keys: Mapping[str, str]) -> str:
    """As the first versions wrote it. A file that nobody has changed since may be replaced."""
    return _keys_text(write_keys).replace(", trust: browser", "").replace(", trust: server", "")
