"""Reads journey definitions and the touchpoint catalogue from YAML, and says what is wrong by file, line and column.

YAML is a friendly format with traps: a key given twice silently takes the last one, and `10:00` may become 600. Both
are refused. Beyond the
shape (`schemas.definition`) this module checks what the shape cannot: that steps follow steps that exist, without a
circle, that names are
in the catalogue. Everything wrong in a file is reported at once, each with the nearest right word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError

from schemas.definition import Break, Catalogue, CatalogueEntry, Definition, Step

FILE_BYTES_MAX = 1 << 20
Path_ = tuple[str | int, ...]
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that is wrong in a file. Lines and columns count from 1."""

    file: str
    line: int
    column: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.text}"


class DefinitionError(Exception):
    """One or more files cannot be used. `flaws` lists everything found."""

    def __init__(self, flaws: Iterable[Flaw]) -> None:
        self.flaws = tuple(flaws)
        super().__init__("\n".join(map(str, self.flaws)))


def nearest(word: str, known: Iterable[str]) -> str:
    """` Did you mean 'x'?`, or nothing when no known word is near."""
    found = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" Did you mean {found[0]!r}?" if found else ""


def load_catalogue(file: Path) -> Catalogue:
    """Raises DefinitionError."""
    document = _read(file)
    return _validated(Catalogue, {"touchpoints": document}, file, document, drop=1)


def load_definitions(directory: Path, catalogue: Catalogue) -> list[Definition]:
    """All `*.yaml` of the directory, by name. Raises DefinitionError with the flaws of all files."""
    files = sorted(directory.glob("*.yaml"))
    if not files:
        advice = "no journey definition (*.yaml) lies here. Add one, or name another directory."
        raise DefinitionError([Flaw(str(directory), 1, 1, advice)])
    flaws: list[Flaw] = []
    found: dict[str, Definition] = {}
    for file in files:
        try:
            definition = load_definition(file, catalogue)
        except DefinitionError as error:
            flaws.extend(error.flaws)
            continue
        if definition.journey in found:
            advice = f"journey {definition.journey!r} is defined in another file too. Keep one of them."
            flaws.append(Flaw(str(file), 1, 1, advice))
        found[definition.journey] = definition
    if flaws:
        raise DefinitionError(flaws)
    return list(found.values())


def load_definition(file: Path, catalogue: Catalogue) -> Definition:
    """Raises DefinitionError."""
    document = _read(file)
    definition = _validated(Definition, document, file, document, drop=0)
    flaws = [Flaw(str(file), *_place(document, path), text) for path, text in flaws_of(definition, catalogue)]
    if flaws:
        raise DefinitionError(flaws)
    return definition


def flaws_of(definition: Definition, catalogue: Catalogue) -> Iterator[tuple[Path_, str]]:
    """What the shape cannot say, each with the path to the place."""
    yield from _step_flaws(definition)
    yield from _break_flaws(definition)
    if definition.outcome.success not in definition.steps:
        yield ("outcome", "success"), _unknown_step(definition.outcome.success, definition)
    for path, name in _names(definition):
        if name not in catalogue.touchpoints:
            yield path, f"touchpoint {name!r} is not in the catalogue.{nearest(name, catalogue.touchpoints)}"


def _step_flaws(definition: Definition) -> Iterator[tuple[Path_, str]]:
    steps = definition.steps
    if "start" in steps:
        yield ("steps", "start"), "'start' is the name of the beginning. Give the step another name."
    for name, step in steps.items():
        if (step.touchpoint is None) == (step.any_of is None):
            yield ("steps", name), "a step names either one touchpoint or any_of several."
        if step.after != "start" and step.after not in steps:
            yield ("steps", name, "after"), _unknown_step(step.after, definition)
        elif _circles(name, steps):
            yield ("steps", name, "after"), f"step {name!r} comes, along 'after', after itself."
        if step.within is None and step.if_missing != "break":
            yield ("steps", name, "if_missing"), "if_missing needs a deadline. Add 'within'."


def _circles(name: str, steps: dict[str, Step]) -> bool:
    seen = {name}
    while (name := steps[name].after) in steps:
        if name in seen:
            return True
        seen.add(name)
    return False


def _break_flaws(definition: Definition) -> Iterator[tuple[Path_, str]]:
    for name, rule in definition.breaks.items():
        path = ("breaks", name)
        if name in definition.steps:
            yield path, f"a step is named {name!r} too. Alerts are told apart by name: choose another."
        yield from ((path, text) for text in _incomplete(rule))
        for part in ("cleared_by", "about"):
            step = getattr(rule, part)
            if step is not None and step not in definition.steps:
                yield (*path, part), _unknown_step(step, definition)


def _incomplete(rule: Break) -> Iterator[str]:
    repeated = ("touchpoint", "at_least", "in_window", "cleared_by")
    score = ("score", "below", "about")
    given = {part for part in (*repeated, *score) if getattr(rule, part) is not None}
    wanted = score if "score" in given else repeated
    if missing := [part for part in wanted if part not in given]:
        yield f"this break lacks {', '.join(missing)}. It needs {', '.join(wanted)}."
    if extra := sorted(given - set(wanted)):
        yield f"this break is a {'score' if 'score' in given else 'repetition'}; {', '.join(extra)} has no place in it."


def _unknown_step(name: str, definition: Definition) -> str:
    return f"there is no step {name!r}.{nearest(name, ('start', *definition.steps))}"


def _names(definition: Definition) -> Iterator[tuple[Path_, str]]:
    yield ("start", "touchpoint"), definition.start.touchpoint
    for key, step in definition.steps.items():
        if step.touchpoint is not None:
            yield ("steps", key, "touchpoint"), step.touchpoint
        for index, name in enumerate(step.any_of or ()):
            yield ("steps", key, "any_of", index), name
    for index, name in enumerate(definition.outcome.failure):
        yield ("outcome", "failure", index), name
    for key, rule in definition.breaks.items():
        if rule.touchpoint is not None:
            yield ("breaks", key, "touchpoint"), rule.touchpoint


def _read(file: Path) -> CommentedMap:
    text = _text(file)
    _refuse_clock_times(file, text)
    yaml = YAML(typ="rt")
    yaml.allow_duplicate_keys = False
    try:
        document = yaml.load(text)
    except DuplicateKeyError as error:
        mark = error.problem_mark
        raise _flaw(file, mark, "this key stands here twice; YAML would silently take the last. Remove one.") from error
    except MarkedYAMLError as error:
        raise _flaw(
            file, error.problem_mark or error.context_mark, f"not valid YAML: {error.problem or error.context}."
        ) from error
    if not isinstance(document, CommentedMap):
        raise DefinitionError([Flaw(str(file), 1, 1, "expected a mapping (key: value) at the top of the file.")])
    return document


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > FILE_BYTES_MAX:
            raise DefinitionError([Flaw(str(file), 1, 1, f"the file is larger than {FILE_BYTES_MAX} bytes.")])
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DefinitionError([Flaw(str(file), 1, 1, f"not UTF-8 text (byte {error.start}).")]) from error
    except OSError as error:
        raise DefinitionError([Flaw(str(file), 1, 1, f"cannot be read: {error.strerror}.")]) from error


def _refuse_clock_times(file: Path, text: str) -> None:
    flaws = []
    for number, line in enumerate(text.splitlines(), 1):
        bare = re.sub(r"\"[^\"]*\"|'[^']*'", lambda quoted: "_" * len(quoted[0]), line).split("#")[0]
        if found := re.search(r"(?<![\w:])\d{1,2}:\d\d(:\d\d)?(?![\w:])", bare):
            advice = f"write {found[0]!r} in quotes: YAML may read it as a number."
            flaws.append(Flaw(str(file), number, found.start() + 1, advice))
    if flaws:
        raise DefinitionError(flaws)


def _flaw(file: Path, mark: Any, text: str) -> DefinitionError:
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    return DefinitionError([Flaw(str(file), line, column, text)])


def _validated(model: type[M], data: Any, file: Path, document: CommentedMap, drop: int) -> M:
    """`drop`: how many leading parts of pydantic's path the document does not have."""
    try:
        return model.model_validate(_plain(data))
    except ValidationError as error:
        flaws = []
        for problem in error.errors():
            path = tuple(part for part in problem["loc"][drop:] if part != "[key]")
            flaws.append(Flaw(str(file), *_place(document, path), _explain(problem, path, model)))
        raise DefinitionError(flaws) from error


def _plain(node: Any) -> Any:
    if isinstance(node, dict):
        return {str(key) if not isinstance(key, str) else key: _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


def _place(document: Any, path: Path_) -> tuple[int, int]:
    """Line and column of the deepest part of the path that the file has."""
    node, place = document, (1, 1)
    for part in path:
        try:
            if isinstance(node, CommentedMap):
                line, column = node.lc.key(part)
            elif isinstance(node, CommentedSeq):
                line, column = node.lc.item(part)
            else:
                break
            place = (line + 1, column + 1)
            node = node[part]
        except (KeyError, IndexError, TypeError):
            break
    return place


def _explain(problem: Any, path: Path_, model: type[BaseModel]) -> str:
    where = ".".join(str(part) for part in path) or "the file"
    explain: dict[str, Callable[[], str]] = {
        "extra_forbidden": lambda: f"{where}: unknown word.{nearest(str(path[-1]), _known_words(model))}",
        "missing": lambda: f"{where} is missing.",
        "string_pattern_mismatch": lambda: f"{where}: expected {_pattern_in_words(problem['ctx']['pattern'])}.",
        "literal_error": lambda: (
            f"{where}: expected {problem['ctx']['expected']}.{nearest(str(problem['input']), _quoted(problem))}"
        ),
    }
    known = explain.get(problem["type"])
    return known() if known else f"{where}: {problem['msg'][0].lower()}{problem['msg'][1:]}."


def _quoted(problem: Any) -> list[str]:
    return re.findall(r"'([^']*)'", problem["ctx"]["expected"])


def _pattern_in_words(pattern: str) -> str:
    if pattern.endswith("(s|m|h|d)$"):
        return "a duration such as 90s, 10m, 8h or 7d"
    return "a word of small letters, digits and _, beginning with a letter"


def _known_words(model: type[BaseModel]) -> set[str]:
    """All field names below a model: the vocabulary of the file."""
    words: set[str] = set()
    parts: list[type[BaseModel]] = [model, Step, Break, CatalogueEntry]
    seen: set[type[BaseModel]] = set()
    while parts:
        part = parts.pop()
        if part in seen:
            continue
        seen.add(part)
        for name, info in part.model_fields.items():
            words.add(info.alias or name)
            if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
                parts.append(info.annotation)
    return words
