"""The stages of Touchline, wired into a simulated world; and weaker ones that the laws must catch."""

from __future__ import annotations

from functools import partial
from random import Random

from schemas.definition import Catalogue, CatalogueEntry, Impact
from streams.identity.limits import Limits
from streams.identity.resolve import Resolve, ResolveConfig
from streams.pace.keep_time import KeepTime
from streams.stage import Effect, LogRecord, Stage
from tests.simulated.expected import Rules
from tests.simulated.generate import ENDS_SESSION, Shape, history, shape
from tests.simulated.scheduler import SECRET, Odds, StagePlan, World

PARTITIONS = 3
KIOSK_TOUCHPOINTS = 12
LIMITS = Limits(kiosk_touchpoints=KIOSK_TOUCHPOINTS)
RULES = Rules(kiosk_touchpoints=KIOSK_TOUCHPOINTS)


def catalogue() -> Catalogue:
    impact = Impact(stage="service", mode="monitor", criticality="low")
    return Catalogue(
        touchpoints={
            name: CatalogueEntry(owner="team-web", impact=impact, ends_session=True) for name in ENDS_SESSION
        }
    )


CONFIG = ResolveConfig(catalogue(), SECRET, frozenset(("fulfilment",)), limits=LIMITS)


def resolve(partition: int) -> Stage:
    return Resolve(partition, PARTITIONS, CONFIG)


class Hasty(KeepTime):
    """Ticks on the plain minimum: wrong, for what was forwarded or told is still under way."""

    def apply(self, record: LogRecord, out: list[Effect]) -> None:
        marks: list[Effect] = []
        super().apply(record, marks)
        ticks: list[Effect] = []
        if any(effect.topic == "touchpoints.raw" for effect in marks):
            log_time = self._state.round_log_time
            self._hops = 0
            self._state.reported = list(range(self._partitions))
            from streams.pace.keep_time import _Emission

            self._report(0, _Emission(record.offset, self._secret, ticks))
            assert self._state.ticked == log_time
        out.extend(ticks)


def keep_time(kind: type[KeepTime], hops: int, partition: int) -> Stage:
    assert partition == 0
    return kind(PARTITIONS, PARTITIONS, SECRET, hops)


def build(rng: Random, weaker: str | None = None, of: Shape | None = None) -> World:
    kind = Hasty if weaker == "no round" else KeepTime
    hops = 1 if weaker == "one round" else 2
    plans = [
        StagePlan("resolve", "touchpoints.raw", PARTITIONS, resolve),
        StagePlan("keep_time", "progress", 1, partial(keep_time, kind, hops)),
    ]
    faults = rng.choice((0, 1, 1, 3))
    odds = Odds(
        beat=rng.choice((1, 4, 8)),
        deliver=rng.choice((6, 20)),
        send=rng.choice((6, 20)),
        crash=faults,
        zombie=faults,
    )
    return World(rng, plans, history(rng, PARTITIONS, of or shape(rng)), odds)
