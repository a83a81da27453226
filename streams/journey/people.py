"""What people say: which version of a definition counts from when, and that somebody looks after an alert or closes it.

Both lie in the log as records of their own. Here they are taken in; what follows for the journeys is the stage's work.
What is said of something that does not exist, or is over, changes nothing and is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from schemas.identifiers import alert_id_of
from streams.journey.alerting import Move, said
from streams.journey.inputs import AcknowledgedView, SwitchedView
from streams.journey.instances import CUSTOMER, Unit
from streams.journey.ledger import Ledger
from streams.journey.memory import Memory
from streams.journey.modes import Modes, Turn
from streams.journey.run import Run


class Acknowledged(NamedTuple):
    """What becomes of an alert by a person's word, and whose it is."""

    unit: Unit
    run: Run
    move: Move


class People:
    """`unheeded`: what people said, since this process began, that changed nothing."""

    __slots__ = ("_ledger", "_memory", "_modes", "unheeded")

    def __init__(self, modes: Modes, memory: Memory, ledger: Ledger) -> None:
        self._modes, self._memory, self._ledger = modes, memory, ledger
        self.unheeded = 0

    def switched(self, value: SwitchedView) -> Sequence[Unit]:
        """The units that have to be folded again."""
        name = value.definition
        changed = self._modes.take(name, Turn(value.version, value.mode, value.from_at, value.at[2]))
        if changed is None:
            self.unheeded += 1
            return ()
        self._ledger.turns(name, self._modes.turns[name])
        return self._memory.started_in(name, changed) if changed else ()

    def acknowledged(self, value: AcknowledgedView, log_time: int) -> Acknowledged | None:
        unit, run = _run_of(self._memory, value)
        known = run.alerts.get((value.break_name, value.occurrence)) if run is not None and run.alerts else None
        move = said(known, value.closes, value.acknowledged_by, log_time) if known is not None else None
        if unit is None or run is None or move is None:
            self.unheeded += 1
            return None
        return Acknowledged(unit, run, move)


def _run_of(memory: Memory, value: AcknowledgedView) -> tuple[Unit | None, Run | None]:
    """The instance whose alert somebody speaks of, if it is that alert's."""
    key = CUSTOMER if value.anchor.startswith("start:") else value.anchor
    scope = memory.find(value.customer_id, key)
    for unit in scope.units if scope is not None else ():
        if (unit.definition.name, unit.definition.version) != (value.definition, value.version):
            continue
        for run in unit.runs:
            if run.anchor == value.anchor:
                right = alert_id_of(run.journey_id, value.break_name, value.occurrence) == value.alert_id
                return (unit, run) if right else (None, None)
    return None, None
