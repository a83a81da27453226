"""Tokens and tree of a statement that the engine itself has parsed.

Pure. The text is always canonical: what `formatQuerySingleLine` returned. There comments, heredocs and a second
statement are gone, keywords are in capitals and every name that needs quotes has them, so a small tokenizer
reads it exactly. The tree is what `EXPLAIN AST` printed: one node a line, one space a level.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Kind(Enum):
    STRING = "string"
    NAME = "name"
    WORD = "word"
    MARK = "mark"


@dataclass(frozen=True, slots=True)
class Token:
    kind: Kind
    text: str
    start: int
    depth: int

    def is_word(self, word: str) -> bool:
        return self.kind is Kind.WORD and self.text == word


@dataclass(frozen=True, slots=True)
class Node:
    """One node of the tree: `Function` `file`, `TableIdentifier` `system.tables`. The root has no parent."""

    type: str
    name: str
    parent: str
    depth: int


@dataclass(frozen=True, slots=True)
class Statement:
    """One parsed statement; `text` is what runs, without its FORMAT clause."""

    text: str
    format: str | None
    tokens: tuple[Token, ...]
    nodes: tuple[Node, ...]

    @property
    def root(self) -> str:
        return self.nodes[0].type


_TOKEN: Final = re.compile(
    r"""\s++
    | (?P<string>'(?:[^'\\]|\\.|'')*+')
    | (?P<name>`(?:[^`\\]|\\.|``)*+`|"(?:[^"\\]|\\.|"")*+")
    | (?P<word>[^\W\d]\w*+)
    | (?P<mark>\d\w*+|.)""",
    re.VERBOSE | re.DOTALL,
)
_ALIAS: Final = re.compile(r" \((?:alias .*|children \d+)\)$")


def tokens(canonical: str) -> Iterator[Token]:
    depth = 0
    for match in _TOKEN.finditer(canonical):
        if match.lastgroup is None:
            continue
        text = match.group()
        depth -= text in (")", "]")
        kind = Kind(match.lastgroup)
        yield Token(kind, text[1:-1] if kind is Kind.NAME else text, match.start(), depth)
        depth += text in ("(", "[")


def split_format(canonical: str) -> tuple[str, str | None]:
    """The statement without its own FORMAT clause, and the format. The clause ends it, or SETTINGS follow."""
    found = tuple(tokens(canonical))
    for at in range(len(found) - 2, 0, -1):
        token, name = found[at], found[at + 1]
        after = found[at + 2] if at + 2 < len(found) else None
        ends = after is None or after.is_word("SETTINGS")
        if token.is_word("FORMAT") and token.depth == 0 and name.kind is Kind.WORD and ends:
            rest = canonical[after.start :] if after else ""
            return f"{canonical[: token.start]}{rest}".rstrip(), name.text
    return canonical, None


def nodes(explained: str) -> Iterator[Node]:
    """The nodes of `EXPLAIN AST`. A line break inside a name can add false nodes but never hide a true one."""
    parents: list[str] = []
    for line in explained.splitlines():
        body = line.lstrip(" ")
        if not body:
            continue
        depth = min(len(line) - len(body), len(parents))
        kind, _, name = body.partition(" ")
        while (shorter := _ALIAS.sub("", name)) != name:
            name = shorter
        if name.startswith("(children "):
            name = ""
        yield Node(kind, name.strip(), parents[depth - 1] if depth else "", depth)
        parents[depth:] = [kind]


def statement(canonical: str, explained: str) -> Statement:
    """`explained` is the `EXPLAIN AST` of the text without its FORMAT clause."""
    text, chosen = split_format(canonical)
    return Statement(text, chosen, tuple(tokens(text)), tuple(nodes(explained)))
