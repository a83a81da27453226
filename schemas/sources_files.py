"""Reads `sources.yaml`, and says what is wrong by file, line and column. Where there is none, nothing is watched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from schemas.definition import Catalogue
from schemas.definition_files import validated
from schemas.settings import Settings
from schemas.sources import NOTHING_WATCHED, SourceForm, SourceRules, form_of
from schemas.yaml_file import Path_, nearest, plain, read_mapping, refuse

USUAL_FILE: Final = Path("sources.yaml")
CATCHES_UP_MAX_MS: Final = 7 * 86_400_000


def load_sources(file: Path, catalogue: Catalogue) -> SourceRules:
    """Raises DefinitionError with all flaws."""
    document = read_mapping(file)
    rules = validated(SourceRules, {"sources": plain(document)}, file, document, drop=1)
    refuse(file, document, flaws_of(rules, catalogue))
    return rules


def sources_file_of(settings: Settings) -> Path | None:
    """The file in force: the one that is set, else sources.yaml where it lies here. None: nothing is watched."""
    if settings.sources_file is not None:
        return settings.sources_file
    return USUAL_FILE if USUAL_FILE.exists() else None


def sources_of(settings: Settings, catalogue: Catalogue) -> SourceRules:
    """Raises DefinitionError."""
    file = sources_file_of(settings)
    return NOTHING_WATCHED if file is None else load_sources(file, catalogue)


def flaws_of(rules: SourceRules, catalogue: Catalogue) -> Iterator[tuple[Path_, str]]:
    """What the shape cannot say: names that must exist, forms that meet."""
    before: list[SourceForm] = []
    for text, entry in rules.sources.items():
        form = form_of(text)
        if met := next((other for other in before if other.meets(form)), None):
            yield (text,), f"a source may be of this form and of {met.text!r}. Make them exclude each other."
        before.append(form)
        for index, name in enumerate(entry.brings):
            path = (text, "brings", index)
            known = catalogue.touchpoints.get(name)
            if known is None:
                yield path, f"touchpoint {name!r} is not in the catalogue.{nearest(name, catalogue.touchpoints)}"
            elif known.impact.mode == "ignore":
                yield path, f"touchpoint {name!r} is of mode ignore in the catalogue: nothing waits for it. Remove it."
            if name in entry.brings[:index]:
                yield path, f"{name!r} stands here twice. Remove one."
        if entry.catches_up_ms > CATCHES_UP_MAX_MS:
            yield (text, "catches_up"), "at most 7d: what waits so long is forgotten."
        if form.property is not None:
            yield from _property_flaws(text, form.property, catalogue)


def _property_flaws(text: str, word: str, catalogue: Catalogue) -> Iterator[tuple[Path_, str]]:
    """A journey is linked by a text; a property that is declared and never one links nothing."""
    entries = catalogue.touchpoints.values()
    types = {entry.properties[word].type for entry in entries if word in entry.properties}
    if types and "string" not in types:
        told = " and ".join(sorted(types))
        yield (
            (text,),
            f"{word!r} is declared as {told} in the catalogue, and only a text links a journey to its source.",
        )
