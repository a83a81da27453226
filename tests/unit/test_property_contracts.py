"""Property contracts: what fits which type, what is missing, and what a fault says."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.definition import Catalogue, CatalogueEntry
from schemas.property_contracts import Check, demands_of, fault_of


def entry(mode: str = "activate", /, **properties: dict[str, Any]) -> CatalogueEntry:
    impact = {"stage": "service", "mode": mode, "criticality": "low"}
    return CatalogueEntry.model_validate({"owner": "team", "impact": impact, "properties": properties})


def checks(**properties: dict[str, Any]) -> tuple[Check, ...]:
    return demands_of(Catalogue(touchpoints={"rated": entry(**properties)}))["rated"].checks


FITS: dict[str, list[Any]] = {
    "string": ["", "1", "true"],
    "integer": [0, -3, 3.0, 2**62],
    "number": [0, 1.5, -3.0],
    "boolean": [True, False],
}
VALUES: list[Any] = [value for values in FITS.values() for value in values] + [[], {}, [1], {"a": 1}]


@pytest.mark.parametrize("wanted", FITS)
def test_only_values_of_its_type_fit(wanted: str) -> None:
    for value in VALUES:
        fits = any(value == right and isinstance(value, bool) == isinstance(right, bool) for right in FITS[wanted])
        if wanted == "number":
            fits = isinstance(value, int | float) and not isinstance(value, bool)
        fault = fault_of(checks(grade={"type": wanted}), {"grade": value})
        assert (fault is None) == fits, (wanted, value)


def test_null_is_missing_and_only_a_required_one_is_missed() -> None:
    required, free = {"type": "integer", "required": True}, {"type": "integer"}
    for properties in ({}, {"grade": None}, {"other": 1}):
        assert fault_of(checks(grade=free), properties) is None
        fault = fault_of(checks(grade=required), properties)
        assert fault is not None
        assert (fault.field, fault.detail.split(";")[0]) == ("properties.grade", "missing")


def test_a_fault_names_property_and_types_and_no_value() -> None:
    fault = fault_of(checks(note={"type": "string"}, grade={"type": "integer"}), {"note": "x", "grade": "4711"})
    assert fault is not None
    assert fault.field == "properties.grade"
    assert "expected integer, got string" in fault.detail
    assert "4711" not in fault.detail
    assert fault_of(checks(grade={"type": "integer"}), {"grade": 1.5}) is not None


def test_most_names_have_no_demands() -> None:
    known = Catalogue(
        touchpoints={
            "plain": entry(),
            "noise": entry("ignore"),
            "paid": entry("control", order_id={"type": "string", "required": True}),
            "watched": entry("control"),
        }
    )
    demands = demands_of(known)
    assert set(demands) == {"noise", "paid"}
    assert (demands["noise"].ignored, demands["paid"].ignored, demands["paid"].watched) == (True, False, True)
