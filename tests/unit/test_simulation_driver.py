"""The driver's clock: beats lie on multiples of their time, each behind what arrives by then, after a silence too.

The door is a list: what reaches Kafka is the integration tests' concern.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from sources.simulation import driver as module
from sources.simulation.driver import BEAT_MS, PULSE_BEAT_MS, Door, Driver
from sources.simulation.plan import Plan
from sources.simulation.script import Script, write_script

DOOR = Door("http://nowhere", {}, "touchpoints.raw", {})


@dataclass
class Log:
    """What happened, in order: a beat is a number, a touchpoint its plan."""

    all: list[int | Plan] = field(default_factory=list)

    async def beat(self, log_time: int) -> None:
        self.all.append(log_time)

    @property
    def beats(self) -> list[int]:
        return [one for one in self.all if isinstance(one, int)]


class Silent(Driver):
    """Sends into the log, a moment later than asked, as a network does."""

    def __init__(self, script: Script, log: Log) -> None:
        super().__init__(script, DOOR, io.StringIO(), log.beat)
        self._log = log

    async def _send_all(self, plans: Sequence[Plan], window_ms: int) -> None:
        await asyncio.sleep(0)
        self._log.all += plans

    async def _pause(self, seconds: float) -> None:
        """The pulse need not wait for the clock on the wall."""
        await asyncio.sleep(0)


@pytest.fixture(scope="module")
def played() -> tuple[Script, Log]:
    script = write_script(3, 1_500)
    log = Log()
    patch = pytest.MonkeyPatch()
    patch.setattr(module, "_producer", NoKafka)
    asyncio.run(Silent(script, log).run())
    patch.undo()
    return script, log


class NoKafka:
    def __init__(self, options: object) -> None:
        pass

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, *_: object) -> None:
        return None


def test_everything_is_sent_once(played: tuple[Script, Log]) -> None:
    script, log = played
    sent = [one for one in log.all if isinstance(one, Plan)]
    assert sorted(sent, key=lambda plan: (plan.arrives_at, plan.message_id)) == sorted(
        script.plans, key=lambda plan: (plan.arrives_at, plan.message_id)
    )


def test_a_beat_lies_behind_what_arrives_by_then(played: tuple[Script, Log]) -> None:
    _, log = played
    now = 0
    for one in log.all:
        if isinstance(one, int):
            now = one
        else:
            assert one.arrives_at > now


def test_beats_lie_on_multiples(played: tuple[Script, Log]) -> None:
    script, log = played
    first, *between, last = log.beats
    assert (first, last) == (script.start - 1, script.end)
    assert all(beat <= after for beat, after in pairwise(log.beats))
    for beat in between:
        assert beat % (PULSE_BEAT_MS if script.pulse_start <= beat <= script.pulse_end else BEAT_MS) == 0
    pulse = [beat for beat in between if script.pulse_start < beat <= script.pulse_end]
    assert pulse == list(range(script.pulse_start + PULSE_BEAT_MS, script.pulse_end + 1, PULSE_BEAT_MS))


def test_what_arrives_after_a_silence_comes_behind_the_last_beat_before_it(played: tuple[Script, Log]) -> None:
    """At speed 1 a window leaves when its time has come, whatever the beat before it waits for."""
    script, log = played
    now, after_silence, before = script.start - 1, 0, script.start
    for one in log.all:
        if isinstance(one, int):
            now = one
        elif not script.pulse_start < one.arrives_at <= script.pulse_end:
            tick = (one.arrives_at - 1) // BEAT_MS * BEAT_MS
            if tick < script.pulse_end < one.arrives_at:
                tick = script.pulse_end
            assert now == (tick if tick > script.start else script.start - 1)
            after_silence += one.arrives_at - before > 2 * BEAT_MS
            before = max(before, one.arrives_at)
    assert after_silence > 10
