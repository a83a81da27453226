"""A seed is a script: the same one in every build, so that a run of last month can be told again.

Whoever changes a story on purpose puts the new digests here.
"""

from hashlib import sha256

import pytest

from sources.simulation.scenarios import NEAR_MISSES, ORDINARY, PLANTED
from sources.simulation.script import write_script

ENOUGH_FOR_EVERY_STORY = 8_000


@pytest.mark.parametrize(
    ("seed", "digest"),
    [
        (1, "5c02de1b293313787fc4e732a193caabe5b0e32f91dff674eed7c787f4a9eed1"),
        (20_260_302, "2fb7355d608d4c3d9f8db5fd26a6e19f9676a68e9d193f4302e8431e798cf87c"),
    ],
)
def test_a_seed_gives_the_same_script_in_every_build(seed: int, digest: str) -> None:
    script = write_script(seed, ENOUGH_FOR_EVERY_STORY)
    assert sha256(repr(script).encode()).hexdigest() == digest


def test_every_story_is_in_one_table_and_both_tables_know_every_break() -> None:
    stories = [story for table in (PLANTED, NEAR_MISSES) for told in table.values() for story in told]
    assert len(set(stories)) == len(stories)
    assert not set(stories) & set(ORDINARY)
    assert set(PLANTED) == set(NEAR_MISSES)
