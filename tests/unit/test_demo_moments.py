"""When a run kills a part: seeded, spread over the way, before its end."""

from itertools import pairwise

from deploy.demo.once import KILLS, moments


def test_the_moments_are_spread_and_repeatable() -> None:
    for seed in range(50):
        found = moments(seed, 90_000)
        assert found == moments(seed, 90_000)
        assert len(found) == KILLS
        assert all(later - earlier > 4_000 for earlier, later in pairwise(found))
        assert 0 < found[0] < found[-1] < 75_000
    assert moments(1, 90_000) != moments(2, 90_000)
