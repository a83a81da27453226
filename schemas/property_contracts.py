"""What the catalogue demands of a touchpoint before it counts: nothing, silence, or a contract of properties.

Pure, and compiled once, since `resolve` asks for every touchpoint (docs/catalogue.md). A name that is not in the result
of `demands_of` has no demands: most have none. A fault names the property and the types, never a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from schemas.definition import Catalogue, CatalogueEntry

_TYPES: Final[Mapping[str, frozenset[type]]] = {
    "string": frozenset((str,)),
    "integer": frozenset((int,)),
    "number": frozenset((int, float)),
    "boolean": frozenset((bool,)),
}
_CALLED: Final[Mapping[type, str]] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    list: "array",
    dict: "object",
}


class Check(NamedTuple):
    """`fits`: the exact types of a right value; a whole float is an integer, too."""

    name: str
    wanted: str
    fits: frozenset[type]
    required: bool


class Demands(NamedTuple):
    """`ignored`: it is counted, and nobody looks at the rest. `watched`: a broken contract alerts (mode `control`)."""

    ignored: bool
    watched: bool
    checks: tuple[Check, ...]


class Fault(NamedTuple):
    field: str
    detail: str


def demands_of(catalogue: Catalogue) -> dict[str, Demands]:
    """By name, of the touchpoints of which something is demanded."""
    found = {name: _demands(entry) for name, entry in catalogue.touchpoints.items()}
    return {name: demands for name, demands in found.items() if demands.ignored or demands.checks}


def _demands(entry: CatalogueEntry) -> Demands:
    checks = [Check(name, rule.type, _TYPES[rule.type], rule.required) for name, rule in entry.properties.items()]
    return Demands(entry.impact.mode == "ignore", entry.impact.mode == "control", tuple(checks))


def fault_of(checks: tuple[Check, ...], properties: Mapping[str, Any]) -> Fault | None:
    """The first check that the properties do not pass, in the order of the catalogue. Null is missing."""
    get = properties.get
    for name, wanted, fits, required in checks:
        value = get(name)
        if type(value) in fits:
            continue
        if value is None:
            if required:
                return Fault(f"properties.{name}", f"missing; the touchpoint catalogue requires it ({wanted})")
        elif wanted != "integer" or type(value) is not float or not value.is_integer():
            called = _CALLED.get(type(value), "something else")
            return Fault(f"properties.{name}", f"expected {wanted}, got {called}; the touchpoint catalogue says so")
    return None
