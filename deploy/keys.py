"""What a deployment on this machine keeps secret: made once per data directory, readable by its owner only."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.embedded import process
from deploy.embedded.process import EmbeddedError

SOURCES: Final = ("web", "app", "till", "payments")
CHANNELS: Final = {"web": "web", "app": "app", "till": "store"}
LOCK_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Secrets:
    """Made once per data directory, mode 0600."""

    control_secret: str
    write_keys: Mapping[str, str]
    admin_token: str


def load_secrets(home: Path) -> Secrets:
    """Made at the first call, once whoever asks. The write keys lie beside them, as the collector wants them; that
    file may be changed, and comes back when it is deleted. Raises EmbeddedError.
    """
    file, keys_file = home / "secrets.json", home / "write-keys.yaml"
    try:
        with process.locked(home / "secrets.lock", timeout_seconds=LOCK_SECONDS):
            if not file.exists():
                process.write_whole(file, json.dumps(_made()))
            kept = _read(file)
            if not keys_file.exists():
                process.write_whole(keys_file, _keys_text(kept.write_keys))
            return kept
    except OSError as error:
        raise EmbeddedError(
            f"{error.filename or home} cannot be written ({error.strerror}): free some space, or give another data"
            " directory (TOUCHLINE_DATA_DIR)"
        ) from error


def _read(file: Path) -> Secrets:
    try:
        found = json.loads(file.read_text())
        keys = {str(source): str(key) for source, key in found["write_keys"].items()}
        return Secrets(str(found["control_secret"]), keys, str(found["admin_token"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EmbeddedError(
            f"{file} is damaged: put it back from a copy, or delete it and write-keys.yaml to have new ones made"
        ) from error


def _made() -> dict[str, object]:
    return {
        "control_secret": secrets.token_hex(32),
        "admin_token": secrets.token_hex(16),
        "write_keys": {source: f"{source}-{secrets.token_hex(8)}" for source in SOURCES},
    }


def _keys_text(write_keys: Mapping[str, str]) -> str:
    lines = ["write_keys:"]
    for source, key in write_keys.items():
        channel = f", channel: {CHANNELS[source]}" if source in CHANNELS else ""
        lines.append(f"  {key}: {{source: {source}{channel}}}")
    return "\n".join(lines) + "\n"
