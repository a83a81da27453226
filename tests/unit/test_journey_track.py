"""The stage: positions, revs, what is kept and for how long, and its view of the contracts."""

from __future__ import annotations

from uuid import uuid5

import msgspec
import pytest

from schemas import records
from schemas.fast import encode
from schemas.identifiers import NAMESPACE, customer_of, journey_id_of
from schemas.touchpoint import Contract
from streams.journey import inputs
from streams.journey.holds import Place
from streams.journey.inputs import UnreadableRecord
from streams.journey.snapshot import StepRow
from streams.journey.track import Track
from streams.stage import Effect, Stage
from tests.journey_case import DAY, HOUR, MINUTE, NOON, Log, Record, compiled, placed, play, run, touch

FIRE = NOON + 11 * MINUTE


def test_track_is_a_stage() -> None:
    stage: Stage = Track(0, compiled(), "live")
    assert stage.changes() == []


@pytest.mark.parametrize(
    ("view", "model"),
    [
        (inputs.EntryView, records.Entry),
        (inputs.ResolvedView, records.Resolved),
        (inputs.AttachView, records.Attach),
        (inputs.DetachView, records.Detach),
        (inputs.TickView, records.Tick),
        (Place, records.SourceState),
        (inputs.SwitchedView, records.Switched),
        (inputs.AcknowledgedView, records.Acknowledged),
    ],
)
def test_the_views_agree_with_the_contracts(view: type[msgspec.Struct], model: type[Contract]) -> None:
    inner: dict[object, object] = {list[records.Entry]: list[inputs.EntryView], list[records.SourceState]: list[Place]}
    for field in msgspec.structs.fields(view):
        wanted = model.model_fields[field.name].annotation
        assert field.type == inner.get(wanted, wanted)


def test_the_rows_of_a_snapshot_have_the_fields_of_the_contract() -> None:
    row = StepRow("a", "reached", 1, 2, "t", "web")
    same = records.StepState(step="a", status="reached", due_at=1, reached_at=2, touchpoint_id="t", channel="web")
    assert encode(row) == encode(same)
    assert set(StepRow.__struct_fields__) == set(records.StepState.model_fields)


def test_ids_are_uuid5_of_their_text() -> None:
    assert journey_id_of("d", 2, "c", "a") == str(uuid5(NAMESPACE, "journey|d|2|c|a"))
    assert customer_of("email", "é") == str(uuid5(NAMESPACE, "email:é"))


def test_positions_rise_within_a_record_and_snapshots_come_in_their_order() -> None:
    log = Log()
    for order in "123":
        log.attach(placed(order=order, tid=f"p{order}"), scope=f"order_id:{order}")
    log.tick(FIRE)
    log.attach(touch("payment_captured", FIRE, order="1"), scope="order_id:1")
    outcome = run(log)
    assert [alert["at"][2:] for alert in outcome.alerts[:3]] == [[3, 0], [3, 2], [3, 4]]
    snapshots = [msgspec.json.decode(e.value)["at"] for e in outcome.effects if e.topic == "journeys"]
    assert snapshots == sorted(snapshots)
    assert len({tuple(at) for at in snapshots} | {tuple(alert["at"]) for alert in outcome.alerts}) == 7


def test_deadlines_of_one_tick_come_in_the_order_of_their_times() -> None:
    log = Log()
    for index, order in enumerate("4213"):
        log.attach(placed(NOON + index, order=order, tid=f"p{order}"), scope=f"order_id:{order}")
    log.tick(NOON + HOUR)
    assert [alert["anchor"][-1] for alert in run(log).alerts] == list("4213")


def test_a_record_seen_before_changes_nothing() -> None:
    log = Log()
    log.attach(placed())
    log.attach(touch("payment_captured", NOON + 1))
    again = [Record(10 + record.offset, record.value) for record in log.records]
    stage, out = Track(0, compiled(), "live"), list[Effect]()
    play(log, stage)
    stage.changes()
    for record in again:
        stage.apply(record, out)
    stage.flush(out)
    assert out == []
    assert stage.changes() == []


def test_only_a_greater_rev_counts() -> None:
    log = Log()
    log.attach(placed(tid="a"))
    log.detach("a", moved_to="c2")
    old = records.Attach(
        at=("resolve", 1, 5, 0),
        run="live",
        customer_id="c1",
        scope="order_id:7",
        entries=[placed(tid="a")],
        rev=1,
        attributed_by="business_key",
    )
    log.records.append(Record(2, encode(old)))
    assert run(log).journey()["status"] == "moved"
    log.records[-1] = Record(2, encode(old.model_copy(update={"rev": 9})))
    assert run(log).journey()["status"] == "open"


def test_an_unreadable_record_stops_the_partition_and_a_person_may_give_it_up() -> None:
    stage, out = Track(3, compiled(), "live"), list[Effect]()
    record = Record(17, b'{"type":"tick"}', NOON)
    with pytest.raises(UnreadableRecord, match="partition 3, offset 17"):
        stage.apply(record, out)
    stage.quarantine(record, "written by hand", out)
    (letter,) = [msgspec.json.decode(effect.value) for effect in out]
    assert (letter["failure"], letter["offset"], letter["detail"]) == ("quarantined", 17, "written by hand")


def state_of(stage: Track, state: dict[bytes, bytes]) -> dict[bytes, bytes]:
    for key, value in stage.changes():
        if value is None:
            state.pop(key, None)
        else:
            state[key] = value
    return state


def test_what_is_over_is_forgotten_and_what_is_open_is_kept() -> None:
    log = Log()
    log.attach(placed(tid="a"), touch("order_cancelled", NOON + 1))
    log.attach(placed(tid="b", order="8"), scope="order_id:8")
    stage, state = Track(0, compiled(), "live"), dict[bytes, bytes]()
    for day in range(9):
        log.tick(NOON + day * DAY)
    for record in log.records:
        stage.apply(record, [])
        state_of(stage, state)
        if record.offset == 3:
            assert any(b"order_id:7" in key for key in state)
    assert not any(b"order_id:7" in key for key in state)
    assert any(b"order_id:8" in key for key in state)


def test_everything_is_forgotten_in_the_end() -> None:
    log = Log()
    log.attach(placed(tid="a"))
    log.tick(FIRE)
    log.detach("a", moved_to="c2")
    log.attach(placed(tid="a"), touch("survey", NOON + 1, csat=1), customer="c2", moved_from="c1")
    for day in range(1, 30):
        log.tick(NOON + day * DAY)
    stage = Track(0, compiled(), "live")
    play(log, stage)
    assert [key for key in state_of(stage, {}) if b"order" in key] == []


def test_the_cap_spares_starts_and_steps_and_does_not_look_at_arrival() -> None:
    entries = [touch("payment_declined", NOON + minute * MINUTE, tid=f"d{minute:02}") for minute in range(1, 12)]
    entries += [placed(tid="start"), touch("ready_for_pickup", NOON + 30 * MINUTE, tid="step")]
    for order in (entries, entries[::-1], entries[::2] + entries[1::2]):
        log = Log()
        for entry in order:
            log.attach(entry)
        stage = Track(0, compiled(), "live", entries_max=5)
        journey = play(log, stage).journey()
        assert journey["touchpoint_ids"] == ["start", "d09", "d10", "d11", "step"]
        assert journey["truncated"]


def test_the_changelog_survives_a_changed_definition() -> None:
    log = Log()
    log.attach(placed())
    log.tick(FIRE)
    stage = Track(0, compiled(), "live")
    play(log, stage)
    state = state_of(stage, {})
    renamed = Track(0, compiled({"journey": "other"}), "live")
    renamed.restore(state.items())
    assert renamed.changes() == []


def test_equal_facts_of_different_types_stay_apart() -> None:
    log = Log()
    for order, value in (("1", 1), ("2", True), ("3", 1.0)):
        log.attach(placed(order=order, tid=order, fulfilment=value), scope=f"order_id:{order}")
    wanted = {"start": {"touchpoint": "order_placed", "where": {"fulfilment": 1}}}
    assert {journey["anchor"] for journey in run(log, wanted).journeys.values()} == {"order_id:1", "order_id:3"}


def test_an_alert_that_moved_long_ago_is_known_after_a_restart() -> None:
    log = Log()
    log.attach(placed(tid="a"))
    log.tick(FIRE)
    log.detach("a", moved_to="c2")
    for day in range(1, 10):
        log.tick(NOON + day * DAY)
    back = len(log.records)
    log.attach(placed(tid="a"), moved_from="c2")
    before, state, ignored = Track(0, compiled(), "live"), dict[bytes, bytes](), list[Effect]()
    for record in log.records[:back]:
        before.apply(record, ignored)
        before.flush(ignored)
        state_of(before, state)
    after = Track(0, compiled(), "live")
    after.restore(state.items())
    effects: list[list[Effect]] = [[], []]
    for track, out in zip((before, after), effects, strict=True):
        track.apply(log.records[back], out)
        track.flush(out)
    assert effects[0] == effects[1]
    assert b'"reason":"came_back"' in effects[1][0].value
