"""Twelve defects of worker and loader and those of `identity_defects`, planted into a program while it starts. Each is
what a plausible mistake would look like.

A defect replaces one function of one program; other processes stay as they are.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from tests.oracle.identity_defects import IDENTITY_DEFECTS
from tests.oracle.planting import Defect, swap

WORKER: Final = "streams.main"
LOADER: Final = "sinks.clickhouse"
THE_ROW: Final = 1_000
"""The touchpoint of the loader, by number, that is dropped or stored twice."""
EVERY_MOVE: Final = 5


def plant(name: str) -> None:
    """Called at the start of every Python process of the run. Raises KeyError, AttributeError, ImportError."""
    defect = DEFECTS[name]
    if _program() == defect.program:
        defect.plant()
        print(f"planted: {name}", file=sys.stderr)


def _program() -> str | None:
    """The module behind `-m`; sys.argv does not have it yet."""
    words = sys.orig_argv
    return words[words.index("-m") + 1] if "-m" in words[:-1] else None


# -- the loader -------------------------------------------------------------------------------------------------------


def _of_the_row(change: Callable[[list[Any]], list[Any]]) -> None:
    seen = 0

    def make(rows_of: Any) -> Any:
        def changed(record: Any) -> Any:
            nonlocal seen
            rows = list(rows_of(record))
            seen += record.type == "touchpoint"
            return change(rows) if record.type == "touchpoint" and seen == THE_ROW else rows

        return changed

    swap("sinks.clickhouse.batch", "rows_of", make)


def drop_one() -> None:
    _of_the_row(lambda rows: [])


def insert_twice() -> None:
    def twice(rows: list[Any]) -> list[Any]:
        table, row = rows[0]
        return [(table, row), (table, ("f" * 32, *row[1:]))]

    _of_the_row(twice)


# -- identity ---------------------------------------------------------------------------------------------------------


def join_a_shared_tablet() -> None:
    """Two users on one device are taken for one: the login before always wins."""

    def make(_: Any) -> Any:
        return lambda occurred_at, before, after, *_: next(
            (marker.user_id for marker in (before, after) if marker is not None and not marker.ends), None
        )

    swap("streams.identity.device", "user_between", make)


def lose_a_move() -> None:
    """Each fifth touchpoint group that changes hands is left where it was."""
    moves = 0

    def make(move: Any) -> Any:
        def changed(self: Any, scope: str, old: str | None, new: str | None, *rest: Any) -> None:
            nonlocal moves
            moves += old is not None and new is not None
            if old is None or new is None or moves % EVERY_MOVE:
                move(self, scope, old, new, *rest)

        return changed

    swap("streams.identity.effects", "Emission.move", make)


def count_a_duplicate_as_new() -> None:
    class Nothing(set[str]):
        def __contains__(self, _: object) -> bool:
            return False

    def make(init: Any) -> Any:
        def changed(self: Any, *rest: Any) -> None:
            init(self, *rest)
            self.seen = Nothing()

        return changed

    swap("streams.identity.state", "State.__init__", make)


def keep_the_first_owner() -> None:
    """Who claimed a key first keeps it, whoever's claim turns out to be the earliest."""
    swap("streams.identity.keys", "owner_of", lambda owner_of: lambda key: key.owner or owner_of(key))


def logout_as_login() -> None:
    """What ends a session is a touchpoint like any other: it hides nothing, and with a user it is a login."""
    swap("streams.identity.owner", "Known", lambda known: lambda channel, _ends: known(channel, False))


# -- journeys ---------------------------------------------------------------------------------------------------------


def _recompiled(change: Callable[[Any, Any], tuple[Any, Any]]) -> None:
    def make(compile_one: Any) -> Any:
        return lambda definition, catalogue: compile_one(*change(definition, catalogue))

    swap("streams.journey.compile", "_compile", make)


def ignore_grace() -> None:
    _recompiled(lambda definition, catalogue: (definition.model_copy(update={"grace": "0s"}), catalogue))


def ignore_where() -> None:
    """An order that is delivered begins a click-and-collect, too."""

    def change(definition: Any, catalogue: Any) -> tuple[Any, Any]:
        start = definition.start.model_copy(update={"where": {}})
        return definition.model_copy(update={"start": start}), catalogue

    _recompiled(change)


def lose_a_withdrawal() -> None:
    def make(transitions: Any) -> Any:
        del transitions["absent", "firing"], transitions["absent", "resolved"]
        return transitions

    swap("streams.journey.alerting", "TRANSITIONS", make)


def ignore_cleared_by() -> None:
    def make(count: Any) -> Any:
        return lambda run, plan, kept, *rest: count(run, replace(plan, clears=()), kept, *rest)

    swap("streams.journey.rules", "count", make)


def forget_a_checkpoint() -> None:
    """A worker that starts again goes on where it was, but has forgotten the journeys under way."""

    def make(restore: Any) -> Any:
        async def changed(self: Any) -> Any:
            saved = await restore(self)
            return type(saved)(saved.mark, {}) if self._place.stage == "track" else saved

        return changed

    swap("streams.checkpoint", "Checkpoint.restore", make)


def _defects() -> list[Defect]:
    customers = frozenset({"customer"})
    return [
        Defect("drop one", LOADER, drop_one, frozenset({"lost"})),
        Defect("insert twice", LOADER, insert_twice, frozenset({"not_sent"})),
        Defect("ignore grace", WORKER, ignore_grace, frozenset({"alert_early", "break"})),
        Defect("ignore where", WORKER, ignore_where, frozenset({"journey_extra"})),
        Defect("join a shared tablet", WORKER, join_a_shared_tablet, customers),
        Defect("lose a withdrawal", WORKER, lose_a_withdrawal, frozenset({"alert_without_break"})),
        Defect(
            "forget a checkpoint",
            WORKER,
            forget_a_checkpoint,
            frozenset({"journey_lost", "journey_touchpoints", "step"}),
            "worker",
        ),
        Defect("lose a move", WORKER, lose_a_move, customers),
        Defect("count a duplicate as new", WORKER, count_a_duplicate_as_new, frozenset({"counts"})),
        Defect("keep the first owner", WORKER, keep_the_first_owner, customers),
        Defect("logout as login", WORKER, logout_as_login, customers),
        Defect("ignore cleared_by", WORKER, ignore_cleared_by, frozenset({"break"})),
    ]


RUN_DEFECTS: Final = {defect.name: defect for defect in _defects()}
"""Of a whole run; the others of `identity_defects` are of the simulated histories."""
DEFECTS: Final = RUN_DEFECTS | IDENTITY_DEFECTS
