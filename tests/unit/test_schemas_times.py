from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.times import MS_MAX, MS_MIN, from_ms, to_ms

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(st.integers(MS_MIN, MS_MAX))
def test_a_time_survives_the_way_there_and_back(ms: int) -> None:
    assert to_ms(from_ms(ms)) == ms


@given(
    st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31)),  # noqa: DTZ001  # the offset is added below
    st.integers(-1439, 1439),
    st.integers(0, 9),
)
def test_it_agrees_with_the_calendar(moment: datetime, offset_minutes: int, digits: int) -> None:
    zone = timezone(timedelta(minutes=offset_minutes))
    nanoseconds = f"{moment.microsecond:06}123"[:digits]
    sign, distance = "-" if offset_minutes < 0 else "+", abs(offset_minutes)
    text = f"{moment:%m-%dT%H:%M:%S}" + (f".{nanoseconds}" if digits else "")
    text = f"{moment.year:04}-{text}{sign}{distance // 60:02}:{distance % 60:02}"
    kept = int(nanoseconds.ljust(3, "0")[:3]) if digits else 0
    whole = (moment.replace(microsecond=0, tzinfo=zone) - EPOCH) // timedelta(seconds=1)
    assert to_ms(text) == whole * 1000 + kept


@pytest.mark.parametrize(
    "text",
    [
        *("", "yesterday", "2026-11-22", "2026-11-22T10:15:30", "2026-11-22T10:15Z", "2026-11-22 10:15:30Z"),
        *("2026-11-22t10:15:30Z", "2026-11-22T10:15:30z", "2026-11-22T24:00:00Z", "2026-11-22T23:60:00Z"),
        *("2026-12-31T23:59:60Z", "2026-12-31T23:59:60.000Z", "0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000Z"),
        *("2026-02-29T00:00:00Z", "2026-02-29T00:00:00.000Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z"),
        *(
            "2026-11-22T10:15:30+24:00",
            "2026-11-22T10:15:30+01:60",
            "2026-11-22T10:15:30+0100",
            "2026-11-22T10:15:30+01",
        ),
        *("2026-11-22T10:15:30.Z", "2026-11-22T10:15:30,123Z", "2026-11-22T10:15:30.1234567890Z", "20261122T101530Z"),
        *("2026-W47-7T10:15:30Z", "2026-11-22T10:15:30Z\n", "2026-11-22T10:15:30.123Z ", "٢٠٢٦-11-22T10:15:30Z"),
        *(
            "0001-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "+2026-11-22T10:15:30Z",
            "2026-11-22T1_:15:30.123Z",
        ),
    ],
)
def test_what_is_no_time_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="not a") as refused:
        to_ms(text)
    assert not text or text not in str(refused.value)


@pytest.mark.parametrize("ms", [MS_MIN - 1, MS_MAX + 1])
def test_no_text_outside_the_calendar(ms: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        from_ms(ms)
