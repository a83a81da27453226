"""JSON Schemas of the contracts, for teams that do not use Python. Generated from pydantic, never written by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from schemas.records import Alert, Attach, Beat, DeadLetter, Detach, Evidence, Journey, Mark, Progress, Resolved, Tick
from schemas.segment import SegmentItem
from schemas.topics import TOPICS
from schemas.touchpoint import Contract, Touchpoint

CONTRACTS: Final[dict[str, tuple[type[Contract], ...]]] = {
    "touchpoints.raw": (Touchpoint, SegmentItem, Beat, Mark, Evidence),
    "progress": (Progress,),
    "touchpoints": (Resolved, Attach, Detach, Tick),
    "journeys": (Journey,),
    "alerts": (Alert,),
    "dead_letters": (DeadLetter,),
}
"""Topic -> what its records may be. The other topics hold a stage's state or an operator's command."""


def schema_of(topic: str, contract: type[Contract]) -> dict[str, Any]:
    schema = contract.model_json_schema(mode="validation")
    about = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": f"topic {topic}: {TOPICS[topic].key}",
    }
    return about | schema


def export_schemas(directory: Path) -> list[Path]:
    """Writes `<topic>/v1/<Contract>.schema.json`. The same contracts give the same bytes."""
    written = []
    for topic, contracts in CONTRACTS.items():
        folder = directory / topic / "v1"
        folder.mkdir(parents=True, exist_ok=True)
        for contract in contracts:
            path = folder / f"{contract.__name__}.schema.json"
            path.write_text(json.dumps(schema_of(topic, contract), indent=2, sort_keys=True) + "\n", "utf-8")
            written.append(path)
    return written
