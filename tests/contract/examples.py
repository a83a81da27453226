"""The example files: `<topic>/v1/valid/<Contract>-<what>.json` and `invalid/<Contract>-<fault>@<field>.json`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from schemas.export import CONTRACTS
from schemas.touchpoint import Contract

DIRECTORY: Final = Path(__file__).parents[2] / "schemas" / "examples"
MODELS: Final = {contract.__name__: contract for contracts in CONTRACTS.values() for contract in contracts}


@dataclass(frozen=True)
class Example:
    topic: str
    model: type[Contract]
    fault: str
    field: str
    content: bytes

    def __str__(self) -> str:
        return f"{self.topic}:{self.model.__name__}-{self.fault}@{self.field}"


def examples(kind: str) -> list[Example]:
    found = []
    for path in sorted(DIRECTORY.glob(f"*/v1/{kind}/*.json")):
        contract, _, rest = path.stem.partition("-")
        fault, _, field = rest.partition("@")
        found.append(Example(path.parts[-4], MODELS[contract], fault, field, path.read_bytes()))
    return found
