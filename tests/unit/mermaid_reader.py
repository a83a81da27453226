"""Reads the Mermaid flowcharts that we draw, and nothing else: any line beyond that grammar is an error.

The real parser has the last word (tests/integration/test_mermaid.py); this one needs no Node.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

ID = r"(?:start|success|failure|(?:step|break)_[a-z][a-z0-9_]*)"
TEXT = r'"((?:[^"#;`<>&%|{}\[\]]|#\d+;|<br/>)*)"'
NODE = re.compile(rf"    ({ID})(\(\[|\[|\{{\{{){TEXT}(\]\)|\]|\}}\}})")
EDGE = re.compile(rf"    ({ID}) (-->|==>|-\.->)(?:\|{TEXT}\|)? ({ID})")
SHAPES = {"([": "])", "[": "]", "{{": "}}"}


@dataclass(frozen=True, slots=True)
class Drawing:
    """Node id -> lines of its label; edges as (from, arrow, to, label)."""

    nodes: dict[str, list[str]]
    edges: list[tuple[str, str, str, str]]


def read(text: str) -> Drawing:
    first, *lines, last = text.split("\n")
    assert (first, last) == ("flowchart TD", "")
    nodes: dict[str, list[str]] = {}
    edges: list[tuple[str, str, str, str]] = []
    for line in lines:
        if node := NODE.fullmatch(line):
            name, opening, label, closing = node.groups()
            assert SHAPES[opening] == closing
            assert name not in nodes
            nodes[name] = [decoded(part) for part in label.split("<br/>")]
        else:
            edge = EDGE.fullmatch(line)
            assert edge is not None, line
            source, arrow, label, target = edge.groups()
            assert {source, target} <= set(nodes), "an edge between nodes that are there"
            edges.append((source, arrow, target, decoded(label or "")))
    return Drawing(nodes, edges)


def decoded(label: str) -> str:
    return re.sub(r"#(\d+);", lambda found: chr(int(found[1])), label)
