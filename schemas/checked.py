"""Conditions on a value that neither library can express, written once for both decoders.

pydantic runs a check after its own validation. The derived decoder runs it after the whole record
(`schemas.fast`), unless msgspec guarantees the condition anyway (`only_pydantic`). A check raises ValueError,
with a text that holds no value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from types import NoneType
from typing import Annotated, Any, Final

import msgspec
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

DEPTH_MAX: Final = 20
"""Levels of a touchpoint; the touchpoint itself is the first."""
INT_MAX: Final = 2**63 - 1
_PLAIN: Final = frozenset((str, bool, NoneType))


class TooDeep(ValueError):
    """A limit is exceeded, rather than a contract broken."""


@dataclass(frozen=True, slots=True)
class Checked:
    """In Annotated. `schema` is added to the JSON Schema; `derived` is a narrower type for msgspec, which spares the
    caller of a fast decoder a part of the check.
    """

    check: Callable[[Any], object]
    only_pydantic: bool = False
    derived: Any = None
    schema: tuple[tuple[str, str], ...] = ()

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def checked(value: Any) -> Any:
            self.check(value)
            return value

        return core_schema.no_info_after_validator_function(checked, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(core) | dict(self.schema)


def check_tree(tree: dict[str, Any], depth: int = 1) -> None:
    """Integers fit 64 bits with sign, numbers are finite, and there are no more than DEPTH_MAX levels, of which
    `depth` lie above the tree.
    """
    level: list[Any] = [tree]
    while level:
        depth += 1
        if depth > DEPTH_MAX:
            raise TooDeep(f"nested deeper than {DEPTH_MAX} levels")
        below: list[Any] = []
        for container in level:
            values = container.values() if type(container) is dict else container
            if _PLAIN.issuperset(map(type, values)):
                continue
            for value in values:
                kind = type(value)
                if kind in _PLAIN:
                    continue
                if kind is int:
                    if not -INT_MAX - 1 <= value <= INT_MAX:
                        raise ValueError("an integer beyond 64 bits")
                elif kind is float:
                    if not isfinite(value):
                        raise ValueError("a number that is not finite")
                elif kind is dict or kind is list:
                    below.append(value)
                else:
                    raise ValueError("not a JSON value")
        level = below


def check_finite(tree: dict[str, Any]) -> None:
    waiting: list[Any] = [tree]
    while waiting:
        value = waiting.pop()
        if type(value) is dict:
            waiting.extend(value.values())
        elif type(value) is list:
            waiting.extend(value)
        elif type(value) is float and not isfinite(value):
            raise ValueError("a number that is not finite")


_Int64 = Annotated[int, msgspec.Meta(ge=-INT_MAX - 1, le=INT_MAX)]
TYPED_LEVELS: Final = 8


def _typed(levels: int) -> Any:
    """A JSON value whose integers msgspec checks down to that many levels; what lies deeper is not looked at."""
    below = Any if levels == 0 else _typed(levels - 1)
    arrays: Any = list[below]  # type: ignore[valid-type]  # Types made at run time, for msgspec.
    objects: Any = dict[str, below]  # type: ignore[valid-type]
    return str | _Int64 | float | bool | arrays | objects | None


def is_checked(document: bytes) -> bool:
    """msgspec has checked all of a document of so few containers by its types: none can lie deeper than that."""
    return document.count(b"{") + document.count(b"[") <= TYPED_LEVELS


_TYPED: Final = dict[str, _typed(TYPED_LEVELS)]  # type: ignore[misc]
JsonObject = Annotated[dict[str, Any], Checked(check_tree, derived=_TYPED)]
"""What a client sends: bounded."""
InnerObject = Annotated[dict[str, Any], Checked(check_finite, only_pydantic=True)]
"""The same in our own records: its bounds were checked at the border."""
