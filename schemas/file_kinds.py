"""Which of the files that people write one is: by its name, else by what stands at its top.

Pure: a name, the files in force and the content in, a word out. Whoever names the catalogue means the catalogue, and
is not told that it is no journey.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from schemas.definition import CatalogueEntry, Definition
from schemas.identity_rules import IdentityRules
from schemas.routes import RoutesFile
from schemas.sources import WatchedSource
from schemas.yaml_file import DefinitionError, read_mapping

FileKind = Literal["journey", "catalogue", "sources", "identity", "routes"]
NAMES: Final[dict[str, FileKind]] = {
    "touchpoints.yaml": "catalogue",
    "sources.yaml": "sources",
    "identity.yaml": "identity",
    "routes.yaml": "routes",
}
_TOPS: Final[tuple[tuple[FileKind, frozenset[str]], ...]] = (
    ("journey", frozenset(Definition.model_fields)),
    ("routes", frozenset(RoutesFile.model_fields)),
    ("identity", frozenset(IdentityRules.model_fields)),
)
_PARTS: Final[tuple[tuple[FileKind, frozenset[str]], ...]] = (
    ("catalogue", frozenset(CatalogueEntry.model_fields)),
    ("sources", frozenset(WatchedSource.model_fields)),
)
"""Of files that have names at their top: what stands below each."""


def kind_of(file: Path, in_force: Mapping[Path, FileKind]) -> FileKind:
    """`in_force`: files that the settings name. A file that cannot be read, or is like none, is taken for a journey."""
    said = {known.absolute(): kind for known, kind in in_force.items()}.get(file.absolute()) or NAMES.get(file.name)
    if said is not None:
        return said
    try:
        return like(read_mapping(file))
    except DefinitionError:
        return "journey"


def like(document: Mapping[Any, Any]) -> FileKind:
    """The kind of which most words are there; a misspelt one does no harm."""
    below = [set(part) for part in document.values() if isinstance(part, Mapping)]
    found: list[tuple[int, FileKind]] = [(len(words & set(document)), kind) for kind, words in _TOPS]
    found += [(sum(len(words & part) for part in below), kind) for kind, words in _PARTS]
    most, kind = max(found, key=lambda one: one[0])
    return kind if most else "journey"
