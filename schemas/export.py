"""JSON Schemas: of the contracts, for teams that do not use Python; of the files that people write, for their editors.

Generated from pydantic, never written by hand.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from schemas.control_records import Acknowledgement, Beat, Decision, Evidence, Mark, Naming, Sighting, Switch
from schemas.definition import Catalogue
from schemas.definition_schema import catalogue_schema, definition_schema, identity_schema, sources_schema
from schemas.identifiers import BUILT_IN_KINDS, IdentifierKinds
from schemas.records import (
    Acknowledged,
    Alert,
    Attach,
    DeadLetter,
    Detach,
    Journey,
    Progress,
    Resolved,
    Switched,
    Tick,
)
from schemas.segment import SegmentItem
from schemas.topics import TOPICS
from schemas.touchpoint import Contract, Touchpoint
from schemas.wire import wire_of

CONTRACTS: Final[dict[str, tuple[type[Contract], ...]]] = {
    "touchpoints.raw": (Touchpoint, SegmentItem, Beat, Mark, Evidence, Sighting, Naming, Decision),
    "progress": (Progress, Decision, Switch, Acknowledgement),
    "identities": (Naming, Decision),
    "touchpoints": (Resolved, Attach, Detach, Tick, Switched, Acknowledged),
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


def file_schemas(
    catalogue: Catalogue | None = None, kinds: IdentifierKinds = BUILT_IN_KINDS
) -> dict[str, dict[str, Any]]:
    """Name -> schema of what people write: definitions, the catalogue, the identity rules, the sources."""
    return {
        "definition": definition_schema(catalogue, kinds),
        "catalogue": catalogue_schema(kinds),
        "identity": identity_schema(),
        "sources": sources_schema(catalogue),
    }


def export_schemas(
    directory: Path, catalogue: Catalogue | None = None, kinds: IdentifierKinds = BUILT_IN_KINDS
) -> list[Path]:
    """Writes `<topic>/v1/<Contract>.schema.json` and `files/<name>.schema.json`. The same contracts give the same
    bytes. With a catalogue, definitions may name its touchpoints only. `kinds`: those of the deployment, which
    touchpoints may carry.
    """
    schemas = {
        f"{topic}/v1/{contract.__name__}": schema_of(
            topic, wire_of(kinds).touchpoint if contract is Touchpoint else contract
        )
        for topic, contracts in CONTRACTS.items()
        for contract in contracts
    }
    schemas |= {f"files/{name}": schema for name, schema in file_schemas(catalogue, kinds).items()}
    return [_written(directory / f"{name}.schema.json", schema) for name, schema in schemas.items()]


def _written(path: Path, schema: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(schema, indent=2, sort_keys=True) + "\n", "utf-8")
    return path
