"""Three hundred histories on real Kafka in one go: workers are killed and join while it runs, and every law holds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final

import pytest

from schemas.topics import PARTITIONS
from tests.integration.histories_rig import Histories, slices, worlds
from tests.simulated.cover import OF_THE_LOGS, OF_THE_SET, missing, of_the_logs, of_the_set
from tests.simulated.generate import HOUR_MS
from tests.simulated.judge import check_journeys
from tests.simulated.laws import check, new_records
from tests.simulated.log import Logs
from tests.simulated.worlds import RULES

HISTORIES: Final = 300
SLICES: Final = 40
SECOND_JOINS: Final = 6
KILLS: Final = {12: "one", 18: "two", 24: "one", 30: "two"}
"""After this slice was sent. The worker starts again two slices later."""
FIRST_LEAVES: Final = 36
ALONE_ONLY: Final = "a source that fell silent"
"""Three hundred histories at once leave no source silent; test_silent_source is about that."""


@pytest.fixture
def rig(kafka: str, topic_prefix: str, tmp_path: Path) -> Iterator[Histories]:
    found = Histories(kafka, topic_prefix, tmp_path)
    try:
        yield found
    finally:
        found.close()


@pytest.mark.timeout(600)
def test_histories_hold_every_law_while_workers_die(rig: Histories) -> None:
    moments, begun = Random(4), time.monotonic()
    rig.start("one")
    back: dict[int, str] = {}
    beat = ticked = 0
    for number, some in enumerate(slices(worlds(HISTORIES), SLICES)):
        if number in (SECOND_JOINS, *KILLS, FIRST_LEAVES):
            rig.until_ticked(ticked)  # somebody is at work again, not far behind
        if number in KILLS:
            rig.until_working(KILLS[number])
        if number in back:
            rig.start(back.pop(number))
        ticked, beat = beat, rig.send(some)
        if number == SECOND_JOINS:
            rig.start("two")
        if number in KILLS:
            time.sleep(moments.uniform(0.0, 0.4))
            rig.kill(KILLS[number])
            back[number + 2] = KILLS[number]
        if number == FIRST_LEAVES:
            assert rig.stop("one") == 0
    for hours in (1, 2):
        rig.beat(beat + hours * HOUR_MS)
    rig.until_ticked(beat + 2 * HOUR_MS)
    rig.until_drained()
    fed = time.monotonic()
    logs = rig.read()
    expected = check(logs, PARTITIONS, RULES)
    journeys, alerts = check_journeys(logs, PARTITIONS)
    covered = {*of_the_set(expected), *of_the_logs(logs, expected, PARTITIONS)}
    assert set(missing(covered, (*OF_THE_SET, *OF_THE_LOGS))) <= {ALONE_ONLY}
    print(
        f"{HISTORIES} histories, {len(expected.customers)} touchpoints, {len(expected.decisions)} decisions,"
        f" {journeys} journeys, {alerts} alerts; {redone(logs)} records written twice by {len(KILLS)} kills;"
        f" {fed - begun:.0f} s to run, {time.monotonic() - fed:.0f} s to judge"
    )


def redone(logs: Logs) -> int:
    """What a killed worker had sent already and its successor sent again."""
    return sum(
        len(logs.read("touchpoints", partition)) - len(list(new_records(logs.read("touchpoints", partition))))
        for partition in range(PARTITIONS)
    )
