"""The shapes of a break: which fields make it what.

A break has many fields, of which each shape needs some and may have others; the checks, the JSON Schema and the pages
all follow this table.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from schemas.records import BreakKind

WAITED: Final = ("tolerate", "counting")


class Shape(NamedTuple):
    """One of the shapes of a break. `sign`: what tells it from the others. It needs all of `needs` and one of
    `needs_one`, and may have `may`.
    """

    kind: BreakKind
    called: str
    sign: tuple[str, ...]
    needs: tuple[str, ...]
    needs_one: tuple[str, ...] = ()
    may: tuple[str, ...] = ()


SHAPES: Final = (
    Shape("low_score", "low score", ("score",), ("score", "below"), may=("about", "cleared_by")),
    Shape("abandoned", "abandonment", ("idle",), ("idle",), may=("counting",)),
    Shape("skipped_step", "skipped step", ("without",), ("without",), may=WAITED),
    Shape("out_of_order", "wrong order", ("requires",), ("touchpoint", "requires"), may=("where", *WAITED)),
    Shape("forbidden", "ban", ("at_most", "never_with"), ("touchpoint",), ("at_most", "never_with"), ("where",)),
    Shape(
        "repeated",
        "repetition",
        ("at_least", "in_window"),
        ("touchpoint", "at_least", "in_window", "cleared_by"),
        may=("where", "apart"),
    ),
    Shape(
        "experience_balance",
        "balance",
        ("balance_below", "half_life"),
        ("balance_below", "until", "half_life"),
    ),
    Shape("identity_conflict", "conflict of persons", ("persons_above",), ("persons_above",), may=("among",)),
    Shape("failure_event", "failure", ("touchpoint",), ("touchpoint", "cleared_by"), may=("where", *WAITED)),
)
"""In the order in which they are told apart: the first of whose signs one is given."""
REPETITION: Final = next(shape for shape in SHAPES if shape.kind == "repeated")
