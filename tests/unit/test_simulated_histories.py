"""The histories themselves, without the product: they are about what they promise, and they can be told apart."""

from __future__ import annotations

from collections import Counter
from random import Random

from tests.oracle.usable import BUSINESS
from tests.simulated.cover import OF_CLOCKS, OF_THE_CAP, OF_THE_SET, missing, of_the_set
from tests.simulated.expected import Expected, expect
from tests.simulated.generate import RAW, START, history, shape
from tests.simulated.log import Logs
from tests.simulated.scheduler import SECRET
from tests.simulated.worlds import RULES, TIGHT_RULES

HISTORIES = 1_500


def judged(seed: int, world: str = "", partitions: int = 3) -> Expected:
    """Every third one where identifiers keep little."""
    rules = TIGHT_RULES if seed % 3 == 1 else RULES
    rng = Random(seed)
    logs = Logs(START)
    for arrival in history(rng, partitions, shape(rng), RULES, SECRET, world):
        logs.now += arrival.after_ms
        logs.append(arrival.topic, arrival.partition, None, arrival.value, arrival.headers)
    return expect([logs.read(RAW, partition) for partition in range(partitions)], logs.read("progress", 0), rules)


def test_histories_are_about_everything() -> None:
    covered = Counter(name for seed in range(HISTORIES) for name in set(of_the_set(judged(seed))))
    assert missing(covered, (*OF_THE_SET, *OF_CLOCKS, *OF_THE_CAP)) == []
    assert min(covered.values()) > HISTORIES // 500, covered.most_common()


def test_worlds_share_nothing() -> None:
    seen: set[tuple[str, str]] = set()
    for world in range(40):
        found = judged(5, f"w{world}-", partitions=1).attribution
        mine = {one for x in found.touchpoints.values() for one in x.touchpoint.identifiers.items()}
        assert seen.isdisjoint(mine)
        assert found.owners.keys() <= mine
        assert all(kind in BUSINESS for kind, _ in found.owners)
        seen |= mine
