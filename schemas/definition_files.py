"""Reads journey definitions and the touchpoint catalogue, and says what is wrong by file, line and column.

Three looks at a file, each of which tells all it finds: is it YAML without traps (`schemas.yaml_file`), has it the
shape (`schemas.definition`, in the words of `schemas.definition_shape`), does it make sense
(`schemas.definition_checks`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml.comments import CommentedMap

from schemas.answers import answers_of, name_flaws
from schemas.catalogue_checks import catalogue_flaws
from schemas.definition import Catalogue, Definition
from schemas.definition_checks import flaws_of
from schemas.definition_shape import fields_of, path_of, sentence
from schemas.identifiers import BUILT_IN_KINDS, IdentifierKinds
from schemas.yaml_file import (
    DefinitionError,
    Flaw,
    Path_,
    empty_places,
    flaws_at,
    nearest,
    plain,
    read_mapping,
    refuse,
)

__all__ = [
    "DefinitionError",
    "Flaw",
    "find_definition",
    "flaws_of",
    "load_catalogue",
    "load_definition",
    "load_definitions",
    "locate_definitions",
    "validated",
]

M = TypeVar("M", bound=BaseModel)
FLAWS_MAX: Final = 100
"""Of one look at one file. Nobody reads more, and a file of another kind has one on each of its lines."""


def load_catalogue(file: Path, kinds: IdentifierKinds = BUILT_IN_KINDS) -> Catalogue:
    """`kinds`: those of the identity rules beside it. Raises DefinitionError."""
    document = read_mapping(file)
    catalogue = validated(Catalogue, {"touchpoints": plain(document)}, file, document, drop=1)
    catalogue = catalogue.model_copy(update={"keys": kinds.keys})
    refuse(file, document, catalogue_flaws(catalogue))
    return catalogue


def load_definitions(directory: Path, catalogue: Catalogue) -> list[Definition]:
    """All `*.yaml` of the directory, by name, then what follows from the catalogue (`schemas.answers`). One journey may
    have several versions there. Raises DefinitionError with the flaws of all files.
    """
    return [definition for definition, _ in locate_definitions(directory, catalogue)]


def locate_definitions(directory: Path, catalogue: Catalogue) -> list[tuple[Definition, Path | None]]:
    """The same, each with its file; None: it follows from the catalogue. Raises DefinitionError."""
    files = sorted(directory.glob("*.yaml"))
    if not files:
        advice = "no journey definition (*.yaml) lies here. Add one, or name another directory."
        raise DefinitionError([Flaw(str(directory), 1, 1, advice)])
    flaws: list[Flaw] = []
    found: list[tuple[Definition, Path | None]] = []
    for file in files:
        try:
            definition, document = _loaded(file, catalogue)
        except DefinitionError as error:
            flaws.extend(error.flaws)
            continue
        clashes = [(path, text) for other, where in found for path, text in _clashes(definition, other, where)]
        flaws.extend(flaws_at(file, document, clashes))
        found.append((definition, file))
    if flaws:
        raise DefinitionError(flaws)
    return [*found, *((answer, None) for answer in answers_of(catalogue))]


def _clashes(one: Definition, other: Definition, file: Path | None) -> Iterator[tuple[Path_, str]]:
    """Why two files cannot lie side by side. `file` is the other's."""
    if one.journey != other.journey:
        return
    if one.version == other.version:
        text = f"journey {one.journey!r} version {one.version} is defined in {file} too. Count the version up,"
        yield ("version",), f"{text} or keep one of them."
    elif one.mode == other.mode == "live":
        text = f"journey {one.journey!r} is live as version {other.version} in {file} too. Let one of them say shadow;"
        yield ("mode",), f"{text} `touchline definitions switch` makes it live while the other's journeys go on."


def load_definition(file: Path, catalogue: Catalogue) -> Definition:
    """Raises DefinitionError."""
    return _loaded(file, catalogue)[0]


def find_definition(said: str, directory: Path, catalogue: Catalogue) -> Definition:
    """A definition by its name or NAME@VERSION, whatever else lies in the directory; without a version the live one, or
    else the latest. Raises DefinitionError.
    """
    name, _, version = said.partition("@")
    files: dict[str, dict[str, Path]] = {}
    ranks: dict[Path, tuple[bool, int]] = {}
    for file in sorted(directory.glob("*.yaml")):
        try:
            document = read_mapping(file)
        except DefinitionError:
            continue
        number = document.get("version")
        files.setdefault(str(document.get("journey")), {})[str(number)] = file
        ranks[file] = (document.get("mode") == "live", number if isinstance(number, int) else 0)
    answers = {answer.journey: answer for answer in answers_of(catalogue)}
    if name in answers and version in ("", str(answers[name].version)):
        return answers[name]
    versions = files.get(name, {})
    if version in versions:
        return load_definition(versions[version], catalogue)
    if versions and not version:
        return load_definition(max(versions.values(), key=ranks.__getitem__), catalogue)
    if versions or name in answers:
        known = ", ".join(sorted(versions)) or str(answers[name].version)
        text = f"no file here defines version {version!r} of the journey {name!r}. There is: {known}."
    else:
        text = f"no file here defines the journey {name!r}.{nearest(name, [*files, *answers])}"
    raise DefinitionError([Flaw(str(directory), 1, 1, text)])


def _loaded(file: Path, catalogue: Catalogue) -> tuple[Definition, CommentedMap]:
    document = read_mapping(file)
    definition = validated(Definition, plain(document), file, document, drop=0)
    refuse(file, document, [*flaws_of(definition, catalogue), *name_flaws(definition, catalogue)])
    return definition, document


def validated(model: type[M], data: Any, file: Path, document: CommentedMap, drop: int) -> M:
    """`drop`: how many leading parts of pydantic's path the document does not have."""
    empty = set(empty_places(document))
    first = islice(empty_places(document), FLAWS_MAX)
    told = flaws_at(file, document, ((path, _empty(path)) for path in first))
    try:
        found = model.model_validate(data)
    except ValidationError as error:
        sentences = islice(_sentences(error, model, drop, lambda path: path in empty), FLAWS_MAX)
        for flaw in flaws_at(file, document, sentences):
            if len(told) >= FLAWS_MAX:
                break
            if flaw not in told:
                told.append(flaw)
        if len(told) >= FLAWS_MAX:
            told.append(Flaw(str(file), 1, 1, f"the first {FLAWS_MAX} flaws are told; there may be more."))
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
            typed = tuple(part for part in problem["loc"][drop:] if part != "[key]")
            typed = typed if len(typed) > len(path) and typed[-1] == path[-1] else path
            fields = fields_of(model, (*map(str, problem["loc"][:drop]), *typed))
            yield path, sentence(problem, path, fields)


def _means(unknown: Path_, missing: Path_) -> bool:
    """Whether an unknown field is the missing one, misspelt: one fault and not two."""
    return unknown[:-1] == missing[:-1] and nearest(str(unknown[-1]), [str(missing[-1])]) != ""


def _empty(path: Path_) -> str:
    return f"{'.'.join(map(str, path))} is empty. Write a value, or remove it."
