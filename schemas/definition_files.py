"""Reads journey definitions and the touchpoint catalogue, and says what is wrong by file, line and column.

Three looks at a file, each of which tells all it finds: is it YAML without traps (`schemas.yaml_file`), has it the
shape (`schemas.definition`, in the words of `schemas.definition_shape`), does it make sense
(`schemas.definition_checks`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml.comments import CommentedMap

from schemas.answers import answers_of, name_flaws
from schemas.catalogue_checks import catalogue_flaws
from schemas.definition import Catalogue, Definition
from schemas.definition_checks import flaws_of
from schemas.definition_shape import fields_of, path_of, sentence
from schemas.yaml_file import DefinitionError, Flaw, Path_, empty_places, nearest, place, plain, read_mapping

__all__ = [
    "DefinitionError",
    "Flaw",
    "find_definition",
    "flaws_of",
    "load_catalogue",
    "load_definition",
    "load_definitions",
    "validated",
]

M = TypeVar("M", bound=BaseModel)


def load_catalogue(file: Path) -> Catalogue:
    """Raises DefinitionError."""
    document = read_mapping(file)
    catalogue = validated(Catalogue, {"touchpoints": plain(document)}, file, document, drop=1)
    flaws = [Flaw(str(file), *place(document, path), text) for path, text in catalogue_flaws(catalogue)]
    if flaws:
        raise DefinitionError(flaws)
    return catalogue


def load_definitions(directory: Path, catalogue: Catalogue) -> list[Definition]:
    """All `*.yaml` of the directory, by name, then what follows from the catalogue (`schemas.answers`). Raises
    DefinitionError with the flaws of all files.
    """
    files = sorted(directory.glob("*.yaml"))
    if not files:
        advice = "no journey definition (*.yaml) lies here. Add one, or name another directory."
        raise DefinitionError([Flaw(str(directory), 1, 1, advice)])
    flaws: list[Flaw] = []
    found: dict[str, tuple[Definition, Path]] = {}
    for file in files:
        try:
            definition, document = _loaded(file, catalogue)
        except DefinitionError as error:
            flaws.extend(error.flaws)
            continue
        if definition.journey in found:
            advice = (
                f"journey {definition.journey!r} is defined in {found[definition.journey][1]} too. Keep one of them."
            )
            flaws.append(Flaw(str(file), *place(document, ("journey",)), advice))
        found[definition.journey] = definition, file
    if flaws:
        raise DefinitionError(flaws)
    return [*(definition for definition, _ in found.values()), *answers_of(catalogue)]


def load_definition(file: Path, catalogue: Catalogue) -> Definition:
    """Raises DefinitionError."""
    return _loaded(file, catalogue)[0]


def find_definition(name: str, directory: Path, catalogue: Catalogue) -> Definition:
    """The definition of a journey by its name, whatever else lies in the directory. Raises DefinitionError."""
    names: dict[str, Path] = {}
    for file in sorted(directory.glob("*.yaml")):
        try:
            names[str(read_mapping(file).get("journey"))] = file
        except DefinitionError:
            continue
    answers = {answer.journey: answer for answer in answers_of(catalogue)}
    if name in answers:
        return answers[name]
    if name not in names:
        text = f"no file here defines the journey {name!r}.{nearest(name, [*names, *answers])}"
        raise DefinitionError([Flaw(str(directory), 1, 1, text)])
    return load_definition(names[name], catalogue)


def _loaded(file: Path, catalogue: Catalogue) -> tuple[Definition, CommentedMap]:
    document = read_mapping(file)
    definition = validated(Definition, plain(document), file, document, drop=0)
    found = [*flaws_of(definition, catalogue), *name_flaws(definition, catalogue)]
    flaws = [Flaw(str(file), *place(document, path), text) for path, text in found]
    if flaws:
        raise DefinitionError(flaws)
    return definition, document


def validated(model: type[M], data: Any, file: Path, document: CommentedMap, drop: int) -> M:
    """`drop`: how many leading parts of pydantic's path the document does not have."""
    empty = list(empty_places(document))
    told = [Flaw(str(file), *place(document, path), _empty(path)) for path in empty]
    try:
        found = model.model_validate(data)
    except ValidationError as error:
        for path, text in _sentences(error, model, drop, lambda path: path in empty):
            flaw = Flaw(str(file), *place(document, path), text)
            if flaw not in told:
                told.append(flaw)
        raise DefinitionError(told) from error
    if told:
        raise DefinitionError(told)
    return found


def _sentences(
    error: ValidationError, model: type[BaseModel], drop: int, known: Callable[[Path_], bool]
) -> Iterator[tuple[Path_, str]]:
    problems = [(problem, path_of(problem, drop)) for problem in error.errors()]
    unknown = [path for problem, path in problems if problem["type"] == "extra_forbidden"]
    for problem, path in problems:
        misspelt = problem["type"] == "missing" and any(_means(other, path) for other in unknown)
        if not misspelt and not known(path):
            fields = fields_of(model, (*map(str, problem["loc"][:drop]), *path))
            yield path, sentence(problem, path, fields)


def _means(unknown: Path_, missing: Path_) -> bool:
    """Whether an unknown field is the missing one, misspelt: one fault and not two."""
    return unknown[:-1] == missing[:-1] and nearest(str(unknown[-1]), [str(missing[-1])]) != ""


def _empty(path: Path_) -> str:
    return f"{'.'.join(map(str, path))} is empty. Write a value, or remove it."
