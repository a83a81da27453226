"""Whatever dies between whichever steps: each record is stored once. The oracle is a store that counts, and
remembers tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.clickhouse.protocol import (
    METADATA_BYTES_MAX,
    Checkpoint,
    Phase,
    ProtocolError,
    Range,
    State,
    announced,
    confirmed,
    decode_metadata,
    encode_metadata,
    form,
    inserted,
    to_commit,
    token,
)

positions = st.dictionaries(
    st.tuples(st.sampled_from(["resolve", "track", "keep_time"]), st.integers(0, 11)),
    st.tuples(st.integers(0, 2**62), st.integers(0, 2**20)),
)
ranges = st.tuples(st.integers(0, 2**62), st.integers(0, 1000)).map(lambda pair: Range(pair[0], sum(pair)))


@given(st.integers(0, 2**62), positions, st.none() | ranges)
def test_metadata_comes_back_as_it_was_and_fits(
    offset: int, seen: dict[tuple[str, int], tuple[int, int]], pending: Range | None
) -> None:
    checkpoint = Checkpoint(offset, seen, pending)
    metadata = encode_metadata(checkpoint)
    assert len(metadata.encode()) <= METADATA_BYTES_MAX
    assert decode_metadata(offset, metadata) == checkpoint


def test_metadata_that_kafka_would_refuse_is_an_error_before_the_commit() -> None:
    seen = {("resolve", partition): (2**40, 5) for partition in range(500)}
    with pytest.raises(ProtocolError, match="500 source partitions"):
        encode_metadata(Checkpoint(1, seen))


@pytest.mark.parametrize("metadata", ["nonsense", "{}", '{"v":2}', '{"v":1,"pending":[1]}', '{"v":1,"more":0}'])
def test_foreign_metadata_is_refused(metadata: str) -> None:
    with pytest.raises(ProtocolError, match="committed offset 7"):
        decode_metadata(7, metadata)


def test_no_metadata_is_a_first_start() -> None:
    assert decode_metadata(7, "") == Checkpoint(7)


@given(st.data())
def test_each_record_once_whatever_dies_and_however_it_is_cut(data: st.DataObject) -> None:
    """A log of 40 records, processes that die at any step and cut their batches at will, a store that drops
    known tokens."""
    log = list(range(40))
    kafka = (0, "")
    rows: list[int] = []
    tokens: set[str] = set()
    for _ in range(200):
        if kafka[0] >= len(log):
            break
        state = State(decode_metadata(*kafka))
        while state.done.offset < len(log):
            first = state.done.offset
            last = state.pending.last if state.pending else data.draw(st.integers(first, len(log) - 1), label="cut")
            state = form(state, Range(first, last), {}, rows=1)
            alive = data.draw(st.integers(0, 4), label="dies after")
            if state.phase is Phase.ANNOUNCING:
                if alive == 0:
                    break
                kafka = (to_commit(state).offset, encode_metadata(to_commit(state)))
                state = announced(state)
            if alive == 1:
                break
            mine = token("t", "topic", 0, Range(first, last), 0)
            if mine not in tokens:
                tokens.add(mine)
                rows.extend(log[first : last + 1])
            state = inserted(state)
            if alive == 2:
                break
            kafka = (to_commit(state).offset, encode_metadata(to_commit(state)))
            state = confirmed(state)
    else:
        return  # This run died too often to come to the end; what it stored must still be right.
    assert rows == log


def test_a_range_that_was_announced_must_be_formed_again() -> None:
    state = State(Checkpoint(10, {}, Range(10, 19)))
    with pytest.raises(ProtocolError, match="10-19 are announced, but 10-25"):
        form(state, Range(10, 25), {}, rows=1)
    assert form(state, Range(10, 19), {}, rows=1).phase is Phase.INSERTING


def test_a_range_without_rows_moves_the_position_without_a_commit() -> None:
    state = form(State(Checkpoint(10)), Range(12, 19), {("resolve", 0): (5, 0)}, rows=0)
    assert state == State(Checkpoint(20, {("resolve", 0): (5, 0)}))


def test_moves_out_of_turn_are_refused() -> None:
    reading = State(Checkpoint(0))
    for move in (announced, inserted, confirmed):
        with pytest.raises(ProtocolError, match="reading"):
            move(reading)
    with pytest.raises(ProtocolError, match="do not follow"):
        form(State(Checkpoint(10)), Range(9, 12), {}, rows=1)


def test_tokens_tell_tables_topics_partitions_ranges_and_lives_of_a_topic_apart() -> None:
    same = ("t", "topic", 1, Range(0, 9), 1000)
    others = [
        ("u", "topic", 1, Range(0, 9), 1000),
        ("t", "other", 1, Range(0, 9), 1000),
        ("t", "topic", 2, Range(0, 9), 1000),
        ("t", "topic", 1, Range(0, 8), 1000),
        ("t", "topic", 1, Range(0, 9), 1001),
    ]
    assert token(*same) == token(*same)
    assert len({token(*found) for found in [same, *others]}) == 6
