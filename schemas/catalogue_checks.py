"""What the shape of the catalogue cannot say. Pure: the catalogue in, flaws out, each with the path to its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from schemas.answers import answer_flaws
from schemas.definition import Catalogue, CatalogueEntry
from schemas.yaml_file import Path_, nearest


def unknown_key(field: str, said: str, known: Sequence[str]) -> str:
    """What is wrong with a word that is no business key."""
    listed = f"{', '.join(map(repr, known[:-1]))} or {known[-1]!r}"
    return f"{field}: expected {listed}, not {said!r}.{nearest(said, known)}"


def catalogue_flaws(catalogue: Catalogue) -> Iterator[tuple[Path_, str]]:
    yield from answer_flaws(catalogue)
    for name, entry in catalogue.touchpoints.items():
        if entry.attributed_by is not None and entry.attributed_by not in catalogue.keys:
            yield (name, "attributed_by"), f"{name}.{unknown_key('attributed_by', entry.attributed_by, catalogue.keys)}"
        yield from (((name, *path), text) for path, text in _score_flaws(entry))
        if entry.referrer is not None and entry.referrer in entry.properties:
            kind = entry.properties[entry.referrer].type
            if kind != "string":
                yield (name, "referrer"), f"{entry.referrer!r} is declared as a {kind}, and a user_id is a text."


def _score_flaws(entry: CatalogueEntry) -> Iterator[tuple[Path_, str]]:
    score = entry.score
    if score is None:
        return
    if not (score.worst < score.neutral < score.best or score.best < score.neutral < score.worst):
        yield ("score", "neutral"), "neutral lies between worst and best, and is neither of them."
    rule = entry.properties.get(score.property)
    if rule is not None and rule.type not in ("integer", "number"):
        yield ("score", "property"), f"{score.property!r} is declared as a {rule.type}, and never a number."
