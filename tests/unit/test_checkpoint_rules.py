"""When a partition may start, and where: every refusal names the place and what to do."""

from __future__ import annotations

import pytest

from streams.checkpoint import Found, Mark, Refused, Saved, read_mark, start_at
from streams.settings import Place

PLACE = Place("track", "touchpoints", 3)
FOUND = Found(committed=100, first=0, end=500, topic_id="id")
MARK = Mark(100, "id", "build", clean=False)


def test_a_first_start_reads_from_the_beginning_of_the_log() -> None:
    assert start_at(PLACE, Saved(None, {}), Found(None, 40, 500, "id"), "build") == 40


@pytest.mark.parametrize("committed", [None, 0, 60, 100])
def test_reading_starts_at_the_checkpoint_whatever_the_group_says(committed: int | None) -> None:
    assert start_at(PLACE, Saved(MARK, {}), FOUND._replace(committed=committed), "build") == 100


def test_another_build_may_start_after_a_clean_stop_only() -> None:
    clean = Mark(100, "id", "build", clean=True)
    assert start_at(PLACE, Saved(clean, {}), FOUND, "other") == 100
    with pytest.raises(Refused, match="did not stop cleanly"):
        start_at(PLACE, Saved(MARK, {}), FOUND, "other")
    assert start_at(PLACE, Saved(MARK, {}), FOUND, "other", accept_unclean=True) == 100


@pytest.mark.parametrize(
    ("saved", "found", "says"),
    [
        (Saved(None, {}), FOUND, "no position"),
        (Saved(None, {b"k": b"v"}), FOUND._replace(committed=None), "no position"),
        (Saved(MARK, {}), FOUND._replace(topic_id="new"), "topic id id"),
        (Saved(MARK, {}), FOUND._replace(committed=101), "committed offset 101"),
        (Saved(MARK, {}), FOUND._replace(first=120), "20 offsets are gone"),
        (Saved(MARK, {}), FOUND._replace(end=99), "ends at 99"),
    ],
)
def test_what_could_lose_records_is_refused(saved: Saved, found: Found, says: str) -> None:
    with pytest.raises(Refused, match=says) as refusal:
        start_at(PLACE, saved, found, "build")
    assert "stage track, topic touchpoints, partition 3" in str(refusal.value)


def test_a_mark_of_another_version_is_refused() -> None:
    with pytest.raises(Refused, match="cannot be read"):
        read_mark(b'{"position": 1}', PLACE)
    with pytest.raises(Refused, match="format 9"):
        read_mark(b'{"position":1,"topic_id":"x","fingerprint":"b","clean":true,"format":9}', PLACE)
