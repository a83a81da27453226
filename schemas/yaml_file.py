"""Reads one YAML file whose places can be named, and refuses what YAML would take in silence.

YAML is a friendly format with traps: a key given twice takes the last one, `10:00` may become 600, an empty value
means "not there", an alias can make a small file endless. All are refused here, with line and column. Whatever the
bytes are, the outcome is a mapping or a DefinitionError.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.tokens import (
    AliasToken,
    BlockEndToken,
    BlockMappingStartToken,
    BlockSequenceStartToken,
    DirectiveToken,
    FlowMappingEndToken,
    FlowMappingStartToken,
    FlowSequenceEndToken,
    FlowSequenceStartToken,
    ScalarToken,
    TagToken,
)

FILE_BYTES_MAX: Final = 1 << 20
DEPTH_MAX: Final = 20
NUMBER_MAX: Final = 100
"""Characters. Beyond some thousand digits Python refuses to read an integer."""
Path_ = tuple[str | int, ...]

_CLOCK = re.compile(r"(?<![\w:])\d{1,2}:\d\d(:\d\d)?(?![\w:])")
_DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}")
_ODD = re.compile(r"[+-]?(0[xob])?[._]*_[._]*")
"""What YAML 1.2 takes for a number although it has no digit."""
_OPENING = (BlockMappingStartToken, BlockSequenceStartToken, FlowMappingStartToken, FlowSequenceStartToken)
_CLOSING = (BlockEndToken, FlowMappingEndToken, FlowSequenceEndToken)


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


def read_mapping(file: Path) -> CommentedMap:
    """Raises DefinitionError."""
    text = _text(file)
    yaml = YAML(typ="rt")
    yaml.allow_duplicate_keys = False
    misread: list[Flaw] = []
    try:
        tokens = list(_as_far_as_it_may_nest(YAML(typ="rt").scan(text)))
        misread = [Flaw(str(file), *found) for found in _misread(tokens)]
        if traps := [Flaw(str(file), *found) for found in _traps(tokens)]:
            raise DefinitionError(_in_order([*misread, *traps]))
        document = yaml.load(text)
    except DuplicateKeyError as error:
        advice = "this key stands here twice; YAML would silently take the last. Remove one."
        raise DefinitionError(_in_order([*misread, *_flaw(file, error.problem_mark, advice).flaws])) from error
    except (MarkedYAMLError, ValueError) as error:
        if misread:
            raise DefinitionError(misread) from error
        if not isinstance(error, MarkedYAMLError):
            raise
        raise _flaw(file, error.problem_mark or error.context_mark, _not_yaml(error)) from error
    except YAMLError as error:
        raise DefinitionError([_no_text(file, error)]) from error
    if misread:
        raise DefinitionError(misread)
    if document is None:
        raise DefinitionError([Flaw(str(file), 1, 1, "the file is empty.")])
    if not isinstance(document, CommentedMap):
        raise DefinitionError([Flaw(str(file), 1, 1, "expected a mapping (key: value) at the top of the file.")])
    return document


def plain(node: Any) -> Any:
    """Without places: dicts, lists, and the scalars as YAML reads them."""
    if isinstance(node, dict):
        return {str(key) if not isinstance(key, str) else key: plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [plain(value) for value in node]
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


def empty_places(node: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Where a key or a dash has no value: YAML says null, and somebody forgot something."""
    if node is None:
        yield path
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield from empty_places(value, (*path, key))


def place(document: Any, path: Path_) -> tuple[int, int]:
    """Line and column of the deepest part of the path that the file has."""
    node, found = document, (1, 1)
    for part in path:
        if isinstance(node, CommentedMap):
            keys = [part] if part in node else [key for key in node if str(key) == part]
            if not keys:
                break
            line, column = node.lc.key(keys[0])
            node = node[keys[0]]
        elif isinstance(node, CommentedSeq) and isinstance(part, int) and part < len(node):
            line, column = node.lc.item(part)
            node = node[part]
        else:
            break
        found = (line + 1, column + 1)
    return found


def flaws_at(file: Path, document: Any, found: Iterable[tuple[Path_, str]]) -> list[Flaw]:
    return [Flaw(str(file), *place(document, path), text) for path, text in found]


def refuse(file: Path, document: Any, found: Iterable[tuple[Path_, str]]) -> None:
    """Raises DefinitionError with all that was found, if anything was."""
    if flaws := flaws_at(file, document, found):
        raise DefinitionError(flaws)


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > FILE_BYTES_MAX:
            raise DefinitionError([Flaw(str(file), 1, 1, f"the file is larger than {FILE_BYTES_MAX} bytes.")])
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DefinitionError([Flaw(str(file), 1, 1, f"not UTF-8 text (byte {error.start}).")]) from error
    except OSError as error:
        raise DefinitionError([Flaw(str(file), 1, 1, f"cannot be read: {error.strerror}.")]) from error


def _in_order(flaws: Iterable[Flaw]) -> list[Flaw]:
    return sorted(flaws, key=lambda flaw: (flaw.line, flaw.column))


def _as_far_as_it_may_nest(tokens: Iterable[Any]) -> Iterator[Any]:
    """To read on would take minutes."""
    depth = 0
    for token in tokens:
        yield token
        depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
        if depth > DEPTH_MAX:
            return


def _traps(tokens: Iterable[Any]) -> Iterator[tuple[int, int, str]]:
    """What is not even to be loaded: line, column and advice."""
    depth = 0
    for token in tokens:
        line, column = token.start_mark.line + 1, token.start_mark.column + 1
        depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
        if depth > DEPTH_MAX:
            yield line, column, f"nested deeper than {DEPTH_MAX} levels."
            return
        if isinstance(token, AliasToken):
            yield line, column, f"aliases (*{token.value}) are not followed here. Write it out."
        elif isinstance(token, TagToken | DirectiveToken):
            yield line, column, "tags (!) and directives (%) mean nothing here. Remove it."
        elif isinstance(token, ScalarToken) and token.plain:
            yield from ((line, column, advice) for advice in _unreadable(token.value))


def _misread(tokens: Iterable[Any]) -> Iterator[tuple[int, int, str]]:
    """What YAML would read as something else. Looks at tokens, so quoted texts and comments are safe."""
    for token in tokens:
        if isinstance(token, ScalarToken) and token.plain:
            line, column = token.start_mark.line + 1, token.start_mark.column + 1
            yield from ((line, column + offset, advice) for offset, advice in _bare(token.value))


def _unreadable(value: str) -> Iterator[str]:
    """A value without quotes on which the reader would fail."""
    if _ODD.fullmatch(value):
        yield f"write {value!r} in quotes: YAML takes it for a number."
    elif len(value) > NUMBER_MAX and value[:1] in "+-.0123456789":
        yield "this number is too long. If it is a text, write it in quotes."


def _bare(value: str) -> Iterator[tuple[int, str]]:
    """What is wrong with a value without quotes."""
    if value == "<<":
        yield 0, "merge keys (<<) are not followed here. Write it out."
    elif clock := _CLOCK.search(value):
        yield clock.start(), f"write {clock[0]!r} in quotes: YAML may read it as a number."
    elif date := _DATE.match(value):
        yield 0, f"write {date[0]!r} in quotes: YAML reads it as a date."


def _not_yaml(error: MarkedYAMLError) -> str:
    problem = error.problem or error.context or "the file cannot be read"
    if "\\t" in problem:
        return "a tab. Indent with spaces."
    if "another document" in problem:
        return "a second document (---) begins here. One file holds one."
    if "mapping values are not allowed" in problem:
        return "not valid YAML: a second ':' on this line. Check the indentation, or write the value in quotes."
    if "expected <block end>" in problem:
        return "not valid YAML: this does not fit the lines above. Check the indentation."
    if "stream end" in problem or "end of stream" in problem:
        return "not valid YAML: the file ends within a quoted text, a [list or a {mapping."
    return f"not valid YAML: {problem}."


def _no_text(file: Path, error: YAMLError) -> Flaw:
    """A character that YAML forbids. The reader knows its position alone."""
    position = getattr(error, "position", None)
    before = file.read_text(encoding="utf-8")[:position] if isinstance(position, int) else ""
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    return Flaw(str(file), line, column, "a control character. Remove it.")


def _flaw(file: Path, mark: Any, text: str) -> DefinitionError:
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    return DefinitionError([Flaw(str(file), line, column, text)])
