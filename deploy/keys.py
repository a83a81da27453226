"""What a deployment on this machine keeps secret: made once per data directory, readable by its owner only."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.embedded import process

SOURCES: Final = ("web", "app", "till", "payments")


@dataclass(frozen=True, slots=True)
class Secrets:
    """Made once per data directory, mode 0600."""

    control_secret: str
    write_keys: Mapping[str, str]
    admin_token: str


def load_secrets(home: Path) -> Secrets:
    """Made at the first call. The write keys lie beside them, as the collector wants them."""
    file = home / "secrets.json"
    if not file.exists():
        home.mkdir(parents=True, exist_ok=True)
        write_keys = {source: f"{source}-{secrets.token_hex(8)}" for source in SOURCES}
        made = {
            "control_secret": secrets.token_hex(32),
            "admin_token": secrets.token_hex(16),
            "write_keys": write_keys,
        }
        process.write_whole(file, json.dumps(made))
        channels = {"web": "web", "app": "app", "till": "store"}
        lines = ["write_keys:"]
        for source, key in write_keys.items():
            channel = f", channel: {channels[source]}" if source in channels else ""
            lines.append(f"  {key}: {{source: {source}{channel}}}")
        process.write_whole(home / "write-keys.yaml", "\n".join(lines) + "\n")
    found = json.loads(file.read_text())
    return Secrets(found["control_secret"], found["write_keys"], found["admin_token"])
