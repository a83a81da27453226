"""Breaks that are waited out, told in batches: what is known in part only must not fire."""

from __future__ import annotations

from typing import Any

from tests.journey_case import MINUTE, NOON, Log, run, touch

WAITED: dict[str, Any] = {
    "start": {"touchpoint": "opened"},
    "steps": {"solved": {"touchpoint": "solved"}},
    "outcome": {"success": "solved"},
    "breaks": {"gone": {"idle": "5m"}, "many": {"touchpoint": "viewed", "at_most": 50}},
}


def batch(log: Log, name: str, first: int, last: int, every: int, arrives: int) -> None:
    for at in range(first, last, every):
        entry = touch(name, NOON + at * MINUTE, log=NOON + arrives * MINUTE)
        log.resolved(entry)
        log.attach(entry)


def test_a_batch_does_not_fire_what_its_next_touchpoint_disproves() -> None:
    """A silence was judged; then a device that was offline uploads. The first touchpoint of the batch ends that
    silence, and the next one comes in time: the silence between them is none, whatever W was reached before.
    """
    log = Log()
    batch(log, "opened", 0, 1, 1, arrives=0)
    log.tick(NOON + 30 * MINUTE)
    batch(log, "viewed", 8, 31, 4, arrives=31)
    log.tick(NOON + 31 * MINUTE)
    assert run(log, WAITED).told == [
        ("gone", "firing", "fired", True),
        ("gone", "resolved", "cleared", True),
    ]


def test_a_failure_that_a_batch_puts_right_is_not_told_again() -> None:
    """The first failure was judged. The batch says that it was put right late, and that the next failure, which had
    been swallowed by the first one, was put right in time.
    """
    log = Log()
    breaks = {"trouble": {"touchpoint": "fault", "cleared_by": "answered", "tolerate": "5m"}}
    steps = {"solved": {"touchpoint": "solved"}, "answered": {"touchpoint": "answered"}}
    batch(log, "opened", 0, 1, 1, arrives=0)
    batch(log, "fault", 1, 2, 1, arrives=1)
    batch(log, "fault", 20, 21, 1, arrives=20)
    log.tick(NOON + 30 * MINUTE)
    batch(log, "answered", 10, 23, 12, arrives=31)
    log.tick(NOON + 40 * MINUTE)
    assert run(log, WAITED | {"breaks": breaks, "steps": steps}).told == [
        ("trouble", "firing", "fired", True),
        ("trouble", "resolved", "cleared", True),
    ]
