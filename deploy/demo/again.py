"""The definitions of a run over what it stored: a backtest must raise what the workers raised, and end it alike.

A simulated run packs minutes of log time into a moment. So the workers know some of what arrives after a beat before
the tick of that beat comes, and a partition of touchpoints.raw may run ahead of another by what is sent between two
beats. What only this decides is counted and no difference: alerts that were withdrawn on the side that raised them
alone, and those that one side fired and cleared in the same breath (docs/backtest.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from deploy.backtest.figures import Difference, Otherwise, Sample
from deploy.backtest.run import Setting, Wish, backtest
from deploy.backtest.stored import Store
from deploy.backtest.ticks import Spell, Ticks
from deploy.identity.setting import browsers_of
from deploy.rows import Rows
from deploy.stack import Stack
from schemas.definition_files import load_definitions
from schemas.identity_files import catalogue_of, identity_rules_of
from schemas.identity_reader import IdentityReader
from schemas.sources_files import sources_of
from sources.simulation.driver import BEAT_MS, PULSE_BEAT_MS
from sources.simulation.script import Script

LIVE: Final = "live"
Progress = Callable[[str], None]


@dataclass(slots=True)
class Again:
    """Counts of alerts. `withdrawn`: of those that one side raised alone."""

    definitions: int = 0
    both: int = 0
    only_backtest: int = 0
    only_live: int = 0
    withdrawn: int = 0
    ended_otherwise: int = 0
    at_once_otherwise: int = 0
    by_definition: dict[str, int] = field(default_factory=dict)
    """How many both raised."""
    differences: list[str] = field(default_factory=list)


def run_again(stack: Stack, script: Script, progress: Progress) -> Again:
    """Blocks; all parts must run still. Raises EmbeddedError, DefinitionError, Unclear."""
    settings = stack.settings
    catalogue = catalogue_of(settings)
    ticks = Ticks(BEAT_MS, Spell(PULSE_BEAT_MS, script.pulse_start, script.pulse_end))
    setting = Setting(
        settings.horizon_ms,
        IdentityReader(identity_rules_of(settings)).usable_of,
        ticks,
        sources=sources_of(settings, catalogue),
    )
    again = Again()
    with Rows(stack) as rows:
        store = Store(rows.ask, rows.stream, browsers_of(stack))
        for definition in load_definitions(settings.definitions_dir, catalogue):
            if definition.mode != LIVE:
                continue
            progress(f"backtest: {definition.journey}")
            wish = Wish(definition, catalogue, script.start, script.end)
            report = backtest(wish, store, setting, lambda seen, count: None)
            add(again, definition.journey, report.difference)
    return again


def add(again: Again, name: str, found: Difference) -> None:
    again.definitions += 1
    again.both += found.both
    again.by_definition[name] = found.both
    again.only_backtest += found.only_here
    again.only_live += found.only_there
    again.withdrawn += found.false_here + found.false_there
    again.ended_otherwise += found.ended_otherwise
    again.at_once_otherwise += found.at_once_otherwise
    again.differences += [_alone(name, "the backtest", one) for one in found.samples_here if _stands(one)]
    again.differences += [_alone(name, "live", one) for one in found.samples_there if _stands(one)]
    again.differences += [_otherwise(name, one) for one in found.samples_otherwise]


def _stands(one: Sample) -> bool:
    return one.ended != "withdrawn"


def _alone(name: str, side: str, one: Sample) -> str:
    return f"only {side} raised {one.break_name} of {name} {one.anchor}: {one.ended}, fired {one.fired_at}"


def _otherwise(name: str, one: Otherwise) -> str:
    here = one.here
    return f"{here.break_name} of {name} {here.anchor}: {here.ended} in the backtest, {one.ended_there} live"
