"""SQL files as templates and lists of statements. Pure.

One source serves one server and a replicated cluster: `${on_cluster}`, `${replicated}` and `${dedup_window}`
differ, the text does not. A cluster has one shard: the loader writes to any replica, and rows are not spread.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from string import Template
from typing import Final

from schemas.identifiers import BUILT_IN_KINDS, ROUTING_ORDER, IdentifierKinds

DEDUP_BLOCKS: Final = 20_000
"""Inserts that ClickHouse remembers per table: with 12 partitions and 2 inserts a second, about a quarter of
an hour."""
DEDUP_SECONDS: Final = 7 * 86_400
NOTHING: Final[Mapping[str, str]] = {}
_CLUSTER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,99}")
_PIECES: Final = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?\*/)|(?P<quoted>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`)|(?P<end>;)|(?P<rest>.)""",
    re.DOTALL | re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Target:
    """Where tables are created. `cluster` None: one server, nothing replicated. `kinds`: of identifiers; views say what
    is a device, and whom contacts name.
    """

    database: str
    cluster: str | None = None
    kinds: IdentifierKinds = BUILT_IN_KINDS


def variables(target: Target) -> dict[str, str]:
    """Raises ValueError for a cluster's name that is none."""
    given = {"database": target.database} | kind_variables(target)
    if target.cluster is None:
        window = f"non_replicated_deduplication_window = {DEDUP_BLOCKS}"
        return given | {"on_cluster": "", "replicated": "", "dedup_window": window}
    if not _CLUSTER.fullmatch(target.cluster):
        raise ValueError(f"{target.cluster!r} is no name of a cluster; letters, digits, _ and - only")
    window = (
        f"replicated_deduplication_window = {DEDUP_BLOCKS}, replicated_deduplication_window_seconds = {DEDUP_SECONDS}"
    )
    on_cluster = f"ON CLUSTER '{target.cluster}'"
    return given | {"on_cluster": on_cluster, "replicated": "Replicated", "dedup_window": window}


def kind_variables(target: Target) -> dict[str, str]:
    """What views need of the kinds of identifiers. Those of contacts are about kinds that a deployment added: each is
    one more look at whom it names, so there is none where there is no such kind.
    """
    own = [kind for kind in target.kinds.contacts if kind not in BUILT_IN_KINDS.contacts]
    named = {f"own_{number}": kind for number, kind in enumerate(own, 1)}
    return {
        "on_device": on_device(target.kinds),
        "t_on_device": on_device(target.kinds, "t.origin"),
        "own_named": "".join(f"ifNull({one}.customer_id, '') AS by_{one},\n        " for one in named),
        "own_greatest": "".join(f", by_{one}" for one in named),
        "own_agree": "".join(f"\n                AND (by_{one} = '' OR by_{one} = greatest_named)" for one in named),
        "own_joins": "".join(
            _OWN_JOIN.format(one=one, kind=kind, database=target.database) for one, kind in named.items()
        ),
    }


_OWN_JOIN: Final = """LEFT ANY JOIN
    (
        SELECT contact, customer_id FROM {database}.contact_namings FINAL
        WHERE user_id != '' AND startsWith(contact, '{kind}:')
    ) AS {one} ON {one}.contact = arrayFirst(one -> startsWith(one, '{kind}:'), t.contacts)
    """


def on_device(kinds: IdentifierKinds, origin: str = "origin") -> str:
    """The condition that a routing identifier is a device. Kinds are words: nothing in them needs a quote."""
    return " OR ".join(f"startsWith({origin}, '{kind}:')" for kind in kinds.devices)


def column_of(kind: str) -> str:
    """Where a touchpoint's identifier of a kind is stored."""
    return kind if kind in ROUTING_ORDER else f"other_identifiers['{kind}']"


def text(word: str) -> str:
    """As a string literal."""
    return "'" + word.replace("\\", "\\\\").replace("'", "\\'") + "'"


def render(text: str, target: Target, given: Mapping[str, str] = NOTHING) -> list[str]:
    """The statements of a file for a target; `given`: what it asks for beside that. Raises KeyError for an unknown
    variable, ValueError for a lonely `$`.
    """
    return split(Template(text).substitute(variables(target), **given))


def split(text: str) -> list[str]:
    """The statements of a text, without comments. A semicolon in quotes ends nothing."""
    return [statement for statement in _statements(text) if statement]


def _statements(text: str) -> Iterator[str]:
    current: list[str] = []
    for piece in _PIECES.finditer(text):
        if piece.lastgroup == "end":
            yield "".join(current).strip()
            current = []
        elif piece.lastgroup == "comment":
            current.append(" ")
        else:
            current.append(piece.group())
    yield "".join(current).strip()
